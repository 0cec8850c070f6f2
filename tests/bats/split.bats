# Where the wall time went: its parts and what was waited for, in every command that shows them. The profiles are made by
# hand (tests/data/make_profile.py), so what must be shown is known exactly.
load helpers
load fixtures

setup() {
	made=$BATS_TEST_TMPDIR/made
	mkdir "$made"
	one=$made/GET.users.42.300ms.1795446911.8368-42.pprof
	waiting_profile "$one"
	out=$BATS_TEST_TMPDIR/out
}

# within LOW HIGH NUMBER
within() { jq -en --argjson low "$1" --argjson high "$2" --argjson number "$3" '$low <= $number and $number <= $high' >/dev/null; }

# has LINE: a line of $output that has these words, with any space between them.
has() {
	grep -qE -- "$(sed -E 's/[][().*^$?+{}|\\]/\\&/g; s/ +/[[:space:]]+/g' <<<"$1")" <<<"$output" || {
		printf 'no line with: %s\nin:\n%s\n' "$1" "$output" >&2
		return 1
	}
}

@test "ls has a column for each part of the wall time, and sorts by each" {
	make_profile -o "$made/GET.b.pprof" --stack '10 /srv/app.py:1:app:6' --wait '90|GIL||at=0|' --start 1795446912000000000
	run -0 "$REQPROF" ls "$made"
	has "STATUS WALL USER KERNEL WAIT GIL REST SAMPLES FILE"
	has "200 300ms 60.2ms 16.0ms 176ms 41.0ms 47.8ms 60"
	local key
	for key in user kernel cpu wait gil runnable; do
		"$REQPROF" ls --json --sort "$key" "$made" |
			jq -e --arg key "${key}_ns" 'map(.[$key]) | . == (sort | reverse)' >/dev/null
	done
	is 42 "$("$REQPROF" ls --json --sort trips "$made" | jq -r '.[0].path | split("/") | last')"
	is 90000000 "$("$REQPROF" ls --json --sort gil "$made" | jq '.[0].gil_ns')"
}

@test "ls --json has all parts, and they are the wall time" {
	"$REQPROF" ls --json "$one" | jq -e '.[0] |
		.wall_ns == .user_ns + .kernel_ns + .wait_ns + .runnable_ns + .rest_ns - .overlap_ns
		and .cpu_ns == .user_ns + .kernel_ns and .gil_ns == 41000000 and .round_trips == 37
		and .waits == 40 and .faults == 12 and .runnable_ns == 4000000 and .queued_ns == null'
}

@test "report's parts add up to 100.0 % and to the wall time" {
	run -0 "$REQPROF" report "$one"
	has "= user CPU 60.2ms 20.1 % ± "
	has "    Python 20.1ms"
	has "    native code 40.1ms"
	has "+ kernel 16.0ms 5.3 % ± "
	has "+ waiting 176ms 58.7 % 40 waits, 37 round trips"
	has "    socket 127.0.0.1:5432 125ms 41.7 %"
	has "    GIL 41.0ms"
	has "+ waiting for a CPU 4.0ms"
	has "+ unaccounted"
	is 100.0 "$(grep -E '^  [=+] ' <<<"$output" | grep -oE '[0-9.]+ %' | awk '{ sum += $1 } END { printf "%.1f", sum }')"
	"$REQPROF" report --json "$one" | jq -e '.wall_ns == .user_ns + .kernel_ns + .wait_ns + .runnable_ns + .rest_ns
		and .user_ns == .python_ns + .native_ns and .wait_ns == ([.waits[].total_ns] | add)'
}

@test "every sampled figure says how sure it is, and a wait that it is exact" {
	"$REQPROF" report --json --no-limit "$one" >"$out"
	jq -e '.user_interval_ns[0] < .user_ns and .user_ns < .user_interval_ns[1]' "$out"
	jq -e '.functions | map(select(.name == "render"))[0] |
		.self_ticks == 20 and .self_interval_ns[0] < .self_wall_ns and .self_wall_ns < .self_interval_ns[1]' "$out"
	# 41 of its 61 ms are a wait: the truth is at least that.
	jq -e '.functions | map(select(.name == "render"))[0].self_interval_ns[0] > 41000000' "$out"
	jq -e '.functions | map(select(.name == "do_execute"))[0] |
		.self_interval_ns == [40000000, 40000000] and .self_wait_ns == 40000000' "$out"
	run -0 "$REQPROF" report "$one"
	has "SELF ± TOTAL ± SELF TOTAL SAMPLES FUNCTION"
}

