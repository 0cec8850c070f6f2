# Which requests leave a file: REQPROF_FILTER and REQPROF_KEEP, at the start and while the server runs.
load helpers

setup() {
	use_profiles
	port=$(free_port)
}

serve() {
	spawn server "${preload[@]}" "$@" "$PROGRAMS/threaded_server" "$port" accept 2
	server_up server "$port"
}
total() { "$REQPROF" ctl "$profiles" status --json | jq ".totals.$1"; }
# seen N: that many requests have been seen and decided on.
decided() {
	local n
	n=$("$REQPROF" ctl "$profiles" status --json |
		jq '.totals | .files_written + .not_kept + .skipped_filter + .routes_full')
	[ "$n" -eq "$1" ] || { echo "$n requests decided, not $1"; return 1; }
}

@test "a filter takes what it names; the rest is counted and never sampled" {
	serve REQPROF_FILTER='GET /r1/*;/r2/*;!/r2/secret*'
	for path in /r1/a /r2/b /r2/secret-c /r3/d /r1/e; do get "$path" >/dev/null; done
	get /r1/post -X POST >/dev/null
	retry decided 6
	is "3 3 3" "$(total skipped_filter) $(total requests_profiled) $(total files_written)"
	settle "$server_pid" 3
	is "/r1/a /r1/e /r2/b" "$(all_facts | jq -rs 'map(.["url.path"]) | sort | join(" ")')"
}

@test "a filter decides rightly when the head comes in pieces" {
	serve REQPROF_FILTER='/r1/*'
	"$PYTHON" - "$port" <<-'EOP'
		import socket, sys, time
		for path in (b"/r1/slow", b"/r2/slow"):
		    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		    for piece in (b"G", b"ET " + path[:3], path[3:] + b" HTTP/1.1\r\n", b"Host: a\r\nConnection: close\r\n\r\n"):
		        s.sendall(piece)
		        time.sleep(0.1)
		    while s.recv(65536):
		        pass
	EOP
	retry decided 2
	settle "$server_pid" 1
	is "/r1/slow" "$(all_facts | jq -r '.["url.path"]')"
}

@test "keep=failed keeps answers of 500 and more" {
	requires gunicorn
	spawn server "${preload[@]}" REQPROF_KEEP=failed gunicorn --chdir "$TESTS/apps" -w 2 \
		-b "127.0.0.1:$port" failing:application
	server_up server "$port"
	for path in /ok /500 /404 /503 /ok; do get "$path" >/dev/null; done
	retry decided 5
	settle "$server_pid" 2
	is "500 503" "$(all_facts | jq -rs 'map(.["http.response.status_code"]) | sort | join(" ")')"
	is "failed" "$(all_facts | jq -r '.["reqprof.kept"]' | sort -u)"
}

@test "keep=slower keeps slow requests, REQPROF_MIN_MS says the same" {
	requires gunicorn
	local setting
	for setting in REQPROF_KEEP=slower=150ms REQPROF_MIN_MS=150; do
		use_profiles "$BATS_TEST_TMPDIR/$setting"
		port=$(free_port)
		spawn server "${preload[@]}" "$setting" gunicorn --chdir "$TESTS/apps" -w 2 \
			-b "127.0.0.1:$port" failing:application
		server_up server "$port"
		for path in /ok /sleep /ok /sleep; do get "$path" >/dev/null; done
		retry decided 4
		# Where other work takes the CPUs away, the first request of a process may be slow as well.
		settle "$server_pid" "$(total files_written)"
		is "2 true" "$(all_facts | jq -rs '"\(map(select(.["url.path"] == "/sleep")) | length) " +
			"\(map((.["reqprof.wall_ns"] | tonumber) >= 150e6) | all)"')"
	done
}

@test "one that is kept after many that are not has its own CPU time, and all of it" {
	requires perf
	serve REQPROF_KEEP=slower=4ms
	# A path that is not served costs nothing, a route 5 ms of CPU.
	for i in $(seq 20); do
		seq 50 | sed "s|^|/nowhere/$i/|"
		echo "/r1/$i"
	done | load_client --port "$port" --concurrency 1 --keep-alive >/dev/null
	retry decided 1020
	# (A busy machine may make any request slow. And the clock of a thread goes forth and back by up to 1 ms in
	# virtual machines that others take CPU from: to that degree a burn of 5 ms is not one for us.)
	settle "$server_pid" "$(total files_written)"
	run jq -rs 'map(select(.["url.path"] | startswith("/r1/")) | (.["reqprof.cpu_ns"] | tonumber) / 1e6) |
		"\(length) \(map(select(. > 4 and . < 7)) | length >= 16) \(.)"' <(all_facts)
	is "20 true" "${output%% [*}" "$output"
}

@test "first, every and worst count over all processes of a server" {
	requires gunicorn
	spawn server "${preload[@]}" REQPROF_KEEP=first,every=10 gunicorn --chdir "$TESTS/apps" -w 3 \
		-b "127.0.0.1:$port" failing:application
	server_up server "$port"
	seq 200 | awk '{ print ($1 % 2 ? "/users/" $1 : "/ok") }' | load_client --port "$port" --concurrency 6
	retry decided 200
	is "20 2" "$(total kept_every) $(total kept_first)"
	"$REQPROF" ctl "$profiles" set keep=worst=3
	seq 60 | sed 's|.*|/ok|' | load_client --port "$port" --concurrency 1
	retry decided 260
	local kept
	kept=$(total kept_worst)
	[ "$kept" -ge 3 ]
	[ "$kept" -le 40 ]
}

