# Servers that fork: every request has one profile, by the process that served it.
load helpers

setup() {
	use_profiles
	port=$(free_port)
}

@test "werkzeug with a process for each request: the child's profile, written before it ends by _exit" {
	requires perf
	"$PYTHON" -c 'import werkzeug' || skip "python3-werkzeug is not installed"
	# Long, since the time until a new process's first tick is missing: a millisecond of each request.
	spawn server "${preload[@]}" BURN_MS=30 "$PYTHON" -c "
import sys
sys.path.insert(0, '$TESTS/apps')
from werkzeug.serving import run_simple
from routes import application
run_simple('127.0.0.1', $port, application, processes=3)"
	server_up server "$port"
	seq 30 | sed 's|^|/r1/|' | load_client --port "$port" --concurrency 3 --out "$BATS_TEST_TMPDIR/answers"
	settle "$server_pid" 30
	"$PYTHON" "$TESTS/clients/check_routes.py" "$BATS_TEST_TMPDIR/answers" "$profiles" 30
}

@test "a request that forks has one profile, of the parent" {
	spawn server "${preload[@]}" "$PROGRAMS/asker" "$port"
	server_up server "$port"
	get /fork >"$BATS_TEST_TMPDIR/answer"
	cat "$BATS_TEST_TMPDIR/answer"
	settle "$server_pid" 1
	is "$server_pid" "$(all_facts | jq '.["process.pid"]')"
}

@test "gunicorn with workers that are replaced after 5 requests loses none" {
	requires gunicorn
	# A worker that is told to end before it has its own handlers never does, and the master waits for it: 30 s
	# unless told otherwise. (Without us, too: 1 in 7 here.)
	spawn server "${preload[@]}" gunicorn --chdir "$TESTS/apps" -w 2 --max-requests 5 --graceful-timeout 5 \
		-b "127.0.0.1:$port" routes:application
	server_up server "$port"
	seq 60 | sed 's|^|/r2/|' | load_client --port "$port" --concurrency 2
	settle "$server_pid" 60
	[ "$(all_facts | jq '.["process.pid"]' | sort -u | wc -l)" -ge 4 ]
}

@test "a subprocess started inside a request runs, and leaves no profile" {
	cat >"$BATS_TEST_TMPDIR/app.py" <<-'END'
		import subprocess

		def application(environ, start_response):
		    said = subprocess.run(["sh", "-c", "echo from; ls / >/dev/null; exit 3"], capture_output=True)
		    body = b"%s%d\n" % (said.stdout, said.returncode)
		    start_response("200 OK", [("Content-Length", str(len(body)))])
		    return [body]
	END
	requires gunicorn
	spawn server "${preload[@]}" gunicorn --chdir "$BATS_TEST_TMPDIR" -w 1 -b "127.0.0.1:$port" app:application
	server_up server "$port"
	for i in 1 2 3; do
		is "from 3" "$(get "/$i" | xargs)"
	done
	settle "$server_pid" 3
}

@test "a server killed in the middle of a request leaves no half file" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn --chdir "$TESTS/apps" -w 2 -b "127.0.0.1:$port" echo:application
	server_up server "$port"
	get /bytes/1 >/dev/null
	retry has_profiles 1
	for i in 1 2; do get /slow/20000 >/dev/null 2>&1 3>&- & done
	retry connections_waiting
	stop "$server_pid" KILL
	is 1 "$(profile_count)"
	all_facts >/dev/null
}
connections_waiting() {
	local count
	count=$(ss -Htn state established "sport = :$port" | wc -l)
	[ "$count" -ge 2 ]
}
