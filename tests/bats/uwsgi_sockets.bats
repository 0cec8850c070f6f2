# uwsgi: every kind of socket, and every way to run its workers. One profile a request, of the right
# thread, with its own stacks only. (Others of its ways: servers.bats, tls.bats, placement.bats.)
load helpers
load placement
load serves
load tls

setup_file() { make_certificate; }

setup() {
	requires perf uwsgi
	use_profiles
	use_certificate
	port=$(free_port)
	answers=$BATS_TEST_TMPDIR/answers
	socket=$BATS_TEST_TMPDIR/uwsgi.sock
	uwsgi=("${preload[@]}" "${UWSGI[@]}" -M --die-on-term)
	app=(--wsgi-file "$TESTS/apps/routes.py")
}

# behind_nginx COUNT LOCATION: nginx passes COUNT requests on to `spawn server`, which listens on $socket.
behind_nginx() {
	requires nginx
	retry test -S "$socket"
	chmod 0777 "$socket"
	nginx_front nginx "location / { $2 }"
	serves_each server "$1" 6
}

@test "--fastcgi-socket, behind nginx" {
	spawn server "${uwsgi[@]}" --fastcgi-socket "$socket" --processes 2 --threads 2 "${app[@]}"
	CHECK="--protocol fastcgi" behind_nginx 60 "include /etc/nginx/fastcgi_params;
		fastcgi_param PATH_INFO \$uri; fastcgi_pass unix:$socket;"
}

@test "--scgi-socket, behind nginx" {
	spawn server "${uwsgi[@]}" --scgi-socket "$socket" --processes 2 --threads 2 "${app[@]}"
	CHECK="--protocol scgi" behind_nginx 60 "include /etc/nginx/scgi_params;
		scgi_param PATH_INFO \$uri; scgi_pass unix:$socket;"
}

@test "--suwsgi-socket, the uwsgi protocol over TLS, behind nginx" {
	requires nginx
	local upstream
	upstream=$(free_port)
	spawn server "${uwsgi[@]}" --suwsgi-socket "127.0.0.1:$upstream,$cert,$key" --threads 2 "${app[@]}"
	server_up server "$upstream"
	nginx_front nginx "location / { include /etc/nginx/uwsgi_params; uwsgi_pass suwsgi://127.0.0.1:$upstream; }"
	CHECK="--protocol uwsgi" serves_each server 40 2
}

