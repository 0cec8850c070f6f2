# Event loops: several requests take turns on one thread. Whose work was it?
# (--least: a busy machine does not deliver every tick; what was given to nobody is shared_at_most's.)
load helpers
load attribution

ALL=close,keep,slow,abort,pipeline

node=(node --perf-basic-prof --interpreted-frames-native-stack --no-logfile-per-isolate
	"--logfile=$BATS_TEST_TMPDIR/v8.log")

@test "uvicorn on asyncio: coroutines that take turns keep their work apart" {
	spawn server "${preload[@]}" "$PYTHON" -m uvicorn --loop asyncio --http h11 --no-access-log --port "$port" burning:asgi
	attributed server "$ALL" --wrong 0.001 --least 0.8 --no-certain
	shared_at_most 8
}

uvloop_burns() { # PROTOCOL MANNERS LEAST
	spawn server "${preload[@]}" "$PYTHON" -m uvicorn --loop uvloop --http "$1" --no-access-log --port "$port" burning:asgi
	attributed server "$2" --wrong 0.001 --least "$3" --no-certain
}

@test "uvicorn on uvloop, h11: coroutines are known by the connection that they work for" {
	uvloop_burns h11 close,keep,slow,abort 0.6
	shared_at_most 40
}

@test "uvicorn on uvloop, httptools, pipelined too" {
	uvloop_burns httptools "$ALL" 0.4
}

# no_afterwards FIRST SECOND COMMAND...: FIRST has its answer at once and goes on in afterwards(), SECOND
# runs in meanwhile() then.
no_afterwards() {
	local first=$1 second=$2
	shift 2
	spawn server "${preload[@]}" "$@"
	server_up server "$port"
	get /third >/dev/null # a thread is known as an event loop's from its second turn on
	is "ok ok" "$(curl -sS --max-time 120 "http://127.0.0.1:$port$first" "http://127.0.0.1:$port$second" | xargs)"
	settle "$server_pid" 3
	facts -s "$profiles/GET.${second#/}."* | jq -e '
		def in($name): [.stacks[] | select(any(.frames[]; .kind == "python" and .name == $name)) | .values[0]] | add // 0;
		{meanwhile: in("meanwhile"), afterwards: in("afterwards")}, in("meanwhile") > 20 and in("afterwards") == 0'
}

@test "uvicorn on uvloop: what a coroutine does when it has answered is not the next request's" {
	no_afterwards /first /second "$PYTHON" -m uvicorn --loop uvloop --http h11 --no-access-log --port "$port" afterwards:application
}

no_afterwards_on_asyncio() { # FIRST SECOND [APPLICATION]
	no_afterwards "$1" "$2" "$PYTHON" -m uvicorn --loop asyncio --http h11 --no-access-log --port "$port" \
		"afterwards:${3:-application}"
}

children_work() {
	facts -s "$profiles"/GET.children.* |
		jq -e '[.stacks[] | select(any(.frames[]; .name == "child")) | .values[0]] | add // 0 | ., . > 10'
}

@test "uvicorn on asyncio: what a coroutine does when it has answered is not the next request's" {
	no_afterwards_on_asyncio /first /second
}

@test "uvicorn on asyncio: starlette's background tasks are not the next request's" {
	no_afterwards_on_asyncio /first /children starlette
	children_work
}

@test "uvicorn on asyncio: a task that outlives its request is not the next one's" {
	no_afterwards_on_asyncio /leaves /children
	children_work
}

@test "uvicorn on asyncio: tasks that begin when their request has been answered are not the next one's" {
	no_afterwards_on_asyncio /spawns /children
	children_work
}

@test "hypercorn: what a coroutine does when it has answered is not the next request's" {
	requires hypercorn
	no_afterwards /first /second hypercorn --bind "127.0.0.1:$port" afterwards:application
}

@test "daphne: what a coroutine does when it has answered is not the next request's" {
	requires daphne
	no_afterwards /first /second daphne -b 127.0.0.1 -p "$port" afterwards:application
}

