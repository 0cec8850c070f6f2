# reqprof doctor: would it work here, with this program, in this process? On real programs.
load helpers

setup() {
	use_profiles
	port=$(free_port)
	as_nobody=()
	if [ "$(id -u)" -eq 0 ]; then
		as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
		chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" \
			"$BATS_TEST_TMPDIR/.."
	fi
}

doctor() { "$REQPROF" doctor -o "$profiles" "$@"; }
# level CHECK ARG...: what doctor --json says of one thing; "none" when it says nothing.
level() {
	local check=$1
	shift
	doctor --json "$@" | jq -r --arg check "$check" \
		'[.findings[] | select(.check == $check) | .level] | first // "none"'
}
nobody_can_run_us() { "${as_nobody[@]}" "$REQPROF" --version >/dev/null 2>&1 || skip "nobody may not run $REQPROF"; }

@test "of this machine it says what it found and exits with 0" {
	run -0 doctor
	[[ $output == *"ok       machine"* ]]
	[[ $output == *"libreqprof.so"* ]]
	[[ $output == *"It would work."* ]]
	run -0 doctor --json
	jq -e '.works and ([.findings[].level] | all(. != "problem"))' <<<"$output"
}

@test "servers that are dynamically linked would work" {
	local command
	for command in "$PROGRAMS/threaded_server" nginx uwsgi gunicorn node python3; do
		command -v "$command" >/dev/null || PATH=$PATH:/usr/sbin command -v "$command" >/dev/null || continue
		PATH=$PATH:/usr/sbin run -0 doctor -- "$command" --some --option
		[[ $output == *"is dynamically linked"* ]]
	done
}

@test "a statically linked program would not, and the advice says what would" {
	echo 'int main(void) { return 0; }' | gcc -static -x c - -o "$BATS_TEST_TMPDIR/static"
	run -1 doctor -- "$BATS_TEST_TMPDIR/static"
	[[ $output == *"statically linked"* ]]
	[[ $output == *"try: a dynamically linked build"* ]]
	echo 'int main(void) { return 0; }' | gcc -static-pie -x c - -o "$BATS_TEST_TMPDIR/static-pie"
	is problem "$(level program -- "$BATS_TEST_TMPDIR/static-pie")"
}

@test "programs in Go would not, with cgo or without" {
	requires go
	cat >"$BATS_TEST_TMPDIR/main.go" <<-'EOG'
		package main
		// int one(void) { return 1; }
		import "C"
		func main() { println(C.one()) }
	EOG
	printf 'package main\nfunc main() {}\n' >"$BATS_TEST_TMPDIR/plain.go"
	export HOME=$BATS_TEST_TMPDIR GOFLAGS=-trimpath GOCACHE=$BATS_TEST_TMPDIR/cache
	CGO_ENABLED=0 go build -o "$BATS_TEST_TMPDIR/plain" "$BATS_TEST_TMPDIR/plain.go"
	CGO_ENABLED=1 go build -ldflags=-s -o "$BATS_TEST_TMPDIR/cgo" "$BATS_TEST_TMPDIR/main.go"
	local program
	for program in plain cgo; do
		run -1 doctor -- "$BATS_TEST_TMPDIR/$program"
		[[ $output == *"written in Go"* ]]
	done
}

@test "a 32-bit program would not" {
	# The head of one: an ELF file of class 32 for the i386.
	printf '\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0\x01\0\0\0%048d' 0 >"$BATS_TEST_TMPDIR/i386"
	chmod +x "$BATS_TEST_TMPDIR/i386"
	run -1 doctor -- "$BATS_TEST_TMPDIR/i386"
	[[ $output == *"not an x86-64 program"* ]]
}

@test "su and other set-user-ID programs would not, for users whom they make somebody else" {
	[ "$(id -u)" -eq 0 ] || skip "becoming another user needs root"
	nobody_can_run_us
	mkdir -m 0777 "$profiles"
	run -1 "${as_nobody[@]}" "$REQPROF" doctor -o "$profiles" -- su
	[[ $output == *"set-user-ID"* ]]
	is ok "$(level program -- su)"
}

