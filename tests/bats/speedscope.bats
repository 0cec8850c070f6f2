# speedscope, the program itself: its npm package's importer reads what we write.
load helpers
load fixtures

setup_file() {
	export BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
	python_profiles "$BATS_FILE_TMPDIR/python" 2
	(cd "$BATS_FILE_TMPDIR" && npm install --no-save --no-package-lock --ignore-scripts --no-audit --no-fund speedscope >npm.log 2>&1) ||
		echo "npm could not install speedscope: $(tail -n 3 "$BATS_FILE_TMPDIR/npm.log")" >&2
}
teardown_file() { reap; }
setup() {
	requires perf node
	python=$BATS_FILE_TMPDIR/python
	file=$(printf '%s\n' "$python"/GET.shares* | head -n 1)
	wall=$(facts "$file" | jq '.["reqprof.wall_ns"]')
}

import_file() { node "$TESTS/clients/speedscope_import.js" "$BATS_FILE_TMPDIR/node_modules/speedscope" "$1"; }

@test "speedscope reads a profile as the library wrote it, and its wall time adds up" {
	import_file "$file" >"$BATS_TEST_TMPDIR/seen"
	is "$wall" "$(jq '.[0].total' "$BATS_TEST_TMPDIR/seen")"
	jq -e '[.[0].stacks | keys[] | select(test("sixty"))] | length > 0' "$BATS_TEST_TMPDIR/seen"
}

@test "speedscope reads our speedscope export" {
	"$REQPROF" export -f speedscope -o "$BATS_TEST_TMPDIR/out.json" "$file"
	import_file "$BATS_TEST_TMPDIR/out.json" >"$BATS_TEST_TMPDIR/seen"
	is "$wall" "$(jq '.[0].total' "$BATS_TEST_TMPDIR/seen")"
	jq -e '.[0].unit == "nanoseconds"' "$BATS_TEST_TMPDIR/seen"
	jq -e '[.[0].stacks | keys[] | select(test("sixty"))] | length > 0' "$BATS_TEST_TMPDIR/seen"
}

@test "speedscope reads our collapsed and pprof exports" {
	local format
	for format in collapsed pprof; do
		"$REQPROF" export -f "$format" -o "$BATS_TEST_TMPDIR/out.$format" "$file"
		import_file "$BATS_TEST_TMPDIR/out.$format" >"$BATS_TEST_TMPDIR/seen"
		jq -e '[.[0].stacks | keys[] | select(test("sixty"))] | length > 0' "$BATS_TEST_TMPDIR/seen"
	done
}

@test "speedscope reads timelines: waits as leaves of their exact length, a profile for each thread" {
	waiting_profile "$BATS_TEST_TMPDIR/GET.waits.pprof"
	"$REQPROF" export -f speedscope -o "$BATS_TEST_TMPDIR/out.json" "$BATS_TEST_TMPDIR/GET.waits.pprof"
	import_file "$BATS_TEST_TMPDIR/out.json" >"$BATS_TEST_TMPDIR/seen"
	jq -e '.[0].total == 300000000 and .[0].stacks["app;[wait: sleep]"] == 10000000
		and .[0].stacks["app;User.orders;[wait: socket 127.0.0.1:5432 (recv)]"] == 80000000' "$BATS_TEST_TMPDIR/seen"
	make_profile -o "$BATS_TEST_TMPDIR/GET.threads.pprof" --wall 100 --overlap 30 --stack '40@8369 /srv/app.py:1:app:6' \
		--wait '90|lock||at=5,thread=8370|/srv/app.py:1:worker:9'
	"$REQPROF" export -f speedscope -o "$BATS_TEST_TMPDIR/out.json" "$BATS_TEST_TMPDIR/GET.threads.pprof"
	import_file "$BATS_TEST_TMPDIR/out.json" >"$BATS_TEST_TMPDIR/seen"
	# Where a thread does nothing for the request there is nothing, and the time axis is the request's.
	jq -e 'length == 2 and all(.[]; .total == 100000000) and (map(.stacks["worker;[wait: lock]"] // 0) | add) == 90000000' \
		"$BATS_TEST_TMPDIR/seen"
}