@test "aiohttp: a task for each connection, one for each request" {
	spawn server "${preload[@]}" "$PYTHON" "$TESTS/apps/burning.py" aiohttp "$port"
	attributed server "$ALL" --wrong 0.001 --least 0.8 --no-certain
}

@test "tornado: handlers that are coroutines" {
	spawn server "${preload[@]}" "$PYTHON" "$TESTS/apps/burning.py" tornado "$port"
	attributed server "$ALL" --wrong 0.001 --least 0.8 --no-certain
}

@test "hypercorn: the application's task writes for a connection that another task reads" {
	requires hypercorn
	spawn server "${preload[@]}" hypercorn --bind "127.0.0.1:$port" burning:asgi
	attributed server close,slow,abort --wrong 0.001 --least 0.8 --no-certain
}

@test "daphne: the answer is written a turn after the work, by another task" {
	requires daphne
	spawn server "${preload[@]}" daphne -b 127.0.0.1 -p "$port" burning:asgi
	attributed server close,keep,slow,abort --wrong 0.001 --least 0.8 --no-certain
}

@test "daphne: requests that were sent at once keep their work apart" {
	requires daphne
	spawn server "${preload[@]}" daphne -b 127.0.0.1 -p "$port" burning:asgi
	attributed server close,keep,pipeline --wrong 0.001 --least 0.4 --no-certain
}

@test "gunicorn with gevent: greenlets that sleep in the middle" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn -k gevent -b "127.0.0.1:$port" burning:application_in_turns
	attributed server "$ALL" --wrong 0.001 --least 0.8 --no-certain
	# (The loop's own work while pipelined requests are in flight, too.)
	shared_at_most 7
}

@test "gunicorn with eventlet: greenlets that sleep in the middle" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn -k eventlet -b "127.0.0.1:$port" burning:application_in_turns
	attributed server "$ALL" --wrong 0.001 --least 0.8 --no-certain
	# (The loop's own work while pipelined requests are in flight, too.)
	shared_at_most 7
}

@test "uwsgi with gevent: greenlets that sleep in the middle" {
	requires uwsgi
	[ -e /usr/lib/uwsgi/plugins/gevent_python3_plugin.so ] || skip "uwsgi's gevent is not installed"
	spawn server "${preload[@]}" uwsgi --plugins python3,gevent_python3 --gevent 40 --gevent-monkey-patch \
		--http-socket "127.0.0.1:$port" --master --module burning:application_in_turns --die-on-term --disable-logging
	# (It reads heads before a greenlet runs any Python: whose that is shows when it writes, mostly in a later turn.)
	attributed server close,slow,abort --wrong 0.001 --least 0.8 --no-certain
	shared_at_most 10
}

@test "node: handlers that answer at once" {
	requires node
	spawn server "${preload[@]}" "${node[@]}" \
		"$TESTS/apps/burning.js" "$port" sync
	PERF_MAP=1 attributed server close,keep,slow,abort --wrong 0.001 --least 0.7
	shared_at_most 2
}

@test "node: handlers that wait for timers in the middle" {
	requires node
	spawn server "${preload[@]}" "${node[@]}" \
		"$TESTS/apps/burning.js" "$port"
	PERF_MAP=1 attributed server close,keep,slow --wrong 0.001 --least 0.7
	# (A busy machine leaves more of it to a moment when nobody can tell.)
	shared_at_most 4
}

@test "node: of requests that were sent at once nobody knows whose handler runs" {
	requires node
	spawn server "${preload[@]}" "${node[@]}" \
		"$TESTS/apps/burning.js" "$port" sync
	PERF_MAP=1 attributed server keep,pipeline --wrong 0 --least 0.25
	spawn paused "${preload[@]/$profiles/$profiles.paused}" "${node[@]}" \
		"$TESTS/apps/burning.js" "$port"
	profiles=$profiles.paused
	PERF_MAP=1 attributed paused close,keep,slow,pipeline --wrong 0.001 --least 0.1
}