@test "keep=asked keeps requests with X-Reqprof, and their answers are the same" {
	serve REQPROF_KEEP=asked
	get /r1/no >/dev/null
	get /r1/yes -H 'X-Reqprof: 1' >/dev/null
	get /r1/zero -H 'X-Reqprof: 0' >/dev/null
	retry decided 3
	settle "$server_pid" 1
	is "/r1/yes asked" "$(all_facts | jq -r '"\(.["url.path"]) \(.["reqprof.kept"])"')"
}

# both_served: each of the two threads has answered.
both_served() {
	seq 4 | sed 's|^|/r1/|' | load_client --port "$port" --concurrency 2 >/dev/null
	[ "$(grep -o 'tid=[0-9]*' "$BATS_TEST_TMPDIR/server.log" | sort -u | wc -l)" -eq 2 ]
}
all_traced() { [ "$(grep -ch '^TracerPid:\s*[1-9]' "/proc/$server_pid/task/"*/status | sort -u)" = 1 ]; }
all_decided() { decided "$(grep -c '^route=' "$BATS_TEST_TMPDIR/server.log")"; }

@test "a request that is not kept touches no file" {
	requires strace
	serve REQPROF_MIN_MS=3600000
	# What a thread needs it opens at its first request, from /proc.
	retry both_served
	retry all_decided
	spawn tracer strace -f -q -e signal=none -e trace=%file,openat,write,pwrite64 \
		-o "$BATS_TEST_TMPDIR/calls" -p "$server_pid"
	retry all_traced
	seq 40 | sed 's|^|/r1/|' | load_client --port "$port" --concurrency 2
	retry all_decided
	stop "$tracer_pid" INT
	# The server itself writes a line to its standard output for every answer: once a call, however told.
	is 40 "$(grep -cE '^[0-9]+ +write\(1, "route=' "$BATS_TEST_TMPDIR/calls")"
	run grep -vE '^[0-9]+ +(write\(1, "route=|<\.\.\. write resumed>|\+\+\+ exited)' "$BATS_TEST_TMPDIR/calls"
	is "" "$output" "calls that no request should make:"
	settle "$server_pid" 0
}

@test "ctl set changes keep and filter of all workers at their next request" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn --chdir "$TESTS/apps" -w 3 -b "127.0.0.1:$port" failing:application
	server_up server "$port"
	seq 30 | sed 's|^|/a/|' | load_client --port "$port" --concurrency 6
	retry decided 30
	run -0 "$REQPROF" ctl "$profiles" set keep=failed 'filter=!/b/*'
	[[ $output == *"keep failed"* ]]
	seq 30 | sed 's|^|/b/|' | load_client --port "$port" --concurrency 6
	seq 30 | sed 's|^|/c/|' | load_client --port "$port" --concurrency 6
	retry decided 90
	is "30 30 30" "$(total files_written) $(total skipped_filter) $(total not_kept)"
	"$REQPROF" ctl "$profiles" set keep=always filter=
	seq 30 | sed 's|^|/b/|' | load_client --port "$port" --concurrency 6
	settle "$server_pid" 60
	is 30 "$(all_facts | jq -r '.["url.path"]' | grep -c ^/b/)"
}

@test "run refuses rules and filters that make no sense; so does ctl, and the page stays as it was" {
	local option
	for option in --keep=slow --keep=slower=fast --keep=every=0 --keep=worst=9 --filter=GET --filter='!' \
		--min-ms=-1 --every=0 --max-files=many --max-bytes=1X; do
		run -2 "$REQPROF" run -o "$profiles" "$option" -- true
		[ -n "$output" ]
	done
	REQPROF_KEEP=slow run -2 "$REQPROF" run -o "$profiles" -- true
	[[ $output == *REQPROF_KEEP* ]]
	serve REQPROF_KEEP=failed
	get /r1/a >/dev/null
	retry decided 1
	for option in keep=slow filter=GET max-files=-1 max-bytes=lots keep colour=red; do
		run -2 "$REQPROF" ctl "$profiles" set "$option"
	done
	is failed "$("$REQPROF" ctl "$profiles" status --json | jq -r .keep)"
}

@test "a rule in the environment that makes no sense: the default, and it is counted once" {
	serve REQPROF_KEEP=sometimes REQPROF_FILTER=GET REQPROF_MAX_BYTES=much
	get /r1/a >/dev/null
	retry has_profiles 1
	is "3 always null 1073741824" "$("$REQPROF" ctl "$profiles" status --json |
		jq -r '"\(.totals.settings_wrong) \(.keep) \(.filter) \(.budget.max_bytes)"')"
}

@test "run's options for keeping reach the library" {
	run -0 "$REQPROF" run -o "$profiles" --keep slower=1s,first --filter '/a*;!/ab' --min-ms 5 --every 7 \
		--max-files 10 --max-bytes 5M -- env
	local line
	for line in REQPROF_KEEP=slower=1s,first 'REQPROF_FILTER=/a*;!/ab' REQPROF_MIN_MS=5 REQPROF_EVERY=7 \
		REQPROF_MAX_FILES=10 REQPROF_MAX_BYTES=5M; do
		grep -qxF "$line" <<<"$output"
	done
}
