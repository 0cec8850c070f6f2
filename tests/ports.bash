# Ports of 127.0.0.1, for tests.
# shellcheck shell=bash

listening() { (exec 9<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A port that nobody listens on, below those that the kernel gives to clients.
free_port() {
	local port
	while :; do
		port=$((10000 + RANDOM % 22000))
		listening "$port" || break
	done
	echo "$port"
}