@test "a line that waits shows, by wall time; --type cpu and wait show the other halves" {
	run -0 "$REQPROF" report "$one"
	has "Functions by wall time"
	is "User.orders" "$("$REQPROF" report --json "$one" | jq -r '.lines[0].name')"
	is 80000000 "$("$REQPROF" report --json "$one" | jq '.lines[0].self_wait_ns')"
	is "render" "$("$REQPROF" report --json --type cpu --mode python "$one" | jq -r '.lines[1].name')"
	"$REQPROF" report --json --type wait "$one" | jq -e '.type == "wait" and .functions[0].self_wait_ns == 80000000'
	run -2 "$REQPROF" report --type nonsense "$one"
}

@test "report --waits: by reason, by line, round trips, and who held the GIL" {
	run -0 "$REQPROF" report --waits "$one"
	has "socket 127.0.0.1:5432 (recv)"
	has "120ms 35 3.4ms 40.0ms 35 socket 127.0.0.1:5432 /srv/models.py:88 User.orders"
	has "37 round trips to 127.0.0.1:5432, 35 from /srv/models.py:88 User.orders, 2 from (no stack taken)"
	has "38.0ms GET /report"
	has "3.0ms no request that is known"
	[[ $output != *"Functions by"* ]]
}

@test "waits are leaves of the tree" {
	run -0 "$REQPROF" report --tree "$one"
	has "26.7 % 26.7 % │ │ ├─ [wait: socket 127.0.0.1:5432 (recv)]"
}

@test "by route: sums of many requests, exact" {
	local i
	for i in 1 2 3; do
		waiting_profile "$made/more.$i.pprof"
		make_profile -o "$made/other.$i.pprof" --fact http.route=/other --stack '3 /srv/app.py:1:app:6' --wait '5|sleep||at=1|'
	done
	"$REQPROF" report --json "$made" | jq -e '.routes | map(select(.route == "/users/{n}"))[0] |
		.requests == 4 and .wait_ns == 4 * 176000000 and .gil_ns == 4 * 41000000 and .round_trips == 148
		and .wall_ns == .user_ns + .kernel_ns + .wait_ns + .runnable_ns + .rest_ns'
	run -0 "$REQPROF" report "$made"
	has "REQUESTS MEAN MAX USER ± KERNEL WAIT GIL REST SAMPLES ROUTE"
	has "58.7 % 13.7 % 15.9 % 240 GET /users/{n}"
}

@test "profiles from before waits were measured are shown together with later ones" {
	make_profile -o "$made/earlier.pprof" --earlier --stack '30 /srv/app.py:1:app:6'
	run -0 --separate-stderr "$REQPROF" report "$made"
	is "" "$stderr"
	has "waits of 1 request were not measured"
	[[ $output != *"not on CPU"* ]]
	run -0 "$REQPROF" report "$made/earlier.pprof"
	has "Functions by CPU time"
	has "+ unaccounted"
}

@test "facts that do not add up: exit status 3, the others shown" {
	waiting_profile "$made/bad.pprof" --fact reqprof.kernel_ns=1
	run -3 --separate-stderr "$REQPROF" report "$made"
	[[ $stderr == *bad.pprof*"byte "*"add up"* ]]
	has "37 round trips"
}

@test "what a wait was for is escaped before a terminal sees it" {
	make_profile -o "$made/evil.pprof" --wait $'5|file|/tmp/\e]0;evil\a\u202e (read)|at=1,holder=GET /\e[31m|/srv/\e[1m.py:1:f:2' \
		--wait $'7|GIL||at=9,holder=GET /\e[31mx|'
	local command
	for command in ls "report --waits" "report --tree" report explain; do
		# shellcheck disable=SC2086 # words of a command line
		run -0 "$REQPROF" $command "$made/evil.pprof"
		! grep -qP '\e|\xe2\x80\xae' <<<"$output"
	done
	"$REQPROF" report --waits "$made/evil.pprof" | grep -qF '\x1b'
}

