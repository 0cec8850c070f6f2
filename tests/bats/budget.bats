# The disk budget: on by default, kept to by all processes together, the newest stay.
load helpers

setup() {
	use_profiles
	port=$(free_port)
}

serve() {
	spawn server "${preload[@]}" "$@" "$PROGRAMS/threaded_server" "$port" accept 4
	server_up server "$port"
}
written() {
	local n
	n=$("$REQPROF" ctl "$profiles" status --json | jq '.totals | .files_written + .files_no_room')
	[ "$n" -eq "$1" ] || { echo "$n profiles written or refused, not $1"; return 1; }
}
budget() { "$REQPROF" ctl "$profiles" status --json | jq ".budget.$1"; }
named() { find "$profiles" -name "$1.pprof" | wc -l; }
disk_bytes() { find "$profiles" -name '*.pprof' -printf '%b\n' | awk '{ n += $1 * 512 } END { print n + 0 }'; }

@test "by default there is room for 10,000 profiles and 1 GiB" {
	serve
	get /r1/a >/dev/null
	retry written 1
	is "10000 1073741824 1" "$(budget max_files) $(budget max_bytes) $(budget files)"
	run -0 "$REQPROF" ctl "$profiles" status
	[[ $output == *"1 of 10000 files"* ]]
}

@test "when there are too many profiles the oldest goes, and that is counted" {
	serve REQPROF_MAX_FILES=10
	for i in $(seq 25); do
		get "/r0/number-$i" >/dev/null
		retry written "$i"
	done
	is "10 10 15" "$(profile_count) $(budget files) $("$REQPROF" ctl "$profiles" status --json | jq .totals.evicted_files)"
	is "$(seq 16 25 | sed 's|^|/r0/number-|')" "$(all_facts | jq -r '.["url.path"]' | sort)"
}

# At least so many are there at one time: those that a listing named and that are still there when it has
# ended. (A listing is no moment: while profiles come and go it names more of them than there ever are.)
at_once() {
	local file n=0
	profile_files >"$BATS_TEST_TMPDIR/listed"
	while read -r file; do
		[ ! -e "$profiles/$file" ] || n=$((n + 1))
	done <"$BATS_TEST_TMPDIR/listed"
	echo "$n"
}

@test "8 processes that write at once keep to the number of files within 1 %" {
	requires gunicorn
	spawn server "${preload[@]}" REQPROF_MAX_FILES=1000 gunicorn --chdir "$TESTS/apps" -w 8 \
		-b "127.0.0.1:$port" failing:application
	server_up server "$port"
	watch_most() {
		local n most=0
		while [ ! -e "$BATS_TEST_TMPDIR/done" ]; do
			n=$(at_once)
			[ "$n" -le "$most" ] || echo "$n" >"$BATS_TEST_TMPDIR/most"
			most=$((n > most ? n : most))
		done
	}
	watch_most 3>&- &
	local watcher=$!
	seq 4000 | sed 's|^|/a/|' | load_client --port "$port" --concurrency 16
	retry written 4000
	touch "$BATS_TEST_TMPDIR/done"
	wait "$watcher"
	echo "at most $(cat "$BATS_TEST_TMPDIR/most") at a time" >&2
	[ "$(cat "$BATS_TEST_TMPDIR/most")" -le 1010 ]
	# (Each of the 8 may remove one for the same newcomer.)
	[ "$(profile_count)" -ge 990 ]
	[ "$(profile_count)" -le 1000 ]
	is "$(profile_count)" "$(budget files)"
	stop "$server_pid"
	is "" "$(find "$profiles" -name '.reqprof-*')" "temporary files:"
}

@test "8 processes that write at once keep to the number of bytes within 1 %" {
	requires gunicorn
	spawn server "${preload[@]}" REQPROF_MAX_BYTES=2M gunicorn --chdir "$TESTS/apps" -w 8 \
		-b "127.0.0.1:$port" failing:application
	server_up server "$port"
	seq 2000 | sed 's|^|/a/|' | load_client --port "$port" --concurrency 16
	retry written 2000
	local bytes
	bytes=$(disk_bytes)
	echo "$bytes bytes on disk, $(budget bytes) counted" >&2
	[ "$bytes" -le $((2 * 1024 * 1024)) ]
	[ "$(budget bytes)" -ge $((2 * 1024 * 1024 * 99 / 100 - 40960)) ]
	[ "$(budget bytes)" -le $((2 * 1024 * 1024)) ]
}

