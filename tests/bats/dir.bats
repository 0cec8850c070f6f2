# Wherever REQPROF_DIR points and whatever the settings say, the server serves and stays silent.
load helpers

setup() {
	use_profiles
	port=$(free_port)
}

# serves_quietly [-n COUNT] WORD...: the C server, its command put after WORD..., answers and says
# only that; with -n, COUNT profiles come of it. (They are written after the answer: wait for them.)
serves_quietly() {
	local count=0
	if [ "$1" = -n ]; then
		count=$2
		shift 2
	fi
	spawn server "$@" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	for i in 1 2 3; do
		is "route=1 path=/r1/$i" "$(get "/r1/$i" | cut -d' ' -f1,2)"
	done
	retry has_profiles "$count"
	stop "$server_pid"
	is "" "$(grep -v '^route=' "$BATS_TEST_TMPDIR/server.log")" "the server's output has more:"
}
# With DIR as REQPROF_DIR, as a user who is not allowed everything.
in_dir() {
	local -a user=()
	if [ "$(id -u)" -eq 0 ]; then
		user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
		chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" \
			"$BATS_TEST_TMPDIR/.."
		"${user[@]}" test -x "$LIBREQPROF" || "${user[@]}" test -r "$LIBREQPROF" ||
			skip "user nobody may not read $LIBREQPROF"
	fi
	serves_quietly "${user[@]}" env "LD_PRELOAD=$LIBREQPROF" "REQPROF_DIR=$1"
}

@test "REQPROF_DIR that does not exist is created, for its user only" {
	serves_quietly -n 3 "${preload[@]}"
	is 3 "$(profile_count)"
	is 700 "$(stat -c %a "$profiles")"
}

@test "without REQPROF_DIR, profiles go to reqprof.out where the server was started" {
	cd "$BATS_TEST_TMPDIR"
	use_profiles "$BATS_TEST_TMPDIR/reqprof.out"
	serves_quietly -n 3 env -u REQPROF_DIR "LD_PRELOAD=$LIBREQPROF"
	is 3 "$(profile_count)"
}

@test "a relative REQPROF_DIR counts from where the server was started, wherever it goes later" {
	requires gunicorn
	cd "$BATS_TEST_TMPDIR"
	spawn server env "LD_PRELOAD=$LIBREQPROF" REQPROF_DIR=profiles gunicorn --chdir "$TESTS/apps" -w 1 \
		-b "127.0.0.1:$port" routes:application
	server_up server "$port"
	get /r1/1
	settle "$server_pid" 1
	[ ! -e "$TESTS/apps/profiles" ]
}

@test "REQPROF_DIR that may not be written: the server serves and stays silent" {
	mkdir "$profiles"
	chmod 0555 "$profiles"
	in_dir "$profiles"
	is 0 "$(profile_count)"
}

@test "REQPROF_DIR that may not be entered: the server serves and stays silent" {
	mkdir "$profiles"
	chmod 0 "$profiles"
	in_dir "$profiles"
	chmod 0755 "$profiles"
	is 0 "$(profile_count)"
}

@test "REQPROF_DIR whose parent may not be written: the server serves and stays silent" {
	mkdir "$BATS_TEST_TMPDIR/parent"
	chmod 0555 "$BATS_TEST_TMPDIR/parent"
	in_dir "$BATS_TEST_TMPDIR/parent/profiles"
	[ ! -e "$BATS_TEST_TMPDIR/parent/profiles" ]
}

@test "REQPROF_DIR that is a file is left as it is" {
	echo precious >"$profiles"
	serves_quietly "${preload[@]}"
	is precious "$(cat "$profiles")"
}

@test "REQPROF_DIR that is a dangling link is not followed" {
	ln -s "$BATS_TEST_TMPDIR/nowhere" "$profiles"
	serves_quietly "${preload[@]}"
	[ -L "$profiles" ]
	[ ! -e "$BATS_TEST_TMPDIR/nowhere" ]
}

@test "REQPROF_DIR that is a link to a directory is used" {
	mkdir "$BATS_TEST_TMPDIR/elsewhere"
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$profiles"
	serves_quietly -n 3 "${preload[@]}"
	use_profiles "$BATS_TEST_TMPDIR/elsewhere"
	is 3 "$(profile_count)"
}

@test "REQPROF_DIR that vanishes while the server runs: the server serves and stays silent" {
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	get /r1/1 >/dev/null
	retry has_profiles 1
	rm -r "$profiles"
	get /r1/2 >/dev/null
	is "route=1 path=/r1/3" "$(get /r1/3 | cut -d' ' -f1,2)"
	stop "$server_pid"
	is "" "$(grep -v '^route=' "$BATS_TEST_TMPDIR/server.log")"
}

@test "a full disk: the server serves, no half profile is left, and the failures are counted" {
	[ "$(id -u)" -eq 0 ] || skip "mounting a small disk needs root"
	mkdir "$profiles"
	mount -t tmpfs -o size=256k none "$profiles" 2>/dev/null || skip "mounting is not permitted"
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	get /r1/1 >/dev/null
	retry has_profiles 1 # it is written after its response
	dd if=/dev/zero of="$profiles/filler" bs=4k 2>/dev/null || true
	seq 2 20 | sed 's|^|/r1/|' | load_client --port "$port"
	"$REQPROF" ctl "$profiles" status --json >"$BATS_TEST_TMPDIR/status" || true
	stop "$server_pid"
	local bad=0
	all_facts >/dev/null || bad=1
	local left
	left=$(find "$profiles" -type f ! -name '*.pprof' ! -name reqprof.control ! -name filler)
	local count
	count=$(profile_count)
	umount "$profiles"
	is 0 "$bad"
	is "" "$left"
	jq . "$BATS_TEST_TMPDIR/status" >&2
	jq -e --argjson count "$count" '.totals |
		.files_failed > 0 and .files_written == $count and .files_written + .files_failed == 20' "$BATS_TEST_TMPDIR/status"
}

@test "a REQPROF_RATE that is no rate falls back to one that is" {
	local rate
	for rate in abc 0 -5 1e3 99999999999999999999 "" " " 997x; do
		use_profiles "$BATS_TEST_TMPDIR/profiles-$((n = ${n:-0} + 1))"
		port=$(free_port)
		serves_quietly -n 3 "${preload[@]}" "REQPROF_RATE=$rate"
		is 3 "$(profile_count)" "with rate '$rate':"
		all_facts | jq -e '.["reqprof.rate"] >= 1 and .["reqprof.rate"] <= 9970' >/dev/null
	done
}

@test "settings that make no sense are survived" {
	serves_quietly "${preload[@]}" REQPROF_SIGNAL=9 REQPROF_ENABLE=maybe REQPROF_STACKS=upside-down
	port=$(free_port)
	serves_quietly "${preload[@]}" REQPROF_SIGNAL=-1 REQPROF_RATE=-1 REQPROF_DIR=
}
