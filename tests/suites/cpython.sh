#!/bin/bash
# CPython's own regression tests with the library preloaded, switched on and sampling fast, against
# the same tests bare: prints TAP, a test for each file, and what differs by test case.
#
#   tests/suites/cpython.sh [full | FILE...]
#
# Without arguments those that are quick. Each test case runs inside an HTTP request (inside_request.py),
# so what it does is watched and sampled. A file with a difference is run twice more each way, alone:
# what then agrees is reported as flaky, and only what never agrees fails.
#
# B     build directory (build)
# KEEP  a directory that keeps the outcomes and what the tests printed
set -u
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build}
LIBREQPROF=$(realpath "$B")/libreqprof.so
PYTHON=/usr/bin/python3

QUICK=(test_epoll test_exceptions test_faulthandler test_http_cookiejar test_httplib test_httpservers test_poll
	test_posix test_pty test_select test_selectors test_socketserver test_ssl test_thread test_wsgiref)
FULL=("${QUICK[@]}" test_asyncio test_eintr test_io test_multiprocessing_fork test_os test_signal test_socket
	test_subprocess test_threading)

# Not run in either way: a pattern of unittest names, and why.
EXCLUDED=(
	"*VSOCK*" "hangs without the library too, where the hypervisor offers a vsock and nobody answers on it"
)

out=${KEEP:-$(mktemp -d)}
mkdir -p "$out"
[ -n "${KEEP:-}" ] || trap 'rm -rf "$out"' EXIT

case ${1:-} in
full) files=("${FULL[@]}") ;;
"") files=("${QUICK[@]}") ;;
*) files=("$@") ;;
esac

if ! "$PYTHON" -c 'import test.test_socket' 2>/dev/null; then
	echo "1..0 # SKIP libpython3.11-testsuite is not installed"
	exit 0
fi

excluded=""
for ((i = 0; i < ${#EXCLUDED[@]}; i += 2)); do
	echo "# excluded: ${EXCLUDED[i]}: ${EXCLUDED[i + 1]}"
	excluded+="${EXCLUDED[i]} "
done

# run WAY FILE NUMBER: outcomes in $out/FILE.WAY.NUMBER, what it printed beside them.
run() {
	local way=$1 file=$2 base=$out/$2.$1.$3
	local -a preload=()
	mkdir -p "$base.tmp"
	[ "$way" = bare ] || preload=("LD_PRELOAD=$LIBREQPROF" "REQPROF_DIR=$base.profiles" REQPROF_RATE=9970)
	env "TMPDIR=$base.tmp" "SUITE_EXCLUDED=$excluded" PYTHONDONTWRITEBYTECODE=1 "${preload[@]}" \
		setsid "$PYTHON" tests/suites/inside_request.py "$file" "$base" >"$base.log" 2>&1 </dev/null
	rm -rf "$base.tmp"
}

# compare FILE N: of N runs each way.
compare() {
	local file=$1 n=$2 i bare="" preloaded=""
	for ((i = 1; i <= n; i++)); do
		bare+=,$out/$file.bare.$i
		preloaded+=,$out/$file.preloaded.$i
	done
	"$PYTHON" tests/suites/compare.py "$file" "${bare#,}" "${preloaded#,}"
}

# The request in which the last preloaded run happened has a profile: the library was at work.
was_on() {
	local file=$1 number=$2 profile
	for profile in "$out/$file.preloaded.$number.profiles"/POST.inside.*.pprof; do
		[ -e "$profile" ] && return
	done
	return 1
}

number=0 failed=0
echo "1..${#files[@]}"
for file in "${files[@]}"; do
	number=$((number + 1)) last=1
	started=$SECONDS
	run bare "$file" 1 &
	run preloaded "$file" 1
	wait
	said=$(compare "$file" 1)
	status=$?
	if [ "$status" -ne 0 ]; then
		for last in 2 3; do
			run preloaded "$file" "$last"
			run bare "$file" "$last"
		done
		said=$(compare "$file" 3)
		status=$?
	fi
	if [ "$status" -eq 0 ] && ! was_on "$file" "$last"; then
		said="# no profile of the request around $file: the library was not at work"$'\n'$said
		status=1
	fi
	sed '$d' <<<"$said"
	verdict=ok
	[ "$status" -eq 0 ] || verdict="not ok" failed=1
	echo "$verdict $number - CPython's $(tail -n 1 <<<"$said") ($((SECONDS - started)) s)"
done
exit "$failed"
