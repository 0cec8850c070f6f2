# The attribution test (tests/clients/attribution.py): 2,000 requests of all manners, 32 at a time, for
# tests/apps/burning.*: has each its own profile, with its own work in it and nobody else's? Load it after helpers
# and serves.

setup() {
	requires perf
	use_profiles
	preload+=("PYTHONPATH=$TESTS/apps")
	port=$(free_port)
	sent=$BATS_TEST_TMPDIR/sent
}

# loaded MANNERS [OPTION...]: sends REQUESTS (2000) requests to $port, KEPT (12) on a connection that is kept alive; each has
# a profile then, or there are FILES in all.
loaded() {
	local said count=${REQUESTS:-2000}
	said=$("$PYTHON" "$TESTS/clients/attribution.py" load --port "$port" --out "$sent" \
		--requests "$count" --kept "${KEPT:-12}" "${@:2}" --manners "$1") || {
		echo "$said" >&2
		return 1
	}
	is "$count" "$said"
	retry has_profiles "${FILES:-$count}" || {
		"$REQPROF" ctl "$profiles" status --json | jq -c '.totals | with_entries(select(.value != 0))' >&2
		return 1
	}
}

# attributed NAME MANNERS [OPTION...]: loads the server that `spawn NAME` started, ends it, and checks.
# Environment: REQUESTS (2000); ROUTER=1: a proxy makes a second profile of each; SIGNAL that ends it (TERM); PERF_MAP=1: names of generated code from its map,
# which the command MAPPED_BY (none) writes when it is given the process's id.
attributed() {
	local name=$1 manners=$2 pid_name=${1}_pid map=()
	local FILES=$((${REQUESTS:-2000} * (1 + ${ROUTER:-0})))
	shift 2
	server_up "$name" "$port"
	loaded "$manners"
	if [ "${PERF_MAP:-}" = 1 ]; then
		map=(--perf-map "$BATS_TEST_TMPDIR/map")
		[ -z "${MAPPED_BY:-}" ] || "$MAPPED_BY" "${!pid_name}"
		cp "/tmp/perf-${!pid_name}.map" "$BATS_TEST_TMPDIR/map"
		rm -f "/tmp/perf-${!pid_name}.map"
	fi
	status=$("$REQPROF" ctl "$profiles" status --json)
	settle "${!pid_name}" "$FILES" "${SIGNAL:-TERM}"
	"$PYTHON" "$TESTS/clients/attribution.py" check --sent "$sent" ${ROUTER:+--router} "${map[@]}" "$@" "$profiles"
	is "$FILES $FILES" "$(jq -r '"\(.totals.requests_seen) \(.totals.files_written)"' <<<"$status")"
}

# Of the samples, at most so many in a hundred could be given to nobody.
shared_at_most() {
	jq -e --argjson most "$1" '.totals | .samples_shared * 100 <= $most * (.samples + .samples_shared)' \
		<<<"$status" || {
		jq -c '.totals | with_entries(select(.value != 0))' <<<"$status" >&2
		return 1
	}
}
