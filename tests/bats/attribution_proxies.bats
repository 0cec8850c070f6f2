# A proxy that is an event loop: nginx, or lighttpd, in front of servers that answer late, or of files. It has no functions of routes; which of
# its work is whose is told by the libraries that only some routes use, by the connection that the upstream
# answered on, and by how long that took.
load helpers
load serves
load attribution

passwords() { perl -e 'print "u:", crypt("p", q($6$rounds=1000$salt)), "\n"' >"$BATS_TEST_TMPDIR/passwords"; }

# proxied MANNERS PASS [UPSTREAM]: nginx, passing requests on by the directive PASS. LEAST: share that is somebody's; WRONG:
# share of the samples that may be in another's profile (none).
proxied() {
	requires nginx
	local manners=$1 pass=$2 k locations="" count=${REQUESTS:-2000}
	# (Long enough to be sampled, and matching nothing in the end.)
	local text="aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaza"
	passwords
	for ((k = 0; k < 16; k++)); do
		case $((k % 4)) in
		0) locations+="location /r$k/ { gzip on; $pass }" ;;
		1) locations+="location /r$k/ { set \$text $text; if (\$text ~ \"(.*)(.*)(.*)(.*)z\$\") { return 500; } $pass }" ;;
		2) locations+="location /r$k/ { auth_basic a; auth_basic_user_file $BATS_TEST_TMPDIR/passwords; $pass }" ;;
		3) locations+="location /r$k/ { $pass }" ;;
		esac
	done
	NGINX_HTTP="gzip_comp_level 9; gzip_types text/plain; proxy_http_version 1.1; proxy_set_header Connection \"\"; ${3:-}" \
		nginx_front nginx "$locations" "${preload[@]}"
	loaded "$manners"
	status=$("$REQPROF" ctl "$profiles" status --json)
	settle "$nginx_pid" "$count"
	"$PYTHON" "$TESTS/clients/check_proxied.py" --sent "$sent" --least "${LEAST:-0.98}" \
		--wrong "${WRONG:-0}" "$profiles" <<<"$status"
}

behind_gunicorn() {
	requires gunicorn
	upstream=$(free_port)
	spawn application gunicorn --chdir "$TESTS/apps" -k gthread --threads 16 --keep-alive 60 \
		-b "127.0.0.1:$upstream" upstream:application
	server_up application "$upstream"
}

@test "nginx in front of gunicorn: each request with its own upstream's answer" {
	behind_gunicorn
	proxied close,keep,slow,abort "proxy_pass http://app;" \
		"upstream app { server 127.0.0.1:$upstream; keepalive 8; }"
}

@test "nginx in front of gunicorn, a connection for each request" {
	behind_gunicorn
	proxied close,keep,slow,abort "proxy_pass http://127.0.0.1:$upstream; proxy_set_header Connection close;"
}

@test "nginx in front of uwsgi" {
	requires uwsgi
	upstream=$(free_port)
	spawn application uwsgi --plugins python3 --socket "127.0.0.1:$upstream" --master --threads 16 \
		--chdir "$TESTS/apps" --module upstream:application --die-on-term --disable-logging
	server_up application "$upstream"
	proxied close,keep,slow,abort "include /etc/nginx/uwsgi_params; uwsgi_pass 127.0.0.1:$upstream;"
}

@test "nginx in front of gunicorn, of requests that were sent at once" {
	behind_gunicorn
	# (What begins with another one's answer runs when nothing has been read for it: one sample in one of nine runs.)
	LEAST=0.75 WRONG=0.001 proxied close,keep,slow,abort,pipeline "proxy_pass http://app;" \
		"upstream app { server 127.0.0.1:$upstream; keepalive 8; }"
}

# lighttpd_burns MANNERS CONFIGURATION [OPTION...]: options of check_proxied.py. (Patterns it compiles: no library.)
lighttpd_burns() {
	requires lighttpd
	[ -e /usr/lib/lighttpd/mod_deflate.so ] || skip "lighttpd's mod_deflate is not installed"
	local manners=$1 configuration=$2 k conditions="" protected="" count=${REQUESTS:-2000} load=()
	shift 2
	for k in 0 4 8 12; do
		conditions+="\$HTTP[\"url\"] =^ \"/r$k/\" { deflate.mimetypes = ( \"text/plain\" ) }"$'\n'
		protected+="\"/r$((k + 2))/\" => ( \"method\" => \"basic\", \"realm\" => \"a\", \"require\" => \"valid-user\" ),"
	done
	passwords
	mkdir "$BATS_TEST_TMPDIR/www"
	cat >"$BATS_TEST_TMPDIR/lighttpd.conf" <<-END
		server.document-root = "$BATS_TEST_TMPDIR/www"
		server.bind = "127.0.0.1"
		server.port = $port
		server.modules = ( "mod_auth", "mod_authn_file", "mod_deflate", "mod_proxy" )
		server.upload-dirs = ( "$BATS_TEST_TMPDIR" )
		mimetype.assign = ( "" => "text/plain" )
		deflate.allowed-encodings = ( "gzip" )
		deflate.compression-level = 9
		auth.backend = "htpasswd"
		auth.backend.htpasswd.userfile = "$BATS_TEST_TMPDIR/passwords"
		auth.require = ( $protected )
		$conditions
		$configuration
	END
	[ -n "$configuration" ] || load=(--files "$BATS_TEST_TMPDIR/www")
	spawn lighttpd "${preload[@]}" lighttpd -D -f "$BATS_TEST_TMPDIR/lighttpd.conf"
	server_up lighttpd "$port"
	loaded "$manners" "${load[@]}"
	status=$("$REQPROF" ctl "$profiles" status --json)
	settle "$lighttpd_pid" "$count"
	"$PYTHON" "$TESTS/clients/check_proxied.py" --sent "$sent" --least "${LEAST:-0.98}" "$@" "$profiles" <<<"$status"
}

@test "lighttpd sends files" {
	lighttpd_burns close,keep,slow,abort "" --static --kinds 0,2
}

# (It handles a head when the function that read it has returned: whose that is shows when it connects.)
@test "lighttpd in front of gunicorn" {
	behind_gunicorn
	LEAST=0.93 lighttpd_burns close,keep,slow,abort \
		"proxy.server = ( \"\" => (( \"host\" => \"127.0.0.1\", \"port\" => $upstream )) )" --kinds 0
}
