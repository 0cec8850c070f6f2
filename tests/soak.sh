#!/bin/bash
# A long run at saturation: tests/soak.sh requests|seconds N
#
# nginx and uwsgi, each first bare and then with the library, get N requests in all (nginx four times
# as many as uwsgi), or N seconds. Prints a table, and fails unless
#   - every answer is right, byte for byte, with and without;
#   - each request has left its file, none failed, and the directory holds what the budget says;
#   - the workers' memory has grown by less than 1 MiB more than bare, between the first tenth and the end;
#   - each worker has the descriptors that it had after the first tenth.
#
# B                     build directory (build)
# REQPROF_SOAK_PART     nginx or uwsgi: only that
set -u
cd "$(dirname "$0")/.." || exit 1
B=${B:-build}
B=$(cd "$B" && pwd) || exit 1
what=${1:-} amount=${2:-}
case $what:$amount in
requests:[1-9]* | seconds:[1-9]*) ;;
*)
	sed -n '2s/^# //p' "$0" >&2
	exit 2
	;;
esac
MAX_FILES=2000
CONNECTIONS=16
work=$(mktemp -d) || exit 1
server=
# shellcheck disable=SC2317 # reached by the trap
stop() {
	[ -z "$server" ] || { kill -TERM "$server" && wait "$server"; } 2>/dev/null
	rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM
failures=0
fail() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

# shellcheck source=tests/ports.bash
. tests/ports.bash

nginx_conf() { # PORT
	cat <<-END
		daemon off; $([ "$(id -u)" -ne 0 ] || echo "user root;") worker_processes 2; pid $work/nginx.pid; error_log stderr crit;
		events { worker_connections 256; }
		http {
			access_log off; keepalive_requests 1000000000;
			client_body_temp_path $work/body; proxy_temp_path $work/proxy;
			fastcgi_temp_path $work/fastcgi; uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
			server { listen 127.0.0.1:$1; location / { return 200 "\$uri\n"; } }
		}
	END
}
server_words() { # NAME PORT: fills `words`
	if [ "$1" = nginx ]; then
		nginx_conf "$2" >"$work/nginx.conf"
		words=(nginx -c "$work/nginx.conf" -e stderr)
	else
		words=(uwsgi --plugins python3 --http-socket "127.0.0.1:$2" --master --processes 2
			--chdir tests/apps --wsgi-file soak.py --die-on-term --disable-logging)
	fi
}

workers() { # those that work: the master's children
	cat "/proc/$server/task/$server/children"
}
# The sum of what is in the workers' memory and not in files, in kB; descriptors of each.
memory() {
	local pid sum=0 kb
	for pid in $(workers); do
		kb=$(awk '/^Rss(Anon|Shmem):/ { sum += $2 } END { print sum }' "/proc/$pid/status")
		sum=$((sum + kb))
	done
	echo "$sum"
}
descriptors() {
	local pid
	for pid in $(workers); do
		find "/proc/$pid/fd" -mindepth 1 -printf '%l\n' | sed 's/\[[0-9]*\]//' | sort | uniq -c
	done
}
# Connections come and go; those of the soak are closed when it is looked.
quiet_descriptors() {
	local before after tries=10
	before=$(descriptors)
	while [ $((tries--)) -gt 0 ]; do
		sleep 0.3
		after=$(descriptors)
		[ "$before" != "$after" ] || break
		before=$after
	done
	echo "$after"
}

# load SHARE: this share (in tenths) of the amount; adds to `asked`, `wrong`, and sets `rate`.
load() {
	local n=$((amount_here * $1 / 10))
	load_number $((n > 0 ? n : 1))
}
load_number() {
	local n=$1 said a w
	said=$("$B/tests/programs/soak_client" "$port" "$CONNECTIONS" "$what" "$n")
	read -r a w rate <<<"$said"
	asked=$((asked + a)) wrong=$((wrong + w))
}

# How many reads each worker has made (nginx receives instead: it only gets some more requests).
reads() {
	local pid
	for pid in $(workers); do
		awk '/^syscr/ { print $2 }' "/proc/$pid/io"
	done
}
# On a busy machine one worker may get all of the first requests; the other would begin later.
until_all_work() { # READS-BEFORE
	local tries=50 idle kept=$what
	what=requests
	while [ $((tries--)) -gt 0 ]; do
		idle=$(paste <(echo "$1") <(reads) | awk '$2 - $1 < 20' | wc -l)
		[ "$idle" -gt 0 ] || break
		load_number 100
	done
	what=$kept
}

# run NAME bare|preloaded: one line of the table; `growth` in kB.
run() {
	local name=$1 way=$2 before after fds_before fds_after reads_before
	port=$(free_port)
	profiles=$work/$name-profiles
	server_words "$name" "$port"
	if [ "$way" = preloaded ]; then
		words=(env "LD_PRELOAD=$B/libreqprof.so" "REQPROF_DIR=$profiles" "REQPROF_MAX_FILES=$MAX_FILES" "${words[@]}")
	fi
	"${words[@]}" >"$work/$name-$way.log" 2>&1 &
	server=$!
	until listening "$port"; do
		kill -0 "$server" 2>/dev/null || { cat "$work/$name-$way.log"; exit 1; }
		sleep 0.1
	done
	asked=0 wrong=0
	reads_before=$(reads)
	load 1
	until_all_work "$reads_before"
	fds_before=$(quiet_descriptors)
	before=$(memory)
	load 9
	fds_after=$(quiet_descriptors)
	after=$(memory)
	growth=$((after - before))
	printf '%-6s %-10s %9d requests %7s/s  %d wrong  workers %6d kB, grown by %5d kB\n' \
		"$name" "$way" "$asked" "$rate" "$wrong" "$after" "$growth"
	[ "$wrong" -eq 0 ] || fail "$name $way: $wrong answers were wrong"
	[ "$fds_before" = "$fds_after" ] ||
		fail "$name $way: descriptors have changed: $(diff <(echo "$fds_before") <(echo "$fds_after") | grep '^[<>]')"
	[ "$way" = bare ] || check_files "$name"
	kill -TERM "$server"
	wait "$server"
	server=
}

check_files() {
	local status there
	status=$("$B/reqprof" ctl "$profiles" status --json) || { fail "$1: no status"; return; }
	there=$(find "$profiles" -name '*.pprof' | wc -l)
	# The listening check at the start is a connection without a request.
	jq -e --argjson asked "$asked" --argjson there "$there" '.totals |
		.requests_profiled == $asked and .files_written == $asked and .files_failed == 0 and
		.files_no_room == 0 and .lost_buffer_full == 0 and .skipped_no_memory == 0 and
		.files_written - .evicted_files - .evicted_bytes == $there' <<<"$status" >/dev/null ||
		fail "$1: files are missing: $asked requests, $there files there, $(jq -c '.totals |
			{requests_profiled, files_written, files_failed, files_no_room, evicted_files, evicted_bytes, lost_buffer_full}' <<<"$status")"
	[ "$there" -le "$MAX_FILES" ] || fail "$1: $there files where at most $MAX_FILES should be"
	printf '       %s\n' "$(jq -r '.totals | "files written \(.files_written), of which \(.evicted_files + .evicted_bytes) made way for newer ones; failed \(.files_failed)"' <<<"$status")"
}

for name in nginx uwsgi; do
	[ "${REQPROF_SOAK_PART:-$name}" = "$name" ] || continue
	if ! command -v "$name" >/dev/null; then
		echo "$name is not installed: left out"
		continue
	fi
	amount_here=$amount
	if [ "$what" = requests ]; then
		[ "$name" = nginx ] && amount_here=$((amount * 4 / 5)) || amount_here=$((amount / 5))
	else
		amount_here=$(((amount + 3) / 4)) # four runs
	fi
	run "$name" bare
	bare=$growth
	run "$name" preloaded
	[ "$((growth - bare))" -lt 1024 ] ||
		fail "$name: the workers have grown by $growth kB, bare by $bare kB"
done
[ "$failures" -eq 0 ]
