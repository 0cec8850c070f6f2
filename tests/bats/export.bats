# reqprof export: pstats for Python's own tools, collapsed stacks, speedscope. (pprof: pprof.bats)
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
	out=$BATS_TEST_TMPDIR/out
}

check_pstats() { "$PYTHON" "$TESTS/clients/check_pstats.py" "$out" "$1" "$TESTS/apps/calibrated.py" "${@:2}"; }

@test "a pstats export opens in Python's pstats, with cProfile's names and the profiles' times" {
	local value
	for value in cpu wall samples; do
		"$REQPROF" export -f pstats --mode python --type "$value" -o "$out" "$python"
		check_pstats "$value" "$python"/*.pprof
	done
}

@test "a pstats export of one file is that file's" {
	local file value
	file=$(printf '%s\n' "$python"/GET.shares* | head -n 1)
	for value in cpu wall; do
		"$REQPROF" export -f pstats --mode python --type "$value" -o "$out" "$file"
		check_pstats "$value" "$file"
	done
}

@test "a pstats export has the C functions that Python called as functions of their own" {
	"$REQPROF" export -f pstats -o "$out" "$python"
	"$PYTHON" -c '
import pstats, sys
stats = pstats.Stats(sys.argv[1]).stats
callers = [name for key, found in stats.items() if "hashlib" in key[2] or "libcrypto" in key[2] for _, _, name in found[4]]
print(callers)
assert "in_hashlib" in callers and "two_lines" in callers' "$out"
}

@test "a pstats export of a C server names its functions" {
	"$REQPROF" export -f pstats -o "$out" "$native"
	"$PYTHON" -c '
import pstats, sys
names = " ".join(name for _, _, name in pstats.Stats(sys.argv[1]).stats)
print(names)
assert "route_1" in names and "route_2" in names and "route_4" in names' "$out"
}

@test "collapsed stacks: every line is a stack and a number, and the samples add up" {
	"$REQPROF" export -f collapsed --type samples -o "$out" "$native"
	run ! grep -vE '^[^;]+(;[^;]+)* [0-9]+$' "$out"
	is "$(facts "$native"/*.pprof | jq -s 'map(.["reqprof.samples"]) | add')" \
		"$(awk '{ sum += $NF } END { print sum }' "$out")"
	grep -q 'route_1' "$out"
}

@test "speedscope: frames and weights fit together, one profile a request, and they add up" {
	"$REQPROF" export -f speedscope -o "$out" "$native"
	jq -e '."$schema" == "https://www.speedscope.app/file-format-schema.json"' "$out"
	is 13 "$(jq '.profiles | length' "$out")"
	jq -e '(.shared.frames | length) as $frames | all(.profiles[];
		(.samples | length) == (.weights | length) and
		all(.samples[][]; . >= 0 and . < $frames) and
		(.endValue - .startValue) == (.weights | add // 0))' "$out"
	is "$(facts "$native"/*.pprof | jq -s 'map(.["reqprof.wall_ns"]) | add')" \
		"$(jq '[.profiles[].weights | add // 0] | add' "$out")"
}

@test "an export that cannot be written fails, and leaves no half file" {
	run -1 --separate-stderr "$REQPROF" export -f speedscope -o "$BATS_TEST_TMPDIR/no/such/dir/out" "$native"
	is 1 "${#stderr_lines[@]}"
	if [ -e /dev/full ]; then
		run -1 --separate-stderr "$REQPROF" export -f collapsed -o /dev/full "$native"
	fi
}

@test "an unknown format is a usage error that names the known ones" {
	run -2 --separate-stderr "$REQPROF" export -f flame "$native"
	[[ $stderr == *speedscope* ]]
}