@test "collapsed stacks have waits as leaves" {
	"$REQPROF" export -f collapsed -o "$out" "$one"
	grep -qxF 'GET /users/{n};app (srv/app.py:1);User.orders (srv/models.py:80);[wait: socket 127.0.0.1:5432 (recv)] 80000' "$out"
	is 300000 "$(awk '{ sum += $NF } END { print sum }' "$out")"
}

@test "speedscope is a timeline: no gap, no overlap, waits of their exact length" {
	"$REQPROF" export -f speedscope -o "$out" "$one"
	jq -e '.profiles | length == 1 and .[0].endValue == 300000000 and (.[0].weights | add) == 300000000' "$out"
	# The sleep of 10 ms at 180 ms is a leaf, and stands there. (A cut in time is one between samples.)
	jq -e '.shared.frames as $frames | .profiles[0] | [.samples, .weights] | transpose |
		reduce .[] as [$stack, $weight] ({at: 0};
			(if $frames[$stack[-1]].name == "[wait: sleep]" then .sleep += [[.at, $weight]] else . end) | .at += $weight) |
		.sleep == [[180000000, 10000000]]' "$out"
}

@test "speedscope and firefox: a profile for each of several threads" {
	make_profile -o "$one" --wall 100 --overlap 30 --stack '40@8369 /srv/app.py:1:app:6' \
		--wait '90|lock||at=5,thread=8370|/srv/app.py:1:worker:9' --wall 100 --fact reqprof.threads=2
	"$REQPROF" export -f speedscope -o "$out" "$one"
	is 2 "$(jq '.profiles | length' "$out")"
	jq -e '[.profiles[].name] | all(test("thread 83(69|70)$"))' "$out"
	jq -e '.shared.frames as $frames | .profiles[] | select(.name | test("8370")) |
		[.samples, .weights] | transpose | map(select(.[0] != [] and $frames[.[0][-1]].name == "[wait: lock]"))[0][1] == 90000000' "$out"
	"$REQPROF" export -f firefox -o "$out" "$one"
	"$PYTHON" "$TESTS/clients/check_firefox.py" "$out" >"$out.seen"
	is "thread 8369,thread 8370" "$(jq -r 'map(.name) | sort | join(",")' "$out.seen")"
}

@test "firefox: a processed profile with categories, requests and waits as markers" {
	make_profile -o "$made/b.pprof" --start 1795446911223456789 --stack '10 /srv/app.py:1:app:6' --fact reqprof.id=8368-43
	"$REQPROF" export -f firefox -o "$out" "$made"
	"$PYTHON" "$TESTS/clients/check_firefox.py" "$out" >"$out.seen"
	# The second began while the first was under way, on the same thread: two tracks.
	is "thread 8369,thread 8369 (2)" "$(jq -r 'map(.name) | join(",")' "$out.seen")"
	jq -e '.[0].categories | (.Wait - 176 | fabs) < 0.001 and (.Python - 20.06018 | fabs) < 0.001
		and (.Native - 40.12036 | fabs) < 0.001 and (.Kernel - 16.012036 | fabs) < 0.001' "$out.seen"
	jq -e '.[0].markers | map(select(.type == "Request"))[0] | .path == "/users/42" and .status == 200 and .end == 300' "$out.seen"
	jq -e '.[0].markers | map(select(.kind == "sleep"))[0] | .start == 180 and .end == 190' "$out.seen"
	jq -e '.[0].markers | map(select(.kind == "GIL" and .holder == "GET /report")) | length == 1' "$out.seen"
	run -2 "$REQPROF" export -f firefox --type cpu "$made"
}

@test "of a free-threaded Python it is said that there is no GIL, unless it was waited for" {
	make_profile -o "$one" --fact 'reqprof.python=3.13.5 free-threaded' --stack '10 /srv/app.py:1:app:6'
	run -0 "$REQPROF" report "$one"
	has "free-threaded Python in 1 request: there is no GIL to wait for"
	run -0 "$REQPROF" explain "$one"
	has "Python is free-threaded here: there is no GIL to wait for."
	make_profile -o "$one" --fact 'reqprof.python=3.13.5 free-threaded' --stack '10 /srv/app.py:1:app:6' --wait '90|GIL||at=0|'
	run -0 "$REQPROF" report "$one"
	[[ $output != *"no GIL"* ]]
}

