# Processes that are killed in the middle of a request: `reqprof recover` writes its profile.
load helpers

setup() {
	use_profiles
	port=$(free_port)
	mounted=
	cgroup=
	own_place=
}
teardown() {
	reap
	[ -z "$own_place" ] || rm -rf "$own_place"
	[ -z "$mounted" ] || umount -l "$mounted"
	[ -z "$cgroup" ] || rmdir "$cgroup"
}

# serve [WORD...]: one gunicorn worker, which its master replaces when it is gone.
serve() {
	requires gunicorn
	spawn server "${preload[@]}" "$@" gunicorn --chdir "$TESTS/apps" -w 1 --timeout 600 \
		-b "127.0.0.1:$port" interrupted:application
	server_up server "$port"
}
# ask PATH: a request that nobody answers.
ask() { curl -s --max-time 120 "http://127.0.0.1:$port$1" >/dev/null 2>&1 3>&- & }
worker() { get /ok; }
gone() { ! kill -0 "$1" 2>/dev/null; }
# kernel_stat PID: in which state it is, and its CPU time in ticks.
kernel_stat() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $1, $12 + $13 }'; }
burnt() { # PID TICKS
	local ticks
	ticks=$(kernel_stat "$1" | cut -d' ' -f2)
	[ "$ticks" -ge "$2" ]
}
is_sleeping_in_a_request() { # PID: it has read a request, and nothing is runnable
	[ "$(kernel_stat "$1" | cut -d' ' -f1)" = S ] && [ "$(connections)" -ge 1 ]
}
connections() { ss -Htn state established "sport = :$port" | wc -l; }
# recovered FUNCTION: the one profile that is interrupted says so, with this function.
interrupted() { all_facts | jq -c 'select(.["reqprof.end"] == "interrupted")'; }
recovered() {
	is 1 "$(interrupted | wc -l)" "interrupted profiles:"
	interrupted | jq -e --arg f "$1" '.["reqprof.interrupted_in"] | startswith($f + " (")' >/dev/null || {
		interrupted | jq '.["reqprof.interrupted_in"]' >&2
		return 1
	}
	interrupted | jq -e '.["http.response.status_code"] == null' >/dev/null
	reported "$1"
}
# reported FUNCTION: it is in the stacks that reqprof shows.
reported() {
	"$REQPROF" export -f collapsed "$profiles" >"$BATS_TEST_TMPDIR/stacks"
	grep -q ";$1 (" "$BATS_TEST_TMPDIR/stacks"
}
kill_burning() { # PID: in the middle of a request that has used half a second of CPU
	ask /burn
	retry burnt "$1" 50
	kill -KILL "$1"
	retry gone "$1"
}

@test "killed while it computes: the profile says in which function, and all that was sampled" {
	requires perf
	serve
	local pid
	pid=$(worker)
	kill_burning "$pid"
	run -0 "$REQPROF" recover "$profiles"
	[[ ${lines[0]} == "GET /burn  interrupted after "*" in burn"* ]]
	[[ $output == *"1 request recovered from 1 ended process"* ]]
	interrupted | jq -e '.["reqprof.samples"] > 200 and .["url.path"] == "/burn" and
		.["process.pid"] == '"$pid"' and .["reqprof.user_ns"] > 2e8' >/dev/null
	reported burns_for_ever
	# Once: nothing is left to recover, and the profile stays as it is.
	is "" "$(dead_live_files)"
	run -0 "$REQPROF" recover "$profiles"
	[[ $output == "0 requests recovered from 0 ended processes"* ]]
	is 1 "$(interrupted | wc -l)"
}

