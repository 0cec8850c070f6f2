# Ports of 127.0.0.1, for tests.
# shellcheck shell=bash

listening() { (exec 9<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A port that nobody listens on, below those that the kernel gives to clients. Nobody is given it twice in a run of
# the tests: who has got it may not listen yet. (TEST_PORTS: a directory of the run, where they are written down.)
free_port() {
	local port ports=${TEST_PORTS:-${BATS_RUN_TMPDIR:-}}
	while :; do
		port=$((10000 + RANDOM % 22000))
		[ -z "$ports" ] || mkdir "$ports/port-$port" 2>/dev/null || continue
		listening "$port" || break
	done
	echo "$port"
}
