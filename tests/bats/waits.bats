# What requests wait for: the profiles say what the application's own clocks said, and the parts of
# the wall time add up (which the decoder checks for every profile that it reads).
load helpers
load placement

setup() {
	requires perf uwsgi
	use_profiles
	port=$(free_port)
}

serve() { # [VARIABLE=VALUE...] [-- OPTION...]
	local -a settings=()
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		settings+=("$1")
		shift
	done
	[ $# -eq 0 ] || shift
	spawn server "${preload[@]}" "${settings[@]}" "${UWSGI[@]}" -M --die-on-term \
		--http-socket "127.0.0.1:$port" --enable-threads --wsgi-file "$TESTS/apps/waiting.py" "$@"
	server_up server "$port"
}

# Off-CPU milliseconds of stacks that hold FUNCTION, by our own decoder: waits FILE FUNCTION
waits_in() {
	facts -s "$1" | jq --arg name "$2" '[.stacks[] | select(.labels.state == "wait") |
		select(any(.frames[]; .kind == "python" and .name == $name)) | .values[2]] | add / 1e6'
}

@test "sleep, socket, lock, file lock and child: each wait is as long as the application saw it" {
	serve
	get /untimed >/dev/null
	get /mixed >"$BATS_TEST_TMPDIR/answer"
	settle "$server_pid" 2
	local file name
	file=$(echo "$profiles"/GET.mixed*)
	for name in sleeps asks locks locks_file awaits_child; do
		waits_in "$file" "$name" | jq -e --arg name "$name" --slurpfile answer "$BATS_TEST_TMPDIR/answer" '
			$answer[0][$name] as $seen | ([1, $seen[1] * 0.03] | max) as $close |
			{name: $name, profile: ., seen: $seen},
			(. >= $seen[0] - $close and . <= $seen[1] + $close)'
	done
	# Each by its own name, and nothing of the request is unaccounted for.
	facts -s "$file" | jq -e '[.stacks[] | select(.labels.state == "wait") | .labels.wait] | unique |
		contains(["socket", "sleep", "lock"])'
	facts -s "$file" | jq -e '[.stacks[] | .labels["wait.on"] // empty] |
		any(test("^127.0.0.1:[0-9]+ \\(recv\\)$")) and any(. == "semaphore")'
	facts "$file" | jq -e '{wall: .["reqprof.wall_ns"], rest: .["reqprof.rest_ns"]},
		(.["reqprof.rest_ns"] <= ([.["reqprof.wall_ns"] * 0.01, 50000] | max))'
}

# A thread of the application's that uwsgi's fork left behind has a thread state still, whose stack others get.
@test "on each of several threads, what waited is a line of Python" {
	serve -- --threads 4
	local i
	for i in $(seq 12); do get /mixed >/dev/null; done
	settle "$server_pid" 12
	facts -s "$profiles"/GET.mixed* | jq -s -e '
		{threads: (map(.["thread.id"]) | unique | length),
		without: [.[].stacks[] | select(.labels.state == "wait" and .labels.stack == "no-python")] | length,
		sleeps: [.[].stacks[] | select(any(.frames[]; .kind == "python" and .name == "sleeps"))] | length},
		((map(.["thread.id"]) | unique | length) > 1 and
		all(.[].stacks[]; .labels.state != "wait" or .labels.stack != "no-python") and
		([.[].stacks[] | select(.labels.wait == "sleep") | select(any(.frames[]; .kind == "python" and .name == "sleeps"))] | length) == 12)'
}

@test "round trips are counted, with the line that asked, however short" {
	serve
	get /trips/37 >/dev/null
	settle "$server_pid" 1
	facts "$profiles"/GET.trips* | jq -e '.["reqprof.round_trips"] == 37'
	facts -s "$profiles"/GET.trips* | jq -e '[.stacks[] | select(.labels.round_trips) |
		select(any(.frames[]; .kind == "python" and .name == "trips")) | .labels.round_trips] | add == 37'
}

