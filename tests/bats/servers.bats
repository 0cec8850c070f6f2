# Each server that people run: one profile a request, of the right thread, with its own stacks only.
load helpers
load placement
load serves

@test "uwsgi --http-socket with a process and a thread: one profile a request" {
	requires uwsgi
	spawn server "${preload[@]}" "${UWSGI[@]}" -M --die-on-term --http-socket "127.0.0.1:$port" \
		--wsgi-file "$TESTS/apps/routes.py"
	serves_each server 200 4
}

@test "uwsgi --http-socket with 2 processes of 4 threads: every thread is sampled" {
	requires uwsgi
	spawn server "${preload[@]}" "${UWSGI[@]}" -M --die-on-term --http-socket "127.0.0.1:$port" \
		--processes 2 --threads 4 --wsgi-file "$TESTS/apps/routes.py"
	serves_each server 400 16
}

@test "uwsgi --http11-socket: requests on one connection have a profile each" {
	requires uwsgi
	spawn server "${preload[@]}" "${UWSGI[@]}" -M --die-on-term --http11-socket "127.0.0.1:$port" \
		--wsgi-file "$TESTS/apps/routes.py"
	serves_each server 100 1 --keep-alive
}

@test "uwsgi --http: the router's profiles and the workers' are told apart" {
	requires uwsgi
	spawn server "${preload[@]}" "${UWSGI[@]}" -M --die-on-term --http "127.0.0.1:$port" \
		--processes 2 --threads 4 --wsgi-file "$TESTS/apps/routes.py"
	ROUTER=1 FILES=400 serves_each server 200 8
}

@test "uwsgi --socket behind nginx: one profile a request" {
	requires uwsgi nginx
	local socket=$BATS_TEST_TMPDIR/uwsgi.sock
	spawn server "${preload[@]}" "${UWSGI[@]}" -M --die-on-term --socket "$socket" \
		--processes 2 --threads 2 --wsgi-file "$TESTS/apps/routes.py"
	cat >"$BATS_TEST_TMPDIR/nginx.conf" <<-END
		daemon off; pid $BATS_TEST_TMPDIR/nginx.pid; error_log stderr;
		worker_processes 1;
		events { worker_connections 256; }
		http {
			access_log off;
			client_body_temp_path $BATS_TEST_TMPDIR/body; proxy_temp_path $BATS_TEST_TMPDIR/proxy;
			fastcgi_temp_path $BATS_TEST_TMPDIR/fastcgi; uwsgi_temp_path $BATS_TEST_TMPDIR/uwsgi;
			scgi_temp_path $BATS_TEST_TMPDIR/scgi;
			server {
				listen 127.0.0.1:$port;
				location / { include /etc/nginx/uwsgi_params; uwsgi_pass unix:$socket; }
			}
		}
	END
	# nginx answers 502 until uwsgi has bound its socket; and its workers run as nobody.
	retry test -S "$socket"
	chmod 0777 "$socket"
	chmod a+x "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_RUN_TMPDIR"
	spawn nginx nginx -e stderr -g "$([ "$(id -u)" -ne 0 ] || echo 'user root;')" \
		-c "$BATS_TEST_TMPDIR/nginx.conf"
	server_up nginx "$port"
	serves_each server 200 8
}

