# The disk in trouble: the server's answers do not change, what could not be written is counted.
load helpers

setup() {
	use_profiles
	port=$(free_port)
	mounted=
}
teardown() {
	reap
	[ -z "$mounted" ] || umount -l "$mounted"
}

# small_disk OPTIONS: mounts one as the output directory.
small_disk() {
	[ "$(id -u)" -eq 0 ] || skip "mounting needs root"
	mkdir -p "$profiles"
	mount -t tmpfs -o "$1" none "$profiles" 2>/dev/null || skip "mounting is not permitted"
	mounted=$profiles
}
serve() {
	spawn server "${preload[@]}" "$@" "$PROGRAMS/threaded_server" "$port" accept 2
	server_up server "$port"
}
# answers N: the server answers N requests rightly and says nothing else.
answers() {
	local i
	for i in $(seq "$1"); do
		is "route=1 path=/r1/$i" "$(get "/r1/$i" | cut -d' ' -f1,2)"
	done
	is "" "$(grep -v '^route=' "$BATS_TEST_TMPDIR/server.log")" "the server's output has more:"
}
# passthrough: the output directory is a FUSE file system, whose program ($fuse_pid) can be stopped.
passthrough() {
	requires bindfs
	mkdir -p "$BATS_TEST_TMPDIR/behind" "$profiles"
	spawn fuse bindfs -f "$BATS_TEST_TMPDIR/behind" "$profiles"
	mounted=$profiles
	retry mountpoint -q "$profiles" || skip "FUSE is not permitted here"
}
behind() { find "$BATS_TEST_TMPDIR/behind" -name '*.pprof' | wc -l; }
status() { "$REQPROF" ctl "$profiles" status --json; }
decided() {
	local n
	n=$(status | jq '.totals | .files_written + .files_failed + .files_no_room')
	[ "$n" -eq "$1" ] || { echo "$n decided, not $1"; return 1; }
}

@test "a disk that is full before the first request: the server serves" {
	small_disk size=16k
	dd if=/dev/zero of="$profiles/filler" bs=4k 2>/dev/null || true
	serve
	answers 6
	is 0 "$(profile_count)"
	rm "$profiles/filler"
	umount "$profiles"
	small_disk size=4m
	# A page that can be made at last is made, at most a second later.
	answers_and_has_page() { get /r1/again >/dev/null && [ -s "$profiles/reqprof.control" ]; }
	retry answers_and_has_page
	retry has_profiles 1
}

@test "a disk without room for more than half the control page: no half page is left, the server serves" {
	small_disk size=64k
	serve
	answers 4
	[ ! -s "$profiles/reqprof.control" ] || is "" "$(stat -c %s "$profiles/reqprof.control")"
}

@test "a disk that fills up while the server runs, and is emptied: what was not written is counted, the rest is there" {
	small_disk size=4m
	serve
	answers 5
	retry decided 5
	dd if=/dev/zero of="$profiles/filler" bs=4k 2>/dev/null || true
	answers 7
	retry decided 12
	status | jq -e '.totals.files_written == 5 and .totals.files_failed == 7 and .file_error.errno == 28 and
		(.file_error.advice | test("space"))'
	is "" "$(find "$profiles" -name '.reqprof-*')" "temporary files:"
	rm "$profiles/filler"
	answers 4
	retry decided 16
	is 9 "$(status | jq .totals.files_written)"
	is 9 "$(all_facts | jq -s 'map(select(.["reqprof.end"] == "complete")) | length')"
}

@test "no more files may be made (inodes, as with a quota): counted, with the reason" {
	small_disk size=8m,nr_inodes=8
	serve
	answers 20
	retry decided 20
	status | jq -e '.totals.files_written > 0 and .totals.files_failed > 0 and
		.file_error.errno == 28 and (.file_error.advice | test("space"))'
	is "$(status | jq .totals.files_written)" "$(profile_count)"
	is "" "$(find "$profiles" -name '.reqprof-*')" "temporary files:"
}

# Not every kernel has quotas, so a filter answers for one. The server itself sends; it does not write.
@test "a quota is used up (EDQUOT): counted, with the reason, and nothing half written is left" {
	spawn server "$PROGRAMS/deny_syscall" 1 122 "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 2
	server_up server "$port"
	answers 10
	retry decided 10
	status | jq -e '.totals.files_written == 0 and .totals.files_failed == 10 and
		.file_error.errno == 122 and (.file_error.advice | test("space"))'
	is "" "$(find "$profiles" -name '.reqprof-*' -o -name '*.pprof')" "left behind:"
}

# goes_before NICE PID: where all of a session's processes share a CPU as one, too.
goes_before() {
	renice -n "$1" -g "$2" >/dev/null 2>&1 || true
	[ ! -e "/proc/$2/autogroup" ] || echo "$1" >"/proc/$2/autogroup" || true
}

