# reqprof ctl: on, off and status. (That off means off: off.bats)
load helpers

setup() {
	use_profiles
	port=$(free_port)
}

@test "status says on or off, the rate, and each process" {
	spawn server "${preload[@]}" REQPROF_RATE=499 "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	get /r1/1 >/dev/null
	retry has_profiles 1
	run -0 "$REQPROF" ctl "$profiles" status
	[[ $output == *on* ]]
	[[ $output == *499* ]]
	[[ $output == *"$server_pid"* ]]
	"$REQPROF" ctl "$profiles" off
	run -0 "$REQPROF" ctl "$profiles" status
	[[ $output == *off* ]]
}

@test "without a directory it is REQPROF_DIR's or reqprof.out" {
	cd "$BATS_TEST_TMPDIR"
	spawn server env -u REQPROF_DIR "LD_PRELOAD=$LIBREQPROF" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	get /r1/1 >/dev/null
	use_profiles "$BATS_TEST_TMPDIR/reqprof.out"
	retry has_profiles 1
	run -0 env -u REQPROF_DIR "$REQPROF" ctl off
	run -0 env "REQPROF_DIR=$profiles" "$REQPROF" ctl status
	[[ $output == *off* ]]
}

@test "counters stay when a server has ended, and start anew with the next one" {
	local round
	for round in 1 2; do
		port=$(free_port)
		spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 1
		server_up server "$port"
		get "/r1/$round" >/dev/null
		retry has_profiles "$round"
		stop "$server_pid"
		is 1 "$("$REQPROF" ctl "$profiles" status --json | jq '.totals.requests_seen')" "round $round:"
	done
}

@test "a word that is no command is a usage error" {
	mkdir "$profiles"
	run -2 "$REQPROF" ctl "$profiles" sideways
	run -2 "$REQPROF" ctl
}

@test "a directory that is not there: status fails with one line" {
	run --separate-stderr "$REQPROF" ctl "$BATS_TEST_TMPDIR/nowhere" status
	[ "$status" -ne 0 ]
	is 1 "${#stderr_lines[@]}"
}

@test "no control page in the way is followed: a link is refused" {
	mkdir "$profiles"
	echo precious >"$BATS_TEST_TMPDIR/file"
	ln -s "$BATS_TEST_TMPDIR/file" "$profiles/reqprof.control"
	run "$REQPROF" ctl "$profiles" off
	[ "$status" -ne 0 ]
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	get /r1/1 >/dev/null
	stop "$server_pid"
	is precious "$(cat "$BATS_TEST_TMPDIR/file")"
}
