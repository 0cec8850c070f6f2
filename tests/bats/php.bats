# PHP behind nginx and lighttpd (FastCGI), and its own server: one profile a request.
load helpers
load serves

setup() {
	use_profiles
	port=$(free_port)
	answers=$BATS_TEST_TMPDIR/answers
	app=$TESTS/apps/routes.php
	fpm=$(compgen -c php-fpm8. | sort -u | head -n 1)
}

# spawn_fpm ADDRESS [WORD...]: php-fpm with 3 children, started behind the WORDs.
spawn_fpm() {
	local address=$1
	shift
	cat >"$BATS_TEST_TMPDIR/fpm.conf" <<-END
		[global]
		error_log = $BATS_TEST_TMPDIR/fpm.log
		daemonize = no
		[www]
		$([ "$(id -u)" -ne 0 ] || printf 'user = root\ngroup = root\n')
		listen = $address
		pm = static
		pm.max_children = 3
	END
	spawn fpm "$@" "${fpm:-php-fpm}" -n -R -y "$BATS_TEST_TMPDIR/fpm.conf"
}

fastcgi() { # ADDRESS: what nginx needs to pass a request on
	echo "include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME $app; fastcgi_pass $1;"
}

# spawn_lighttpd CONFIGURATION [WORD...]
spawn_lighttpd() {
	local configuration=$1
	shift
	cat >"$BATS_TEST_TMPDIR/lighttpd.conf" <<-END
		server.document-root = "$BATS_TEST_TMPDIR"
		server.bind = "127.0.0.1"
		server.port = $port
		server.modules = ( "mod_fastcgi", "mod_rewrite" )
		server.upload-dirs = ( "$BATS_TEST_TMPDIR" )
		$configuration
	END
	spawn lighttpd "$@" lighttpd -D -f "$BATS_TEST_TMPDIR/lighttpd.conf"
	server_up lighttpd "$port"
}

@test "php-fpm behind nginx: one profile a request" {
	requires perf nginx "${fpm:-php-fpm}"
	local address
	address=127.0.0.1:$(free_port)
	spawn_fpm "$address" "${preload[@]}"
	server_up fpm "${address#*:}"
	nginx_front nginx "location / { $(fastcgi "$address") }"
	CHECK="--unnamed --protocol fastcgi" serves_each fpm 200 4
}

@test "php-fpm on kept connections: requests that follow each other have a profile each" {
	requires perf nginx "${fpm:-php-fpm}"
	local socket=$BATS_TEST_TMPDIR/fpm.sock
	spawn_fpm "$socket" "${preload[@]}"
	retry test -S "$socket"
	chmod 0777 "$socket"
	# As many connections as children: php-fpm's serve one each as long as it is kept.
	NGINX_HTTP="upstream fpm { server unix:$socket; keepalive 3; }" \
		nginx_front nginx "location / { fastcgi_keep_conn on; $(fastcgi fpm) }"
	CHECK="--unnamed --protocol fastcgi" serves_each fpm 200 3 --keep-alive
}

@test "nginx before php-fpm, both with the library: nginx's profiles are a proxy's" {
	requires perf nginx "${fpm:-php-fpm}"
	local address
	address=127.0.0.1:$(free_port)
	spawn_fpm "$address" "${preload[@]}"
	server_up fpm "${address#*:}"
	nginx_front nginx "location / { $(fastcgi "$address") }" "${preload[@]}"
	is "200 60" "$(route_paths 60 | load_client --port "$port" --concurrency 3 --out "$answers")"
	stop "$nginx_pid"
	settle "$fpm_pid" 120
	"$PYTHON" "$TESTS/clients/check_routes.py" --router --unnamed --no-cpu "$answers" "$profiles" 6
}

