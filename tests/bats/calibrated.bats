# Functions that burn known shares of CPU: the profiles say what the application's own clock says.
load helpers
load placement

setup() {
	requires perf
	use_profiles
	port=$(free_port)
}

# measure NAME: 12 requests of about 380 ms CPU to the spawned server NAME, checked.
measure() {
	local pid_name=${1}_pid
	server_up "$1" "$port"
	get /calibrate
	seq 12 | sed 's|^|/shares/|' |
		load_client --port "$port" --concurrency "${CONCURRENCY:-1}" --out "$BATS_TEST_TMPDIR/answers"
	settle "${!pid_name}" 13
	# The first request only calibrates; it is no part of the shares.
	rm "$profiles"/GET.calibrate.*
	"$PYTHON" "$TESTS/clients/check_shares.py" "$BATS_TEST_TMPDIR/answers" "$profiles"
}

@test "shares are right within 2 points under uwsgi" {
	requires uwsgi
	spawn server "${preload[@]}" "${UWSGI[@]}" -M --die-on-term --http-socket "127.0.0.1:$port" \
		--wsgi-file "$TESTS/apps/calibrated.py"
	measure server
}

@test "shares are right within 2 points with 4 threads that wait for each other's GIL" {
	requires uwsgi
	spawn server "${preload[@]}" "${UWSGI[@]}" -M --die-on-term --http-socket "127.0.0.1:$port" \
		--threads 4 --wsgi-file "$TESTS/apps/calibrated.py"
	CONCURRENCY=4 measure server
}

@test "shares are right within 2 points under gunicorn" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn --chdir "$TESTS/apps" -w 1 -t 300 -b "127.0.0.1:$port" \
		calibrated:application
	measure server
}

@test "a sample stands for one period, and samples add up to the CPU that was used" {
	requires gunicorn
	spawn server "${preload[@]}" gunicorn --chdir "$TESTS/apps" -w 1 -t 300 -b "127.0.0.1:$port" \
		calibrated:application
	server_up server "$port"
	get /calibrate
	seq 4 | sed 's|^|/shares/|' | load_client --port "$port"
	settle "$server_pid" 5
	# Of the CPU time that the kernel accounts to the thread, all but its own part is sampled.
	all_facts | jq -s -e 'map(select(.["url.path"] != "/calibrate")) |
		(map(.["reqprof.samples"] * .period_ns) | add) as $sampled |
		(map(.["reqprof.cpu_ns"]) | add) as $cpu |
		{sampled: $sampled, cpu: $cpu, share: ($sampled / $cpu)} | ., (.share > 0.9 and .share < 1.03)'
}

@test "the rate is the one asked for" {
	requires gunicorn
	local rate
	for rate in 100 4000; do
		use_profiles "$BATS_TEST_TMPDIR/profiles-$rate"
		port=$(free_port)
		spawn server "${preload[@]}" "REQPROF_RATE=$rate" gunicorn --chdir "$TESTS/apps" -w 1 -t 300 \
			-b "127.0.0.1:$port" calibrated:application
		server_up server "$port"
		get /calibrate
		get /shares/1 >/dev/null
		settle "$server_pid" 2
		facts "$profiles"/GET.shares* | jq -e --argjson rate "$rate" '
			(.["reqprof.samples"] / (.["reqprof.cpu_ns"] / 1e9)) as $got |
			{rate: $rate, got: $got}, (.["reqprof.rate"] == $rate and $got > $rate * 0.85 and $got < $rate * 1.05)'
	done
}