@test "nginx before uwsgi, both with the library: nginx's profiles are a proxy's" {
	requires uwsgi nginx
	local upstream
	upstream=$(free_port)
	spawn server "${preload[@]}" "${UWSGI[@]}" -M --die-on-term --http-socket "127.0.0.1:$upstream" \
		--processes 2 --wsgi-file "$TESTS/apps/routes.py"
	server_up server "$upstream"
	cat >"$BATS_TEST_TMPDIR/nginx.conf" <<-END
		daemon off; pid $BATS_TEST_TMPDIR/nginx.pid; error_log stderr;
		worker_processes 1;
		events { worker_connections 256; }
		http {
			access_log off;
			client_body_temp_path $BATS_TEST_TMPDIR/body; proxy_temp_path $BATS_TEST_TMPDIR/proxy;
			fastcgi_temp_path $BATS_TEST_TMPDIR/fastcgi; uwsgi_temp_path $BATS_TEST_TMPDIR/uwsgi;
			scgi_temp_path $BATS_TEST_TMPDIR/scgi;
			server { listen 127.0.0.1:$port; location / { proxy_pass http://127.0.0.1:$upstream; } }
		}
	END
	chmod a+x "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_RUN_TMPDIR"
	spawn nginx "${preload[@]}" nginx -e stderr -g "$([ "$(id -u)" -ne 0 ] || echo 'user root;')" \
		-c "$BATS_TEST_TMPDIR/nginx.conf"
	server_up nginx "$port"
	local said
	said=$(route_paths 100 | load_client --port "$port" --concurrency 4 --out "$answers")
	is "200 100" "$said"
	stop "$nginx_pid"
	settle "$server_pid" 200
	"$PYTHON" "$TESTS/clients/check_routes.py" --router "$answers" "$profiles" 6
}

@test "gunicorn's sync worker: one profile a request" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn --chdir "$TESTS/apps" -w 2 -b "127.0.0.1:$port" routes:application
	serves_each server 200 8
}

@test "gunicorn's gthread worker: requests on connections that wander between threads" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn --chdir "$TESTS/apps" -k gthread -w 1 --threads 4 \
		-b "127.0.0.1:$port" routes:application
	serves_each server 300 8 --keep-alive
}

@test "wsgiref's simple server: one profile a request" {
	spawn server "${preload[@]}" "$PYTHON" "$TESTS/apps/routes.py" "$port"
	serves_each server 100 4
}

@test "python3 -m http.server: files that it sends have a profile" {
	mkdir "$BATS_TEST_TMPDIR/www"
	echo hello >"$BATS_TEST_TMPDIR/www/a.txt"
	spawn server "${preload[@]}" "$PYTHON" -m http.server -d "$BATS_TEST_TMPDIR/www" --bind 127.0.0.1 "$port"
	server_up server "$port"
	is hello "$(get /a.txt)"
	get /absent >/dev/null
	settle "$server_pid" 2
	is "/a.txt 200 /absent 404" "$(all_facts | jq -rs 'sort_by(.["url.path"])[] |
		"\(.["url.path"]) \(.["http.response.status_code"])"' | xargs)"
}

@test "a C server whose threads all accept: the thread in the profile is the one that served" {
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 6
	MS=5 ROUTES=8 serves_each server 400 12
}

@test "a C server with a thread for each connection, kept alive: one profile a request" {
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" spawn
	MS=5 ROUTES=8 serves_each server 400 8 --keep-alive
}

@test "pipelined requests have a profile each, with their own stacks" {
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" spawn
	MS=5 ROUTES=8 serves_each server 320 4 --keep-alive --pipeline 8
}

@test "a C server prints and answers the same with the library as without" {
	local way
	for way in without with; do
		port=$(free_port)
		if [ "$way" = with ]; then
			spawn "$way" "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 3
		else
			spawn "$way" "$PROGRAMS/threaded_server" "$port" accept 3
		fi
		server_up "$way" "$port"
		ROUTES=8 route_paths 60 | load_client --port "$port" --concurrency 3 --out "$answers-$way" >/dev/null
		reap
		# Process and thread numbers differ from run to run; nothing else may.
		sed -Ei 's/ (p|t)id=[0-9]+//g' "$answers-$way"/* "$BATS_TEST_TMPDIR/$way.log"
		sort -o "$BATS_TEST_TMPDIR/$way.log" "$BATS_TEST_TMPDIR/$way.log"
	done
	diff -r "$answers-without" "$answers-with"
	diff "$BATS_TEST_TMPDIR/without.log" "$BATS_TEST_TMPDIR/with.log"
	has_profiles 60
}
