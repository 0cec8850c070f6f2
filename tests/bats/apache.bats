# Apache with mod_wsgi, in each of its forms, and as a proxy: one profile a request. Its workers run
# as another user than root, and have nearly every signal blocked.
load helpers
load serves
load apaches

setup() {
	requires apache2
	use_profiles
	port=$(free_port)
	answers=$BATS_TEST_TMPDIR/answers
	apache_readable
}

# At its end apache waits seconds for a child with an interpreter in it, with us as without.
@test "prefork with mod_wsgi: one profile a request" {
	requires perf
	has_module mod_wsgi
	spawn_apache prefork "$(wsgi routes.py)" "${preload[@]}"
	SIGNAL=KILL CHECK="--protocol http/1.1" serves_each apache 200 4
}

@test "worker with mod_wsgi: every thread is sampled, though it blocks all signals" {
	requires perf
	has_module mod_wsgi
	spawn_apache worker "$(wsgi routes.py)" "${preload[@]}"
	SIGNAL=KILL serves_each apache 200 6
}

@test "event with mod_wsgi, kept alive: every thread is sampled" {
	requires perf
	has_module mod_wsgi
	spawn_apache event "$(wsgi routes.py 'WSGIApplicationGroup %{GLOBAL}')" "${preload[@]}"
	SIGNAL=KILL serves_each apache 200 6 --keep-alive
}

@test "event before mod_wsgi's daemon processes: a proxy's profile and the application's" {
	requires perf
	has_module mod_wsgi
	spawn_apache event "$(wsgi routes.py "$daemon")" "${preload[@]}"
	ROUTER=1 FILES=400 serves_each apache 200 6 --keep-alive
	is "200 http/1.1 proxy 200 mod_wsgi server" "$(all_facts |
		jq -r '"\(.["network.protocol.name"]) \(.["reqprof.role"])"' | sort | uniq -c | xargs)"
}

@test "mod_wsgi's daemon processes: bodies, statuses, exceptions, and clients that leave" {
	has_module mod_wsgi
	spawn_apache event "$(wsgi echo.py "$daemon")" "${preload[@]}"
	head -c 300000 /dev/zero >"$BATS_TEST_TMPDIR/zeros"
	is "POST '/small'" "$(get /small -d name=value | head -n 1)"
	is 300016 "$(get '/large/a?q=secret' --data-binary @"$BATS_TEST_TMPDIR/zeros" -H Expect: | wc -c)"
	is 5 "$(get /continue -d abcde -H 'Expect: 100-continue' | tail -n 1 | wc -c)"
	is 404 "$(get /status/404 -o /dev/null -w '%{http_code}')"
	is 500 "$(get /raise -o /dev/null -w '%{http_code}')"
	is 200 "$(get /head -I -o /dev/null -w '%{http_code}')"
	is 20000 "$(get /chunks/20 | wc -c)"
	run ! timeout 2 curl -s "http://127.0.0.1:$port/slow/4000"
	retry has_profiles 16
	settle "$apache_pid" 16
	diff - <(answered | grep mod_wsgi | grep -v slow) <<-END
		GET /chunks/20 200 mod_wsgi closed
		GET /raise 500 mod_wsgi closed
		GET /status/404 404 mod_wsgi complete
		HEAD /head 200 mod_wsgi complete
		POST /continue 200 mod_wsgi complete
		POST /large/a 200 mod_wsgi complete
		POST /small 200 mod_wsgi complete
	END
	answered | grep -E '^GET /slow/4000 .* mod_wsgi'
	run ! grep -a secret "$profiles"/*.pprof
}

@test "event sends files: one profile a request, kept alive and pipelined" {
	mkdir "$BATS_TEST_TMPDIR/www"
	echo hello >"$BATS_TEST_TMPDIR/www/a.txt"
	head -c 200000 /dev/urandom >"$BATS_TEST_TMPDIR/www/b.bin"
	chmod -R a+rX "$BATS_TEST_TMPDIR/www"
	spawn_apache event "DocumentRoot $BATS_TEST_TMPDIR/www" "${preload[@]}"
	is "200 40 404 10" "$(for i in {1..10}; do printf '%s\n' /a.txt /b.bin /a.txt /b.bin "/absent-$i"; done |
		load_client --port "$port" --keep-alive --pipeline 5 --concurrency 2)"
	settle "$apache_pid" 50
	is "20 GET /a.txt 200 20 GET /b.bin 200 10 GET /absent- 404" "$(answered |
		sed -E 's/(absent-)[0-9]+/\1/; s/ http.1.1 complete$//' | uniq -c | sort -k1,1nr -k3 | xargs)"
	is "$user" "$(stat -c %U "$profiles"/*.pprof | sort -u)"
}

@test "apache before php-fpm, both with the library: apache's profiles are a proxy's" {
	local fpm
	fpm=$(compgen -c php-fpm8. | sort -u | head -n 1)
	requires "${fpm:-php-fpm}"
	has_module mod_proxy_fcgi
	local address
	address=127.0.0.1:$(free_port)
	install -m 0644 -t "$BATS_TEST_TMPDIR/apps" "$TESTS/apps/routes.php"
	cat >"$BATS_TEST_TMPDIR/fpm.conf" <<-END
		[global]
		error_log = $BATS_TEST_TMPDIR/fpm.log
		daemonize = no
		[www]
		$([ "$(id -u)" -ne 0 ] || printf 'user = www-data\ngroup = www-data\n')
		listen = $address
		pm = static
		pm.max_children = 3
	END
	spawn fpm "${preload[@]}" "$fpm" -n -y "$BATS_TEST_TMPDIR/fpm.conf"
	server_up fpm "${address#*:}"
	spawn_apache event "
		LoadModule proxy_module $modules/mod_proxy.so
		LoadModule proxy_fcgi_module $modules/mod_proxy_fcgi.so
		ProxyPassMatch ^/ fcgi://$address$BATS_TEST_TMPDIR/apps/routes.php" "${preload[@]}"
	is "200 60" "$(route_paths 60 | load_client --port "$port" --concurrency 3 --keep-alive --out "$answers")"
	stop "$apache_pid"
	settle "$fpm_pid" 120
	"$PYTHON" "$TESTS/clients/check_routes.py" --router --unnamed --no-cpu "$answers" "$profiles" 6
}
