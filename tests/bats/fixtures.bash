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

make_profile() { "$PYTHON" "$TESTS/data/make_profile.py" "$@"; }

# waiting_profile FILE [OPTION...]: GET /users/42 of 300 ms, made by hand: 60 samples, 37 round trips to a database,
# 35 of them from models.py:88, 41 ms for the GIL, 38 of which GET /report held it, sleep, kernel time.
waiting_profile() {
	local app='/srv/app.py:1:app:6' models='/srv/models.py:80:User.orders:88' views='/srv/views.py:10:render:14'
	make_profile -o "$1" --wall 300 --runnable 4 --kernel 12 --kernel-stack '4 do_syscall_64;vfs_read' \
		--stack "40 $app;$models;!/usr/lib/libdriver.so.0+0x1200" --stack "20 $app;$views" \
		--wait "40|socket|127.0.0.1:5432 (recv)|at=70,trips=1|$app;$models;/usr/lib/python3/dist-packages/sqlalchemy/engine/default.py:730:do_execute:736" \
		--wait "80|socket|127.0.0.1:5432 (recv)|count=34,trips=34|$app;$models" \
		--wait "5|socket|127.0.0.1:5432 (poll)|count=2,trips=2|" \
		--wait "38|GIL||at=120,holder=GET /report|$app;$views" --wait "3|GIL||at=120|$app;$views" \
		--wait "10|sleep||at=180|/srv/app.py:1:app:9" "${@:2}"
}
