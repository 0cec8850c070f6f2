# For suites of Python's unittest cases, run bare and with the library preloaded, switched on and sampling fast.
# suite_run TITLE FILE... prints TAP, a test for each file, and what differs by test case. Each test case runs inside
# an HTTP request (inside_request.py), so what it does is watched and sampled. A file with a difference is run
# twice more each way, alone: what then agrees is reported as flaky, and only what never agrees fails.
#
# B     build directory (build)
# KEEP  a directory that keeps the outcomes and what the tests printed
# EXCLUDED, an array: not run in either way: a pattern of unittest names, and why.
B=${B:-build}
LIBREQPROF=$(realpath "$B")/libreqprof.so
PYTHON=/usr/bin/python3

out=${KEEP:-$(mktemp -d)}
mkdir -p "$out"
[ -n "${KEEP:-}" ] || trap 'rm -rf "$out"' EXIT
excluded=""

# suite_needs MODULE PACKAGE: ends the script if the suite is not installed.
suite_needs() {
	"$PYTHON" -c "import $1" 2>/dev/null && return
	echo "1..0 # SKIP $2 is not installed"
	exit 0
}

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

# The request in which a preloaded run happened has a profile: the library was at work. (One of them: a run that
# breaks off, bare or preloaded, leaves none.)
was_on() {
	local profile
	for profile in "$out/$1".preloaded.*.profiles/POST.inside.*.pprof; do
		[ -e "$profile" ] && return
	done
	return 1
}

suite_exclude() {
	local i
	for ((i = 0; i < ${#EXCLUDED[@]}; i += 2)); do
		echo "# excluded: ${EXCLUDED[i]}: ${EXCLUDED[i + 1]}"
		excluded+="${EXCLUDED[i]} "
	done
}

suite_run() {
	local title=$1 number=0 failed=0 file again started said status verdict
	shift
	echo "1..$#"
	suite_exclude
	for file in "$@"; do
		number=$((number + 1))
		started=$SECONDS
		run bare "$file" 1 &
		run preloaded "$file" 1
		wait
		said=$(compare "$file" 1)
		status=$?
		if [ "$status" -ne 0 ]; then
			for again in 2 3; do
				run preloaded "$file" "$again"
				run bare "$file" "$again"
			done
			said=$(compare "$file" 3)
			status=$?
		fi
		if [ "$status" -eq 0 ] && ! was_on "$file"; then
			said="# no profile of the request around $file: the library was not at work"$'\n'$said
			status=1
		fi
		sed '$d' <<<"$said"
		verdict=ok
		[ "$status" -eq 0 ] || verdict="not ok" failed=1
		echo "$verdict $number - $title $(tail -n 1 <<<"$said") ($((SECONDS - started)) s)"
	done
	return "$failed"
}
