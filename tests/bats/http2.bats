# HTTP/2, several requests of one connection at a time: the same answers as without the library, and
# each stream has its profile with the right method, path, status and end.
load helpers
load tls

setup_file() { make_certificate; }

setup() {
	requires perf
	use_profiles
	use_certificate
	port=$(free_port)
}

site() {
	site=$BATS_TEST_TMPDIR/site
	"$PYTHON" "$TESTS/clients/odd_streams.py" --files "$site"
	# Servers that root starts become somebody else to read it, and to write profiles.
	chmod a+x "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_RUN_TMPDIR"
	chmod -R a+rX "$site"
}

# each_profile: a line for each: METHOD PATH STATUS END PROTOCOL
each_profile() {
	all_facts | jq -r '"\(.["http.request.method"]) \(.["url.path"]) \(.["http.response.status_code"] // "None") " +
		"\(.["reqprof.end"]) \(.["network.protocol.name"])"' | sort
}

profiles_are() {
	sort "$1" >"$BATS_TEST_TMPDIR/wanted"
	each_profile >"$BATS_TEST_TMPDIR/got"
	diff "$BATS_TEST_TMPDIR/wanted" "$BATS_TEST_TMPDIR/got"
}

# settles PID N: settle, but with LATE=1 a request may be announced only when the server ends. (In
# apache's event worker a connection goes from thread to thread, and a thread that last worked for a
# stream may sleep in its pool when another one reads that the client has reset it.)
settles() {
	if [ "${LATE:-0}" = 1 ] && ! RETRY_SECONDS=2 retry has_profiles "$2" 2>/dev/null; then
		stop "$1"
		is "$2" "$(profile_count)" "profiles:"
	else
		settle "$1" "$2"
	fi
}

# counted TEXT: the counter of `reqprof ctl status` with this text, or nothing when it is zero.
counted() {
	"$REQPROF" ctl "$profiles" status >"$BATS_TEST_TMPDIR/status" || return
	awk -v what="$1" '$0 ~ what { print $1 }' "$BATS_TEST_TMPDIR/status"
}

# streams_agree [--app] [--tls] WORD...: the server started by WORD... is talked to, without and with the library.
streams_agree() {
	local way options=()
	while [[ $1 = --* ]]; do
		options+=("$1")
		shift
	done
	for way in without with; do
		if [ "$way" = with ]; then
			spawn "$way" "${preload[@]}" "$@"
		else
			spawn "$way" "$@"
		fi
		server_up "$way" "$port"
		"$PYTHON" "$TESTS/clients/odd_streams.py" "${options[@]}" "$port" "$BATS_TEST_TMPDIR/answers-$way" \
			>"$BATS_TEST_TMPDIR/said"
		[ "$way" = with ] || stop "$without_pid"
	done
	diff -r "$BATS_TEST_TMPDIR/answers-without" "$BATS_TEST_TMPDIR/answers-with"
	settles "$with_pid" "$(wc -l <"$BATS_TEST_TMPDIR/said")"
	sed 's|$| http/2|' "$BATS_TEST_TMPDIR/said" >"$BATS_TEST_TMPDIR/due"
	profiles_are "$BATS_TEST_TMPDIR/due"
	local lost
	lost=$(counted 'given up on')
	is "" "$lost"
	grep -q '^GET /bytes/3000000 200 aborted' "$BATS_TEST_TMPDIR/due"
}

# loaded_by_h2load SCHEME WORD...: 1,000 requests, 32 at a time on each of 4 connections.
loaded_by_h2load() {
	local scheme=$1 i
	shift
	spawn server "${preload[@]}" "$@"
	server_up server "$port"
	for i in a b c bytes/0 bytes/1000 status/404 a?b=c a b c; do
		echo "$scheme://127.0.0.1:$port/$i"
	done >"$BATS_TEST_TMPDIR/urls"
	h2load -n 1000 -c 4 -m 32 -i "$BATS_TEST_TMPDIR/urls" >"$BATS_TEST_TMPDIR/h2load"
	grep -q '^requests: 1000 total, 1000 started, 1000 done' "$BATS_TEST_TMPDIR/h2load"
	settles "$server_pid" 1000
	# Each connection asks for 250 of them, in turn.
	for i in a b c bytes/0 bytes/1000 status/404 a a b c; do
		yes "GET /$i $([ "$i" = status/404 ] && echo 404 || echo 200) complete http/2" | head -n 100
	done >"$BATS_TEST_TMPDIR/due"
	profiles_are "$BATS_TEST_TMPDIR/due"
	local lost
	lost=$(counted 'given up on')
	is "" "$lost"
}

