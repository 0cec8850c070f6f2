# Placement on PostgreSQL: the database says how many statements it answered and how long they took,
# and the profiles say how many round trips were waited for, and how long.
load helpers
load placement
load postgres

REQUESTS=${POSTGRES_REQUESTS:-100}

setup() {
	requires perf uwsgi
	use_profiles
	port=$(free_port)
	pg_port=$(free_port)
	postgres_start "$pg_port"
}

teardown() {
	reap
	postgres_remove
}

# agrees URL PEER: REQUESTS requests, one after the other, by a warm server.
agrees() {
	placement_on_postgres "$BATS_TEST_TMPDIR/conf" "$1"
	spawn server "${preload[@]}" REQPROF_ENABLE=0 "${UWSGI[@]}" -M --die-on-term \
		--http-socket "127.0.0.1:$port" --wsgi-file "$PLACEMENT_API" --processes 1
	server_up server "$port"
	placement_providers "$port" 20 || { tail -n 20 "$BATS_TEST_TMPDIR/server.log" >&2; false; }
	local skip i
	# Long enough that waking up and carrying bytes, which the database does not count, matter little.
	postgres_slow inventories 0.02
	# The first profiled request is the process's first, and our own start is in it.
	"$REQPROF" ctl "$profiles" on
	get /resource_providers "${PLACEMENT_HEADERS[@]}" >/dev/null
	retry has_profiles 1
	rm "$profiles"/*.pprof
	skip=$(postgres_log | wc -c)
	for ((i = 0; i < REQUESTS; i++)); do
		echo "/resource_providers/$(provider_id $((i % 20)))/inventories"
		[ $((i % 4)) -ne 0 ] || echo /resource_providers
	done | load_client --port "$port" "${PLACEMENT_HEADERS[@]}" >/dev/null
	stop "$server_pid"
	cp "$BATS_TEST_TMPDIR/postgres.log" "$BATS_TEST_TMPDIR/statements"
	"$PYTHON" "$TESTS/clients/check_database.py" "$profiles" "$BATS_TEST_TMPDIR/statements" "$skip" "$2"
}

@test "over TCP: round trips are the statements, and the time waited is the time they took" {
	agrees "postgresql+psycopg2://placement@127.0.0.1:$pg_port/placement" "127.0.0.1:$pg_port"
	# The line that asks is Python's, and every reader can see it.
	local -a files=("$profiles"/*inventories*.pprof)
	facts -s "${files[0]}" | jq -e '[.stacks[] | select(.labels.round_trips) |
		.frames | map(select(.kind == "python"))[0].name] | index("DefaultDialect.do_execute") != null'
}

@test "over a unix socket: the same" {
	agrees "postgresql+psycopg2://placement@/placement?host=$pg&port=$pg_port" "unix:$pg/.s.PGSQL.$pg_port"
}
