#!/bin/bash
# Signal safety by construction: the objects of preload/sigsafe take from elsewhere exactly what
# tests/sigsafe-symbols allows, each with its reason. Prints TAP.
cd "$(dirname "$0")/.." || exit 1
B=${B:-build}
# Of the sources that are there: an old build has objects of others.
mapfile -t objects < <(find preload/sigsafe -name '*.c' | sed "s|.*|$B/lib/&|; s|c$|o|" | xargs ls 2>/dev/null)
echo "1..2"
if [ ${#objects[@]} -lt 10 ]; then
	echo "not ok 1 - sigsafe takes only what is allowed"
	echo "# no objects in $B/lib/preload/sigsafe: build first"
	echo "not ok 2 - each symbol allowed there is needed"
	exit 1
fi
taken=$(comm -23 <(nm -u "${objects[@]}" | awk 'NF == 2 { print $2 }' | sort -u) \
	<(nm --defined-only "${objects[@]}" | awk 'NF == 3 { print $3 }' | sort -u))
# Those of plain memory may come and go with the compiler's idiom recognition.
allowed=$(awk '!/^#/ && NF > 1 { print $1 }' tests/sigsafe-symbols | sort)
extra=$(comm -23 <(echo "$taken") <(echo "$allowed"))
idle=$(comm -13 <(echo "$taken") <(grep -vE '^mem|_GLOBAL' <<<"$allowed"))
status=0
report() { # NUMBER TITLE COMPLAINT
	if [ -n "$3" ]; then
		echo "not ok $1 - $2"
		echo "# ${3//$'\n'/ }"
		status=1
	else
		echo "ok $1 - $2"
	fi
}
report 1 "sigsafe takes only what is allowed" "$extra"
report 2 "each symbol allowed there is needed" "$idle"
exit $status
