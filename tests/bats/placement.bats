# The scenario that reqprof exists for: OpenStack placement under uwsgi, 2 processes of 10 threads
# behind uwsgi's own router, 400 requests of 20 clients at a time. Served once without the library
# and once with it, switched on when placement is warm; the tests look at what both left behind.
load helpers
load placement

PROVIDERS=200

paths() {
	local i
	for ((i = 0; i < PROVIDERS; i++)); do
		echo "/resource_providers/$(provider_id "$i")"
		echo "/resource_providers/$(provider_id "$i")/inventories"
	done
}

# serve NAME WORD...: the scenario's server, its command line put after WORD...; answers in NAME/.
serve() {
	local name=$1
	shift
	port=$(free_port)
	spawn "$name" "$@" "${UWSGI[@]}" -M --http "127.0.0.1:$port" --wsgi-file "$PLACEMENT_API" \
		--processes 2 --threads 10
	server_up "$name" "$port"
	placement_warm "$port" "$BATS_FILE_TMPDIR/$name.log" 2
	[ "$name" = without ] || "$REQPROF" ctl "$profiles" on
	paths | load_client --port "$port" --concurrency 20 "${PLACEMENT_HEADERS[@]}" \
		--out "$BATS_FILE_TMPDIR/$name" >"$BATS_FILE_TMPDIR/$name.statuses"
}

setup_file() {
	export BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR # for what helpers put beside a test
	placement_database "$BATS_FILE_TMPDIR/placement" "$PROVIDERS"
	serve without
	stop "$without_pid" INT

	use_profiles "$BATS_FILE_TMPDIR/profiles"
	serve with "${preload[@]}" REQPROF_ENABLE=0
	retry has_profiles 800 || echo "only $(profile_count) profiles" >&2
	"$REQPROF" ctl "$profiles" status --json >"$BATS_FILE_TMPDIR/status.json" || true
	stop "$with_pid" INT
}
teardown_file() { reap; }

setup() {
	requires perf uwsgi
	use_profiles "$BATS_FILE_TMPDIR/profiles"
}

@test "all 400 requests are answered, byte for byte as without the library" {
	is "200 400" "$(cat "$BATS_FILE_TMPDIR/without.statuses")"
	is "200 400" "$(cat "$BATS_FILE_TMPDIR/with.statuses")"
	diff -r "$BATS_FILE_TMPDIR/without" "$BATS_FILE_TMPDIR/with"
}

@test "each request has one profile of a worker's and one of the router's, whole and its own" {
	"$PYTHON" "$TESTS/clients/check_placement.py" "$profiles" "$PROVIDERS"
}

@test "nothing but profiles is left in the directory" {
	is 800 "$(profile_count)"
	is "" "$(find "$profiles" -mindepth 1 ! -name '*.pprof' ! -name reqprof.control)"
}

@test "profiles are private: mode 0600" {
	is "" "$(find "$profiles" -name '*.pprof' ! -perm 0600)"
}

@test "file names tell method, path, duration, process and number" {
	is "" "$(profile_files |
		grep -vE '^GET\.resource_providers\.[0-9a-f-]{36}(\.inventories)?\.[0-9]+ms\.[0-9]{10}\.[0-9]+-[0-9]+\.pprof$')"
}

# The kinds of lines in a log: numbers, times and what depends on chance taken away.
kinds() {
	sed -E 's/\x1b\[[0-9;]*m|\x1b\[00m//g; s/[0-9a-f]{8}-[0-9a-f-]+//g; s/0x[0-9a-f]+//g; s/[0-9.:]+//g;
		s/\[(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [^]]*\]//' "$1" |
		grep -vE 'terminate called after|Accessing state after destruction' | sort -u
}

@test "the server writes nothing that it does not write without us" {
	is "" "$(comm -13 <(kinds "$BATS_FILE_TMPDIR/without.log") <(kinds "$BATS_FILE_TMPDIR/with.log"))"
}

@test "reqprof ls counts each request once" {
	is 400 "$("$REQPROF" ls --json "$profiles" | jq length)"
	is 400 "$("$REQPROF" ls --json "$profiles" | jq '[.[].path] | unique | length')"
	is server "$("$REQPROF" ls --json "$profiles" | jq -r '[.[].role] | unique | join(" ")')"
}

@test "reqprof ls --all shows the router's view too" {
	is 800 "$("$REQPROF" ls --all --json "$profiles" | jq length)"
	is "400 400" "$("$REQPROF" ls --all --json "$profiles" |
		jq -r 'group_by(.role) | map(length) | join(" ")')"
}

@test "reqprof ls says what our own decoder finds" {
	"$REQPROF" ls --all --json "$profiles" |
		jq -r '.[] | "\(.id) \(.method) \(.path) \(.status) \(.wall_ns) \(.cpu_ns) \(.samples) \(.pid) \(.tid) \(.role)"' |
		sort >"$BATS_TEST_TMPDIR/ls"
	all_facts | jq -r '"\(.["reqprof.id"]) \(.["http.request.method"]) \(.["url.path"]) \(.["http.response.status_code"]) \(.["reqprof.wall_ns"]) \(.["reqprof.cpu_ns"]) \(.["reqprof.samples"]) \(.["process.pid"]) \(.["thread.id"]) \(.["reqprof.role"])"' |
		sort >"$BATS_TEST_TMPDIR/facts"
	is 800 "$(wc -l <"$BATS_TEST_TMPDIR/facts")"
	diff "$BATS_TEST_TMPDIR/facts" "$BATS_TEST_TMPDIR/ls"
}

@test "reqprof report adds up to all samples of the workers" {
	local all
	all=$(all_facts | jq -s 'map(select(.["reqprof.role"] == "server") | .["reqprof.samples"]) | add')
	is "$all" "$("$REQPROF" report --json "$profiles" | jq '.samples')"
}

@test "the control page counted every request and every file" {
	jq . "$BATS_FILE_TMPDIR/status.json" >&2
	is "800 800 0 true" "$(jq -r '.totals | "\(.requests_profiled) \(.files_written) \(.files_failed) \(
		.requests_seen == .requests_profiled + .skipped_off)"' "$BATS_FILE_TMPDIR/status.json")"
}