@test "waiting for the GIL: how long, and for whose request" {
	serve -- --threads 3
	get /untimed >/dev/null
	# (Long enough for the other one to come late; that waits until this has begun.)
	get /gil/1500 >/dev/null &
	local hog=$!
	get /patient/20 >"$BATS_TEST_TMPDIR/answer"
	wait "$hog"
	settle "$server_pid" 3
	# The request waits for it before and after, too: of interest is what its function saw.
	waits_in "$profiles"/GET.patient* yields | jq -e --slurpfile answer "$BATS_TEST_TMPDIR/answer" '
		$answer[0].patient as $seen | {gil: ., seen: $seen},
		(. > $seen[0] * 0.95 - 1 and . < $seen[1] * 1.05 + 1)'
	# (How often it waits is the machine's affair: it takes the GIL back at once where the other one wakes late.)
	facts "$profiles"/GET.patient* | jq -e --slurpfile answer "$BATS_TEST_TMPDIR/answer" '
		$answer[0].patient as $seen | {all_ns: .["reqprof.gil_ns"], seen: $seen},
		(.["reqprof.gil_ns"] / 1e6 > $seen[0] * 0.95 - 1 and .["reqprof.gil_ns"] <= .["reqprof.wall_ns"])'
	facts -s "$profiles"/GET.patient* | jq -e '[.stacks[] | select(.labels.wait == "GIL")] |
		(map(.values[2]) | add) as $all |
		(map(select(.labels["gil.holder"] == "GET /gil/{id}") | .values[2]) | add) as $held |
		{all: $all, held: $held, holders: (map(.labels["gil.holder"]) | unique)},
		# (A wait may end before it is seen who made it wait; nobody else did.)
		($held > $all * 0.7 and all(.[].labels["gil.holder"]; . == null or . == "GET /gil/{id}"))'
}

@test "an idle keep-alive connection and the wait for a request are nobody's wait" {
	local keeps
	keeps=$(free_port)
	serve -- --http11-socket "127.0.0.1:$keeps"
	"$PYTHON" - "$keeps" <<-'END'
		import http.client, sys, time
		client = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
		for pause in 2, 2, 0:
		    client.request("GET", "/untimed")
		    assert client.getresponse().read() is not None
		    time.sleep(pause)
	END
	settle "$server_pid" 3
	all_facts | jq -s -e 'all(.["reqprof.wait_ns"] < 500000000 and .["reqprof.wall_ns"] < 1500000000)'
}

@test "the client's slowness is the client's" {
	serve
	get /untimed >/dev/null # the library's own start is this one's
	"$PYTHON" - "$port" <<-'END'
		import socket, sys, time
		client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		client.sendall(b"POST /untimed HTTP/1.1\r\nHost: x\r\nContent-Le")
		time.sleep(0.2)
		client.sendall(b"ngth: 4\r\n\r\nbody")
		client.recv(1000)
	END
	settle "$server_pid" 2
	facts -s "$profiles"/POST* | jq -e '[.stacks[] | select(.labels.wait == "client body") | .values[2]] |
		add / 1e6 | ., (. > 100 and . < 5000)'
}

@test "switched off, no wait is timed, and the time is unaccounted for" {
	serve REQPROF_WAITS=0
	get /mixed >/dev/null
	settle "$server_pid" 1
	facts "$profiles"/GET.mixed* | jq -e '.["reqprof.waits"] == "off" and .["reqprof.wait_ns"] == 0 and
		.["reqprof.rest_ns"] + (.["reqprof.runnable_ns"] // 0) > 90000000'
}

@test "the threshold decides which waits stand alone" {
	serve REQPROF_WAIT_MIN_US=1000000
	get /mixed >/dev/null
	settle "$server_pid" 1
	facts -s "$profiles"/GET.mixed* | jq -e '[.stacks[] | select(.labels.state == "wait")] |
		length > 3 and all(.labels.count >= 1 or .labels.thread == null)'
}