@test "killed while it sleeps: the profile says where" {
	serve
	local pid
	pid=$(worker)
	ask /sleep
	retry is_sleeping_in_a_request "$pid"
	# It has taken its request up by then, but may not have come to its sleep.
	sleep_is_known() { "$REQPROF" recover -n "$profiles" >/dev/null; grep -q nanosleep "/proc/$pid/wchan" "/proc/$pid/stack" 2>/dev/null || [ "$(cut -d' ' -f1 "/proc/$pid/syscall")" -eq 230 ]; }
	retry sleep_is_known
	kill -KILL "$pid"
	retry gone "$pid"
	run -0 "$REQPROF" recover "$profiles"
	recovered sleeps_for_ever
	run -0 "$REQPROF" explain "$profiles"/GET.sleep.*
	[[ $output == *"killed in the middle of it, in sleeps_for_ever ("*interrupted.py:*")"* ]]
	run -0 "$REQPROF" ls "$profiles"
	[[ $output == *"(interrupted)"* ]]
}

@test "killed while it waits for a peer: the profile says where" {
	requires perf
	serve
	local pid
	pid=$(worker)
	ask /peer
	# recvfrom for one byte: gunicorn asks for more when it reads the request.
	peer_is_waited_for() { [ "$(cut -d' ' -f1,4 "/proc/$pid/syscall")" = "45 0x1" ]; }
	retry peer_is_waited_for
	kill -KILL "$pid"
	retry gone "$pid"
	run -0 "$REQPROF" recover "$profiles"
	recovered waits_for_a_peer
}

@test "a crash (SIGSEGV): the profile says in which function" {
	requires perf
	serve
	local pid
	pid=$(worker)
	ask /crash
	retry gone "$pid"
	run -0 "$REQPROF" recover "$profiles"
	is 1 "$(interrupted | wc -l)"
	reported crashes
}

@test "uwsgi's harakiri: the worker's request is recovered while the server runs on" {
	requires uwsgi
	spawn server "${preload[@]}" uwsgi --plugins python3 --http-socket "127.0.0.1:$port" --master \
		--processes 2 --harakiri 1 --chdir "$TESTS/apps" --wsgi-file interrupted.py --die-on-term
	server_up server "$port"
	worker
	ask /sleep
	harakiri_done() { grep -q 'DAMN ! worker.*died, killed by signal 9' "$BATS_TEST_TMPDIR/server.log"; }
	retry harakiri_done
	worker
	run -0 "$REQPROF" recover "$profiles"
	recovered sleeps_for_ever
	# Those that run are left alone, and go on.
	[[ $output == *"running process"*"left alone"* ]]
	worker
	local written
	retry has_profiles 4 # what three asked, and the interrupted one
	written=$(profile_count)
	stop "$server_pid"
	run -0 "$REQPROF" recover "$profiles"
	is "$written" "$(profile_count)"
	is "" "$(live_files)"
}

