# Profiles for tests of the commands, made once for a bats file by real servers. Load after helpers.

# python_profiles DIR COUNT: gunicorn serves tests/apps/calibrated.py: /calibrate, then /shares/1 ... COUNT.
python_profiles() {
	use_profiles "$1"
	local port
	port=$(free_port)
	spawn fixture "${preload[@]}" gunicorn --chdir "$TESTS/apps" -w 1 -t 300 -b "127.0.0.1:$port" \
		calibrated:application
	server_up fixture "$port"
	curl -sS "http://127.0.0.1:$port/calibrate"
	seq "$2" | sed 's|^|/shares/|' | load_client --port "$port"
	settle "$fixture_pid" $((1 + $2))
}

# native_profiles DIR: the C server, 13 requests of several routes, methods and statuses.
native_profiles() {
	use_profiles "$1"
	local port i
	port=$(free_port)
	spawn fixture "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 2
	server_up fixture "$port"
	for i in 1 2 3 4; do
		printf '%s\n' "GET /r1/$i" "GET /r2/users/$i"
	done | load_client --port "$port"
	printf '%s\n' "POST /r3/orders hello" "HEAD /r1/head" "DELETE /r3/orders/17" "GET /nowhere" \
		"GET /r4/slow" | load_client --port "$port"
	settle "$fixture_pid" 13
}
