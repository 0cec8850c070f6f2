import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

/**
 * tests/apps/burning.py for the JDK's own HTTP server: Burning PORT [THREADS]. With THREADS a pool of so many serves
 * requests, else the thread that accepts. Run with the routes compiled and never inlined: then they have names in the JVM's map.
 */
public class Burning {
	static final long NANOSECONDS = 1500000;
	static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
	static volatile long sink;

	static long cpu() { return THREADS.getCurrentThreadCpuTime(); }

	static long route_0(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }
	static long route_1(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }
	static long route_2(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }
	static long route_3(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }
	static long route_4(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }
	static long route_5(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }
	static long route_6(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }
	static long route_7(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }
	static long route_8(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }
	static long route_9(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }
	static long route_10(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }
	static long route_11(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }
	static long route_12(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }
	static long route_13(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }
	static long route_14(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }
	static long route_15(long ns) { long begun = cpu(), sum = 0; do { for (int i = 0; i < 5000; i++) sum = (sum + i * 7L) % 1000003; } while (cpu() - begun < ns); sink = sum; return cpu() - begun; }

	static long burn(int k) {
		switch (k) {
		case 0: return route_0(NANOSECONDS);
		case 1: return route_1(NANOSECONDS);
		case 2: return route_2(NANOSECONDS);
		case 3: return route_3(NANOSECONDS);
		case 4: return route_4(NANOSECONDS);
		case 5: return route_5(NANOSECONDS);
		case 6: return route_6(NANOSECONDS);
		case 7: return route_7(NANOSECONDS);
		case 8: return route_8(NANOSECONDS);
		case 9: return route_9(NANOSECONDS);
		case 10: return route_10(NANOSECONDS);
		case 11: return route_11(NANOSECONDS);
		case 12: return route_12(NANOSECONDS);
		case 13: return route_13(NANOSECONDS);
		case 14: return route_14(NANOSECONDS);
		case 15: return route_15(NANOSECONDS);
		default: return -1;
		}
	}

	static void handle(HttpExchange exchange) throws IOException {
		String path = exchange.getRequestURI().getPath();
		String first = path.split("/")[1];
		long burnt = first.matches("r[0-9]+") ? burn(Integer.parseInt(first.substring(1))) : -1;
		String text = burnt < 0 ? "no such route\n" : String.format("route=%s path=%s burnt=%d\n", first.substring(1), path, burnt);
		byte[] body = text.getBytes();

		exchange.getResponseHeaders().set("Content-Type", "text/plain");
		exchange.sendResponseHeaders(burnt < 0 ? 404 : 200, body.length);
		exchange.getResponseBody().write(body);
		exchange.close();
	}

	public static void main(String[] words) throws IOException {
		InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(words[0]));
		HttpServer server = HttpServer.create(address, 64);

		server.createContext("/", Burning::handle);
		if (words.length > 1)
			server.setExecutor(Executors.newFixedThreadPool(Integer.parseInt(words[1])));
		server.start();
	}
}
