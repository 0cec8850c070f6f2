# Whatever a client asks for, file names stay harmless and a terminal sees no control characters.
load helpers

setup_file() {
	export BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
	use_profiles
	port=$(free_port)
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 2
	server_up server "$port"
	"$PYTHON" "$TESTS/clients/odd_paths.py" "$port" >"$BATS_FILE_TMPDIR/asked"
	retry has_profiles "$(wc -l <"$BATS_FILE_TMPDIR/asked")"
	stop "$server_pid"
}
teardown_file() { reap; }
setup() { use_profiles "$BATS_FILE_TMPDIR/profiles"; }

asked() { wc -l <"$BATS_FILE_TMPDIR/asked"; }
no_controls() {
	# Tabs and line ends are for tables; UTF-8 is welcome; everything else below space is not.
	run ! env LC_ALL=C grep -nP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$1"
	"$PYTHON" -c 'import sys; open(sys.argv[1], "rb").read().decode("utf-8")' "$1"
}

@test "each odd request was answered and has one profile" {
	is "$(asked)" "$(profile_count)"
}

@test "the profile holds the path as it was on the wire, cut where it is too long" {
	"$PYTHON" "$TESTS/clients/odd_paths.py" --check "$BATS_FILE_TMPDIR/asked" "$profiles"
}

@test "all profiles are directly in the directory, and no name is too long, hidden or odd" {
	is "$(asked)" "$(find "$profiles" -name '*.pprof' | wc -l)"
	is "" "$(find "$BATS_FILE_TMPDIR" -name '*.pprof' ! -path "$profiles/*")"
	is "" "$(find "$profiles" -mindepth 1 -printf '%f\n' | LC_ALL=C grep -vE '^[A-Za-z0-9._%+=@~,:-]{1,255}$')"
	is "" "$(find "$profiles" -mindepth 1 -name '.*' -o -mindepth 1 -name '-*')"
}

@test "no query string is kept anywhere" {
	run ! grep -rl secret-in-query "$profiles"
}

@test "reqprof ls and report show no control character" {
	"$REQPROF" ls --all "$profiles" >"$BATS_TEST_TMPDIR/ls"
	no_controls "$BATS_TEST_TMPDIR/ls"
	"$REQPROF" report "$profiles" >"$BATS_TEST_TMPDIR/report"
	no_controls "$BATS_TEST_TMPDIR/report"
	local file
	for file in "$profiles"/*.pprof; do
		"$REQPROF" report "$file" >"$BATS_TEST_TMPDIR/report"
		no_controls "$BATS_TEST_TMPDIR/report"
	done
}

@test "reqprof's JSON and exports of them are well formed" {
	is "$(asked)" "$("$REQPROF" ls --all --json "$profiles" | jq length)"
	"$REQPROF" report --json "$profiles" | jq -e . >/dev/null
	"$REQPROF" export -f speedscope -o - "$profiles" | jq -e . >/dev/null
	"$REQPROF" export -f collapsed -o "$BATS_TEST_TMPDIR/collapsed" "$profiles"
	no_controls "$BATS_TEST_TMPDIR/collapsed"
}

@test "an error message about a file with an odd name shows no control character" {
	local odd
	odd=$(printf '%s/\033[31m\a\n.pprof' "$BATS_TEST_TMPDIR")
	printf 'not a profile' >"$odd"
	run -3 --separate-stderr "$REQPROF" report "$odd"
	printf '%s\n' "$stderr" >"$BATS_TEST_TMPDIR/stderr"
	is 1 "$(wc -l <"$BATS_TEST_TMPDIR/stderr")"
	no_controls "$BATS_TEST_TMPDIR/stderr"
}
