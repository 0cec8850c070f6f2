# Hostile bytes on the wire: the server answers as it does bare, ordinary requests in between have their
# profiles, one each, and no connection costs much memory.
load helpers
load serves

setup() {
	use_profiles
	port=$(free_port)
}

# hostile NAME: what the server that `spawn NAME` started says goes to $BATS_TEST_TMPDIR/NAME.said.
hostile() {
	server_up "$1" "$port"
	"$PYTHON" "$TESTS/clients/hostile_requests.py" "$port" "$BATS_TEST_TMPDIR/$1.said" >"$BATS_TEST_TMPDIR/$1.asked"
}

# survives COMMAND...: bare and preloaded alike; each ordinary request has a profile.
survives() {
	local asked=$BATS_TEST_TMPDIR/preloaded.asked
	spawn bare "$@"
	hostile bare
	stop "$bare_pid"
	port=$(free_port)
	spawn preloaded "${preload[@]}" "${@//$bare_port/$port}"
	hostile preloaded
	diff -r "$BATS_TEST_TMPDIR/bare.said" "$BATS_TEST_TMPDIR/preloaded.said"
	retry has_after "$(wc -l <"$asked")"
	stop "$preloaded_pid"
	is "$(sort "$asked" | sed 's/$/ 200 complete/')" "$(all_facts |
		jq -r '"\(.["http.request.method"]) \(.["url.path"]) \(.["http.response.status_code"]) \(.["reqprof.end"])"' |
		grep ' /after/' | sort)"
	# Names of files, whatever was asked for: of these characters, in this directory, and nothing else.
	is "" "$(find "$profiles" -mindepth 1 -printf '%P\n' | grep -vE '^[A-Za-z0-9._~@+,-]+\.pprof$|^reqprof.control$')"
	is "" "$(find "$profiles" -mindepth 1 ! -type f)"
}
has_after() {
	local n
	n=$(profile_files | grep -c '^GET\.after\.')
	[ "$n" -ge "$1" ] || { echo "$n, not $1"; return 1; }
}

@test "gunicorn's threads: slow heads, single bytes, 10 MiB heads, noise, lengths that lie" {
	requires gunicorn
	bare_port=$port
	survives gunicorn --chdir "$TESTS/apps" -w 1 --threads 4 --timeout 600 -b "127.0.0.1:$port" echo:application
}

@test "uwsgi --http: the same" {
	requires uwsgi
	bare_port=$port
	survives uwsgi --http-socket "127.0.0.1:$port" --need-plugin python3 --master --processes 2 \
		--threads 2 --die-on-term --socket-timeout 600 --chdir "$TESTS/apps" --wsgi-file "$TESTS/apps/echo.py" --disable-logging
}

# held_rss NAME BYTES [WORD...]: sets $rss to the KiB of nginx's worker while 1,000 connections are held there,
# each of which has sent BYTES of a head.
held_rss() {
	local name=$1 bytes=$2 worker held out
	shift 2
	NGINX_CONNECTIONS=2048 NGINX_HTTP="client_header_timeout 600; large_client_header_buffers 4 32k;" \
		nginx_front "$name" 'location / { return 200 "hello"; }' "$@"
	worker=$(pgrep -P "$(cat "$BATS_TEST_TMPDIR/$name.pid")")
	get / >/dev/null
	coproc HOLD { exec "$PYTHON" "$TESTS/clients/hostile_requests.py" "$port" --hold 1000 "$bytes" 3>&-; }
	read -r held <&"${HOLD[0]}"
	is held "$held"
	get / >/dev/null
	rss=$(sed -n 's/^VmRSS:\s*\([0-9]*\) kB/\1/p' "/proc/$worker/status")
	out=${HOLD[1]}
	exec {out}>&-
	wait "$HOLD_PID"
}

@test "1,000 connections that sent half a head cost less than 16 KiB each" {
	requires nginx
	local bytes rss bare name
	ulimit -n 4096
	for bytes in 30 900; do
		port=$(free_port)
		held_rss "bare_$bytes" "$bytes"
		bare=$rss
		port=$(free_port)
		held_rss "preloaded_$bytes" "$bytes" "${preload[@]}"
		echo "$bare KiB bare, $rss KiB preloaded"
		[ "$(((rss - bare) / 1000))" -lt 16 ]
		name=preloaded_${bytes}_pid
		stop "${!name}"
	done
	# They were seen.
	"$REQPROF" ctl "$profiles" status --json | jq -e '.totals.requests_seen >= 1000' >/dev/null
}