@test "a write that waits for a CPU does not make the disk a slow one" {
	local burner burners=()
	passthrough
	serve taskset -c 0
	goes_before 19 "$server_pid"
	for burner in 1 2 3; do
		spawn burner taskset -c 0 "$PYTHON" -c 'while True: pass'
		goes_before -20 "$burner_pid"
		kill -STOP "$burner_pid"
		burners+=("$burner_pid")
	done
	answers 2
	retry decided 2
	# The disk stands still for a moment, and when it goes on the CPU is taken.
	kill -STOP "$fuse_pid"
	is "route=1 path=/r1/3" "$(get /r1/3 | cut -d' ' -f1,2)"
	# (One of its threads, and that is neither accept() nor futex().)
	is_in_a_call() { grep -qsvE "^(43 |202 |running)" "/proc/$server_pid"/task/*/syscall; }
	retry is_in_a_call
	kill -CONT "${burners[@]}" "$fuse_pid"
	sleep 2.5 # longer than what counts as slow
	kill -STOP "${burners[@]}"
	retry decided 3
	is "route=1 path=/r1/4" "$(get /r1/4 | cut -d' ' -f1,2)"
	decided_or_not() { decided 4 || [ "$(status | jq .totals.files_slow)" -gt 0 ]; }
	retry decided_or_not
	is "0 4" "$(status | jq -r '.totals | "\(.files_slow) \(.files_written)"')"
	stop "$server_pid"
}

# (The kernel's locks cannot be held from outside: a debugger holds the one thread up as they would.)
@test "a write that waits while others go on does not make the disk a slow one" {
	requires strace
	local slow seconds=6
	is_held() { grep -qs '^State:.t' "/proc/$(pgrep -P "$slow_pid" | head -n 1)/status"; }
	# A server's second profile is on its way while the other server writes hundreds.
	slow=$(free_port)
	spawn slow strace -f -qq -o /dev/null -e "inject=renameat2:delay_enter=${seconds}s:when=2" -e trace=renameat2 \
		"${preload[@]}" "$PROGRAMS/threaded_server" "$slow" accept 1
	server_up slow "$slow"
	serve
	is "route=1 path=/r1/1" "$(port=$slow get /r1/1 | cut -d' ' -f1,2)"
	is "route=1 path=/r1/2" "$(port=$slow get /r1/2 | cut -d' ' -f1,2)"
	retry is_held
	is "200 $((seconds * 100))" "$(for _ in $(seq $((seconds * 100))); do echo /r1/other; done | load_client --port "$port" --keep-alive)"
	retry decided $((2 + seconds * 100))
	is "route=1 path=/r1/3" "$(port=$slow get /r1/3 | cut -d' ' -f1,2)"
	retry decided $((3 + seconds * 100))
	is 0 "$(status | jq .totals.files_slow)"
}

@test "the directory is removed while the server runs: it is made again, with a control page" {
	serve REQPROF_MAX_FILES=5
	answers 3
	retry has_profiles 3
	rm -r "$profiles"
	recovered() { get /r1/again >/dev/null && [ -e "$profiles/reqprof.control" ]; }
	retry recovered
	for _ in $(seq 12); do get /r1/more >/dev/null; done
	retry has_profiles 5
	within() { [ "$(status | jq .totals.files_written)" -ge 8 ] && [ "$(profile_count)" -eq 5 ]; }
	retry within
	is 5 "$(status | jq .budget.max_files)"
}

@test "profiles are removed while they are read: reqprof shows the others" {
	serve REQPROF_MAX_FILES=10
	spawn load bash -c "while :; do curl -s http://127.0.0.1:$port/r0/[1-50] >/dev/null; done"
	retry has_profiles 10
	local i
	for i in $(seq 15); do
		run "$REQPROF" ls "$profiles"
		[ "$status" -eq 0 ] || [ "$status" -eq 3 ]
		run "$REQPROF" report "$profiles"
		[ "$status" -eq 0 ] || [ "$status" -eq 3 ]
	done
	stop "$load_pid"
	run -0 "$REQPROF" ls "$profiles"
}

@test "a control page that somebody cuts short is no danger when it is read" {
	serve
	answers 1
	retry has_profiles 1
	stop "$server_pid"
	truncate -s 100 "$profiles/reqprof.control"
	run "$REQPROF" ctl "$profiles" status
	[ "$status" -ne 0 ]
	port=$(free_port)
	serve
	answers 2
	retry has_profiles 3
	is 2 "$(status | jq .totals.requests_seen)"
}

@test "a disk that stands still: answers come all the same, and it is not waited for again and again" {
	passthrough
	serve
	answers 2
	retry has_profiles 2
	# Its program stops: who touches the directory waits.
	kill -STOP "$fuse_pid"
	is "route=1 path=/r1/3" "$(get /r1/3 | cut -d' ' -f1,2)"
	is "route=1 path=/r1/4" "$(get /r1/4 | cut -d' ' -f1,2)"
	waits_for_the_disk() { grep -qs '^State:.[DS]' "/proc/$server_pid/status" && is 2 "$(behind)"; }
	retry waits_for_the_disk
	sleep 1.5 # longer than what counts as slow
	kill -CONT "$fuse_pid"
	slow_is_known() {
		get /r1/5 >/dev/null
		[ "$(status | jq .totals.files_slow)" -ge 1 ]
	}
	retry slow_is_known
	# What was held up has been written, what came afterwards is counted: nothing is lost in silence.
	status | jq -e '.totals | .requests_profiled == .files_written + .files_failed + .files_no_room + .files_slow and
		.files_written >= 3' >/dev/null
	is "" "$(grep -v '^route=' "$BATS_TEST_TMPDIR/server.log")" "the server's output has more:"
	stop "$server_pid"
}

@test "the directory is removed while the server runs: it is made again, and all is counted" {
	serve
	answers 3
	retry has_profiles 3
	rm -r "$profiles"
	answers 4
	stop "$server_pid"
	[ "$(profile_count)" -ge 3 ]
}

@test "files that are removed while they are read: the others are shown" {
	serve
	answers 20
	retry has_profiles 20
	( for f in "$profiles"/GET.r1.1*; do rm "$f"; done ) &
	local i
	for i in 1 2 3 4 5; do
		run "$REQPROF" ls "$profiles"
		[ "$status" -eq 0 ] || [ "$status" -eq 3 ]
		[[ $output == *"GET "* ]]
	done
	wait $!
	run -0 "$REQPROF" ls "$profiles"
}
