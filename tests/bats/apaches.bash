# Apache as tests need it. Load it after helpers and serves; set port, call use_profiles.

modules=/usr/lib/apache2/modules

# Lets apache's workers, which root starts as www-data, read the applications and write profiles.
apache_readable() {
	user=$(id -un)
	[ "$(id -u)" -ne 0 ] || user=www-data
	open_to_all
	install -d -m 0700 -o "$user" "$profiles"
	install -D -m 0644 -t "$BATS_TEST_TMPDIR/apps" "$TESTS/apps/routes.py" "$TESTS/apps/echo.py"
}

# spawn_apache MPM CONFIGURATION [WORD...]: on $port.
spawn_apache() {
	local mpm=$1 configuration=$2
	shift 2
	mkdir -p "$BATS_TEST_TMPDIR/run"
	cat >"$BATS_TEST_TMPDIR/apache.conf" <<-END
		$([ "$(id -u)" -ne 0 ] || printf 'User www-data\nGroup www-data\n')
		ServerRoot $BATS_TEST_TMPDIR
		ServerName localhost
		PidFile $BATS_TEST_TMPDIR/run/pid
		DefaultRuntimeDir $BATS_TEST_TMPDIR/run
		Mutex file:$BATS_TEST_TMPDIR/run
		Listen 127.0.0.1:$port
		ErrorLog /dev/stderr
		LogLevel warn
		LoadModule mpm_${mpm}_module $modules/mod_mpm_$mpm.so
		LoadModule authz_core_module $modules/mod_authz_core.so
		StartServers 2
		MaxRequestWorkers $([ "$mpm" = prefork ] && echo 4 || echo 8)
		$([ "$mpm" = prefork ] || echo ThreadsPerChild 4)
		<Directory />
			Require all granted
		</Directory>
		$configuration
	END
	spawn apache "$@" apache2 -f "$BATS_TEST_TMPDIR/apache.conf" -DFOREGROUND
	server_up apache "$port"
}

# The lines that serve one of the applications made readable, with mod_wsgi.
wsgi() { # FILE [CONFIGURATION]
	cat <<-END
		LoadModule wsgi_module $modules/mod_wsgi.so
		WSGISocketPrefix $BATS_TEST_TMPDIR/run/wsgi
		WSGIScriptAlias / $BATS_TEST_TMPDIR/apps/$1
		${2:-}
	END
}
# shellcheck disable=SC2034
daemon='WSGIDaemonProcess app processes=2 threads=3
	WSGIProcessGroup app
	WSGIApplicationGroup %{GLOBAL}'

has_module() { [ -e "$modules/$1.so" ] || skip "apache's $1 is not installed"; }