@test "php-fpm: bodies, statuses, and clients that leave" {
	requires nginx "${fpm:-php-fpm}"
	local address
	address=127.0.0.1:$(free_port)
	spawn_fpm "$address" "${preload[@]}"
	server_up fpm "${address#*:}"
	nginx_front nginx "location / { $(fastcgi "$address") }"
	head -c 300000 /dev/zero >"$BATS_TEST_TMPDIR/zeros"
	is "POST /small" "$(get /small -d name=value | head -n 1)"
	is 300018 "$(get /large/a%20b?q=secret --data-binary @"$BATS_TEST_TMPDIR/zeros" -H Expect: | wc -c)"
	is 6 "$(get /chunks -H 'Transfer-Encoding: chunked' -d abcdef | tail -n 1 | wc -c)"
	is 404 "$(get /status/404 -o /dev/null -w '%{http_code}')"
	is 503 "$(get /status/503 -o /dev/null -w '%{http_code}')"
	is 200 "$(get /head -I -o /dev/null -w '%{http_code}')"
	# nginx closes its side; php-fpm goes on, and answers nobody.
	run ! timeout 2 curl -s "http://127.0.0.1:$port/slow/4000"
	retry has_profiles 7
	settle "$fpm_pid" 7
	diff - <(answered | grep -v slow) <<-END
		GET /status/404 404 fastcgi complete
		GET /status/503 503 fastcgi complete
		HEAD /head 200 fastcgi complete
		POST /chunks 200 fastcgi complete
		POST /large/a%20b 200 fastcgi complete
		POST /small 200 fastcgi complete
	END
	answered | grep -E '^GET /slow/4000 '
	run ! grep -a secret "$profiles"/*.pprof
}

@test "lighttpd before php-cgi, both with the library: the server's and the proxy's profiles" {
	requires perf lighttpd php-cgi
	spawn_lighttpd "
		url.rewrite-once = ( \"^/(.*)\" => \"/routes.php/\$1\" )
		fastcgi.server = ( \".php\" => (( \"bin-path\" => \"/usr/bin/php-cgi\", \"max-procs\" => 1,
			\"bin-environment\" => ( \"PHP_FCGI_CHILDREN\" => \"2\", \"LD_PRELOAD\" => \"$LIBREQPROF\",
				\"REQPROF_DIR\" => \"$profiles\" ),
			\"socket\" => \"$BATS_TEST_TMPDIR/php.sock\" )))" "${preload[@]}"
	cp "$app" "$BATS_TEST_TMPDIR/routes.php"
	ROUTER=1 FILES=160 CHECK="--unnamed --no-cpu" serves_each lighttpd 80 2
	# php-cgi's own, by their protocol.
	is 80 "$(all_facts | jq -r 'select(.["network.protocol.name"] == "fastcgi") | .["url.path"]' | sort -u | wc -l)"
}

@test "lighttpd sends files: one profile a request, kept alive and pipelined" {
	requires lighttpd
	spawn_lighttpd "" "${preload[@]}"
	echo hello >"$BATS_TEST_TMPDIR/a.txt"
	head -c 200000 /dev/urandom >"$BATS_TEST_TMPDIR/b.bin"
	is "200 40 404 10" "$(for i in {1..10}; do printf '%s\n' /a.txt /b.bin /a.txt /b.bin "/absent-$i"; done |
		load_client --port "$port" --keep-alive --pipeline 5 --concurrency 2)"
	settle "$lighttpd_pid" 50
	is "20 GET /a.txt 200 20 GET /b.bin 200 10 GET /absent- 404" "$(answered |
		sed -E 's/(absent-)[0-9]+/\1/; s/ http.1.1 complete$//' | uniq -c | sort -k1,1nr -k3 | xargs)"
}

@test "php -S: one profile a request" {
	requires perf php
	spawn server "${preload[@]}" php -n -S "127.0.0.1:$port" "$app"
	CHECK="--unnamed --end closed --protocol http/1.1" serves_each server 150 4
}

@test "php -S with workers: one profile a request" {
	requires perf php
	spawn server "${preload[@]}" env PHP_CLI_SERVER_WORKERS=3 php -n -S "127.0.0.1:$port" "$app"
	CHECK="--unnamed --end closed" serves_each server 150 4
}
