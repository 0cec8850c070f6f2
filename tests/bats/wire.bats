# HTTP in every form a server may meet: the same bytes come back as without the library, and every
# request has its profile with the right method, path and status.
load helpers
load placement

# converses NAME [--kept-alive] WORD...: the server started by WORD... (with @PORT@ replaced).
converses() {
	local way kept=()
	if [ "$1" = --kept-alive ]; then
		kept=(--kept-alive)
		shift
	fi
	use_profiles
	for way in without with; do
		port=$(free_port)
		local words=("${@//@PORT@/$port}")
		if [ "$way" = with ]; then
			spawn "$way" "${preload[@]}" "${words[@]}"
		else
			spawn "$way" "${words[@]}"
		fi
		server_up "$way" "$port"
		"$PYTHON" "$TESTS/clients/odd_requests.py" "$port" "$BATS_TEST_TMPDIR/answers-$way" "${kept[@]}" \
			>"$BATS_TEST_TMPDIR/wanted"
		[ "$way" = with ] || stop "$without_pid"
	done
	diff -r "$BATS_TEST_TMPDIR/answers-without" "$BATS_TEST_TMPDIR/answers-with"
	settle "$with_pid" "$(wc -l <"$BATS_TEST_TMPDIR/wanted")"
	all_facts | jq -r '"\(.["http.request.method"]) \(.["url.path"]) \(.["http.response.status_code"])"' |
		sort >"$BATS_TEST_TMPDIR/got"
	sort -o "$BATS_TEST_TMPDIR/wanted" "$BATS_TEST_TMPDIR/wanted"
	diff "$BATS_TEST_TMPDIR/wanted" "$BATS_TEST_TMPDIR/got"
	# Each ended as its framing says or with its connection, none by the next request's head.
	is "" "$(all_facts | jq -r 'select(.["reqprof.end"] != "complete" and .["reqprof.end"] != "closed") |
		"\(.["url.path"]): \(.["reqprof.end"])"')"
}

@test "uwsgi --http-socket: the same answers, the right profiles" {
	requires uwsgi
	converses "${UWSGI[@]}" -M --die-on-term --http-socket 127.0.0.1:@PORT@ --buffer-size 32768 \
		--wsgi-file "$TESTS/apps/echo.py"
}

@test "gunicorn's sync worker: the same answers, the right profiles" {
	requires gunicorn
	converses gunicorn --chdir "$TESTS/apps" -w 1 -b 127.0.0.1:@PORT@ echo:application
}

@test "gunicorn's gthread worker: the same answers, the right profiles" {
	requires gunicorn
	converses --kept-alive gunicorn --chdir "$TESTS/apps" -k gthread -w 1 --threads 2 -b 127.0.0.1:@PORT@ \
		echo:application
}

@test "an exception in the application: status 500, and a profile" {
	requires gunicorn
	use_profiles
	port=$(free_port)
	spawn server "${preload[@]}" gunicorn --chdir "$TESTS/apps" -w 1 -b "127.0.0.1:$port" echo:application
	server_up server "$port"
	is 500 "$(get /raise -o /dev/null -w '%{http_code}')"
	settle "$server_pid" 1
	is 500 "$(all_facts | jq '.["http.response.status_code"]')"
}

@test "a client that leaves in the middle of its request or of the answer: the rest is profiled on" {
	use_profiles
	port=$(free_port)
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" spawn
	server_up server "$port"
	local i
	for i in 1 2 3; do
		printf 'GET /r1/half HTT' | timeout 5 bash -c "exec 9<>/dev/tcp/127.0.0.1/$port; cat >&9"
	done
	for i in 1 2 3; do
		printf 'GET /r1/gone-%s HTTP/1.1\r\nHost: x\r\n\r\n' "$i" |
			timeout 5 bash -c "exec 9<>/dev/tcp/127.0.0.1/$port; cat >&9"
	done
	get /r2/after >/dev/null
	# The server finishes what it read before it ends.
	retry -t 20 grep -q 'gone-3' "$BATS_TEST_TMPDIR/server.log"
	retry -t 20 profile_of /r1/gone-3
	stop "$server_pid"
	is "/r1/gone-1 /r1/gone-2 /r1/gone-3 /r2/after" "$(all_facts | jq -rs 'map(.["url.path"]) |
		map(select(. != "/r1/half")) | sort | join(" ")')"
	is "" "$(all_facts | jq -r 'select(.["url.path"] == "/r1/half" and .["reqprof.end"] != "aborted") |
		.["reqprof.end"]')"
}
profile_of() { all_facts | jq -e --arg path "$1" -s 'map(select(.["url.path"] == $path)) | length > 0'; }

@test "bytes that are no HTTP leave no profile and do no harm" {
	use_profiles
	port=$(free_port)
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 2
	server_up server "$port"
	local i
	for i in $(seq 20); do
		head -c 300 /dev/urandom >"$BATS_TEST_TMPDIR/noise"
		timeout 5 bash -c "exec 9<>/dev/tcp/127.0.0.1/$port; cat '$BATS_TEST_TMPDIR/noise' >&9" || true
	done
	is "route=1" "$(get /r1/1 | cut -d' ' -f1)"
	retry has_profiles 1
	stop "$server_pid"
	is /r1/1 "$(all_facts | jq -r 'select(.["url.path"] | startswith("/r")) | .["url.path"]')"
}

@test "read and written with flags (preadv2, pwritev2): a profile each" {
	use_profiles
	port=$(free_port)
	cat >"$BATS_TEST_TMPDIR/flagged.py" <<-'END'
		import io, os, socketserver, sys, wsgiref.simple_server as simple
		class Flagged(io.RawIOBase):
		    def __init__(self, fd):
		        self.fd = fd
		    readable = writable = lambda self: True
		    def readinto(self, buffer):
		        return os.preadv(self.fd, [buffer], -1)
		    def write(self, data):
		        return os.pwritev(self.fd, [data], -1)
		class Handler(simple.WSGIRequestHandler):
		    log_message = lambda *arguments: None
		    def setup(self):
		        self.connection = self.request
		        self.rfile = io.BufferedReader(Flagged(self.request.fileno()))
		        self.wfile = Flagged(self.request.fileno())
		    def finish(self):
		        pass
		def application(environ, start_response):
		    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
		    start_response("200 OK", [("Content-Length", str(len(body)))])
		    return [body]
		server = simple.WSGIServer(("127.0.0.1", int(sys.argv[1])), Handler)
		server.set_app(application)
		server.serve_forever()
	END
	spawn server "${preload[@]}" "$PYTHON" "$BATS_TEST_TMPDIR/flagged.py" "$port"
	server_up server "$port"
	is "" "$(get /none)"
	is "some bytes" "$(get /some -d "some bytes")"
	is 200000 "$(head -c 200000 /dev/zero | get /many --data-binary @- | wc -c)"
	settle "$server_pid" 3
	# Each ended with its answer's last byte: all of them were seen.
	is "GET /none 200 complete,POST /many 200 complete,POST /some 200 complete" "$(all_facts |
		jq -r '"\(.["http.request.method"]) \(.["url.path"]) \(.["http.response.status_code"]) \(.["reqprof.end"])"' |
		sort | paste -sd,)"
}
