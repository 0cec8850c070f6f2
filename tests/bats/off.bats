# Switched off, the library does nothing at all; it can be switched on and off while the server runs.
load helpers

setup() {
	requires perf
	use_profiles
	port=$(free_port)
}

# The signals, by number, that process $1 catches.
caught() {
	local mask number
	mask=$(sed -n 's/^SigCgt:\s*//p' "/proc/$1/status")
	for number in $(seq 34 64); do
		(((16#$mask >> (number - 1)) & 1)) && echo "$number"
	done
	return 0
}
perf_events() { find "/proc/$1/fd" -lname '*perf_event*' 2>/dev/null | wc -l; }
threads() { find "/proc/$1/task" -mindepth 1 -maxdepth 1 | wc -l; }

# C server $name on $port with the words given put before it.
serve() {
	spawn server "$@" "$PROGRAMS/threaded_server" "$port" accept 2
	server_up server "$port"
}

@test "started with REQPROF_ENABLE=0: no profile, no perf event, no signal handler, no directory" {
	serve "${preload[@]}" REQPROF_ENABLE=0
	local before
	before=$(caught "$server_pid")
	for i in 1 2 3; do get "/r1/$i" >/dev/null; done
	is 0 "$(perf_events "$server_pid")" "perf events:"
	is "$before" "$(caught "$server_pid")" "caught signals:"
	is 2 "$(threads "$server_pid")" "threads:"
	stop "$server_pid"
	is 0 "$(profile_count)"
}

@test "ctl on: the next request has a profile; ctl off: the next one has none" {
	serve "${preload[@]}" REQPROF_ENABLE=0
	get /r1/before >/dev/null
	"$REQPROF" ctl "$profiles" on
	get /r2/during >/dev/null
	retry has_profiles 1
	"$REQPROF" ctl "$profiles" off
	get /r3/after >/dev/null
	"$REQPROF" ctl "$profiles" on
	get /r4/again >/dev/null
	settle "$server_pid" 2
	is "/r2/during /r4/again" "$(all_facts | jq -rs 'map(.["url.path"]) | sort | join(" ")')"
}

# Asks for $1 on the connection that descriptor 5 is, and takes the answer.
ask() {
	local line length=0
	printf 'GET %s HTTP/1.1\r\nHost: a\r\n\r\n' "$1" >&5
	while IFS= read -r -t 60 line <&5 && [ "$line" != $'\r' ]; do
		[[ $line =~ ^[Cc]ontent-[Ll]ength:\ *([0-9]+) ]] && length=${BASH_REMATCH[1]}
	done
	IFS= read -r -t 60 -N "$length" line <&5
}

@test "a connection that is kept open: off and on take effect from request to request, all are counted" {
	serve "${preload[@]}"
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	ask /r1/on-1
	"$REQPROF" ctl "$profiles" off
	for i in 1 2 3 4; do ask "/r1/off-$i"; done
	"$REQPROF" ctl "$profiles" on
	ask /r1/on-2
	ask /r1/on-3
	"$REQPROF" ctl "$profiles" off
	ask /r1/off-5
	exec 5>&-
	retry has_profiles 3
	is "8 3 5" "$("$REQPROF" ctl "$profiles" status --json |
		jq -r '.totals | "\(.requests_seen) \(.requests_profiled) \(.skipped_off)"')"
	settle "$server_pid" 3
	is "/r1/on-1 /r1/on-2 /r1/on-3" "$(all_facts | jq -rs 'map(.["url.path"]) | sort | join(" ")')"
}

@test "ctl off: requests get no signal any more" {
	requires strace
	serve "${preload[@]}"
	for i in 1 2 3 4; do get "/r1/$i" >/dev/null; done
	retry has_profiles 4
	"$REQPROF" ctl "$profiles" off
	# The change is seen at the next request; from the one after it on there is silence.
	for i in 1 2 3 4; do get "/r2/$i" >/dev/null; done
	spawn tracer strace -f -q -e trace=none -p "$server_pid"
	retry grep -q '^TracerPid:\s*[1-9]' "/proc/$server_pid/status"
	seq 50 | sed 's|^|/r3/|' | load_client --port "$port" --concurrency 2
	stop "$tracer_pid" INT
	run ! grep -- '--- SIG' "$BATS_TEST_TMPDIR/tracer.log"
	settle "$server_pid" 4
}

@test "ctl on and off reach every worker process" {
	requires uwsgi
	load placement
	spawn server "${preload[@]}" REQPROF_ENABLE=0 "${UWSGI[@]}" -M --die-on-term \
		--http-socket "127.0.0.1:$port" --processes 3 --wsgi-file "$TESTS/apps/routes.py"
	server_up server "$port"
	seq 60 | sed 's|^|/r1/off-|' | load_client --port "$port" --concurrency 6
	"$REQPROF" ctl "$profiles" on
	seq 60 | sed 's|^|/r2/on-|' | load_client --port "$port" --concurrency 6
	retry has_profiles 60
	"$REQPROF" ctl "$profiles" off
	seq 60 | sed 's|^|/r3/off-|' | load_client --port "$port" --concurrency 6
	settle "$server_pid" 60
	is 60 "$(all_facts | jq -r '.["url.path"]' | grep -c ^/r2/on-)"
}

@test "ctl status counts the requests that were not profiled because of off" {
	serve "${preload[@]}" REQPROF_ENABLE=0
	for i in 1 2 3; do get "/r1/$i" >/dev/null; done
	"$REQPROF" ctl "$profiles" on
	for i in 1 2; do get "/r1/on-$i" >/dev/null; done
	retry has_profiles 2
	"$REQPROF" ctl "$profiles" status --json | jq . >&2
	is "5 2 3 2" "$("$REQPROF" ctl "$profiles" status --json |
		jq -r '.totals | "\(.requests_seen) \(.requests_profiled) \(.skipped_off) \(.files_written)"')"
}

@test "ctl before the server is there decides how it starts" {
	mkdir "$profiles"
	"$REQPROF" ctl "$profiles" off
	serve "${preload[@]}"
	get /r1/one >/dev/null
	"$REQPROF" ctl "$profiles" on
	get /r1/two >/dev/null
	settle "$server_pid" 1
	is /r1/two "$(all_facts | jq -r '.["url.path"]')"
}
