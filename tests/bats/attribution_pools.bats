# Pools: one thread reads a request, another one works for it. Whose work was it? (--least: a busy machine does
# not deliver every tick, and what a thread does before pools are noticed is nobody's.)
load helpers
load attribution

@test "waitress: its threads answer what the main thread has read" {
	requires waitress-serve
	spawn server "${preload[@]}" waitress-serve --listen "127.0.0.1:$port" --threads 8 burning:application
	attributed server close,keep,slow,abort,pipeline --wrong 0.001 --least 0.6 --no-certain
}

# Work that is handed to threads which neither read nor write for the request: known by the object that stands for it.
gunicorn_app() { # APP OPTION...
	spawn server "${preload[@]}" gunicorn "${@:2}" -b "127.0.0.1:$port" "burning:$1"
}

uvicorn_app() {
	spawn server "${preload[@]}" "$PYTHON" -m uvicorn --loop asyncio --http h11 --no-access-log --port "$port" "burning:$1"
}

@test "a ThreadPoolExecutor that threads of gunicorn's share" {
	requires gunicorn
	gunicorn_app executor -k gthread --threads 8
	attributed server close,keep,slow,abort --least 0.75 --no-certain
}

@test "a ThreadPoolExecutor that a process of gunicorn's uses for its only request" {
	requires gunicorn
	gunicorn_app executor
	attributed server close,slow,abort --least 0.75 --no-certain
}

@test "asyncio.to_thread under uvicorn" {
	uvicorn_app to_thread
	attributed server close,keep,slow,abort --least 0.75 --no-certain
}

@test "starlette's routes that are no coroutines, under uvicorn" {
	uvicorn_app starlette_sync
	attributed server close,keep,slow,abort --least 0.75 --no-certain
}
