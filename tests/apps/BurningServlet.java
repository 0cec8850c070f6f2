import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;

/** tests/apps/Burning.java's routes for servlet containers. */
public class BurningServlet extends HttpServlet {
	@Override
	protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
		String path = request.getRequestURI();
		int route = Integer.parseInt(path.split("/")[1].substring(1));
		byte[] body = ("route=" + route + " path=" + path + " burnt=" + Burning.burn(route) + "\n").getBytes();

		response.setContentType("text/plain");
		response.setContentLength(body.length);
		response.getOutputStream().write(body);
	}
}
