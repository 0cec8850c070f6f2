# A PostgreSQL of the test's own, from Debian's package, and placement on it. Load it after placement.

PG_BIN=$(echo /usr/lib/postgresql/*/bin)

# postgres_start PORT: a cluster in $pg, its socket there too, logging each statement with how long it
# took. PostgreSQL refuses to run as root, and its user may not enter the folders of bats: so $pg is
# a folder apart, which postgres_remove removes.
postgres_start() {
	local -a as=(setpriv --reuid postgres --regid postgres --init-groups --inh-caps=-all --)
	pg=$(mktemp -d /tmp/reqprof-pg.XXXXXX)
	chown postgres "$pg"
	(cd / && "${as[@]}" "$PG_BIN/initdb" -D "$pg/data" -A trust -U placement --no-sync -E UTF8 \
		--locale=C.UTF-8) >/dev/null
	spawn postgres "${as[@]}" "$PG_BIN/postgres" -D "$pg/data" -k "$pg" -p "$1" -c fsync=off \
		-c dynamic_shared_memory_type=mmap -c log_min_duration_statement=0 -c "log_line_prefix=%p %m " -c logging_collector=off
	retry -t 60 "$PG_BIN/pg_isready" -q -h "$pg" -p "$1" -U placement
	"$PG_BIN/createdb" -h "$pg" -p "$1" -U placement placement
}

# postgres_slow TABLE SECONDS: from now on whatever reads TABLE takes so much longer.
postgres_slow() {
	"$PG_BIN/psql" -q -h "$pg" -p "$pg_port" -U placement -d placement -c "
		ALTER TABLE $1 RENAME TO ${1}_fast;
		CREATE VIEW $1 AS SELECT t.* FROM ${1}_fast t, (SELECT pg_sleep($2)) AS s"
}

postgres_remove() { [ -z "$pg" ] || rm -rf "$pg"; }

# postgres_log: what has been logged so far.
postgres_log() { cat "$BATS_TEST_TMPDIR/postgres.log"; }

# placement_on_postgres DIR URL: its configuration, in DIR.
placement_on_postgres() {
	placement_config "$1"
	sed -i "s|^connection = .*|connection = ${2//&/\\&}|" "$1/placement.conf"
}
