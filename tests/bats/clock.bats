# Where the kernel refuses perf events, threads are sampled by their CPU timers; where it refuses
# these too, requests have profiles without samples. Every file says which, and why.
load helpers

setup() {
	use_profiles
	port=$(free_port)
	answers=$BATS_TEST_TMPDIR/answers
}

# serve CALLS: the C server without these system calls (1: not permitted), 160 requests to it.
serve() {
	spawn server "$PROGRAMS/deny_syscall" "$1" 1 "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 3
	server_up server "$port"
	local i
	for ((i = 0; i < 160; i++)); do
		echo "/r$((i % 8))/request-$i"
	done | load_client --port "$port" --concurrency 6 --out "$answers"
}

# A request takes 0.4 ms, what lies between two of them 1.6: ticks go to both as they use the CPU.
@test "requests shorter than a tick are sampled without bias, whatever the thread does between them" {
	requires perf
	spawn server "${preload[@]}" "$PYTHON" "$TESTS/apps/between.py" "$port" 900
	server_up server "$port"
	for ((i = 0; i < 900; i++)); do echo /short; done | load_client --port "$port" --keep-alive >/dev/null
	retry group_gone "$server_pid"
	"$REQPROF" ls --json "$profiles" | jq -e '
		(map(.samples) | add) as $samples | (map(.cpu_ns) | add / 1003009) as $ticks |
		{requests: length, $samples, $ticks},
		(length == 900 and $samples > 0.5 * $ticks and $samples < 1.2 * $ticks)'
	# It is not stopped and started for each, nor left to tick for ever.
	"$REQPROF" ctl "$profiles" status --json | jq -e '.totals.lost_late < 20'
}

@test "without perf events threads are sampled by their CPU timers, and files say why" {
	serve perf_event_open
	settle "$server_pid" 160
	is thread-timer "$(all_facts | jq -r '.["reqprof.clock"]' | sort -u)"
	all_facts | jq -e '.["reqprof.clock_why"] | test("perf_event_open")' >/dev/null
	# The timer ticks no faster than the kernel's own clock: fewer samples, each for a longer time.
	"$PYTHON" "$TESTS/clients/check_routes.py" --ticks "$answers" "$profiles" 5
}

@test "without perf events and timers each request still has its profile, without samples" {
	serve perf_event_open,timer_create
	retry has_profiles 160
	"$REQPROF" ctl "$profiles" status --json | jq -e '.totals.threads_none > 0' >/dev/null
	settle "$server_pid" 160
	is "none 0" "$(all_facts | jq -r '"\(.["reqprof.clock"]) \(.["reqprof.samples"])"' | sort -u)"
}

@test "without perf events a server's waits are not interrupted" {
	local way
	for way in without with; do
		port=$(free_port)
		if [ "$way" = with ]; then
			spawn "$way" "$PROGRAMS/deny_syscall" perf_event_open 1 "${preload[@]}" "$PROGRAMS/asker" "$port"
		else
			spawn "$way" "$PROGRAMS/asker" "$port"
		fi
		server_up "$way" "$port"
		for question in eintr mask errno; do
			get "/$question"
		done >"$BATS_TEST_TMPDIR/$way"
	done
	diff "$BATS_TEST_TMPDIR/without" "$BATS_TEST_TMPDIR/with"
}

@test "a kernel that reads no memory for us and renames in no new way is worked around" {
	requires perf gunicorn
	spawn server "$PROGRAMS/deny_syscall" process_vm_readv,renameat2 38 "${preload[@]}" \
		gunicorn --chdir "$TESTS/apps" -w 1 -b "127.0.0.1:$port" routes:application
	server_up server "$port"
	seq 40 | sed 's|^|/r1/|' | load_client --port "$port" --concurrency 2 --out "$answers"
	settle "$server_pid" 40
}
