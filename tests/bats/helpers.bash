# What every test file starts from: where things are, polling instead of sleeping, processes that
# are gone when the test is over. Load it with `load helpers`.
bats_require_minimum_version 1.5.0

TESTS=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
export B=${B:-$TESTS/../build}
LIBREQPROF=$B/libreqprof.so
REQPROF=$B/reqprof
PROGRAMS=$B/tests/programs
# Debian's own: a python3 found first in PATH may be a shim that starts other programs.
PYTHON=/usr/bin/python3
export PYTHONDONTWRITEBYTECODE=1
export LC_ALL=C.UTF-8
# Where commands keep names: of this run, and found filled by other tests at times.
USERS_CACHE=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}
export XDG_CACHE_HOME=${BATS_RUN_TMPDIR:-/nonexistent}/cache

# ---- needs

# requires perf|COMMAND...: skips the test with a reason. (With REQPROF_REQUIRE_PERF=1 the runner
# counts a test skipped for want of perf as failed.)
requires() {
	local what
	for what in "$@"; do
		case $what in
		perf)
			"$PYTHON" "$TESTS/clients/perf_works.py" ||
				skip "perf events are not permitted here"
			;;
		*)
			command -v "$what" >/dev/null || skip "$what is not installed"
			;;
		esac
	done
}

# ---- polling

# retry [-t SECONDS] COMMAND...: until it succeeds; after SECONDS (30) shows what it said and fails.
# The limit only ends a hopeless wait; no test passes or fails by how long something took.
retry() {
	local seconds=${RETRY_SECONDS:-90} said
	if [ "$1" = -t ]; then
		seconds=$2
		shift 2
	fi
	local end=$((SECONDS + seconds))
	until said=$("$@" 2>&1); do
		if [ "$SECONDS" -ge "$end" ]; then
			printf 'gave up after %s s on: %s\n%s\n' "$seconds" "$*" "$said" >&2
			return 1
		fi
		sleep 0.05
	done
}

# shellcheck source=tests/ports.bash
. "${BASH_SOURCE[0]%/*}/../ports.bash"

# ---- processes

# spawn NAME COMMAND...: in the background, output to $BATS_TEST_TMPDIR/NAME.log, its pid in $NAME_pid.
# It leads a process group of its own, dies with this test, and `reap` ends it.
spawn() {
	local name=$1
	shift
	setsid setpriv --pdeathsig KILL -- "$@" >"$BATS_TEST_TMPDIR/$name.log" 2>&1 </dev/null 3>&- &
	printf -v "${name}_pid" %s $!
	spawned+=("$!")
}
spawned=()

group_gone() { ! kill -0 -- "-$1" 2>/dev/null; }

# stop PID [SIGNAL]: ends a spawned group and waits until all of it is gone.
stop() {
	kill "-${2:-TERM}" -- "-$1" 2>/dev/null || true
	retry group_gone "$1" || {
		kill -KILL -- "-$1"
		return 1
	}
	wait "$1" 2>/dev/null || true
}

reap() {
	local pid
	for pid in "${spawned[@]}"; do
		# The group, or the process alone when it has not come to lead one yet.
		kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
	done
	for pid in "${spawned[@]}"; do
		wait "$pid" 2>/dev/null || true
	done
	spawned=()
	live_files | xargs -r rm -f
}

teardown() { reap; }

# server_up NAME PORT: spawn's NAME listens; shows its log when it died instead.
server_up() {
	local pid_name=${1}_pid
	retry -t 60 listening_or_dead "${!pid_name}" "$2"
	listening "$2" || {
		cat "$BATS_TEST_TMPDIR/$1.log" >&2
		return 1
	}
}
listening_or_dead() { listening "$2" || ! kill -0 "$1" 2>/dev/null; }

# ---- the library

# profiled COMMAND...: the words that run COMMAND with the library and output to $profiles.
# Use: spawn NAME $(profiled) COMMAND..., or "${preload[@]}".
use_profiles() {
	profiles=${1:-$BATS_TEST_TMPDIR/profiles}
	preload=(env "LD_PRELOAD=$LIBREQPROF" "REQPROF_DIR=$profiles")
}

# The live files (recover) of this test's processes; and of those of them that are gone.
live_files() {
	local file
	for file in "${REQPROF_LIVE:-/dev/shm}"/reqprof-live.*; do
		[ -e "$file" ] && head -qc 8192 "$file" | grep -qaF "$BATS_TEST_TMPDIR" && echo "$file"
	done
	return 0
}
dead_live_files() {
	local file pid
	for file in $(live_files); do
		pid=${file##*/reqprof-live.}
		grep -qs '^State:[^ZX]*$' "/proc/${pid%%.*}/status" || echo "$file"
	done
}

profile_files() { find -H "$profiles" -maxdepth 1 -name '*.pprof' -printf '%f\n' 2>/dev/null | sort; }
profile_count() { profile_files | wc -l; }
has_profiles() {
	local n
	n=$(profile_count)
	[ "$n" -ge "$1" ] || { echo "$n profiles, not $1"; return 1; }
}

# settle PID N: waits for N profiles, ends the server, and fails unless there are exactly N then:
# a file that came late or twice is seen, as is a temporary file left behind.
settle() {
	retry has_profiles "$2" || return 1
	stop "$1" "${3:-TERM}" || return 1
	local n left
	n=$(profile_count)
	left=$(find "$profiles" -mindepth 1 ! -name '*.pprof' ! -name 'reqprof.control')
	[ "$n" -eq "$2" ] || {
		echo "$n profiles where $2 were due" >&2
		return 1
	}
	is "" "$left" "files left that are no profiles:"
}

# facts [-s] FILE...: what our own decoder (tests/clients/read_profile.py), which shares no code
# with reqprof, finds in profiles: one JSON object a line; with -s stacks too.
facts() { "$PYTHON" "$TESTS/clients/read_profile.py" "$@"; }
all_facts() { facts "$@" "$profiles"/*.pprof; }

# faketime_forget PID: what libfaketime keeps for that process's children outlives it when it is killed.
faketime_forget() { rm -f "/dev/shm/faketime_shm_$1" "/dev/shm/sem.faketime_sem_$1"; }

# is WANT GOT [WHAT]: equal texts, or says both.
is() {
	[ "$1" = "$2" ] || {
		printf '%s\nwanted: %s\n   got: %s\n' "${3:-not the same:}" "$1" "$2" >&2
		return 1
	}
}

load_client() { "$PYTHON" "$TESTS/clients/http_load.py" "$@"; }
get() { curl -sS --max-time 120 "http://127.0.0.1:$port$1" "${@:2}"; }
