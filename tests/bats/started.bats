# What a request sets going, by name, and how long it stood in the kernel before anybody read it.
load helpers
load placement

setup() {
	requires perf
	use_profiles
	port=$(free_port)
}

serve() {
	requires uwsgi
	spawn server "${preload[@]}" "${UWSGI[@]}" -M --die-on-term \
		--http-socket "127.0.0.1:$port" --enable-threads --wsgi-file "$TESTS/apps/waiting.py"
	server_up server "$port"
}

@test "child processes have their names and ids, however they were started; threads are counted" {
	serve
	get /untimed >/dev/null
	get /starts >"$BATS_TEST_TMPDIR/answer"
	settle "$server_pid" 2
	local file
	file=$(echo "$profiles"/GET.starts.*)
	facts "$file" | jq -e --slurpfile answer "$BATS_TEST_TMPDIR/answer" '
		(.["reqprof.children_started"] | split(" ") | map(split(":") | {(.[1]): (.[0] | tonumber)}) | add) as $seen |
		$answer[0].started as $started | {$seen, $started},
		(.["reqprof.children"] == 4 and .["reqprof.threads_started"] == 2 and
		$seen.sleep == $started.sleep and $seen.true == $started.true and $seen.date == 0 and
		($seen | to_entries | any(.value == $started.env)))'
	# What was waited for has the name too.
	facts -s "$file" | jq -e '[.stacks[] | select(.labels.wait == "child") | .labels["wait.on"]] | any(. == "sleep")'
	facts "$profiles"/GET.untimed.* | jq -e '.["reqprof.children"] == null and .["reqprof.threads_started"] == null'
	run -0 "$REQPROF" report "$file"
	[[ $output =~ "child processes started"\ +4\ +.*sleep.*$'\n' && $output =~ "threads started"\ +2 ]]
	"$REQPROF" ls --json "$file" | jq -e '.[0] | .children == 4 and .threads_started == 2 and (.children_started | test("sleep"))'
	"$REQPROF" report --json "$file" | jq -e '.children == 4 and .threads_started == 2'
}

@test "more children than there is room for are counted" {
	cat >"$BATS_TEST_TMPDIR/many.py" <<-'END'
		import os
		def application(environ, start_response):
		    for _ in range(20):
		        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
		    start_response("200 OK", [("Content-Length", "0")])
		    return []
	END
	requires uwsgi
	spawn server "${preload[@]}" "${UWSGI[@]}" -M --die-on-term \
		--http-socket "127.0.0.1:$port" --wsgi-file "$BATS_TEST_TMPDIR/many.py"
	server_up server "$port"
	get /many >/dev/null
	settle "$server_pid" 1
	facts "$profiles"/GET.many.* | jq -e '.["reqprof.children"] == 20 and
		(.["reqprof.children_started"] | split(" ") | length == 8 and all(endswith(":true")))'
	"$REQPROF" report "$profiles"/GET.many.* | grep -q 'child processes started  *20  *true (8)'
}

# A server of one thread has two requests; the second stands in its accept queue for as long as the first takes.
@test "a request that stood in the accept queue says for how long" {
	spawn server "${preload[@]}" "$PYTHON" "$TESTS/apps/in_kernel.py" "$port"
	server_up server "$port"
	get /first >/dev/null
	"$PYTHON" - "$port" >"$BATS_TEST_TMPDIR/sent" <<-'END'
		import json, socket, sys, time
		def send(path):
		    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		    before = time.time_ns()
		    s.sendall(b"GET %s HTTP/1.0\r\n\r\n" % path)
		    return s, before, time.time_ns()
		first, _, _ = send(b"/user/300")
		second, before, after = send(b"/second")
		for s in (first, second):
		    while s.recv(1000):
		        pass
		print(json.dumps({"before": before, "after": after}))
	END
	settle "$server_pid" 3
	# The kernel tells it in its ticks of up to 10 ms, and the two clocks are read one after the other.
	facts "$profiles"/GET.second.* | jq -e --slurpfile sent "$BATS_TEST_TMPDIR/sent" '
		{queued: .["reqprof.queued_ns"], most: (.start_ns - $sent[0].before), least: (.start_ns - $sent[0].after)},
		(.["reqprof.queued_ns"] > 250000000 and .["reqprof.queued_ns"] <= .start_ns - $sent[0].before + 12000000 and
		.["reqprof.queued_ns"] >= .start_ns - $sent[0].after - 30000000)'
	facts "$profiles"/GET.first.* | jq -e '.["reqprof.queued_ns"] != null'
	run -0 "$REQPROF" report "$profiles"/GET.second.*
	[[ $output =~ "queued before it was read"\ +([2-9][0-9][0-9]ms|[0-9.]+s) ]]
}
