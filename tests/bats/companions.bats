# Others in the same process, or at it from outside: libraries that are preloaded too, sanitizers, debuggers,
# timers, stops. The server answers as ever, and is profiled.
load helpers

setup() {
	use_profiles
	port=$(free_port)
}

# serves NAME COMMAND...: eight requests, answered rightly, each with a profile; some with samples.
serves() {
	spawn "$@"
	server_up "$1" "$port"
	asks 1 8
	local pid_name=${1}_pid
	settle "${!pid_name}" 8
	adds_up
}
asks() {
	local i
	for i in $(seq "$1" "$2"); do
		is "route=1 path=/r1/$i" "$(get "/r1/$i" | cut -d' ' -f1,2)"
	done
}
adds_up() {
	all_facts | jq -s -e '(map(.["reqprof.samples"]) | add) > 0' >/dev/null
	"$REQPROF" report --json "$profiles" >/dev/null
}

@test "jemalloc, libfaketime, stdbuf and eatmydata preloaded before and after" {
	local lib order pid n=0
	for lib in /usr/lib/x86_64-linux-gnu/libjemalloc.so.2 /usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1 \
		/usr/libexec/coreutils/libstdbuf.so /usr/lib/x86_64-linux-gnu/libeatmydata.so; do
		[ -e "$lib" ] || { echo "$lib is not there"; return 1; }
		for order in "$lib:$LIBREQPROF" "$LIBREQPROF:$lib"; do
			n=$((n + 1))
			port=$(free_port)
			use_profiles "$BATS_TEST_TMPDIR/profiles-$n"
			echo "$order" >&2
			serves "server_$n" env "LD_PRELOAD=$order" "REQPROF_DIR=$profiles" FAKETIME=+3d _STDBUF_O=L \
				"$PROGRAMS/threaded_server" "$port" accept 2
			pid=server_${n}_pid
			faketime_forget "${!pid}"
		done
	done
}

@test "a clock that is days ahead and runs ten times as fast" {
	serves server env "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1:$LIBREQPROF" \
		"REQPROF_DIR=$profiles" "FAKETIME=+3d x10" "$PROGRAMS/threaded_server" "$port" accept 2
	faketime_forget "$server_pid"
}

@test "a server built with AddressSanitizer finds nothing in it, nor in us" {
	local program=$BATS_TEST_TMPDIR/asan_server way libs
	gcc -O1 -g -D_GNU_SOURCE -fsanitize=address -o "$program" "$TESTS/programs/threaded_server.c" -lpthread
	for way in before after; do
		port=$(free_port)
		use_profiles "$BATS_TEST_TMPDIR/profiles-$way"
		libs=$LIBREQPROF
		[ "$way" = after ] || libs=$(gcc -print-file-name=libasan.so):$libs
		serves "asan_$way" env "LD_PRELOAD=$libs" "REQPROF_DIR=$profiles" \
			ASAN_OPTIONS=verify_asan_link_order=0:detect_stack_use_after_return=1 "$program" "$port" accept 2
		run ! grep -E 'ERROR|Sanitizer' "$BATS_TEST_TMPDIR/asan_$way.log"
	done
}

traced() { ! grep -q '^TracerPid:\s*0$' "/proc/$server_pid/status"; }

@test "strace and gdb attached, and gone again" {
	requires strace gdb
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 2
	server_up server "$port"
	asks 1 2
	spawn strace strace -f -o /dev/null -p "$server_pid"
	retry traced
	asks 3 8
	stop "$strace_pid" INT
	asks 9 10
	# gdb stops at real-time signals, unless it is told that this one is nobody's business.
	spawn gdb gdb -q -nx -batch -ex 'set debuginfod enabled off' -ex 'handle SIG50 nostop noprint pass' -ex continue -p "$server_pid"
	retry traced
	asks 11 16
	stop "$gdb_pid" KILL
	asks 17 18
	settle "$server_pid" 18
	adds_up
}

@test "stopped in the middle of requests and continued: the time is in the wall clock, and adds up" {
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 2
	server_up server "$port"
	get /r1/0 >/dev/null
	spawn stopper bash -c "for i in {1..40}; do kill -STOP $server_pid; sleep 0.02; kill -CONT $server_pid; sleep 0.01; done"
	asks 1 20
	wait "$stopper_pid"
	settle "$server_pid" 21
	adds_up
	all_facts | jq -s -e 'map(.["reqprof.samples"]) | max < 60' >/dev/null
}

@test "a host that has ITIMER_PROF, ITIMER_REAL and ITIMER_VIRTUAL for itself gets its ticks" {
	cat >"$BATS_TEST_TMPDIR/ticks.py" <<-'END'
		import http.server, signal, sys, time
		ticks = {}
		def tick(number, frame):
		    ticks[number] = ticks.get(number, 0) + 1
		class Handler(http.server.BaseHTTPRequestHandler):
		    def do_GET(self):
		        ticks.clear()
		        for which, number in ((signal.ITIMER_PROF, signal.SIGPROF), (signal.ITIMER_REAL, signal.SIGALRM),
		                              (signal.ITIMER_VIRTUAL, signal.SIGVTALRM)):
		            signal.signal(number, tick)
		            signal.setitimer(which, 0.01, 0.01)
		        until = time.thread_time() + 0.6
		        while time.thread_time() < until:
		            for _ in range(10000):
		                pass
		        body = "".join("%d %s\n" % (n, ticks.get(n, 0) >= 10) for n in (signal.SIGPROF, signal.SIGALRM, signal.SIGVTALRM)).encode()
		        for which in (signal.ITIMER_PROF, signal.ITIMER_REAL, signal.ITIMER_VIRTUAL):
		            signal.setitimer(which, 0)
		        self.send_response(200)
		        self.send_header("Content-Length", str(len(body)))
		        self.end_headers()
		        self.wfile.write(body)
		    def log_message(self, *args):
		        pass
		http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
	END
	spawn server "${preload[@]}" "$PYTHON" "$BATS_TEST_TMPDIR/ticks.py" "$port"
	server_up server "$port"
	is "27 True 14 True 26 True" "$(get / | xargs)"
	settle "$server_pid" 1
	all_facts | jq -e '.["reqprof.samples"] > 50' >/dev/null
}
