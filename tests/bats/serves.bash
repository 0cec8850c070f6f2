# Servers that each request is sent to once: did each get its profile? Load it after helpers; a file with
# a setup of its own sets port and answers and calls use_profiles there.

setup() {
	requires perf
	use_profiles
	port=$(free_port)
	answers=$BATS_TEST_TMPDIR/answers
}

# route_paths COUNT: distinct paths, spread over ROUTES (16) routes.
route_paths() {
	local i
	for ((i = 0; i < $1; i++)); do
		echo "/r$((i % ${ROUTES:-16}))/request-$i"
	done
}

# serves_each NAME COUNT CONCURRENCY [OPTION...]: loads the server that `spawn NAME` started and checks.
# FILES: profiles due, if not COUNT; ROUTER=1: a proxy makes one too; MS: of CPU that each request burns;
# CHECK: more options of check_routes.py; SIGNAL: what ends the server (TERM).
serves_each() {
	local name=$1 count=$2 concurrency=$3 pid_name=${1}_pid said
	shift 3
	server_up "$name" "$port"
	said=$(route_paths "$count" | load_client --port "$port" --concurrency "$concurrency" --out "$answers" "$@")
	is "200 $count" "$said"
	settle "${!pid_name}" "${FILES:-$count}" "${SIGNAL:-TERM}"
	# shellcheck disable=SC2086 # options are words
	"$PYTHON" "$TESTS/clients/check_routes.py" ${ROUTER:+--router} ${CHECK:-} "$answers" "$profiles" "${MS:-6}"
}

# Lets servers that give up being root reach the test's files, and leave their profiles there.
open_to_all() {
	chmod a+x "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_RUN_TMPDIR"
}

# nginx_front NAME LOCATIONS [WORD...]: nginx on $port, as `spawn NAME`, started behind the WORDs.
nginx_front() {
	local name=$1 locations=$2
	shift 2
	open_to_all
	cat >"$BATS_TEST_TMPDIR/$name.conf" <<-END
		daemon off; pid $BATS_TEST_TMPDIR/$name.pid; error_log stderr;
		worker_processes 1;
		events { worker_connections ${NGINX_CONNECTIONS:-256}; }
		http {
			access_log off;
			client_body_temp_path $BATS_TEST_TMPDIR/body; proxy_temp_path $BATS_TEST_TMPDIR/proxy;
			fastcgi_temp_path $BATS_TEST_TMPDIR/fastcgi; uwsgi_temp_path $BATS_TEST_TMPDIR/uwsgi;
			scgi_temp_path $BATS_TEST_TMPDIR/scgi;
			${NGINX_HTTP:-}
			server { listen 127.0.0.1:$port ${NGINX_LISTEN:-}; $locations }
		}
	END
	spawn "$name" "$@" nginx -e stderr -g "$([ "$(id -u)" -ne 0 ] || echo 'user root;')" \
		-c "$BATS_TEST_TMPDIR/$name.conf"
	server_up "$name" "$port"
}

# answered WHAT: profiles as "METHOD PATH STATUS PROTOCOL END", one a line, sorted.
answered() {
	all_facts | jq -r '"\(.["http.request.method"]) \(.["url.path"]) \(.["http.response.status_code"]) " +
		"\(.["network.protocol.name"]) \(.["reqprof.end"])"' | sort
}
