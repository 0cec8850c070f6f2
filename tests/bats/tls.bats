# TLS that a server itself terminates, by OpenSSL as a shared library: clients get the same bytes with
# the library as without, and each request has one profile, with its own stacks. (HTTP/2: http2.bats.)
load helpers
load serves
load apaches
load placement
load tls

setup_file() { make_certificate; }

setup() {
	requires perf
	use_profiles
	use_certificate
	port=$(free_port)
	answers=$BATS_TEST_TMPDIR/answers
}

# Requests and statuses. Sizes around those of records (16 KB) and of sockets' buffers. LATE=@ leaves out
# bodies that come behind their heads.
spoken() {
	grep -v "${LATE:-^$}" <<-END
		GET /a => 200
		POST /posted name=value => 200
		GET /bytes/0 => 200
		GET /bytes/1 => 200
		GET /bytes/16384 => 200
		GET /bytes/16385 => 200
		GET /bytes/1000000 => 200
		POST /large @300000 => 200
		HEAD /head => 200
		GET /status/404 => 404
		GET /status/204 => 204
		GET /chunks/30 => 200
		POST /q?secret=1 @16384 => 200
		GET /b => 200
	END
}
conversation() { spoken | sed 's/ => .*//'; }
# What profiles of it say, without how they end: where a server gives no length, a close is right too.
conversation_profiles() { spoken | sed -E 's/^(\S+ [^ ?]+).* => /\1 /'; }

# converse OUT: the conversation on a connection for each request, and on one that is kept (KEPT= says
# that the server keeps none).
converse() {
	conversation | load_client --port "$port" --tls --out "$1" >/dev/null
	# shellcheck disable=SC2086 # an option or nothing
	conversation | load_client --port "$port" --tls --tls-version 1.2 ${KEPT---keep-alive} --out "$1-kept" >/dev/null
}

