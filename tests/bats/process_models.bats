# Ways to come by a connection and by a process: whichever it is, one profile a request, written by the
# process that served it. (uwsgi's: uwsgi_sockets.bats; php-fpm's, apache's, puma's and starman's: their own.)
load helpers
load serves

pids() { all_facts | jq '.["process.pid"]' | sort -u | wc -l; }

@test "prefork, the application loaded before: gunicorn --preload" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn --chdir "$TESTS/apps" --preload -w 3 -b "127.0.0.1:$port" routes:application
	serves_each server 100 6
}

@test "prefork, the application loaded after, workers recycled: gunicorn --max-requests" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn --chdir "$TESTS/apps" --max-requests 20 -w 2 -b "127.0.0.1:$port" \
		routes:application
	serves_each server 100 2
	[ "$(pids)" -gt 2 ]
}

@test "a process for each connection, forked after accept" {
	cat >"$BATS_TEST_TMPDIR/forking.py" <<-'END'
		import socketserver, sys, wsgiref.simple_server as simple
		from routes import application
		class Server(socketserver.ForkingMixIn, simple.WSGIServer):
		    pass
		simple.WSGIRequestHandler.log_message = lambda *arguments: None
		simple.make_server("127.0.0.1", int(sys.argv[1]), application, Server).serve_forever()
	END
	spawn server "${preload[@]}" env "PYTHONPATH=$TESTS/apps" "$PYTHON" "$BATS_TEST_TMPDIR/forking.py" "$port"
	CHECK=--no-cpu serves_each server 30 4
	is 30 "$(pids)"
}

@test "descriptors passed between processes: node's cluster" {
	requires node
	spawn server "${preload[@]}" node "$TESTS/apps/routes_node.js" "$port" 2
	CHECK="--unnamed --no-cpu" serves_each server 100 4
	is 2 "$(pids)"
}

@test "socket activation: a listening socket that systemd hands over" {
	requires systemd-socket-activate gunicorn
	spawn server "${preload[@]}" systemd-socket-activate -E "LD_PRELOAD=$LIBREQPROF" -E "REQPROF_DIR=$profiles" \
		-l "127.0.0.1:$port" gunicorn --chdir "$TESTS/apps" -w 2 routes:application
	serves_each server 60 4
}

@test "socket activation for each connection: the process has not accepted it" {
	requires systemd-socket-activate
	cat >"$BATS_TEST_TMPDIR/one.py" <<-'END'
		import socket, wsgiref.simple_server as simple
		from routes import application
		simple.WSGIRequestHandler.log_message = lambda *arguments: None
		server = simple.WSGIServer(("127.0.0.1", 0), simple.WSGIRequestHandler)
		server.set_app(application)
		connection = socket.socket(fileno=3)
		connection.setblocking(True)
		server.process_request(connection, connection.getpeername())
	END
	spawn server systemd-socket-activate -a -E "PYTHONPATH=$TESTS/apps" -E "LD_PRELOAD=$LIBREQPROF" \
		-E "REQPROF_DIR=$profiles" -l "127.0.0.1:$port" "$PYTHON" "$BATS_TEST_TMPDIR/one.py"
	CHECK=--no-cpu serves_each server 8 2
	is 8 "$(pids)"
}