# Others than root cannot change the user, and need not.
nginx_words() {
	cat >"$BATS_TEST_TMPDIR/nginx.conf" <<-END
		daemon off; pid $BATS_TEST_TMPDIR/nginx.pid; error_log stderr;
		worker_processes 2;
		events { worker_connections 256; }
		http {
			access_log off; sendfile on;
			client_body_temp_path $BATS_TEST_TMPDIR/body; proxy_temp_path $BATS_TEST_TMPDIR/proxy;
			fastcgi_temp_path $BATS_TEST_TMPDIR/fastcgi; uwsgi_temp_path $BATS_TEST_TMPDIR/uwsgi;
			scgi_temp_path $BATS_TEST_TMPDIR/scgi;
			server { listen 127.0.0.1:$port ${LISTEN:-} http2; root $site; http2_push_preload on; $1 }
		}
	END
	words=(nginx -e stderr -g "$([ "$(id -u)" -ne 0 ] || echo 'user root;')" -c "$BATS_TEST_TMPDIR/nginx.conf")
}

apache_words() {
	local modules=/usr/lib/apache2/modules
	[ "$(id -u)" -ne 0 ] || install -d -m 0700 -o www-data "$profiles"
	cat >"$BATS_TEST_TMPDIR/apache.conf" <<-END
		ServerRoot $BATS_TEST_TMPDIR
		DefaultRuntimeDir $BATS_TEST_TMPDIR
		PidFile $BATS_TEST_TMPDIR/apache.pid
		ErrorLog $BATS_TEST_TMPDIR/apache.log
		ServerName localhost
		Listen 127.0.0.1:$port
		LoadModule mpm_event_module $modules/mod_mpm_event.so
		LoadModule http2_module $modules/mod_http2.so
		LoadModule authz_core_module $modules/mod_authz_core.so
		LoadModule headers_module $modules/mod_headers.so
		User www-data
		Group www-data
		Protocols ${PROTOCOLS:-h2c http/1.1}
		DocumentRoot $site
		StartServers 1
		ServerLimit 1
		ThreadsPerChild 25
		MaxRequestWorkers 25
		$1
	END
	words=(apache2 -D FOREGROUND -f "$BATS_TEST_TMPDIR/apache.conf")
}

@test "nginx: streams have a profile each" {
	requires nginx
	site
	nginx_words ""
	streams_agree "${words[@]}"
}

@test "nginx under h2load: 1,000 profiles, 128 streams at a time" {
	requires nginx h2load
	site
	nginx_words ""
	loaded_by_h2load http "${words[@]}"
}

@test "apache's mod_http2: streams have a profile each" {
	requires apache2
	site
	apache_words ""
	LATE=1 streams_agree "${words[@]}"
}

@test "apache's mod_http2 under h2load: 1,000 profiles" {
	requires apache2 h2load
	site
	apache_words ""
	LATE=1 loaded_by_h2load http "${words[@]}"
}

@test "hypercorn: streams have a profile each" {
	requires hypercorn
	streams_agree --app env "PYTHONPATH=$TESTS/apps" hypercorn -b "127.0.0.1:$port" echo_asgi:application
}

@test "hypercorn under h2load: 1,000 profiles" {
	requires hypercorn h2load
	loaded_by_h2load http env "PYTHONPATH=$TESTS/apps" hypercorn -b "127.0.0.1:$port" echo_asgi:application
}

@test "node's http2: streams have a profile each" {
	requires node
	streams_agree --app node "$TESTS/apps/echo_http2.js" "$port"
}

@test "node's http2 under h2load: 1,000 profiles" {
	requires node h2load
	loaded_by_h2load http node "$TESTS/apps/echo_http2.js" "$port"
}

@test "nghttpd: streams have a profile each" {
	requires nghttpd
	site
	streams_agree nghttpd --no-tls -d "$site" "$port"
}

@test "nghttpd with 4 threads under h2load: 1,000 profiles" {
	requires nghttpd h2load
	site
	loaded_by_h2load http nghttpd --no-tls -n 4 -d "$site" "$port"
}

# upgraded WORD...: the server started by WORD... is asked to go on in HTTP/2, and not to.
upgraded() {
	spawn server "${preload[@]}" "$@"
	server_up server "$port"
	local url=http://127.0.0.1:$port ask=(curl -sS -o /dev/null -w '%{http_code} %{http_version} %{size_download}')
	is "200 2 1000" "$("${ask[@]}" --http2 "$url/bytes/1000?secret=1")"
	is "200 2 0" "$("${ask[@]}" --http2 "$url/bytes/0")"
	is "200 1.1 1000" "$("${ask[@]}" "$url/bytes/1000")"
	printf 'GET %s 200 complete http/%s\n' /bytes/1000 2 /bytes/0 2 /bytes/1000 1.1 >"$BATS_TEST_TMPDIR/due"
}

@test "apache: a connection that becomes HTTP/2 by Upgrade: h2c" {
	requires apache2
	site
	apache_words ""
	upgraded "${words[@]}"
	LATE=1 settles "$server_pid" 3
	profiles_are "$BATS_TEST_TMPDIR/due"
}

