#!/usr/bin/env bats
# `make bench` makes a table, JSON and a chart. What the figures are is not judged here: the machine has other work.

load helpers

setup() {
	requires nginx wrk
	[ -e "$B/bench/libreqprof-floor.so" ] || skip "not built: make bench-build"
	cd "$BATS_TEST_TMPDIR" || return
}

bench() { env -u LD_PRELOAD TMPDIR="$BATS_TEST_TMPDIR" "$TESTS/bench/run" --quick "$@"; }

@test "the bench makes one table of ratios, the same as JSON, and a chart of them" {
	printf '# before\n<!-- bench -->\nold\n<!-- /bench -->\n# after\n' >README.md
	run -0 bench --rows nginx --json rows.json --svg chart.svg --readme README.md
	[[ $output == *"nginx, a file of 1 KiB"*"switched off"*"bare"* ]]
	# Each row is a ratio that was measured, and no figure is missing in the table.
	run -0 jq -r '.rows[] | select(.group == "nginx" and .ratio > 0 and .cpu_ratio > 0 and .pairs == 1) | .name' rows.json
	[ "${#lines[@]}" -eq 6 ]
	[ "${lines[0]}" = "switched off" ]
	"$PYTHON" - chart.svg <<-'END'
		import sys, xml.etree.ElementTree as tree
		root = tree.parse(sys.argv[1]).getroot()
		bars = [e for e in root.iter() if e.tag.endswith("rect")]
		assert root.tag.endswith("svg") and len(bars) == 5, bars
	END
	cmp chart.svg tests/bench/bench.svg
	[ "$(head -n 1 README.md)" = "# before" ]
	[ "$(tail -n 1 README.md)" = "# after" ]
	grep -q '!\[.*\](tests/bench/bench.svg)' README.md
	grep -q '997 Hz, a file each' README.md
	run ! grep -q old README.md
}

@test "the bench's floor keeps files and drops samples" {
	requires perf uwsgi
	use_profiles out
	port=$(free_port)
	spawn server env "LD_PRELOAD=$B/bench/libreqprof-floor.so" REQPROF_DIR=out uwsgi --plugin python3 -M --die-on-term \
		--http-socket "127.0.0.1:$port" --wsgi-file "$TESTS/apps/calibrated.py"
	server_up server "$port"
	get /calibrate >/dev/null
	settle "$server_pid" 1
	run -0 "$REQPROF" ls --json out
	jq -e 'length == 1 and .[0].samples == 0 and .[0].cpu_ns > 10000000' <<<"$output"
}

# Both stacks are walked, of 40 Python and 60 native frames; the stack that the signal comes on is painted before.
@test "a sample takes less than a KiB of the host's stack beyond the kernel's frame" {
	run -0 "$B/bench/engine" stack "$BATS_TEST_TMPDIR"
	jq -e '.samples == 2 and .cold_bytes > 0 and .cold_bytes <= 1024 and .warm_bytes > 0 and .warm_bytes <= 1024' <<<"$output"
}

@test "the engine's rows: handler, hooks, unwinder, the writing of a profile" {
	requires perf
	run -0 bench --rows engine --json rows.json
	[[ $output == *"sample, stack seen before"* ]]
	run -0 jq -r '.rows[] | select(.value > 0) | .name' rows.json
	[ "${#lines[@]}" -ge 11 ]
}

@test "the bench refuses rows that it does not have" {
	run -2 bench --rows nothing
	[[ $output == *"no rows named nothing"* ]]
}
