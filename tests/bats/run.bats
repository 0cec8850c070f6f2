# reqprof run: the same as setting LD_PRELOAD and the variables by hand.
load helpers

setup() {
	use_profiles
	port=$(free_port)
}

@test "run starts a server with profiling" {
	spawn server "$REQPROF" run -o "$profiles" -- "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	get /r1/1 >/dev/null
	settle "$server_pid" 1
}

@test "run becomes the command: same process, same exit status, same output" {
	run -7 "$REQPROF" run -o "$profiles" -- sh -c 'echo out; echo err >&2; exit 7'
	is "out err" "$(xargs <<<"$output")"
	is "$(sh -c 'echo $$; exec sh -c "echo \$\$"' | uniq | wc -l)" 1
	is 1 "$(sh -c 'echo $$; exec "$@"' sh "$REQPROF" run -o "$profiles" -- sh -c 'echo $$' | uniq | wc -l)"
}

@test "run passes options and arguments of the command through untouched" {
	run -0 "$REQPROF" run -o "$profiles" -- printf '%s|' -o --help 'two words' ''
	is "-o|--help|two words||" "$output"
	run -0 "$REQPROF" run -o "$profiles" printf '%s|' --json -x
	is "--json|-x|" "$output"
}

@test "run's options become the library's settings" {
	run -0 "$REQPROF" run -o "$profiles" --rate 251 -- env
	grep -qx "REQPROF_RATE=251" <<<"$output"
	grep -qx "REQPROF_DIR=$profiles" <<<"$output"
	grep -q "^LD_PRELOAD=.*libreqprof.so" <<<"$output"
}

@test "run keeps what LD_PRELOAD had" {
	local libc
	libc=$(ldd /bin/sh | sed -n 's/.*libc\.so\.6 => \([^ ]*\).*/\1/p')
	run -0 env "LD_PRELOAD=$libc" "$REQPROF" run -o "$profiles" -- sh -c 'echo "$LD_PRELOAD"'
	[[ $output == *libreqprof.so* ]]
	[[ $output == *"$libc"* ]]
}

@test "run without a command is a usage error; with one that is not there it is 127 or 1 and says so" {
	run -2 "$REQPROF" run -o "$profiles" --
	run --separate-stderr "$REQPROF" run -o "$profiles" -- /no/such/command
	[ "$status" -eq 127 ] || [ "$status" -eq 1 ]
	is 1 "${#stderr_lines[@]}"
	[[ $stderr == *"/no/such/command"* ]]
}

@test "a rate that is none is refused before the server starts" {
	run -2 "$REQPROF" run -o "$profiles" --rate 0 -- touch "$BATS_TEST_TMPDIR/started"
	run -2 "$REQPROF" run -o "$profiles" --rate fast -- touch "$BATS_TEST_TMPDIR/started"
	[ ! -e "$BATS_TEST_TMPDIR/started" ]
}

@test "every command has --help on standard output, and refuses options that it does not know" {
	local command
	for command in run ctl ls report export doctor; do
		run -0 --separate-stderr "$REQPROF" "$command" --help
		[ -n "$output" ]
		is "" "$stderr"
		run -2 --separate-stderr "$REQPROF" "$command" --no-such-option
		is "" "$output"
	done
	run -0 "$REQPROF" --help
	run -0 "$REQPROF" --version
	run -2 "$REQPROF"
	run -2 "$REQPROF" lss
	[[ $output == *'"reqprof ls"'* ]]
}
