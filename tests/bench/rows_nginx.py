"""nginx and a file of 1 KiB at saturation, one worker: 17 microseconds a request where placement has 10,000."""

from server import BUILD, LIBRARY, Server, compare_all

GROUP = "nginx"
TITLE = "nginx, a file of 1 KiB at saturation: throughput, of the bare server's"


class Nginx(Server):
    program = "nginx"
    apart = True

    def command(self):
        conf = self.files.with_suffix(".conf")
        root = self.files.parent / "www"
        root.mkdir(exist_ok=True)
        (root / "index.html").write_bytes(b"x" * 1024)
        conf.write_text("""
            daemon off; user root; worker_processes 1; pid %(files)s.pid; error_log stderr error;
            events { worker_connections 64; }
            http {
                access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on;
                client_body_temp_path %(files)s-body; proxy_temp_path %(files)s-proxy;
                fastcgi_temp_path %(files)s-f; uwsgi_temp_path %(files)s-u; scgi_temp_path %(files)s-s;
                server { listen 127.0.0.1:%(port)d; root %(root)s; }
            }
            """ % {"files": self.files, "port": self.port, "root": root})
        return ["/usr/sbin/nginx", "-e", "stderr", "-c", str(conf)]

    def wrk(self):
        return ["-c", "8", "http://127.0.0.1:%d/index.html" % self.port]


def rows(work, options):
    many = options.pairs
    slow = dict(LIBRARY, REQPROF_KEEP="slower=10s")
    limited = {key: value for key, value in LIBRARY.items() if "MAX" not in key}
    empty = {"LD_PRELOAD": str(BUILD / "bench" / "empty_file.so"), "BENCH_FILES": "{files}"}
    floor = Nginx("an empty file each (the floor)", environment=empty, suffix=".empty")
    full = Nginx("997 Hz, a file each", environment=LIBRARY, suffix=".pprof")
    result = compare_all(GROUP, work, Nginx("bare"), [
        (Nginx("switched off", environment=dict(LIBRARY, REQPROF_ENABLE="0")), many, "0.99"),
        (Nginx("997 Hz, only slow ones kept", environment=slow), many, "0.95"),
        (floor, many, ""),
        (full, many, ""),
        (Nginx("997 Hz, the newest 10,000 files", environment=limited), many, ""),
    ], options)
    result += compare_all(GROUP, work, floor, [(full, many, "0.90")], options)
    return result