@test "--puwsgi-socket: requests that follow each other on one connection" {
	spawn server "${uwsgi[@]}" --puwsgi-socket "127.0.0.1:$port" --threads 2 "${app[@]}"
	server_up server "$port"
	local paths
	mapfile -t paths < <(route_paths 20)
	"$PYTHON" "$TESTS/clients/uwsgi_client.py" "$port" "${paths[@]}" >"$BATS_TEST_TMPDIR/said"
	mkdir "$answers"
	split -l 1 -d -a 3 "$BATS_TEST_TMPDIR/said" "$answers/"
	settle "$server_pid" 20
	"$PYTHON" "$TESTS/clients/check_routes.py" --protocol uwsgi "$answers" "$profiles" 6
	run ! grep -a secret "$profiles"/*.pprof
}

@test "--http-socket on a UNIX socket" {
	spawn server "${uwsgi[@]}" --http-socket "$socket" --threads 2 "${app[@]}"
	retry test -S "$socket"
	mkdir "$answers"
	local i
	for i in {1..10}; do
		curl -sS --unix-socket "$socket" -o "$answers/$i" "http://x/r$i/request-$i"
	done
	settle "$server_pid" 10
	"$PYTHON" "$TESTS/clients/check_routes.py" --no-cpu "$answers" "$profiles" 6
}

@test "--https-socket: the workers themselves terminate TLS" {
	spawn server "${uwsgi[@]}" --https-socket "127.0.0.1:$port,$cert,$key" --processes 2 --threads 2 "${app[@]}"
	serves_each server 60 4 --tls
}

@test "--http11-socket with threads: connections are kept" {
	spawn server "${uwsgi[@]}" --http11-socket "127.0.0.1:$port" --threads 4 "${app[@]}"
	serves_each server 60 4 --keep-alive
}

@test "--http-socket before --fastrouter: a proxy's profiles and the workers'" {
	spawn server "${uwsgi[@]}" --plugin fastrouter --fastrouter "127.0.0.1:$port" --fastrouter-to "$socket" \
		--socket "$socket" --threads 2 "${app[@]}"
	server_up server "$port"
	"$PYTHON" "$TESTS/clients/uwsgi_client.py" "$port" /r1/one >"$BATS_TEST_TMPDIR/said"
	settle "$server_pid" 2
	is "/r1/one 200 uwsgi proxy /r1/one 200 uwsgi server" "$(all_facts | jq -r '"\(.["url.path"]) " +
		"\(.["http.response.status_code"]) \(.["network.protocol.name"]) \(.["reqprof.role"])"' | sort | xargs)"
}

# It has connected to the worker before it reads a request, and so is not told from a server.
@test "--rawrouter, which passes bytes on: its own profiles and the workers'" {
	local upstream
	upstream=$(free_port)
	spawn server "${uwsgi[@]}" --plugin rawrouter --rawrouter "127.0.0.1:$port" \
		--rawrouter-to "127.0.0.1:$upstream" --http-socket "127.0.0.1:$upstream" --threads 2 "${app[@]}"
	server_up server "$upstream"
	server_up server "$port"
	is "200 20" "$(route_paths 20 | load_client --port "$port" --concurrency 4)"
	settle "$server_pid" 40
	is "20 2" "$(all_facts | jq -r '.["url.path"]' | sort | uniq -c | awk '{ print $1 }' | uniq -c | xargs)"
}

@test "--raw-socket speaks no protocol, and is let alone" {
	spawn server "${uwsgi[@]}" --raw-socket "127.0.0.1:$port" --python-raw "$TESTS/apps/raw.py"
	server_up server "$port"
	is "said: GET / HTTP/1.1" "$(exec 9<>"/dev/tcp/127.0.0.1/$port" && printf 'GET / HTTP/1.1\n' >&9 && cat <&9)"
	is "said: hello" "$(exec 9<>"/dev/tcp/127.0.0.1/$port" && printf 'hello\n' >&9 && cat <&9)"
	stop "$server_pid"
	run ! grep -a hello "$profiles"/*.pprof
}

@test "--lazy-apps --max-requests: workers that are recycled lose no request" {
	spawn server "${uwsgi[@]}" --http-socket "127.0.0.1:$port" --processes 2 --lazy-apps --max-requests 10 \
		--min-worker-lifetime 0 --worker-reload-mercy 5 "${app[@]}"
	serves_each server 80 4
	[ "$(all_facts | jq '.["process.pid"]' | sort -u | wc -l)" -gt 2 ]
}

@test "--cheaper: workers that come when they are needed" {
	spawn server "${uwsgi[@]}" --http-socket "127.0.0.1:$port" --processes 4 --cheaper 1 --cheaper-overload 1 "${app[@]}"
	serves_each server 80 8
}

@test "--touch-reload: the master replaces itself, and requests before and after have profiles" {
	echo >"$BATS_TEST_TMPDIR/touched"
	spawn server "${uwsgi[@]}" --http-socket "127.0.0.1:$port" --touch-reload "$BATS_TEST_TMPDIR/touched" "${app[@]}"
	server_up server "$port"
	mkdir "$answers"
	get /r1/before -o "$answers/1"
	touch -d "+1 minute" "$BATS_TEST_TMPDIR/touched"
	retry grep -q "binary reloading uWSGI" "$BATS_TEST_TMPDIR/server.log"
	retry grep -q "gracefully (RE)spawned uWSGI master" "$BATS_TEST_TMPDIR/server.log"
	get /r2/after -o "$answers/2" --retry 5 --retry-connrefused
	settle "$server_pid" 2
	"$PYTHON" "$TESTS/clients/check_routes.py" --no-cpu "$answers" "$profiles" 6
}

@test "--emperor: vassals, which it executes" {
	mkdir "$BATS_TEST_TMPDIR/vassals"
	printf '%s\n' "[uwsgi]" "plugin = http,python3" "master = true" "die-on-term = true" "threads = 2" \
		"http-socket = 127.0.0.1:$port" "wsgi-file = $TESTS/apps/routes.py" >"$BATS_TEST_TMPDIR/vassals/routes.ini"
	spawn server "${preload[@]}" uwsgi --die-on-term --emperor "$BATS_TEST_TMPDIR/vassals"
	serves_each server 40 2
}

@test "--offload-threads: files that another thread sends are whole, and so are their profiles" {
	mkdir "$BATS_TEST_TMPDIR/www"
	head -c 2000000 /dev/urandom >"$BATS_TEST_TMPDIR/www/b.bin"
	# With --threads, a worker's thread may sleep in its lock with a request that the other thread has
	# ended, and the profile is written when it wakes.
	spawn server "${uwsgi[@]}" --http-socket "127.0.0.1:$port" --processes 2 --offload-threads 2 \
		--static-map "/files=$BATS_TEST_TMPDIR/www" "${app[@]}"
	server_up server "$port"
	is "200 20" "$(yes /files/b.bin | head -n 20 | load_client --port "$port" --concurrency 4 --out "$answers")"
	cmp "$answers/7" "$BATS_TEST_TMPDIR/www/b.bin"
	settle "$server_pid" 20
	is "20 GET /files/b.bin 200 http/1.1 complete" "$(answered | uniq -c | xargs)"
}

@test "--daemonize" {
	spawn starter "${uwsgi[@]}" --http-socket "127.0.0.1:$port" --processes 2 --threads 2 \
		--daemonize "$BATS_TEST_TMPDIR/server.log" --pidfile "$BATS_TEST_TMPDIR/server.pid" "${app[@]}"
	retry test -s "$BATS_TEST_TMPDIR/server.pid"
	server_pid=$(cat "$BATS_TEST_TMPDIR/server.pid")
	spawned+=("$server_pid") # it leads a group of its own
	serves_each server 40 4
	retry group_gone "$server_pid"
}

@test "--uid and --gid: the workers write profiles as what they have become" {
	[ "$(id -u)" -eq 0 ] || skip "becoming another user needs root"
	open_to_all
	install -d -m 0700 -o www-data "$profiles"
	install -m 0644 -t "$BATS_TEST_TMPDIR" "$TESTS/apps/routes.py"
	spawn server "${uwsgi[@]}" --http-socket "127.0.0.1:$port" --uid www-data --gid www-data --processes 2 \
		--threads 2 --thunder-lock --wsgi-file "$BATS_TEST_TMPDIR/routes.py"
	serves_each server 60 4
	is www-data "$(stat -c %U "$profiles"/*.pprof | sort -u)"
}

@test "--chroot: profiles go to the directory of that name inside" {
	[ "$(id -u)" -eq 0 ] || skip "chroot needs root"
	local root=$BATS_TEST_TMPDIR/root
	mkdir "$root"
	# Python would want its modules in there.
	spawn server "${preload[@]}" uwsgi --plugin 0:echo -M --die-on-term --http-socket "127.0.0.1:$port" --chroot "$root"
	server_up server "$port"
	get /one --http0.9 >/dev/null
	profiles=$root/$profiles
	settle "$server_pid" 1
	is /one "$(all_facts | jq -r '.["url.path"]')"
}

@test "--gevent: requests on greenlets" {
	[ -e /usr/lib/uwsgi/plugins/gevent_python3_plugin.so ] || skip "uwsgi's gevent is not installed"
	spawn server "${uwsgi[@]}" --plugin gevent_python3 --gevent 20 --http-socket "127.0.0.1:$port" "${app[@]}"
	serves_each server 60 6
}
