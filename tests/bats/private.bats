# Private and safe: other users of the machine neither read what is profiled nor steer it.
load helpers

setup() {
	[ "$(id -u)" -eq 0 ] || skip "becoming two users needs root"
	chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" \
		"$BATS_TEST_TMPDIR/.."
	alice=(setpriv --reuid 54321 --regid 54321 --clear-groups)
	mallory=(setpriv --reuid 54322 --regid 54322 --clear-groups)
	if ! "${alice[@]}" test -r "$LIBREQPROF" || ! "${alice[@]}" test -x "$REQPROF"; then
		skip "others may not use $B"
	fi
	shared=$BATS_TEST_TMPDIR/tmp # like /tmp
	mkdir -m 1777 "$shared"
	use_profiles "$shared/reqprof.out"
	port=$(free_port)
}

# serve_as USER-WORD...: a server; answers 3 requests.
serve_as() {
	spawn server "$@" "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	local i
	for i in 1 2 3; do
		is "route=1 path=/r1/$i" "$(get "/r1/$i" | cut -d' ' -f1,2)"
	done
}

@test "another user can neither list nor read profiles, nor switch or ask the server" {
	serve_as "${alice[@]}"
	retry has_profiles 3
	run ! "${mallory[@]}" ls "$profiles"
	run ! "${mallory[@]}" cat "$profiles"/*.pprof
	local verb
	for verb in off status "set rate=1"; do
		# shellcheck disable=SC2086 # words
		run -1 "${mallory[@]}" "$REQPROF" ctl "$profiles" $verb
		[ -n "$output" ]
	done
	run -0 "${alice[@]}" "$REQPROF" ctl "$profiles" off
	run -0 "$REQPROF" ctl "$profiles" on # root may
}

@test "in a directory that others may enter, files are still their owner's alone" {
	mkdir -m 0777 "$profiles"
	serve_as "${alice[@]}"
	retry has_profiles 3
	run ! "${mallory[@]}" cat "$profiles"/*.pprof
	run -1 "${mallory[@]}" "$REQPROF" ctl "$profiles" off
	[[ $output == *"only its owner may use it"* ]]
	is 600 "$(stat -c %a "$profiles"/* | sort -u)"
}

@test "two users' servers with the same directory: the second one serves, and touches nothing" {
	serve_as "${alice[@]}"
	retry has_profiles 3
	local before
	before=$(find "$profiles" -printf '%p %s %U\n' | sort)
	port=$(free_port)
	serve_as "${mallory[@]}"
	is "" "$(grep -v '^route=' "$BATS_TEST_TMPDIR/server.log")" "the server's output has more:"
	is "$before" "$(find "$profiles" -printf '%p %s %U\n' | sort)"
}

@test "a link that another user planted is not followed" {
	mkdir -m 0777 "$BATS_TEST_TMPDIR/trap"
	"${mallory[@]}" ln -s "$BATS_TEST_TMPDIR/trap" "$profiles"
	serve_as env # as root
	stop "$server_pid"
	is "" "$(find "$BATS_TEST_TMPDIR/trap" -name '*.pprof')" "profiles went where mallory wanted:"
	port=$(free_port)
	serve_as "${alice[@]}"
	stop "$server_pid"
	is "" "$(find "$BATS_TEST_TMPDIR/trap" -name '*.pprof')" "profiles went where mallory wanted:"
}

@test "a control page of another user is not used: its owner could cut it short under us" {
	mkdir -m 1777 "$profiles"
	"${mallory[@]}" env "REQPROF_DIR=$profiles" "$REQPROF" ctl off
	chmod 666 "$profiles/reqprof.control"
	serve_as "${alice[@]}"
	retry has_profiles 3 # switched off by nobody
	"${mallory[@]}" truncate -s 0 "$profiles/reqprof.control"
	is "route=1 path=/r1/4" "$(get /r1/4 | cut -d' ' -f1,2)"
	retry has_profiles 4
}

@test "an existing file under a profile's or the temporary name is never written through" {
	mkdir -m 1777 "$profiles"
	echo precious >"$BATS_TEST_TMPDIR/precious"
	chmod 666 "$BATS_TEST_TMPDIR/precious"
	spawn server "${alice[@]}" "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	local i
	for i in 1 2 3; do
		"${mallory[@]}" ln -s "$BATS_TEST_TMPDIR/precious" "$profiles/.reqprof-$server_pid-$i.tmp"
	done
	for i in 1 2 3; do get "/r1/$i" >/dev/null; done
	stop "$server_pid"
	is precious "$(cat "$BATS_TEST_TMPDIR/precious")"
}
