# Threads and processes that serve one request at a time: all that they do for it is in its profile, none of
# another's. (--least: a busy machine does not deliver every tick; --cpu does not need them.)
load helpers
load serves
load attribution
load apaches
load java

@test "gunicorn with processes" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn -w 3 -b "127.0.0.1:$port" burning:application
	attributed server close,slow,abort --least 0.6 --cpu 0.98 --certain
}

@test "gunicorn with threads, which take turns at connections that are kept alive" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn -k gthread --threads 8 -b "127.0.0.1:$port" burning:application
	attributed server close,keep,slow,abort --least 0.6 --cpu 0.98
}

@test "uwsgi with processes and threads" {
	requires uwsgi
	spawn server "${preload[@]}" uwsgi --plugins python3 --http-socket "127.0.0.1:$port" --master \
		--processes 2 --threads 4 --module burning:application --die-on-term --disable-logging
	attributed server close,slow,abort --least 0.6 --cpu 0.98 --certain
}

@test "werkzeug's server with a thread for each request" {
	spawn server "${preload[@]}" "$PYTHON" "$TESTS/apps/burning.py" werkzeug "$port"
	attributed server close,slow,abort --least 0.6 --cpu 0.98 --certain
}

# burns_under MPM MANNERS [CONFIGURATION]
burns_under() {
	local alone="WSGIApplicationGroup %{GLOBAL}"
	requires apache2
	has_module mod_wsgi
	apache_readable
	install -m 0644 -t "$BATS_TEST_TMPDIR/apps" "$TESTS/apps/burning.py"
	spawn_apache "$1" "$(wsgi burning.py "${3:-$alone}")" "${preload[@]}"
	SIGNAL=KILL attributed apache "$2" --least 0.6 --cpu 0.98
}

@test "apache's worker threads with mod_wsgi" {
	burns_under worker close,keep,slow,abort,pipeline
}

@test "apache's event threads with mod_wsgi" {
	# (It closes connections that are kept alive when all its threads are busy.)
	burns_under event close,slow,abort
}

@test "mod_wsgi's daemon processes behind apache: their work is in their profiles, and none in apache's" {
	ROUTER=1 burns_under worker close,keep,slow,abort,pipeline "$daemon"
}

# java_burns MANNERS [THREADS]
java_burns() {
	requires java javac
	javac -d "$BATS_TEST_TMPDIR" "$TESTS/apps/Burning.java"
	spawn server "${preload[@]}" java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx128m "${java_named[@]}" \
		-cp "$BATS_TEST_TMPDIR" Burning "$port" "${@:2}"
	PERF_MAP=1 MAPPED_BY=java_map attributed server "$1" --least 0.6 --cpu 0.98
}

# (Requests that are sent at once it serves as an event loop that calls back: whose work that is does not show.)
@test "Java's HttpServer, which serves on the thread that accepts" {
	java_burns close,keep,slow,abort
}

@test "Java's HttpServer with a pool of threads" {
	java_burns close,keep,slow,abort,pipeline 8
}
