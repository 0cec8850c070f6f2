# Pools: one thread reads a request, another one works for it. Whose work was it? (--least: a busy machine does
# not deliver every tick, and what a thread does before pools are noticed is nobody's.)
load helpers
load attribution

setup() {
	requires perf
	use_profiles
	port=$(free_port)
	preload+=("PYTHONPATH=$TESTS/apps")
}

@test "waitress: its threads answer what the main thread has read" {
	requires waitress-serve
	spawn server "${preload[@]}" waitress-serve --listen "127.0.0.1:$port" --threads 8 burning:application
	attributed server close,keep,slow,abort,pipeline --wrong 0.001 --least 0.6 --no-certain
}
