#!/bin/bash
# The Python walker against real interpreters. Prints TAP.
#
# Takes the system's python3, those of other Debian suites (tests/pythons.sh) and what pyenv has, two at
# a time; a missing one is skipped. Each single-steps through a test program when it is the system's.
#
# B                build directory (build): the library goes to $B/oracle
# PYTHONS          interpreters to test instead
# STRESS_SECONDS   how long the signals of each stress test last (2); 60 and more also lets every
#                  test do all it can
set -u
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build}
SECONDS_EACH=${STRESS_SECONDS:-2}
JOBS=${REQPROF_TEST_JOBS:-2}
HERE=tests/oracle
OUT=$B/oracle
mkdir -p "$OUT" || exit 1
case $OUT in
/*) ;;
*) OUT=$PWD/$OUT ;;
esac

number=0 failed=0
scratch=$(mktemp -d) || exit 1
uwsgi=
# shellcheck disable=SC2317 # reached by the trap
finish() {
	[ "$BASHPID" = $$ ] || return
	[ -n "$uwsgi" ] && kill -KILL "$uwsgi" 2>/dev/null
	rm -rf "$scratch"
}
trap finish EXIT

# Takes "ok - ..." lines without numbers and "# ..." lines, prints them numbered.
numbered() {
	local line
	while IFS= read -r line; do
		case $line in
		'ok - '* | 'not ok - '*)
			number=$((number + 1))
			[ "${line%% - *}" = ok ] || failed=$((failed + 1))
			echo "${line%% - *} $number - ${line#* - }"
			;;
		*) echo "$line" ;;
		esac
	done <"$1"
}

# run TITLE COMMAND...: its lines, and one more test: that it came to its end.
run() {
	local title=$1 status errors
	shift
	errors=$(mktemp -p "$scratch")
	"$@" 2>"$errors"
	status=$?
	sed 's/^/# /' "$errors" | head -n 20
	if [ $status -eq 0 ]; then
		echo "ok - $title came to its end"
	else
		echo "not ok - $title came to its end (status $status)"
	fi
}

skip() {
	echo "ok - $1 # SKIP $2"
}

build() {
	local -a sources=(preload/sigsafe/python.c preload/sigsafe/codes.c preload/sigsafe/peek.c
		preload/sigsafe/cpython/*.c format/code_lines.c)
	gcc -std=gnu11 -D_GNU_SOURCE -I. -O2 -g -Wall -Wextra -Wno-unused-parameter -fPIC \
		-fvisibility=hidden -fno-plt -shared -Wl,-z,defs,-z,now \
		-o "$OUT/python_oracle.so" "$HERE/python_oracle.c" "${sources[@]}" &&
		gcc -std=gnu11 -D_GNU_SOURCE -I. -O2 -g -Wall -Wextra -Wno-unused-parameter \
			-o "$OUT/python_late" "$HERE/python_late.c" "${sources[@]}" -ldl
}

# Two applications in one uwsgi are two interpreters, and its threads belong to both.
served_by_uwsgi() {
	local socket=$scratch/socket i path answers=0
	local -a clients=()
	uwsgi --plugin python3 --http-socket "$socket" --chmod-socket=600 --threads 16 --need-app --manage-script-name \
		--mount /a=tests/apps/python_oracle_app.py --mount /b=tests/apps/python_oracle_app.py \
		--pythonpath "$HERE" --die-on-term >"$scratch/uwsgi.log" 2>&1 &
	uwsgi=$!
	for ((i = 0; i < 100; i++)); do
		curl -s --unix-socket "$socket" http://x/a/ >/dev/null && break
		sleep 0.1
	done
	for ((i = 0; i < 160; i++)); do
		path=a
		[ $((i % 2)) -eq 0 ] || path=b
		curl -s --max-time 30 --unix-socket "$socket" "http://x/$path/" >"$scratch/answer.$i" &
		clients+=($!)
		[ $((i % 16)) -ne 15 ] || { wait "${clients[@]}"; clients=(); }
	done
	kill -TERM "$uwsgi"
	wait "$uwsgi" 2>/dev/null
	uwsgi=
	answers=$(cat "$scratch"/answer.* | grep -c '^/[ab]: [1-9][0-9]* probes, ')
	grep -h '^# ' "$scratch"/answer.* | head -n 5
	if [ "$answers" -eq 160 ] && [ "$(cat "$scratch"/answer.* | grep -c ' 0 problems$')" -eq 160 ]; then
		echo "ok - two applications, 16 threads in one uwsgi: stacks are the interpreter's"
	else
		echo "# $answers answers of 160"
		tail -n 5 "$scratch/uwsgi.log" | sed 's/^/# /'
		echo "not ok - two applications, 16 threads in one uwsgi: stacks are the interpreter's"
	fi
}

build || {
	echo "1..1"
	echo "not ok 1 - the oracle is built"
	exit 1
}
export PYTHON_ORACLE=$OUT/python_oracle.so PYTHONDONTWRITEBYTECODE=1

files=30
[ "$SECONDS_EACH" -lt 60 ] || files=0
# A libpython as a server's plugin has it, in a program that has the C library of the interpreter.
late() { # VERSION LIBRARY PYTHON
	local program=$scratch/late.$1 linker
	linker=$(patchelf --print-interpreter "$3" 2>/dev/null)
	cp "$OUT/python_late" "$program" || return
	case $linker in
	"${XDG_CACHE_HOME:-$HOME/.cache}"/*)
		patchelf --set-interpreter "$linker" --force-rpath --set-rpath "$(patchelf --print-rpath "$3")" "$program" || return
		;;
	esac
	PYTHONHOME=${3%/bin/*} "$program" "$2" | sed -n "s/^\(not ok\|ok\) [0-9]* - /\1 - libpython $1 loaded privately: /p; /^#/p"
	return "${PIPESTATUS[0]}"
}

test_one() { # PYTHON
	local python=$1 version library
	if ! version=$("$python" -c 'import ctypes, sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null); then
		skip "$python" "not there, or without ctypes"
		return
	fi
	if [ ! -e "preload/sigsafe/cpython/v$(cut -d. -f1,2 <<<"$version" | tr . _).h" ]; then
		skip "python $version" "no layout for this version"
		return
	fi
	run "python $version: comparing stacks" "$python" $HERE/python_situations.py
	run "python $version: comparing lines" "$python" $HERE/python_lines.py $files
	run "python $version: stress" "$python" $HERE/python_stress.py "$SECONDS_EACH"
	if [ "$python" = /usr/bin/python3 ] || [ "$SECONDS_EACH" -ge 60 ]; then
		run "python $version: stepping" "$python" $HERE/python_step.py 1
	fi
	library=$("$python" -c 'import os, sys, sysconfig
get = sysconfig.get_config_var
name = "libpython%s.so.1.0" % sysconfig.get_python_version()
folders = [get("LIBDIR") or "", sys.base_prefix + "/lib"]
found = [os.path.join(folder, arch, name) for folder in folders for arch in ("", get("MULTIARCH") or "")]
own = [path for path in found if path.startswith(sys.base_prefix)]
print(([path for path in own if os.path.exists(path)] + [""])[0])')
	if [ -n "$library" ]; then
		run "libpython $version loaded privately: the program" late "$version" "$library" "$python"
	else
		skip "libpython $version loaded privately" "no shared libpython"
	fi
}

interpreters() {
	local line
	echo /usr/bin/python3
	tests/pythons.sh >"$scratch/suites" 2>&1
	awk '!/^#/ { print $2 }' "$scratch/suites"
	printf '%s\n' "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3
}

if [ -n "${PYTHONS:-}" ]; then
	read -r -a pythons <<<"$PYTHONS"
else
	mapfile -t pythons < <(interpreters)
	sed -n 's/^# \(.*\): \(.*\)/ok - interpreters of \1 # SKIP \2/p' "$scratch/suites" >"$scratch/skipped"
	numbered "$scratch/skipped"
fi
for i in "${!pythons[@]}"; do
	[ "$i" -lt "$JOBS" ] || wait -n
	test_one "${pythons[i]}" >"$scratch/tap.$i" &
done
wait
for i in "${!pythons[@]}"; do
	numbered "$scratch/tap.$i"
done

if uwsgi --plugin python3 --version >/dev/null 2>&1 && type curl >/dev/null 2>&1; then
	served_by_uwsgi >"$scratch/uwsgi"
	numbered "$scratch/uwsgi"
else
	skip "two applications in one uwsgi" "no uwsgi with its python3 plugin, or no curl" >"$scratch/uwsgi"
	numbered "$scratch/uwsgi"
fi
echo "1..$number"
[ "$failed" -eq 0 ]
