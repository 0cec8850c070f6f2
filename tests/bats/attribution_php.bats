# PHP: processes that serve one request at a time, by FastCGI behind nginx and lighttpd, and by HTTP. Its functions
# have no names in native stacks: each route works in a function of the interpreter's, or a library, that no other one
# uses. (--least: a busy machine does not deliver every tick; --cpu does not need them.)
load helpers
load serves
load attribution

fpm_burns() { # MANNERS LOCATION [HTTP]: what nginx says besides
	local fpm socket=$BATS_TEST_TMPDIR/fpm.sock
	fpm=$(compgen -c php-fpm8. | sort -u | head -n 1)
	requires nginx "${fpm:-php-fpm}"
	cat >"$BATS_TEST_TMPDIR/fpm.conf" <<-END
		[global]
		error_log = $BATS_TEST_TMPDIR/fpm.log
		daemonize = no
		[www]
		$([ "$(id -u)" -ne 0 ] || printf 'user = root\ngroup = root\n')
		listen = $socket
		listen.mode = 0666
		pm = static
		pm.max_children = 34
	END
	spawn fpm "${preload[@]}" "$fpm" -n -R -y "$BATS_TEST_TMPDIR/fpm.conf"
	retry test -S "$socket"
	NGINX_HTTP="upstream fpm { server unix:$socket; ${3:-} }" nginx_front nginx "location / {
		include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME $TESTS/apps/burning.php;
		fastcgi_ignore_client_abort on; fastcgi_pass fpm; $2 }"
	attributed fpm "$1" --marks php --least 0.6 --cpu 0.98 --certain
}

@test "php-fpm behind nginx, a connection for each request" {
	fpm_burns close,keep,slow,abort,pipeline ""
}

@test "php-fpm behind nginx on kept connections" {
	# (A child serves one connection as long as it is kept: there are more children than connections.)
	fpm_burns close,keep,slow,abort,pipeline "fastcgi_keep_conn on;" "keepalive 32;"
}

@test "lighttpd before php-cgi: its work is in its profiles, and none in lighttpd's" {
	requires lighttpd php-cgi
	cp "$TESTS/apps/burning.php" "$BATS_TEST_TMPDIR/"
	cat >"$BATS_TEST_TMPDIR/lighttpd.conf" <<-END
		server.document-root = "$BATS_TEST_TMPDIR"
		server.bind = "127.0.0.1"
		server.port = $port
		server.modules = ( "mod_fastcgi", "mod_rewrite" )
		url.rewrite-once = ( "^/(.*)" => "/burning.php/\$1" )
		fastcgi.server = ( ".php" => (( "bin-path" => "/usr/bin/php-cgi -n", "max-procs" => 1,
			"bin-environment" => ( "PHP_FCGI_CHILDREN" => "8", "LD_PRELOAD" => "$LIBREQPROF", "REQPROF_DIR" => "$profiles" ),
			"socket" => "$BATS_TEST_TMPDIR/php.sock" )))
	END
	spawn lighttpd "${preload[@]}" lighttpd -D -f "$BATS_TEST_TMPDIR/lighttpd.conf"
	ROUTER=1 attributed lighttpd close,keep,slow,abort,pipeline --marks php --least 0.6 --cpu 0.98
}

# (It calls a head malformed of which it has read only a part of the first line, with the library or without. With heads
# in pieces a busy machine has seen 98.0 % by CPU time.)
@test "php -S" {
	requires php
	spawn server "${preload[@]}" php -n -S "127.0.0.1:$port" "$TESTS/apps/burning.php"
	attributed server close,lines,abort --marks php --least 0.6 --cpu 0.95
}

@test "php -S with workers" {
	requires php
	spawn server "${preload[@]}" env PHP_CLI_SERVER_WORKERS=3 php -n -S "127.0.0.1:$port" "$TESTS/apps/burning.php"
	attributed server close,lines,abort --marks php --least 0.6 --cpu 0.95
}
