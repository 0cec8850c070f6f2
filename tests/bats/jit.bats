# Code that runtimes make while they run: its functions' names, from what the runtimes write about it.
load helpers
load serves

setup() {
	requires perf
	use_profiles
	port=$(free_port)
}

# The map is the runtime's, and it does not remove it.
teardown() {
	reap
	[ -z "${server_pid:-}" ] || rm -f "/tmp/perf-$server_pid.map" "/tmp/jit-$server_pid.dump"
}

# profiled NAME: 10 requests to the server NAME, which then ends.
profiled() {
	local pid_name=${1}_pid i
	server_up "$1" "$port"
	for i in $(seq 10); do get /burn >/dev/null; done
	retry has_profiles 10
	stop "${!pid_name}"
}

# burnt_in FUNCTION [FILE LINE]: most stacks taken on the CPU go through it, and it is said where it is.
burnt_in() {
	"$REQPROF" report --json --mode mixed --no-limit "$profiles" | jq -e --arg name "$1" --arg file "${2:-}" \
		--argjson line "${3:-0}" '.samples as $all | [.functions[] | select(.name | test($name))] as $found |
		{$all, found: ($found | map({name, file, start_line, total_samples}))},
		(([$found[].total_samples] | add) > $all * 0.6 and
		any($found[]; (.file // "") == $file and (.start_line // 0) == $line))'
}

@test "node --perf-basic-prof: functions, files and lines of JavaScript" {
	spawn server "${preload[@]}" node --perf-basic-prof --no-logfile-per-isolate \
		--logfile="$BATS_TEST_TMPDIR/v8.log" "$TESTS/apps/generated.js" "$port"
	profiled server
	burnt_in '^burnsInJavaScript$' "$TESTS/apps/generated.js" 4
}

@test "node --perf-prof: the same from jitdump, in the current directory" {
	cd "$BATS_TEST_TMPDIR"
	spawn server "${preload[@]}" node --perf-prof --no-logfile-per-isolate \
		--logfile="$BATS_TEST_TMPDIR/v8.log" "$TESTS/apps/generated.js" "$port"
	profiled server
	[ -s "jit-$server_pid.dump" ]
	burnt_in '^burnsInJavaScript$' "$TESTS/apps/generated.js" 4
}

@test "without a map, and with one of an earlier process: [jit]" {
	spawn server "${preload[@]}" node "$TESTS/apps/generated.js" "$port"
	touch -d yesterday "/tmp/perf-$server_pid.map"
	profiled server
	run --separate-stderr "$REQPROF" report --mode mixed "$profiles"
	echo "$stderr"
	[[ $stderr == *"/tmp/perf-$server_pid.map: of an earlier process with the same id"* ]]
	burnt_in '^\[jit\]$'
}

@test "PHP with opcache.jit_debug: traces of the function" {
	requires php
	spawn server "${preload[@]}" php -d opcache.enable_cli=1 -d opcache.jit=tracing \
		-d opcache.jit_buffer_size=32M -d opcache.jit_debug=16 -S "127.0.0.1:$port" "$TESTS/apps/generated.php"
	profiled server
	burnt_in '\$burns_in_php\$'
}

@test "Python 3.12 and later with -X perf: its own map does not hide its lines" {
	local python
	python=$("$TESTS/pythons.sh" | awk '$1 ~ /^3\.1[2-9]/ { print $2; exit }')
	[ -n "$python" ] || skip "no Python 3.12 or later can be had"
	spawn server "${preload[@]}" "$python" -X perf "$TESTS/apps/generated.py" "$port"
	profiled server
	[ -s "/tmp/perf-$server_pid.map" ]
	burnt_in '^burns_in_python$' "$TESTS/apps/generated.py" 7
	# The trampolines that its map names are between Python's frames and the interpreter's.
	"$REQPROF" report --tree --mode mixed "$profiles" >"$BATS_TEST_TMPDIR/tree"
	grep -F burns_in_python "$BATS_TEST_TMPDIR/tree"
	is 0 "$(grep -cF '[jit]' "$BATS_TEST_TMPDIR/tree")"
}