@test "hypercorn: a connection that becomes HTTP/2 by Upgrade: h2c, and more streams on it" {
	requires hypercorn nghttp
	upgraded env "PYTHONPATH=$TESTS/apps" hypercorn -b "127.0.0.1:$port" echo_asgi:application
	nghttp -nsu "http://127.0.0.1:$port"/{bytes/300000,a,b} >"$BATS_TEST_TMPDIR/said"
	is 3 "$(grep -cE ' 200 +(9|292K) ' "$BATS_TEST_TMPDIR/said")"
	printf 'GET %s 200 complete http/2\n' /bytes/300000 /a /b >>"$BATS_TEST_TMPDIR/due"
	settle "$server_pid" 6
	profiles_are "$BATS_TEST_TMPDIR/due"
}

nginx_tls() { LISTEN=ssl nginx_words "ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate $cert; ssl_certificate_key $key;"; }

@test "nginx over TLS: streams have a profile each" {
	requires nginx
	site
	nginx_tls
	streams_agree --tls "${words[@]}"
}

@test "nginx over TLS under h2load: 1,000 profiles" {
	requires nginx h2load
	site
	nginx_tls
	loaded_by_h2load https "${words[@]}"
}

apache_tls() {
	PROTOCOLS="h2 http/1.1" apache_words "LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
		SSLEngine on
		SSLCertificateFile $cert
		SSLCertificateKeyFile $key"
}

@test "apache's mod_http2 over TLS: streams have a profile each" {
	requires apache2
	site
	apache_tls
	LATE=1 streams_agree --tls "${words[@]}"
}

@test "apache's mod_http2 over TLS under h2load: 1,000 profiles" {
	requires apache2 h2load
	site
	apache_tls
	LATE=1 loaded_by_h2load https "${words[@]}"
}

@test "hypercorn over TLS: streams have a profile each" {
	requires hypercorn
	streams_agree --app --tls env "PYTHONPATH=$TESTS/apps" hypercorn --certfile "$cert" --keyfile "$key" \
		-b "127.0.0.1:$port" echo_asgi:application
}

@test "hypercorn over TLS under h2load: 1,000 profiles" {
	requires hypercorn h2load
	loaded_by_h2load https env "PYTHONPATH=$TESTS/apps" hypercorn --certfile "$cert" --keyfile "$key" \
		-b "127.0.0.1:$port" echo_asgi:application
}

@test "a client that goes away in the middle: its streams are aborted" {
	requires nginx nghttp
	site
	nginx_words "limit_rate 100k;"
	spawn server "${preload[@]}" "${words[@]}"
	server_up server "$port"
	# curl's own exit status says that it gave up.
	run curl -sS --http2-prior-knowledge --max-time 4 -o /dev/null "http://127.0.0.1:$port/bytes/3000000"
	is 28 "$status"
	is 200 "$(curl -sS --http2-prior-knowledge -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/a")"
	settle "$server_pid" 2
	printf '%s\n' "GET /bytes/3000000 200 aborted http/2" "GET /a 200 complete http/2" >"$BATS_TEST_TMPDIR/due"
	profiles_are "$BATS_TEST_TMPDIR/due"
}

@test "what a server pushes is counted, and has no profile" {
	requires nginx nghttp
	site
	nginx_words 'location = /a { add_header Link "</b>; rel=preload" always; }'
	spawn server "${preload[@]}" "${words[@]}"
	server_up server "$port"
	nghttp -nv "http://127.0.0.1:$port/a" >"$BATS_TEST_TMPDIR/nghttp"
	grep -q 'PUSH_PROMISE' "$BATS_TEST_TMPDIR/nghttp"
	settle "$server_pid" 1
	echo "GET /a 200 complete http/2" >"$BATS_TEST_TMPDIR/due"
	profiles_are "$BATS_TEST_TMPDIR/due"
	is 1 "$(counted 'the server pushed')"
}

@test "the id of a trace is found among compressed fields" {
	requires node
	spawn server "${preload[@]}" node "$TESTS/apps/echo_http2.js" "$port"
	server_up server "$port"
	curl -sS --http2-prior-knowledge -o /dev/null "http://127.0.0.1:$port/traced?secret=1" \
		-H 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' -H 'x-request-id: odd-1'
	settle "$server_pid" 1
	is "/traced odd-1 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" \
		"$(all_facts | jq -r '"\(.["url.path"]) \(.["x-request-id"]) \(.traceparent)"')"
	run ! grep -q secret "$profiles"/*.pprof
}

@test "a server that speaks HTTP/1 only refuses, and nothing is made up" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn --chdir "$TESTS/apps" -w 1 -b "127.0.0.1:$port" echo:application
	server_up server "$port"
	run curl -sS --http2-prior-knowledge -o /dev/null "http://127.0.0.1:$port/a"
	[ "$status" -ne 0 ]
	is 200 "$(curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/b")"
	stop "$server_pid"
	# No status: the answer was none of HTTP/2.
	is "GET /b 200 complete http/1.1" "$(each_profile | grep /b)"
	is "" "$(each_profile | grep -v -e /b -e '^GET /a None')"
}
