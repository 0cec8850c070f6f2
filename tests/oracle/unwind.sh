#!/bin/bash
# Native stacks against libunwind's, on the same contexts, in real programs. Prints TAP.
#
# Each sample is unwound twice by our tables (once with the memo of the last walk) and once by
# libunwind's unw_step; all must be equal, and at least 99.5 % must reach the thread's first frame.
# Each difference must have a cause, a frame that both agree on and behind which they may part:
#   no module  code that was made at run time (node, php's regular expressions), or in a module that the
#              loader is just relocating and our tables lack
#   no table   code that its module says nothing about (node's builtins, odd_frames, .init): libunwind ends there or
#              believes rbp at a function's first instruction; we look at the code
#   resume     _Unwind_Resume installs a context (throws): the tables are wrong for both
# and how many of those stacks reach the first frame, ours and libunwind's, is said.
#
# B                build directory (build): the library goes to $B/oracle
# UNWIND_SECONDS   of sampling for each program (2); 25 give 100,000 samples of most
# UNWIND_KEEP      folder to keep what the oracle wrote, with the first stacks that differ
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/ports.bash
B=${B:-build}
EACH=${UNWIND_SECONDS:-2}
HERE=$PWD/tests/oracle
case $B in
/*) ;;
*) B=$PWD/$B ;;
esac
OUT=$B/oracle
LIBRARY=$OUT/unwind_oracle.so
mkdir -p "$OUT" || exit 1
scratch=$(mktemp -d) || exit 1
chmod 0755 "$scratch"
number=0 failed=0
started=()
finish() {
	[ ${#started[@]} -eq 0 ] || kill -TERM "${started[@]}" 2>/dev/null
	wait
	[ -z "${UNWIND_KEEP:-}" ] || cp -r "$scratch" "$UNWIND_KEEP"
	rm -rf "$scratch"
}
trap finish EXIT

verdict() { # ok|not ok  TEXT
	number=$((number + 1))
	[ "$1" = ok ] || failed=$((failed + 1))
	echo "$1 $number - $2"
}

build() {
	local -a sources=(preload/sigsafe/unwind*.c preload/sigsafe/eh_*.c preload/sigsafe/module*.c
		preload/sigsafe/stack.c preload/sigsafe/peek.c)
	gcc -std=gnu11 -D_GNU_SOURCE -I. -O2 -g -Wall -Wextra -Wno-unused-parameter -fPIC -ftls-model=initial-exec \
		-fvisibility=hidden -fno-plt -shared -Wl,-z,defs,-z,now -o "$LIBRARY" "$HERE/unwind_oracle.c" "${sources[@]}" -ldl -lpthread &&
		g++ -O2 -g -o "$OUT/throws" "$HERE/throws.cc" &&
		gcc -std=gnu11 -D_GNU_SOURCE -I. -O2 -g -o "$OUT/odd_frames" tests/programs/odd_frames.c -ldl -lpthread -lm
}

# sampled NAME COMMAND...: becomes the command, under the oracle; its samples go to $scratch/NAME/out.PID.
sampled() {
	local name=$1
	shift
	mkdir -p "$scratch/$name"
	chmod 0777 "$scratch/$name"
	ORACLE_OUT=$scratch/$name/out ORACLE_HZ=5000 LD_PRELOAD=$LIBRARY exec "$@"
}

# judge NAME [odd|jit]: adds up what the processes of a program wrote. odd, jit: of code that keeps no table, or is made
# at run time, more may differ.
judge() {
	local name=$1 jit=${2:-} line
	line=$(cat "$scratch/$name"/out.* 2>/dev/null | awk -v name="$name" -v jit="$jit" '
		/^samples / { samples += $2; equal += $4; shorter += $8; longer += $10; different += $12 }
		/^differences:/ { made += $3; tableless += $5; resume += $7; unexplained += $9; we += $12; they += $14 }
		/^our ends:/ { complete += $4; module += $6; rule += $8; bad += $10; deep += $12 }
		/^frames a stack:/ { frames += $4; files++ }
		/^ours: / { ours += $6 } /^unw_step: / { theirs += $6 }
		END {
			if (!samples) { print "not", name ": no samples"; exit }
			whole = complete + deep
			wrong = different + shorter + (jit == "" ? longer : 0)
			good = wrong <= (jit == "jit" ? 0.05 : 0.001) * samples + 10 && !unexplained && \
				samples - whole <= 0.005 * samples + 10 && samples > 300
			printf "%s %s: %d samples of %.1f frames, %.3f %% equal to libunwind, %d longer, %d shorter, %d different; ",
				good ? "ok" : "not", name, samples, frames / files, 100 * equal / samples, longer, shorter, different
			if (samples > equal)
				printf "differing: no module %d, no table %d, resume %d, unexplained %d; of those %d of ours whole, %d of libunwind; ",
					made, tableless, resume, unexplained, we, they
			printf "%.3f %% whole (no module %d, no rule %d, bad stack %d, too deep %d); ns a frame %.1f, libunwind %.1f\n",
				100 * whole / samples, module, rule, bad, deep, ours / files, theirs / files
		}')
	if [ "${line%% *}" = ok ]; then
		verdict ok "${line#* }"
	else
		for file in "$scratch/$name"/out.*; do
			[ ! -e "$file" ] || head -n 120 "$file" | sed 's/^/# /'
		done
		verdict "not ok" "${line#* }"
	fi
}

wait_for_port() {
	local i
	for ((i = 0; i < 100; i++)); do
		(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
		sleep 0.1
	done
	return 1
}

load() { # PORT PATH
	wrk -t1 -c8 -d "${EACH}s" "http://127.0.0.1:$1$2" >"$scratch/wrk" 2>&1
}

wait_for_socket() {
	local i
	for ((i = 0; i < 100; i++)); do
		[ -S "$1" ] && return
		sleep 0.1
	done
	return 1
}

# (A php-fpm child writes its samples when it has served its requests; the last one is killed.)
stop() {
	kill -TERM "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

nginx_conf() { # PORT FPM_SOCKET
	cat <<-EOF
		daemon off;
		worker_processes 1;
		user $(id -un);
		pid $scratch/nginx.pid;
		error_log $scratch/nginx.log;
		events {}
		http {
			access_log off;
			client_body_temp_path $scratch/body;
			fastcgi_temp_path $scratch/fastcgi; proxy_temp_path $scratch/proxy;
			uwsgi_temp_path $scratch/uwsgi; scgi_temp_path $scratch/scgi;
			gzip on; gzip_min_length 1; gzip_types *;
			server {
				listen 127.0.0.1:$1;
				root $scratch/www;
				location / { add_header x-a \$request_id; ssi on; }
				location /php { fastcgi_pass unix:$2; fastcgi_param SCRIPT_FILENAME $scratch/www/load.php;
					fastcgi_param REQUEST_METHOD GET; fastcgi_param SCRIPT_NAME /load.php; }
			}
		}
	EOF
}

test_nginx() {
	local port pid
	port=$(free_port)
	mkdir -p "$scratch/www"
	head -c 20000 tests/oracle/unwind.sh >"$scratch/www/index.html"
	nginx_conf "$port" "$scratch/fpm.sock" >"$scratch/nginx.conf"
	# Its workers clear the environment; the library is in them already.
	sampled nginx nginx -c "$scratch/nginx.conf" -p "$scratch" >"$scratch/nginx.out" 2>&1 &
	pid=$!
	started+=("$pid")
	wait_for_port "$port" && wrk -t1 -c8 -d "${EACH}s" -H 'Accept-Encoding: gzip' "http://127.0.0.1:$port/" >/dev/null 2>&1
	stop "$pid"
	judge nginx
}

test_php_fpm() {
	local port pid fpm nginx i
	fpm=$(compgen -c php-fpm | grep -m 1 '^php-fpm[0-9.]*$')
	[ -n "$fpm" ] || { number=$((number + 1)); echo "ok $number - php-fpm # SKIP not installed"; return; }
	port=$(free_port)
	mkdir -p "$scratch/www"
	cat >"$scratch/www/load.php" <<-'EOF'
		<?php
		function down($n) { return $n ? array_map(fn($x) => down($n - 1), [1])[0] : json_encode(range(1, 300)); }
		$text = str_repeat("abc 123 ", 300);
		preg_match_all('/([a-z]+) (\d+)/', $text, $m);
		usort($m[0], fn($a, $b) => strcmp($a, $b));
		echo strlen(down(20)), md5(serialize($m)), strlen(gzcompress($text) ?: '');
	EOF
	cat >"$scratch/fpm.conf" <<-EOF
		[global]
		error_log = $scratch/fpm.log
		daemonize = no
		[www]
		user = $(id -un)
		listen = $scratch/fpm.sock
		pm = static
		pm.max_children = 1
		pm.max_requests = 400
	EOF
	nginx_conf "$port" "$scratch/fpm.sock" >"$scratch/nginx.conf"
	sampled php-fpm "$fpm" -R -y "$scratch/fpm.conf" >"$scratch/fpm.out" 2>&1 &
	pid=$!
	nginx -c "$scratch/nginx.conf" -p "$scratch" >/dev/null 2>&1 &
	nginx=$!
	started+=("$pid" "$nginx")
	wait_for_port "$port" && wait_for_socket "$scratch/fpm.sock" && load "$port" /php
	# On a busy machine no child may have served enough to end.
	for ((i = 0; i < 30 && $(cat "$scratch"/php-fpm/out.* 2>/dev/null | awk '/^samples / { n += $2 } END { print n + 0 }') < 1000; i++)); do
		load "$port" /php
	done
	stop "$nginx"
	stop "$pid"
	judge php-fpm jit # of regular expressions
}

test_postgres() {
	local -a as=()
	local bin i data=$scratch/pg/data
	bin=$(find /usr/lib/postgresql -name initdb -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
	if [ -z "$bin" ] || ! command -v pgbench >/dev/null; then
		number=$((number + 1))
		echo "ok $number - psql # SKIP no PostgreSQL here"
		return
	fi
	mkdir -p "$scratch/pg"
	if [ "$(id -u)" -eq 0 ]; then
		chown postgres "$scratch/pg"
		as=(runuser -u postgres --)
	fi
	"${as[@]}" "$bin/initdb" -D "$data" -A trust -N >"$scratch/initdb" 2>&1 || cat "$scratch/initdb"
	"${as[@]}" "$bin/pg_ctl" -w -D "$data" -l "$scratch/pg/log" -o "-k $scratch/pg -c listen_addresses= -c fsync=off" start >/dev/null
	"${as[@]}" pgbench -h "$scratch/pg" -i -s 1 -q postgres >/dev/null 2>&1
	# libpq reads 50,000 rows a time, psql draws them as a table.
	for ((i = 0; i < EACH * 10; i++)); do
		echo "select aid, bid, abalance, filler, 'text' || aid as text from pgbench_accounts where aid <= 50000;"
	done >"$scratch/select.sql"
	(sampled psql psql -h "$scratch/pg" -U postgres -q -f "$scratch/select.sql" postgres >/dev/null 2>"$scratch/psql.out")
	"${as[@]}" "$bin/pg_ctl" -w -D "$data" -m fast stop >/dev/null
	judge psql
}

build || {
	echo "1..1"
	echo "not ok 1 - the oracle is built"
	exit 1
}
if ! /usr/bin/python3 tests/clients/perf_works.py >/dev/null 2>&1; then
	echo "1..1"
	echo "ok 1 - stacks equal libunwind's # SKIP perf events are refused"
	exit 0
fi
(sampled python3 /usr/bin/python3 "$HERE/unwind_load.py" "$EACH" >/dev/null)
judge python3
(sampled throws "$OUT/throws" "$EACH" >/dev/null)
judge throws
(sampled odd_frames "$OUT/odd_frames" "$EACH" >/dev/null)
judge odd_frames odd
test_nginx
test_php_fpm
test_postgres
if command -v node >/dev/null; then
	(sampled node node "$HERE/unwind_load.js" "$EACH" >/dev/null)
	judge node jit
fi
echo "1..$number"
[ "$failed" -eq 0 ]