# in_call PID NUMBER [ARGUMENT-3]: one of its threads is in this system call.
in_call() { cut -d' ' -f"1${3:+,4}" "/proc/$1/task"/*/syscall 2>/dev/null | grep -qx "$2${3:+ $3}"; }
ends() { all_facts | jq -r '"\(.["url.path"]) \(.["reqprof.end"])"' | sort | paste -sd,; }
OPEN="/burn interrupted,/ok complete,/ok complete,/ok complete,/peer interrupted,/sleep interrupted"

# with_three_open: a worker with four threads has answered three requests and works for three that do not end.
with_three_open() {
	server_up server "$port"
	pid=$(worker)
	worker
	ask /sleep
	ask /peer
	ask /burn
	retry in_call "$pid" 230
	retry in_call "$pid" 45 0x1
	retry burnt "$pid" 50
	is "$pid" "$(worker)"
	retry has_profiles 3
}

@test "several requests at once in one process: those that were open are recovered, once, and no other" {
	requires uwsgi gunicorn
	local server words i
	for server in uwsgi gunicorn; do
		words=(uwsgi --plugins python3 --http-socket "127.0.0.1:$port" --master --processes 1 --threads 4
			--chdir "$TESTS/apps" --wsgi-file interrupted.py --die-on-term)
		[ "$server" = uwsgi ] || words=(gunicorn --chdir "$TESTS/apps" -k gthread --threads 4 -w 1 --timeout 600
			-b "127.0.0.1:$port" interrupted:application)
		use_profiles "$BATS_TEST_TMPDIR/$server"
		spawn server "${preload[@]}" "${words[@]}"
		with_three_open
		kill -KILL "$pid"
		retry gone "$pid"
		# By several that look at the same time.
		for i in 1 2 3 4; do
			"$REQPROF" recover "$profiles" >"$BATS_TEST_TMPDIR/recover.$i" 2>&1 3>&- &
			words[i]=$!
		done
		for i in 1 2 3 4; do wait "${words[i]}"; done
		is 3 "$(cat "$BATS_TEST_TMPDIR"/recover.? | grep -c ' interrupted after ')"
		is "$OPEN" "$(ends)"
		stop "$server_pid" KILL
		port=$(free_port)
	done
}

@test "a crash in one of a uwsgi worker's threads: the requests of all are recovered" {
	requires uwsgi
	spawn server "${preload[@]}" uwsgi --plugins python3 --http-socket "127.0.0.1:$port" --master --processes 1 \
		--threads 5 --chdir "$TESTS/apps" --wsgi-file interrupted.py --die-on-term
	with_three_open
	ask /crash
	retry gone "$pid"
	run -0 "$REQPROF" recover "$profiles"
	is "/burn interrupted,/crash interrupted${OPEN#/burn interrupted}" "$(ends)"
}

@test "workers that end by max-requests interrupt nobody, however often it is looked for such" {
	requires uwsgi gunicorn
	local server words
	for server in uwsgi gunicorn; do
		words=(uwsgi --plugins python3 --http-socket "127.0.0.1:$port" --master --processes 2
			--max-requests 5 --min-worker-lifetime 0 --chdir "$TESTS/apps" --wsgi-file interrupted.py --die-on-term)
		[ "$server" = uwsgi ] || words=(gunicorn --chdir "$TESTS/apps" -w 2 --max-requests 5 --timeout 600
			-b "127.0.0.1:$port" interrupted:application)
		use_profiles "$BATS_TEST_TMPDIR/$server"
		mkdir "$profiles"
		spawn server "${preload[@]}" "${words[@]}"
		server_up server "$port"
		spawn looks bash -c 'while "$0" recover "$1"; do :; done' "$REQPROF" "$profiles"
		is "200 60" "$(seq -f "/%g" 60 | load_client --port "$port" --concurrency 4)"
		retry has_profiles 60
		stop "$looks_pid"
		is "" "$(grep -v '^0 requests recovered from 0 ended processes' "$BATS_TEST_TMPDIR/looks.log")"
		# (A uwsgi that is told to end while it starts a worker may wait for that one for ever, bare as well.)
		settle "$server_pid" 60 KILL
		run -0 "$REQPROF" recover "$profiles"
		[[ $output == "0 requests recovered"* ]]
		is "60 complete" "$(all_facts | jq -r '.["reqprof.end"]' | sort | uniq -c | xargs)"
		is 60 "$(all_facts | jq -r '.["url.path"]' | sort -u | wc -l)"
		[ "$(all_facts | jq '.["process.pid"]' | sort -u | wc -l)" -gt 5 ]
		port=$(free_port)
	done
}

@test "gunicorn's --timeout ends the request by an exception: the worker itself writes its profile, once" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn --chdir "$TESTS/apps" -w 1 --timeout 1 -b "127.0.0.1:$port" \
		interrupted:application
	server_up server "$port"
	local pid path
	for path in /sleep /burn; do
		pid=$(worker)
		ask "$path"
		retry gone "$pid"
	done
	worker
	run -0 "$REQPROF" recover "$profiles"
	[[ $output == "0 requests recovered"* ]]
	is "/burn aborted,/ok complete,/ok complete,/ok complete,/sleep aborted" "$(ends)"
}

@test "killed for want of memory: the profile says in which function" {
	requires perf
	[ "$(id -u)" -eq 0 ] || skip "memory limits need root"
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		cgroup=/sys/fs/cgroup/reqprof-test-$$
		mkdir "$cgroup" 2>/dev/null || { cgroup=; skip "no control groups here"; }
		echo 100M 2>/dev/null >"$cgroup/memory.max" || skip "no memory limits here"
		echo 0 2>/dev/null >"$cgroup/memory.swap.max" || true
	else
		cgroup=/sys/fs/cgroup/memory/reqprof-test-$$
		mkdir "$cgroup" 2>/dev/null || { cgroup=; skip "no control groups here"; }
		echo 100M 2>/dev/null >"$cgroup/memory.limit_in_bytes" || skip "no memory limits here"
		echo 100M 2>/dev/null >"$cgroup/memory.memsw.limit_in_bytes" || true
	fi
	serve
	local pid
	pid=$(worker)
	echo "$pid" >"$cgroup/cgroup.procs"
	ask /memory
	retry gone "$pid"
	run -0 "$REQPROF" recover "$profiles"
	recovered takes_all_memory
}

@test "a child forked in the middle of a request has no part in it" {
	serve
	local pid
	pid=$(worker)
	ask /forked/burn
	retry burnt "$pid" 20
	kill -KILL "$pid"
	retry gone "$pid"
	run -0 "$REQPROF" recover "$profiles"
	[[ $output == *"1 request recovered from 1 ended process"* ]]
	is 1 "$(interrupted | wc -l)"
}

@test "children made without libc's handlers leave their parent's live file and profiles alone" {
	requires gunicorn
	cat >"$BATS_TEST_TMPDIR/bare.py" <<-'END'
		import ctypes, os
		libc = ctypes.CDLL(None)
		STACK = ctypes.create_string_buffer(65536)
		TOP = ctypes.c_void_p(ctypes.addressof(STACK) + 65536 - 64)
		child = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda _: os._exit(0))
		WAYS = {
		    "/_Fork": libc._Fork,
		    "/fork-by-number": lambda: libc.syscall(57),
		    "/clone-by-number": lambda: libc.syscall(56, 17, 0, 0, 0, 0),
		    "/clone": lambda: ctypes.PyDLL(None).clone(child, TOP, 17, None),
		}
		class Body(list):
		    # The answer is out: no request is open when the child ends.
		    def close(self):
		        if self.way in WAYS:
		            pid = WAYS[self.way]()
		            if pid == 0:
		                os._exit(0)
		            assert os.waitpid(pid, 0) == (pid, 0)
		def application(environ, start_response):
		    body = Body([b"%d" % os.getpid()])
		    body.way = environ["PATH_INFO"]
		    start_response("200 OK", [("Content-Length", str(len(body[0])))])
		    return body
	END
	spawn server "${preload[@]}" gunicorn --chdir "$BATS_TEST_TMPDIR" -w 1 -b "127.0.0.1:$port" bare:application
	server_up server "$port"
	local pid path
	pid=$(worker)
	for path in /_Fork /fork-by-number /clone-by-number /clone /ok; do
		is "$pid" "$(get "$path")" "$path:"
	done
	is 1 "$(live_files | wc -l)" "live files:"
	settle "$server_pid" 6
	is "$pid" "$(all_facts | jq '.["process.pid"]' | sort -u)"
	is "_Fork clone clone-by-number fork-by-number ok ok" \
		"$(all_facts | jq -r 'select(.["reqprof.end"] == "complete") | .["url.path"][1:]' | sort | xargs)"
}

@test "before the first request there is no live file, then one with mode 0600, at the end none" {
	# (Processes of other tests clear away what is left, too.)
	own_place=$(mktemp -d /dev/shm/reqprof-test.XXXXXX)
	export REQPROF_LIVE=$own_place
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	is "" "$(live_files)"
	get /r1/1 >/dev/null
	retry has_profiles 1
	is 1 "$(live_files | wc -l)"
	is 600 "$(stat -c %a "$(live_files)")"
	# Some pages of it are used, most of it is not there.
	[ "$(stat -c %b "$(live_files)")" -lt 1024 ]
	get /quit >/dev/null 2>&1 || true
	stop "$server_pid" KILL
	# Killed with no open request: the next process of the user clears it away.
	is 1 "$(live_files | wc -l)"
	port=$(free_port)
	serve
	worker
	is 1 "$(live_files | wc -l)"
	# The master alone, which ends its workers: two signals end one without its say.
	kill "$server_pid"
	retry gone "$server_pid"
	is "" "$(live_files)"
}

@test "of many that nobody recovered, the oldest goes" {
	# (Not among those of other tests.)
	own_place=$(mktemp -d /dev/shm/reqprof-test.XXXXXX)
	export REQPROF_LIVE=$own_place
	mkdir "$profiles"
	local file i
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	get /r1/1 >/dev/null
	retry has_profiles 1
	file=$(live_files)
	stop "$server_pid" KILL
	for i in $(seq 17); do
		# As of other processes that are gone, with a request each.
		cp --sparse=always "$file" "$REQPROF_LIVE/reqprof-live.$server_pid.$i.7"
		printf '\001' | dd of="$REQPROF_LIVE/reqprof-live.$server_pid.$i.7" bs=1 seek="$((OPEN_AT))" conv=notrunc 2>/dev/null
	done
	port=$(free_port)
	spawn next "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up next "$port"
	get /r1/1 >/dev/null
	# The first is gone, and the one without a request; the others stay.
	is "" "$(ls "$file" "$REQPROF_LIVE/reqprof-live.$server_pid.1.7" 2>/dev/null)"
	is 16 "$(dead_live_files | wc -l)"
}
OPEN_AT=84 # of struct live_head's `open` (format/live.h)

@test "REQPROF_LIVE=off: no live file; a directory on a disk is refused, and counted" {
	preload+=("REQPROF_LIVE=off")
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	get /r1/1 >/dev/null
	retry has_profiles 1
	is "" "$(live_files)"
	is 0 "$("$REQPROF" ctl "$profiles" status --json | jq .totals.live_refused)"
	stop "$server_pid"
	[ "$(stat -fc %T "$BATS_TEST_TMPDIR")" != tmpfs ] || skip "the temporary directory is in memory"
	port=$(free_port)
	spawn server "${preload[@]}" "REQPROF_LIVE=$BATS_TEST_TMPDIR" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	get /r1/1 >/dev/null
	retry has_profiles 2
	is "" "$(find "$BATS_TEST_TMPDIR" -name 'reqprof-live.*')"
	is 1 "$("$REQPROF" ctl "$profiles" status --json | jq .totals.live_refused)"
}

# live_disk SIZE: live files stand on a tmpfs of so many bytes.
live_disk() {
	[ "$(id -u)" -eq 0 ] || skip "mounting needs root"
	export REQPROF_LIVE=$BATS_TEST_TMPDIR/live
	mkdir "$REQPROF_LIVE"
	mount -t tmpfs -o "size=$1" none "$REQPROF_LIVE" 2>/dev/null || skip "mounting is not permitted"
	mounted=$REQPROF_LIVE
}

@test "a full memory file system: the server serves, and nothing is lost from its profiles" {
	requires perf
	local size
	for size in 4k 24k 48k 96k; do
		profiles=$BATS_TEST_TMPDIR/profiles-$size
		use_profiles "$profiles"
		live_disk "$size"
		port=$(free_port)
		spawn server "${preload[@]}" "$PROGRAMS/asker" "$port"
		server_up server "$port"
		get /eintr >"$BATS_TEST_TMPDIR/answer"
		get /mask >>"$BATS_TEST_TMPDIR/answer"
		settle "$server_pid" 2
		is "" "$(cat "$BATS_TEST_TMPDIR/server.log")"
		all_facts | jq -se 'any(.["reqprof.samples"] > 60) and all(.["reqprof.lost.buffer_full"] == null)' >/dev/null
		umount "$mounted"
		rmdir "$mounted"
		mounted=
	done
}

@test "a kernel that cannot make memory ready on demand: interrupted requests are recovered" {
	requires perf
	serve "$PROGRAMS/deny_syscall" 28 1 # madvise
	local pid
	pid=$(worker)
	kill_burning "$pid"
	run -0 "$REQPROF" recover "$profiles"
	interrupted | jq -e '.["reqprof.samples"] > 200' >/dev/null
	reported burns_for_ever
}

@test "damaged live files: a message with the byte, status 3, and the others are recovered" {
	requires perf
	serve
	local pid file
	pid=$(worker)
	ask /burn
	retry burnt "$pid" 20
	kill -KILL "$pid"
	retry gone "$pid"
	file=$(dead_live_files)
	cp --sparse=always "$file" "$BATS_TEST_TMPDIR/whole"
	# Cut short, and with another magic; the whole one stays beside them.
	cp --sparse=always "$file" /dev/shm/reqprof-live.1.1.1-damaged
	truncate -s 9000 /dev/shm/reqprof-live.1.1.1-damaged
	cp --sparse=always "$file" /dev/shm/reqprof-live.1.1.2-damaged
	printf 'X' | dd of=/dev/shm/reqprof-live.1.1.2-damaged bs=1 conv=notrunc 2>/dev/null
	run -3 "$REQPROF" recover "$profiles"
	rm -f /dev/shm/reqprof-live.1.1.?-damaged
	[[ $output == *"1.1.1-damaged: unreadable at byte "*": it is cut short"* ]]
	[[ $output == *"1.1.2-damaged: unreadable at byte 0: it is no live file"* ]]
	is 1 "$(interrupted | wc -l)"
}

@test "another user's live file is neither read nor removed, though it claims the directory" {
	[ "$(id -u)" -eq 0 ] || skip "becoming two users needs root"
	mkdir "$profiles"
	chown 54321 "$profiles"
	local file=/dev/shm/reqprof-live.1.1.3-foreign
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	get /r1/1 >/dev/null
	retry has_profiles 1
	cp --sparse=always "$(live_files)" "$file"
	chown 54322 "$file"
	printf 'X' | dd of="$file" bs=1 conv=notrunc 2>/dev/null
	run "$REQPROF" recover "$profiles"
	local kept
	kept=$(ls "$file")
	rm -f "$file"
	is 0 "$status"
	is "$file" "$kept"
	[[ $output != *foreign* ]]
}

# Its thread waits for the other, a second at most, which may have passed before we let that one go on.
begins_while_another_prepares() {
	local calls=$BATS_TEST_TMPDIR/calls pid
	mkdir -p "$calls"
	touch "$calls/hold"
	port=$(free_port)
	spawn server "$PROGRAMS/held_call" "open:${REQPROF_LIVE:-/dev/shm}" "$calls" "${preload[@]}" \
		"$PROGRAMS/processes" "$port"
	server_up server "$port"
	pid=$(pgrep -P "$server_pid")
	ask /burn/1
	retry test -e "$calls/held"
	ask /burn/600000
	waits_for_the_other() { grep -qs '^202 ' "/proc/$pid"/task/*/syscall; }
	retry waits_for_the_other
	rm "$calls/held"
	retry burnt "$pid" 20
	kill -KILL "$pid"
	retry gone "$pid"
	"$REQPROF" recover "$profiles"
	[ "$(interrupted | jq -r '.["url.path"]')" = /burn/600000 ]
}

@test "a request that begins while another thread still prepares the process is recovered, too" {
	for _ in 1 2 3 4 5; do
		if begins_while_another_prepares; then
			return
		fi
	done
	return 1
}
