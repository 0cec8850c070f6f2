# Time that jumps: the server stands still in the middle of a request, or the wall clock is set. Durations
# are the monotonic clock's and the CPU's, and add up. (What only a real suspend shows, that
# CLOCK_MONOTONIC stands still while CLOCK_BOOTTIME goes on, cannot be made here: such time is in no profile.)
load helpers

setup() {
	use_profiles
	port=$(free_port)
	frozen=
}
teardown() {
	[ -z "$frozen" ] || { thaw; unfreezable; }
	reap
}

# Whatever a request's time was spent in, none of it is negative, and together it is the time that passed.
sane() { # [PERIOD_NS]
	"$REQPROF" ls --json "$profiles" | jq -e --argjson period "${1:-1003009}" 'all(
		([.wall_ns, .cpu_ns, .user_ns, .kernel_ns, .wait_ns, .runnable_ns, .rest_ns, .overlap_ns, .queued_ns] | all(. >= 0)) and
		(.user_ns + .kernel_ns + .wait_ns + .gil_ns + .runnable_ns + .rest_ns - .overlap_ns - .wall_ns | fabs) < 1000 and
		.samples * $period < .cpu_ns + 5 * $period)' >/dev/null || {
		"$REQPROF" ls --json "$profiles" >&2
		return 1
	}
}

# A request that says when it has begun, then computes for half a second.
serve_computing() {
	cat >"$BATS_TEST_TMPDIR/computing.py" <<-'END'
		import http.server, sys, time
		class Handler(http.server.BaseHTTPRequestHandler):
		    def do_GET(self):
		        open(sys.argv[2], "w").close()
		        until = time.thread_time() + 0.5
		        while time.thread_time() < until:
		            pass
		        self.send_response(200)
		        self.send_header("Content-Length", "0")
		        self.end_headers()
		    def log_message(self, *args):
		        pass
		http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
	END
	spawn server "$@" "$PYTHON" "$BATS_TEST_TMPDIR/computing.py" "$port" "$BATS_TEST_TMPDIR/begun"
	server_up server "$port"
}

# A cgroup of its own for the server, of whichever version the machine has.
freezable() {
	local root
	for root in /sys/fs/cgroup/unified /sys/fs/cgroup /sys/fs/cgroup/freezer; do
		frozen=$root/reqprof-test-$server_pid
		mkdir "$frozen" 2>/dev/null || continue
		{ [ -e "$frozen/cgroup.freeze" ] || [ -e "$frozen/freezer.state" ]; } &&
			echo "$server_pid" 2>/dev/null >"$frozen/cgroup.procs" && return
		rmdir "$frozen"
	done
	frozen=
	return 1
}
is_frozen() { grep -qs 'frozen 1' "$frozen/cgroup.events" || grep -qs FROZEN "$frozen/freezer.state"; }
freeze() {
	if [ -e "$frozen/cgroup.freeze" ]; then echo 1 >"$frozen/cgroup.freeze"; else echo FROZEN >"$frozen/freezer.state"; fi
	retry is_frozen
}
thaw() { if [ -e "$frozen/cgroup.freeze" ]; then echo 0 >"$frozen/cgroup.freeze"; else echo THAWED >"$frozen/freezer.state"; fi; }
unfreezable() {
	stop "$server_pid" KILL
	retry rmdir "$frozen"
	frozen=
}
is_stopped() { grep -q '^State:\s*T' "/proc/$server_pid/status"; }

# standing_still STOP GO: the request is stopped for two seconds in its middle, and has them in its wall clock alone.
standing_still() {
	spawn client curl -s --max-time 120 "http://127.0.0.1:$port/"
	retry test -e "$BATS_TEST_TMPDIR/begun"
	"$1"
	sleep 2
	"$2"
	wait "$client_pid"
	retry has_profiles 1
	sane
	"$REQPROF" ls --json "$profiles" | jq -e '.[0] | .wall_ns >= 2000000000 and .cpu_ns < 1500000000 and .samples < 1500'
}
stop_it() { kill -STOP "$server_pid" && retry is_stopped; }
let_it_go() { kill -CONT "$server_pid"; }

@test "stopped by a signal in the middle of a request" {
	serve_computing "${preload[@]}"
	standing_still stop_it let_it_go
}

@test "stopped by a signal in the middle of a request, sampled by the thread's CPU timer" {
	serve_computing "$PROGRAMS/deny_syscall" perf_event_open 1 "${preload[@]}"
	standing_still stop_it let_it_go
}

@test "frozen by its cgroup in the middle of a request, as checkpoints and containers do" {
	serve_computing "${preload[@]}"
	freezable || skip "no cgroup can be made here"
	standing_still freeze thaw
	unfreezable
}

# jumping SETTING...: the clock that libfaketime shows goes days forth and back, 60 requests meanwhile.
jumping() {
	local library=/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1 clock=$BATS_TEST_TMPDIR/clock i
	[ -e "$library" ]
	echo +0 >"$clock"
	begun=$(date +%s)
	spawn server env "LD_PRELOAD=$library:$LIBREQPROF" "REQPROF_DIR=$profiles" REQPROF_RATE=9970 \
		"FAKETIME_TIMESTAMP_FILE=$clock" FAKETIME_NO_CACHE=1 "$@" "$PROGRAMS/threaded_server" "$port" accept 2
	server_up server "$port"
	faketime_forget "$server_pid"
	spawn setter bash -c "while :; do for to in +5d -5d +0; do echo \$to >'$clock.new'; mv '$clock.new' '$clock'; sleep 0.007; done; done"
	for ((i = 0; i < 60; i++)); do get "/r1/$i" >/dev/null; done
	stop "$setter_pid"
	settle "$server_pid" 60
	ended=$(($(date +%s) + 1))
	sane 100300
	is 60 "$(all_facts | jq -r '.["reqprof.id"]' | sort -u | wc -l)"
	"$REQPROF" ls --json "$profiles" | jq -e --argjson elapsed "$((ended - begun))" \
		'map(.wall_ns) | add <= $elapsed * 1000000000 and all(. < 20000000000)' >/dev/null
}

@test "the wall clock is set forth and back while requests run" {
	local begun ended
	jumping FAKETIME_DONT_FAKE_MONOTONIC=1
	# Each began at a time that some clock showed.
	"$REQPROF" ls --json "$profiles" | jq -e --argjson begun "$begun" --argjson ended "$ended" '
		(map((.start | sub("\\.[0-9]+Z"; "Z") | fromdate) - $begun | (. / 432000 | round) as $jump | {$jump, at: (. - 432000 * $jump)})) as $starts |
		($starts | map(.jump) | unique),
		(($starts | all(.at >= -1 and .at <= $ended - $begun and (.jump | fabs) <= 1)) and
		 ($starts | map(.jump) | unique | length) > 1)'
}

@test "a library that makes every clock jump is not asked for the time of samples and waits" {
	local begun ended
	jumping
}
