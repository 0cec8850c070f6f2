# reqprof ls: which requests were profiled.
load helpers
load fixtures

setup_file() {
	export BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
	native_profiles "$BATS_FILE_TMPDIR/profiles"
}
teardown_file() { reap; }
setup() { use_profiles "$BATS_FILE_TMPDIR/profiles"; }
ls_json() { "$REQPROF" ls --json "$@" "$profiles"; }

@test "ls shows each request with method, path or route and status" {
	run -0 "$REQPROF" ls "$profiles"
	is 1 "$(grep -c 'POST.*/r3/orders' <<<"$output")"
	is 1 "$(grep -c 'DELETE.*/r3/orders' <<<"$output")"
	is 1 "$(grep -c 'GET.*404.*nowhere\|GET.*nowhere.*404' <<<"$output")"
	[ "$(wc -l <<<"$output")" -ge 13 ]
}

@test "ls --json is an array of objects with every field, and says what our own decoder finds" {
	ls_json | jq -e 'length == 13 and all(.[]; has("id") and has("file") and has("method") and has("path")
		and has("route") and has("status") and has("start") and has("wall_ns") and has("cpu_ns")
		and has("wait_ns") and has("samples") and has("pid") and has("tid") and has("role"))'
	ls_json | jq -r '.[] | "\(.id) \(.method) \(.path) \(.route) \(.status) \(.wall_ns) \(.cpu_ns) \(.samples) \(.pid) \(.tid) \(.role) \(.file | split("/") | last)"' |
		sort >"$BATS_TEST_TMPDIR/ls"
	all_facts | jq -r '"\(.["reqprof.id"]) \(.["http.request.method"]) \(.["url.path"]) \(.["http.route"]) \(.["http.response.status_code"]) \(.["reqprof.wall_ns"]) \(.["reqprof.cpu_ns"]) \(.["reqprof.samples"]) \(.["process.pid"]) \(.["thread.id"]) \(.["reqprof.role"]) \(.file)"' |
		sort >"$BATS_TEST_TMPDIR/facts"
	diff "$BATS_TEST_TMPDIR/facts" "$BATS_TEST_TMPDIR/ls"
}

@test "start is a time as RFC 3339 has it, the one in the file" {
	local start file
	while read -r start file; do
		[[ $start =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$ ]]
		is "$(facts "$profiles/$file" | jq '.start_ns / 1000000000 | floor')" "$(date -d "$start" +%s)"
	done < <(ls_json | jq -r '.[] | "\(.start) \(.file | split("/") | last)"')
}

@test "ls without options is in order of time" {
	is "$(ls_json | jq -c '[.[].start] | sort')" "$(ls_json | jq -c '[.[].start]')"
}

@test "--sort puts the largest first" {
	local key
	for key in wall cpu wait; do
		ls_json --sort "$key" | jq -e --arg key "${key}_ns" 'map(.[$key]) | . == (sort | reverse)' >/dev/null
	done
	ls_json --sort samples | jq -e 'map(.samples) | . == (sort | reverse)' >/dev/null
	run -2 "$REQPROF" ls --sort nonsense "$profiles"
}

@test "--method, --status, --route and --min-ms choose requests" {
	is 1 "$(ls_json --method POST | jq length)"
	is 1 "$(ls_json --status 404 | jq length)"
	is 12 "$(ls_json --status 2xx | jq length)"
	is "/r3/orders/17" "$(ls_json --method DELETE --route '/r3/*' | jq -r '.[].path')"
	is 4 "$(ls_json --route '/r2/users/*' | jq length)"
	is 0 "$(ls_json --min-ms 100000 | jq length)"
	is 13 "$(ls_json --min-ms 0 | jq length)"
}

@test "ids and numbers in paths are folded to one route" {
	is 1 "$(ls_json --route '/r2/users/*' | jq '[.[].route] | unique | length')"
	is 4 "$(ls_json --route '/r2/users/*' | jq '[.[].path] | unique | length')"
}

@test "--limit shows that many" {
	is 5 "$(ls_json --limit 5 | jq length)"
	is 13 "$(ls_json --limit 1000 | jq length)"
}

@test "a single file can be listed" {
	local file
	file=$(printf '%s\n' "$profiles"/POST* | head -n 1)
	is POST "$("$REQPROF" ls --json "$file" | jq -r '.[].method')"
}

@test "an empty directory is an empty list" {
	mkdir "$BATS_TEST_TMPDIR/empty"
	run -0 "$REQPROF" ls --json "$BATS_TEST_TMPDIR/empty"
	is '[]' "$(jq -c . <<<"$output")"
}

@test "a directory that is not there: one line on standard error, exit status 3" {
	run -3 --separate-stderr "$REQPROF" ls "$BATS_TEST_TMPDIR/nowhere"
	is "" "$output"
	is 1 "${#stderr_lines[@]}"
	[[ $stderr == *nowhere* ]]
}

@test "files that are no profiles are passed over in a directory" {
	cp -r "$profiles" "$BATS_TEST_TMPDIR/copy"
	echo note >"$BATS_TEST_TMPDIR/copy/README"
	echo half >"$BATS_TEST_TMPDIR/copy/.GET.x.pprof.tmp"
	run -0 --separate-stderr "$REQPROF" ls --json "$BATS_TEST_TMPDIR/copy"
	is 13 "$(jq length <<<"$output")"
	is "" "$stderr"
}

@test "a reader that goes away early is no error worth a message" {
	run -0 bash -c "set -o pipefail; '$REQPROF' ls '$profiles' 2>'$BATS_TEST_TMPDIR/stderr' | head -n 1"
	is "" "$(cat "$BATS_TEST_TMPDIR/stderr")"
}

@test "a full disk under standard output is a failure" {
	[ -e /dev/full ] || skip "there is no /dev/full"
	run "$REQPROF" ls "$profiles" >/dev/null
	run bash -c "'$REQPROF' ls '$profiles' >/dev/full"
	is 1 "$status"
}