@test "pprof keeps the labels of waits" {
	requires go
	export PPROF_TMPDIR=$BATS_TEST_TMPDIR HOME=$BATS_TEST_TMPDIR GOFLAGS=-mod=mod
	"$REQPROF" export -f pprof -o "$out" "$one"
	run -0 go tool pprof -tags -sample_index=wall "$out"
	[[ $output == *"wait.on"* && $output == *"127.0.0.1:5432 (recv)"* && $output == *"gil.holder"*"GET /report"* ]]
	[[ $output == *"state"* && $output == *"runnable"* && $output == *"round_trips"* ]]
}

@test "pstats counts wall time, waits as functions that the waiting one calls" {
	"$REQPROF" export -f pstats -o "$out" "$one"
	"$PYTHON" -c '
import pstats, sys
stats = pstats.Stats(sys.argv[1]).stats
key = ("~", 0, "<wait: socket 127.0.0.1:5432 (recv)>")
calls, _, own, total, callers = stats[key]
assert abs(own - 0.120) < 1e-9 and calls == 35, stats[key]
assert {c[2] for c in callers} == {"orders", "do_execute"}, callers
total = [v[3] for k, v in stats.items() if k[0] == "<request>"]
assert abs(max(total) - 0.3) < 1e-9, total' "$out"
	"$REQPROF" export -f pstats --type cpu -o "$out" "$one"
	"$PYTHON" -c '
import pstats, sys
stats = pstats.Stats(sys.argv[1]).stats
assert abs(max(v[3] for k, v in stats.items() if k[0] == "<request>") - 0.076192576) < 1e-6' "$out"
}

@test "explain names the line, the queries in a loop, the GIL's holder, and how sure that is" {
	run -0 "$REQPROF" explain "$one"
	is 5 "${#lines[@]}"
	has "GET /users/42 took 300ms and answered 200: 76.2ms (25.4 %) on the CPU, 60.2ms of it in user code; 176ms (58.7 %) waiting"
	has "The line to look at is /srv/models.py:88 (User.orders): it and what it calls take 160ms (53.4 %), of which 120ms waiting for socket 127.0.0.1:5432 in 35 waits and 40.1ms on the CPU (between "
	has "There were 37 round trips to 127.0.0.1:5432, 35 of them from /srv/models.py:88 (User.orders): that looks like a query in a loop (N+1)"
	has "It waited 41.0ms (13.7 %) for the GIL, 38.0ms of them for GET /report."
	has "stands on 64 samples: user code took between"
	"$REQPROF" explain --json "$one" >"$out"
	is "$output" "$(jq -r '.sentences[]' "$out")"
	jq -e '.line.line == 88 and .loops[0].round_trips == 35 and .gil_holders[0].holder == "GET /report"
		and .user_interval_ns[0] < .user_ns and .user_ns < .user_interval_ns[1]' "$out"
}

@test "explain of a route is of its requests on average" {
	local i
	for i in 1 2 3; do
		waiting_profile "$made/more.$i.pprof"
		make_profile -o "$made/other.$i.pprof" --fact http.route=/other --fact url.path=/other --stack '3 /srv/app.py:1:app:6'
	done
	run -0 "$REQPROF" explain --route '/users/*' "$made"
	has "4 requests of GET /users/{n} took 300ms on average (300ms to 300ms): 76.2ms (25.4 %) on the CPU"
	has "There were 148 round trips to 127.0.0.1:5432, 37.0 a request, 140 of them from /srv/models.py:88"
	run -4 "$REQPROF" explain --route /nowhere "$made"
}

@test "explain knows what it does not know: few samples, waits not measured, most of it unaccounted" {
	make_profile -o "$one" --stack '3 /srv/app.py:1:app:6' --wall 100
	run -0 "$REQPROF" explain "$one"
	has "stands on 3 samples, which is few"
	has "Most of the time is unaccounted"
	[[ $output != *"N+1"* && $output != *GIL* ]]
	make_profile -o "$one" --earlier --stack '30 /srv/app.py:1:app:6' --wall 100
	run -0 "$REQPROF" explain "$one"
	has "waits were not measured"
	make_profile -o "$one" --wall 1
	run -0 "$REQPROF" explain "$one"
	has "No sample was taken on the CPU"
	head -c 300 "$one" >"$made/bad.pprof"
	run -3 "$REQPROF" explain "$made/bad.pprof"
}
