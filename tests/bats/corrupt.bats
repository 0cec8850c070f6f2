# Damaged profiles: a one-line error with file and offset, exit status 3, the other files still shown.
load helpers
load fixtures

setup_file() {
	export BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
	native_profiles "$BATS_FILE_TMPDIR/good"
}
teardown_file() { reap; }
setup() {
	good=$BATS_FILE_TMPDIR/good
	profiles=$BATS_TEST_TMPDIR/mixed
	cp -r "$good" "$profiles"
	one=$(printf '%s\n' "$good"/*.pprof | head -n 1)
	bad=$profiles/GET.bad.1ms.1795446911.1-1.pprof
	out=$BATS_TEST_TMPDIR/out
}

# complains STATUS COMMAND...: exit status, and on standard error one line that names the bad file and a byte.
complains() {
	run "-$1" --separate-stderr "${@:2}"
	is 1 "${#stderr_lines[@]}" "lines on standard error ($stderr):"
	[[ ${stderr_lines[0]} == "reqprof: "*"GET.bad.1ms"*" byte "[0-9]* ]] || {
		echo "$stderr" >&2
		return 1
	}
}

# Each command, given a directory with a bad file among 13 good ones, and the bad file alone.
each_command_complains() {
	complains 3 "$REQPROF" ls --json "$profiles"
	is 13 "$(jq length <<<"$output")"
	complains 3 "$REQPROF" ls "$profiles"
	[[ $output == *orders* ]]
	complains 3 "$REQPROF" report "$profiles"
	[[ $output == *route_1* ]]
	complains 3 "$REQPROF" report --json "$profiles"
	jq -e . <<<"$output" >/dev/null
	complains 3 "$REQPROF" explain "$profiles"
	local format
	for format in pstats collapsed speedscope firefox pprof; do
		complains 3 "$REQPROF" export -f "$format" -o "$out.$format" "$profiles"
		[ -s "$out.$format" ]
	done
	# Alone: nothing to show.
	complains 3 "$REQPROF" ls "$bad"
	complains 3 "$REQPROF" report "$bad"
	for format in pstats collapsed speedscope firefox pprof; do
		complains 3 "$REQPROF" export -f "$format" -o "$out.alone.$format" "$bad"
		[ ! -e "$out.alone.$format" ]
	done
}

@test "a profile cut in its middle" {
	head -c "$(($(stat -c %s "$one") / 2))" "$one" >"$bad"
	each_command_complains
}

@test "a profile that lacks its last byte" {
	head -c -1 "$one" >"$bad"
	each_command_complains
}

@test "an empty profile" {
	: >"$bad"
	each_command_complains
}

@test "a profile that is text" {
	echo "this is not a profile at all" >"$bad"
	each_command_complains
}

@test "a profile of noise" {
	head -c 20000 /dev/urandom >"$bad"
	each_command_complains
}

@test "a gzip file that is cut" {
	gzip -c "$one" | head -c 200 >"$bad"
	each_command_complains
}

@test "a gzip file of a good profile is read" {
	gzip -c "$one" >"$bad"
	run -0 --separate-stderr "$REQPROF" ls --json "$profiles"
	is "" "$stderr"
	# It is the same request twice: our own count of files, whatever is made of it.
	[ "$(jq length <<<"$output")" -ge 13 ]
}

@test "a profile whose length fields promise more than there is" {
	printf '\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f' >"$bad"
	each_command_complains
}

@test "a profile of someone else's, without reqprof's facts" {
	# One sample type and an empty string table: good pprof, not ours.
	printf '\x0a\x04\x08\x01\x10\x02\x32\x00\x32\x03cpu\x32\x0bnanoseconds' >"$bad"
	run -3 --separate-stderr "$REQPROF" ls --json "$profiles"
	is 1 "${#stderr_lines[@]}"
	is 13 "$(jq length <<<"$output")"
}

@test "no flipped byte makes any command crash or hang" {
	local size at command
	size=$(stat -c %s "$one")
	for at in $(seq 0 $((size / 60 + 1)) $((size - 1))); do
		cp "$one" "$bad"
		printf '\xff' | dd of="$bad" bs=1 seek="$at" conv=notrunc status=none
		for command in "ls --json" "report" "explain" "export -f firefox -o $out" "export -f collapsed -o $out"; do
			# shellcheck disable=SC2086 # words of a command line
			run timeout 20 "$REQPROF" $command "$bad"
			[ "$status" -eq 0 ] || [ "$status" -eq 3 ] || {
				echo "byte $at: $command: status $status" >&2
				return 1
			}
		done
	done
}

@test "a profile that may not be read" {
	local -a user=()
	cp "$one" "$bad"
	chmod 0 "$bad"
	if [ "$(id -u)" -eq 0 ]; then
		user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
		chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" \
			"$BATS_TEST_TMPDIR/.." "$profiles"
		chown -R 65534 "$profiles"
		"${user[@]}" test -x "$REQPROF" || skip "user nobody may not run $REQPROF"
	fi
	run -3 --separate-stderr "${user[@]}" "$REQPROF" ls --json "$profiles"
	is 1 "${#stderr_lines[@]}"
	is 13 "$(jq length <<<"$output")"
}

@test "a link that leads nowhere among the profiles" {
	ln -s nowhere "$bad"
	run -3 --separate-stderr "$REQPROF" ls --json "$profiles"
	is 1 "${#stderr_lines[@]}"
	is 13 "$(jq length <<<"$output")"
}

@test "a damaged control page is said to be one" {
	echo nonsense >"$profiles/reqprof.control"
	run --separate-stderr "$REQPROF" ctl "$profiles" status
	[ "$status" -ne 0 ]
	[ "$status" -lt 128 ]
	is 1 "${#stderr_lines[@]}"
	[[ $stderr == *control* ]]
}
