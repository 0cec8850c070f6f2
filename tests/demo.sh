#!/bin/bash
# The story that reqprof was written for, on the real application: OpenStack placement on SQLite under
# uwsgi, 200 resource providers, and one question: where does GET /resource_providers spend its time?
# Needs nothing but this tree and the packages of `make deps`; cleans up after itself.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
B=${B:-build}
case $B in
/*) ;;
*) B=$root/$B ;;
esac
reqprof=$B/reqprof
python=/usr/bin/python3
providers=200
requests=20

work=$(mktemp -d)
export XDG_CACHE_HOME=$work/cache
server=
finish() {
	if [ -n "$server" ]; then
		kill -INT "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

fail() {
	echo "demo: $*" >&2
	tail -n 20 "$work/server.log" >&2 2>/dev/null || true
	exit 1
}
# show COMMAND...: says what is typed, as a user would type it, and runs it.
show() {
	local words=${*//"$reqprof"/reqprof}
	printf '\n$ %s\n' "${words//"$work/"/}"
	"$@"
}
listening() { (exec 9<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# until COMMAND... succeeds, or the server is gone, or a minute has passed.
wait_for() {
	local end=$((SECONDS + 60))
	until "$@"; do
		kill -0 "$server" 2>/dev/null || fail "the server ended"
		[ "$SECONDS" -lt "$end" ] || fail "gave up waiting for: $*"
		sleep 0.1
	done
}
profiles_written() { [ "$(find "$work/reqprof.out" -name '*.pprof' 2>/dev/null | wc -l)" -ge "$1" ]; }

for program in uwsgi placement-api jq curl; do
	command -v "$program" >/dev/null || fail "$program is missing: run make deps"
done

port=
while [ -z "$port" ] || listening "$port"; do
	port=$((10000 + RANDOM % 22000))
done

cat >"$work/placement.conf" <<-END
	[api]
	auth_strategy = noauth2
	[placement_database]
	connection = sqlite:///$work/placement.db
	sync_on_startup = true
END
export OS_PLACEMENT_CONFIG_DIR=$work

cd "$work"
cat <<'END'
OpenStack placement, unmodified, under uwsgi, with profiling switched off for now:
END
# Debian's uwsgi keeps Python and the HTTP router in plugins; a uwsgi from pip needs no --plugin.
server_command=(uwsgi --plugin "http,python3" -M --http "127.0.0.1:$port"
	--wsgi-file /usr/bin/placement-api --processes 2 --threads 10)
printf '\n$ reqprof run --off -o reqprof.out -- %s\n' "${server_command[*]}"
"$reqprof" run --off -o reqprof.out -- "${server_command[@]}" >"$work/server.log" 2>&1 &
server=$!
wait_for listening "$port"

echo
echo "Making $providers resource providers with inventories through its API ..."
"$python" "$root/tests/clients/placement_providers.py" "$port" "$providers"
written=$(find "$work/reqprof.out" -name '*.pprof' 2>/dev/null | wc -l)
echo "... done; profiles written so far: $written"

show "$reqprof" ctl reqprof.out on

printf '\n$ curl http://127.0.0.1:%s/resource_providers    # %s times\n' "$port" "$requests"
for ((i = 0; i < requests; i++)); do
	curl -sS -H 'X-Auth-Token: admin' -H 'OpenStack-API-Version: placement 1.39' \
		"http://127.0.0.1:$port/resource_providers" >"$work/answer"
	[ "$(jq '.resource_providers | length' "$work/answer")" -eq "$providers" ] ||
		fail "placement did not answer with $providers providers"
done
# A profile by the worker and one by uwsgi's router for each; ls and report count a request once.
wait_for profiles_written $((2 * requests))

show "$reqprof" ls --sort wall --limit 8 reqprof.out
show "$reqprof" report --mode python --limit 12 reqprof.out
show "$reqprof" ctl reqprof.out status

# ---- what it found

"$reqprof" report --json --no-limit --mode python reqprof.out >"$work/report.json"
echo
echo "The hottest lines of placement's own code in GET /resource_providers, $providers providers:"
"$python" - "$work/report.json" <<'END' || fail "the lines of _serialize_links were not found"
import json
import linecache
import sys

with open(sys.argv[1]) as file:
    report = json.load(file)

# By the time that a line takes with all that it calls. handlers/ is where a request arrives when
# the layers that only pass it on are left out.
whole = report["user_ns"]
lines = [line for line in report["lines"] if "/placement/handlers/" in (line["file"] or "")]
lines.sort(key=lambda line: line["total_cpu_ns"], reverse=True)
for line in lines[:12]:
    print("  %5.1f %%  %s, %s:%d\n           %s" % (
        100.0 * line["total_cpu_ns"] / whole, line["name"],
        line["file"].partition("/dist-packages/")[2] or line["file"], line["line"],
        linecache.getline(line["file"], line["line"]).strip()))
sys.exit(0 if any(line["name"] == "_serialize_links" for line in lines[:12]) else 1)
END