@test "what is written while another process holds the page's lock is in the budget too" {
	mkdir -p "$profiles"
	exec {held}<>"$profiles/reqprof.control"
	flock "$held"
	serve REQPROF_MAX_FILES=10
	seq 6 | sed 's|^|/r0/early-|' | load_client --port "$port"
	retry eval '[ "$(profile_count)" -eq 6 ]'
	[ ! -s "$profiles/reqprof.control" ]
	flock -u "$held" # closing would not do: the server has it as well
	exec {held}>&-
	# The process looks for the lock again with a request that comes later.
	joined() { get /r0/joins >/dev/null && "$REQPROF" ctl "$profiles" status --json >/dev/null; }
	retry joined
	seq 7 | sed 's|^|/r0/late-|' | load_client --port "$port"
	all_written() { [ "$("$REQPROF" ctl "$profiles" status --json | jq '.totals.requests_seen - .totals.files_written')" -eq 0 ]; }
	retry all_written
	is "10 10 7" "$(profile_count) $(budget files) $(named '*late-*')"
	seq 3 | sed 's|^|/r0/last-|' | load_client --port "$port"
	retry all_written
	is "10 0 10" "$(profile_count) $(named '*early-*') $(($(named '*late-*') + $(named '*last-*')))"
}

@test "a process whose only request began while another held the page's lock is in the page" {
	requires gunicorn
	mkdir -p "$profiles"
	exec {held}<>"$profiles/reqprof.control"
	flock "$held"
	spawn server "${preload[@]}" gunicorn --chdir "$TESTS/apps" -w 1 -b "127.0.0.1:$port" echo:application
	server_up server "$port"
	get /slow/3000 >/dev/null &
	local client=$!
	sleep 1.5
	flock -u "$held"
	exec {held}>&-
	wait "$client"
	retry written 1
	is "1 1" "$(budget files) $("$REQPROF" ctl "$profiles" status --json | jq .totals.requests_seen)"
}

@test "a worker that cannot have the page's lock keeps to the page all the same, and is in its counts when it is killed" {
	local other
	other=$(free_port)
	spawn server "${preload[@]}" REQPROF_MAX_FILES=10 "$PYTHON" "$TESTS/apps/two_workers.py" "$port" "$other"
	server_up server "$port"
	server_up server "$other"
	get /first >/dev/null
	retry written 1
	"$REQPROF" ctl "$profiles" set filter='!/filtered*'
	exec {held}<>"$profiles/reqprof.control"
	flock "$held"
	seq 14 | sed 's|^|/other-|' | load_client --port "$other"
	curl -s "http://127.0.0.1:$other/filtered" >/dev/null
	local pid
	pid=$(curl -s "http://127.0.0.1:$other/last")
	latest() { [ "$(named '*last*')" -eq 1 ]; }
	retry latest
	is "10 0" "$(profile_count) $(named '*first*')"
	kill -KILL "$pid"
	flock -u "$held"
	exec {held}>&-
	retry written 16
	is "10 17 6 1" "$(budget files) $("$REQPROF" ctl "$profiles" status --json | jq -r '.totals | "\(.requests_seen) \(.evicted_files) \(.skipped_filter)"')"
}

@test "profiles of an earlier server are counted, and are the first to go" {
	serve
	seq 20 | sed 's|^|/r0/old-|' | load_client --port "$port"
	retry written 20
	stop "$server_pid"
	touch "$profiles/mine.pprof"
	port=$(free_port)
	sleep 0.1 # the file system's clock ticks
	serve REQPROF_MAX_FILES=21
	for i in 1 2 3; do
		get "/r0/new-$i" >/dev/null
		retry written "$i"
	done
	is "21 21" "$(budget files) $(named '*-*')"
	[ -e "$profiles/mine.pprof" ]
	is "3 18" "$(named '*new-*') $(named '*old-*')"
}

@test "a new limit set by ctl holds from the next profile on" {
	serve
	seq 30 | sed 's|^|/r0/|' | load_client --port "$port"
	retry written 30
	run -0 "$REQPROF" ctl "$profiles" set max-files=5 max-bytes=0
	[[ $output == *"max-files 5, max-bytes without limit"* ]]
	get /r0/last >/dev/null
	retry written 31
	is 5 "$(profile_count)"
	run -1 "$REQPROF" ctl "$profiles" set max-files=1000000
	[[ $output == *"--max-files"* ]]
}

@test "with no limits nothing is removed" {
	serve REQPROF_MAX_FILES=0 REQPROF_MAX_BYTES=0
	seq 60 | sed 's|^|/r0/|' | load_client --port "$port"
	retry written 60
	is 60 "$(profile_count)"
}

@test "ctl's limits, set before the server is there, come before its variables" {
	mkdir "$profiles"
	"$REQPROF" ctl "$profiles" set max-files=7
	serve REQPROF_MAX_FILES=100 REQPROF_MAX_BYTES=5M
	seq 20 | sed 's|^|/r0/|' | load_client --port "$port"
	retry written 20
	is "7 5242880 7" "$(budget max_files) $(budget max_bytes) $(profile_count)"
}