@test "scripts are followed to their interpreter, and a Python's version is named" {
	requires gunicorn
	run -0 doctor -- gunicorn app:app
	[[ $output == *"Python 3."*"its frames are known"* ]]
	printf '#!%s\n' "$BATS_TEST_TMPDIR/python3.99" >"$BATS_TEST_TMPDIR/script"
	cp -L /bin/true "$BATS_TEST_TMPDIR/python3.99"
	chmod +x "$BATS_TEST_TMPDIR/script"
	run -0 doctor -- "$BATS_TEST_TMPDIR/script"
	[[ $output == *"Python 3.99: its frames are not known"* ]]
}

@test "a command that is not there, and a file that is no program" {
	run -1 doctor -- /no/such/program
	[[ $output == *"/no/such/program is not found"* ]]
	echo text >"$BATS_TEST_TMPDIR/text"
	run -1 doctor -- "$BATS_TEST_TMPDIR/text"
	[[ $output == *"neither a program nor a script"* ]]
}

@test "perf events refused by a seccomp filter: a note that says so, and it would work" {
	run -0 "$PROGRAMS/deny_syscall" perf_event_open 1 "$REQPROF" doctor -o "$profiles"
	[[ $output == *"note     perf-events"*"seccomp"*"a timer takes over"* ]]
	run -0 "$PROGRAMS/deny_syscall" perf_event_open 38 "$REQPROF" doctor -o "$profiles"
	[[ $output == *"there are none here"* ]]
	run -0 "$PROGRAMS/deny_syscall" perf_event_open,timer_create 1 "$REQPROF" doctor -o "$profiles"
	[[ $output == *"no stacks"* ]]
	run -0 "$PROGRAMS/deny_syscall" process_vm_readv 1 "$REQPROF" doctor -o "$profiles"
	[[ $output == *"process_vm_readv is refused"* ]]
}

@test "perf_event_paranoid 3 and an ordinary user: the note names the sysctl" {
	[ "$(id -u)" -eq 0 ] || skip "setting the sysctl needs root"
	nobody_can_run_us
	local file=/proc/sys/kernel/perf_event_paranoid before
	before=$(cat "$file")
	echo 3 2>/dev/null >"$file" || skip "the sysctl cannot be set"
	[ "$(cat "$file")" = 3 ] || skip "this kernel knows no perf_event_paranoid of 3"
	mkdir -m 0777 "$profiles"
	run "${as_nobody[@]}" "$REQPROF" doctor -o "$profiles"
	echo "$before" >"$file"
	[ "$status" -eq 0 ]
	# Only kernels with Debian's patch refuse at 3; others permit it.
	if [[ $output != *"ok       perf-events"* ]]; then
		[[ $output == *"perf_event_paranoid is 3"*"sysctl kernel.perf_event_paranoid=2"* ]]
	fi
}

@test "an output directory that may not be written, or is a file" {
	echo x >"$BATS_TEST_TMPDIR/file"
	run -1 "$REQPROF" doctor -o "$BATS_TEST_TMPDIR/file"
	[[ $output == *"is not a directory"* ]]
	[ "$(id -u)" -eq 0 ] || skip "becoming another user needs root"
	nobody_can_run_us
	mkdir -m 0755 "$profiles"
	run -1 "${as_nobody[@]}" "$REQPROF" doctor -o "$profiles"
	[[ $output == *"may not write there"* ]]
	[[ $output == *"install -d"* ]]
}

@test "of a running server: is the library loaded, and may its user write?" {
	[ "$(id -u)" -eq 0 ] || skip "becoming another user needs root"
	nobody_can_run_us
	mkdir -m 0700 "$profiles"
	spawn server "${as_nobody[@]}" "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	run -1 "$REQPROF" doctor "$server_pid"
	[[ $output == *"libreqprof.so is loaded in it"* ]]
	[[ $output == *"$profiles: user 65534 may not write there"* ]]
	chown 65534 "$profiles"
	run -0 "$REQPROF" doctor "$server_pid"
	port=$(free_port)
	spawn plain "$PROGRAMS/threaded_server" "$port" accept 1
	server_up plain "$port"
	run -0 "$REQPROF" doctor "$plain_pid"
	[[ $output == *"note     loaded"*"reqprof run --"* ]]
	run -1 "$REQPROF" doctor 4194303
}

@test "of a running Python: its version" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn --chdir "$TESTS/apps" -w 1 -b "127.0.0.1:$port" routes:application
	server_up server "$port"
	run -0 doctor "$server_pid"
	[[ $output == *"Python 3."*"its frames are known"* ]]
}