# tls_agrees START: an echo application, which START WORD... starts behind the WORDs as `spawn server`,
# without the library and with it. ROUTER=1: a proxy makes profiles too.
tls_agrees() {
	local start=$1
	"$start"
	server_up server "$port"
	converse "$answers-without"
	stop "$server_pid" "${SIGNAL:-TERM}"
	"$start" "${preload[@]}"
	server_up server "$port"
	converse "$answers-with"
	diff -r "$answers-without" "$answers-with"
	diff -r "$answers-without-kept" "$answers-with-kept"
	settle "$server_pid" "$(($(conversation | wc -l) * ${ROUTER:+2*}2))" "${SIGNAL:-TERM}"
	answered >"$BATS_TEST_TMPDIR/answered"
	run ! grep -vE ' (complete|closed)$' "$BATS_TEST_TMPDIR/answered"
	diff <(for _ in 1 2 ${ROUTER:+3 4}; do conversation_profiles; done | sort) \
		<(cut -d ' ' -f 1-3 "$BATS_TEST_TMPDIR/answered" | sort)
	run ! grep -a secret "$profiles"/*.pprof
	none_unseen
}

# The counter of connections whose plain text nobody showed us stays at zero.
none_unseen() {
	"$REQPROF" ctl "$profiles" status >"$BATS_TEST_TMPDIR/status"
	run ! grep -i tls "$BATS_TEST_TMPDIR/status"
}

gunicorn_echo() {
	spawn server "$@" gunicorn --chdir "$TESTS/apps" --certfile "$cert" --keyfile "$key" -w 1 \
		-b "127.0.0.1:$port" echo:application
}

@test "gunicorn's sync worker answers the same" {
	requires gunicorn
	tls_agrees gunicorn_echo
}

@test "gunicorn's gthread worker: handshakes and requests on whatever thread" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn --chdir "$TESTS/apps" --certfile "$cert" --keyfile "$key" \
		-k gthread -w 1 --threads 4 -b "127.0.0.1:$port" routes:application
	serves_each server 200 8 --tls --keep-alive
	none_unseen
}

uwsgi_https() { # FILE WORD...
	local file=$1
	shift
	spawn server "$@" "${UWSGI[@]}" -M --die-on-term --https "127.0.0.1:$port,$cert,$key" \
		--processes 2 --threads 2 --wsgi-file "$TESTS/apps/$file"
}
uwsgi_echo() { uwsgi_https echo.py "$@"; }

@test "uwsgi --https answers the same" {
	requires uwsgi
	KEPT='' ROUTER=1 tls_agrees uwsgi_echo
}

@test "uwsgi --https: the router's profiles and the workers'" {
	requires uwsgi
	uwsgi_https routes.py "${preload[@]}"
	ROUTER=1 FILES=400 serves_each server 200 8 --tls
}

nginx_tls="ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate $BATS_FILE_TMPDIR/cert.pem; ssl_certificate_key $BATS_FILE_TMPDIR/key.pem;"
nginx_echo() {
	NGINX_LISTEN=ssl nginx_front server "$nginx_tls location / {
		proxy_pass http://127.0.0.1:$upstream; client_max_body_size 1m; }" "$@"
}

@test "nginx, before an application, answers the same" {
	requires nginx gunicorn
	upstream=$(free_port)
	spawn application gunicorn --chdir "$TESTS/apps" -w 1 -b "127.0.0.1:$upstream" echo:application
	server_up application "$upstream"
	tls_agrees nginx_echo
}

nginx_site() { # NGINX_HTTP
	mkdir "$BATS_TEST_TMPDIR/www"
	echo hello >"$BATS_TEST_TMPDIR/www/a.txt"
	head -c 800000 /dev/urandom >"$BATS_TEST_TMPDIR/www/b.bin"
	chmod -R a+rX "$BATS_TEST_TMPDIR/www"
	NGINX_HTTP=$1 NGINX_LISTEN=ssl nginx_front server "$nginx_tls root $BATS_TEST_TMPDIR/www;" "${preload[@]}"
}

@test "sessions that are resumed, by tickets and from a cache, with TLS 1.2 and 1.3" {
	requires nginx
	nginx_site "ssl_session_cache shared:tests:1m;"
	local version
	for version in 1.2 1.3; do
		is "200 20" "$(for _ in {1..10}; do printf '%s\n' /a.txt /b.bin; done |
			load_client --port "$port" --tls --resume --tls-version "$version" --concurrency 2 --out "$answers")"
		cmp "$answers/19" "$BATS_TEST_TMPDIR/www/b.bin"
	done
	settle "$server_pid" 40
	is "20 GET /a.txt 200 http/1.1 complete 20 GET /b.bin 200 http/1.1 complete" "$(answered | uniq -c | xargs)"
	none_unseen
}

@test "requests in the early data of a resumed session" {
	requires nginx
	nginx_site "ssl_early_data on;"
	printf 'GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >"$BATS_TEST_TMPDIR/request"
	local client=(openssl s_client -connect "127.0.0.1:$port" -tls1_3 -ign_eof)
	"${client[@]}" -sess_out "$BATS_TEST_TMPDIR/session" <"$BATS_TEST_TMPDIR/request" >/dev/null 2>&1 || true
	retry has_profiles 1
	"${client[@]}" -sess_in "$BATS_TEST_TMPDIR/session" -early_data "$BATS_TEST_TMPDIR/request" \
		</dev/null >"$BATS_TEST_TMPDIR/said" 2>&1 || true
	grep -q "Early data was accepted" "$BATS_TEST_TMPDIR/said"
	grep -q "^hello" "$BATS_TEST_TMPDIR/said"
	settle "$server_pid" 2
	is "2 GET /a.txt 200 http/1.1 complete" "$(answered | uniq -c | xargs)"
}

@test "a client whose handshake is all that it sends, and one that leaves in the middle" {
	requires nginx
	nginx_site "limit_rate 100k;"
	openssl s_client -connect "127.0.0.1:$port" </dev/null >/dev/null 2>&1
	run curl -sSk --max-time 4 "https://127.0.0.1:$port/b.bin" -o /dev/null
	is 28 "$status"
	run curl -sS "http://127.0.0.1:$port/plain" -o /dev/null -w '%{http_code}'
	is 400 "$output"
	settle "$server_pid" 2
	is "GET /b.bin 200 http/1.1 aborted GET /plain 400 http/1.1 complete" "$(answered | xargs)"
	none_unseen
}

apache_wsgi() { # FILE WORD...
	local file=$1
	shift
	apache_readable
	spawn_apache event "LoadModule socache_shmcb_module $modules/mod_socache_shmcb.so
		LoadModule ssl_module $modules/mod_ssl.so
		SSLEngine on
		SSLCertificateFile $cert
		SSLCertificateKeyFile $key
		SSLSessionCache shmcb:$BATS_TEST_TMPDIR/run/sessions(512000)
		$(wsgi "$file" 'WSGIApplicationGroup %{GLOBAL}')" "$@"
	server_pid=$apache_pid
	cp "$BATS_TEST_TMPDIR/apache.log" "$BATS_TEST_TMPDIR/server.log"
}
apache_echo() { apache_wsgi echo.py "$@"; }

@test "apache's mod_ssl before mod_wsgi answers the same" {
	requires apache2
	has_module mod_wsgi
	SIGNAL=KILL tls_agrees apache_echo
}

@test "apache's mod_ssl before mod_wsgi: every thread is sampled" {
	requires apache2
	has_module mod_wsgi
	apache_wsgi routes.py "${preload[@]}"
	SIGNAL=KILL serves_each server 200 6 --tls --keep-alive --resume
	none_unseen
}

puma_tls() { # FILE WORD...
	local file=$1
	shift
	spawn server "$@" puma -q -e production -t 4:4 -b "ssl://127.0.0.1:$port?key=$key&cert=$cert" "$TESTS/apps/$file"
}
puma_echo() { puma_tls echo.ru "$@"; }

@test "puma, which keeps OpenSSL off the sockets, answers the same" {
	requires puma
	tls_agrees puma_echo
}

@test "puma: one profile a request" {
	requires puma
	puma_tls routes.ru "${preload[@]}"
	CHECK=--unnamed serves_each server 200 4 --tls --keep-alive
	none_unseen
}

has_python() { "$PYTHON" -c "import $1" 2>/dev/null || skip "Python's $1 is not installed"; }
uvicorn_echo() {
	spawn server "$@" env "PYTHONPATH=$TESTS/apps" "$PYTHON" -m uvicorn --host 127.0.0.1 --port "$port" --loop "$loop" \
		--ssl-keyfile "$key" --ssl-certfile "$cert" echo_asgi:application
}

@test "uvicorn on asyncio, which keeps OpenSSL off the sockets, answers the same" {
	has_python uvicorn
	loop=asyncio
	tls_agrees uvicorn_echo
}

@test "uvicorn on uvloop answers the same" {
	has_python uvicorn
	has_python uvloop
	loop=uvloop
	tls_agrees uvicorn_echo
}

@test "node, which has OpenSSL linked in: connections are counted as unseen, and doctor says so" {
	requires node
	local script="require('https').createServer({ key: require('fs').readFileSync('$key'),
		cert: require('fs').readFileSync('$cert') }, (_, answer) => answer.end('hello')).listen($port, '127.0.0.1')"
	spawn server "${preload[@]}" node -e "$script"
	server_up server "$port"
	is "200 6" "$(printf '/%s\n' {1..6} | load_client --port "$port" --tls)"
	stop "$server_pid"
	is 0 "$(profile_count)"
	is 6 "$("$REQPROF" ctl "$profiles" status | awk '/TLS/ { print $1 }')"
	run "$REQPROF" doctor -o "$profiles" -- node
	[[ $output == *"holds OpenSSL itself: TLS that it terminates is not seen"* ]]
}
