# reqprof report: functions and lines by time.
load helpers
load fixtures

setup_file() {
	export BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
	python_profiles "$BATS_FILE_TMPDIR/python" 3
	native_profiles "$BATS_FILE_TMPDIR/native"
}
teardown_file() { reap; }
setup() {
	requires perf
	python=$BATS_FILE_TMPDIR/python
	native=$BATS_FILE_TMPDIR/native
}

@test "report names the functions that burnt the most, with file and line" {
	run -0 "$REQPROF" report --mode python --route '/shares/*' "$python"
	[[ $output == *sixty* ]]
	[[ $output == *calibrated.py* ]]
	# sixty burns twice as much as thirty, which burns three times as much as ten.
	local order
	order=$(grep -nE -m1 '\bsixty\b' <<<"$output" | cut -d: -f1)
	[ "$order" -lt "$(grep -nE -m1 '\bthirty\b' <<<"$output" | cut -d: -f1)" ]
}

@test "report names C functions of a stripped-down build by their debug information" {
	run -0 "$REQPROF" report "$native"
	[[ $output == *route_1* ]]
	[[ $output == *threaded_server.c* ]]
}

@test "--mode python shows no native frame, --mode native no Python one, mixed both" {
	run -0 "$REQPROF" report --mode python --route '/shares/*' "$python"
	[[ $output != *_PyEval_EvalFrameDefault* ]]
	[[ $output == *in_hashlib* ]]
	run -0 "$REQPROF" report --mode native --route '/shares/*' "$python"
	[[ $output != *calibrated.py* ]]
	run -0 "$REQPROF" report --mode mixed --route '/shares/*' "$python"
	[[ $output == *calibrated.py* ]]
	[[ $output == *libcrypto* ]]
	[[ $output != *_PyEval_EvalFrameDefault* ]]
}

@test "--route keeps to that route" {
	run -0 "$REQPROF" report --route '/r2/*' "$native"
	[[ $output == *route_2* ]]
	[[ $output != *route_1* ]]
}

@test "--tree shows who called whom" {
	run -0 "$REQPROF" report --tree --mode python --route '/shares/*' "$python"
	local tree outer inner
	tree=$(sed -n '/^Tree/,$p' <<<"$output")
	outer=$(grep -nE -m1 '\bapplication\b' <<<"$tree" | cut -d: -f1)
	inner=$(grep -nE -m1 '\bsixty\b' <<<"$tree" | cut -d: -f1)
	[ "$outer" -lt "$inner" ]
}

@test "--json is one document whose parts add up to the whole" {
	"$REQPROF" report --json "$native" >"$BATS_TEST_TMPDIR/report.json"
	jq 'keys' "$BATS_TEST_TMPDIR/report.json" >&2
	is "$(facts "$native"/*.pprof | jq -s 'map(.["reqprof.samples"]) | add')" \
		"$(jq '[.functions[].self.samples // .functions[].self_samples] | add' "$BATS_TEST_TMPDIR/report.json")"
}

@test "user CPU, waits and the rest are printed and add up to wall time" {
	local file
	file=$(printf '%s\n' "$native"/POST* | head -n 1)
	run -0 "$REQPROF" report "$file"
	[[ $output == *"unaccounted"* ]]
}

@test "without files: exit status 3 and what to do" {
	cd "$BATS_TEST_TMPDIR"
	run -3 --separate-stderr env -u REQPROF_DIR "$REQPROF" report
	[[ $stderr == *"reqprof run"* ]]
}

# names COMMAND...: a report of native code with its errors, as one text.
names() { "$@" "$REQPROF" report --mode native "$native" 2>&1; }

@test "names are kept for later runs, and nothing in the place where they are kept harms" {
	export XDG_CACHE_HOME=$BATS_TEST_TMPDIR/cache
	local kept=$XDG_CACHE_HOME/reqprof file pids=() pid n
	names env >"$BATS_TEST_TMPDIR/first"
	is 700 "$(stat -c %a "$kept")"
	[ -n "$(ls "$kept")" ]
	is "" "$(names env | diff - "$BATS_TEST_TMPDIR/first")"

	for file in "$kept"/*; do
		head -c 100 "$file" >"$file.cut"
		mv "$file.cut" "$file"
	done
	is "" "$(names env | diff - "$BATS_TEST_TMPDIR/first")"
	for file in "$kept"/*; do
		head -c 4096 /dev/urandom >"$file"
	done
	for n in 1 2 3 4; do
		names env >"$BATS_TEST_TMPDIR/at_once.$n" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	for n in 1 2 3 4; do
		cmp "$BATS_TEST_TMPDIR/at_once.$n" "$BATS_TEST_TMPDIR/first"
	done
	is "" "$(find "$kept" -name '.*.names*')"

	is "" "$(names env XDG_CACHE_HOME=/dev/null | diff - "$BATS_TEST_TMPDIR/first")"
	is "" "$(names env -u XDG_CACHE_HOME -u HOME | diff - "$BATS_TEST_TMPDIR/first")"
}
