# No call of the host is interrupted by us, and no sleep ends early, at ten times the usual rate.
# EINTR_SECONDS: how long each of the three servers tries (5). 600 is what to run before a release.
load helpers

SECONDS_EACH=${EINTR_SECONDS:-5}

setup() {
	use_profiles
	port=$(free_port)
	fast=("${preload[@]}" REQPROF_RATE=9970 REQPROF_KERNEL_RATE=9970)
	denied=("$PROGRAMS/deny_syscall" perf_event_open 1)
}

# sampled_by CLOCK AT-LEAST
sampled_by() {
	local clock
	clock=$(all_facts | jq -r '.["reqprof.clock"]' | sort -u)
	is "$1" "$clock" "the clock:"
	all_facts | jq -s -e "(map(.[\"reqprof.samples\"]) | add) >= $2" >/dev/null
}

# tries NAME COMMAND...: a server's own count of what went wrong in the time.
tries() {
	spawn "$@"
	server_up "$1" "$port"
	is "tried enough" "$(curl -sS --max-time $((SECONDS_EACH + 60)) "http://127.0.0.1:$port/$SECONDS_EACH")"
	local pid_name=${1}_pid
	settle "${!pid_name}" 1
}

@test "43 ways of waiting in C, sampled by perf events" {
	requires perf
	"${fast[@]}" "$PROGRAMS/eintr" "$SECONDS_EACH" >&2
	sampled_by perf-user 500
}

@test "43 ways of waiting in C, sampled by the thread's CPU timer" {
	"${denied[@]}" "${fast[@]}" "$PROGRAMS/eintr" "$SECONDS_EACH" >&2
	sampled_by thread-timer 50
}

@test "PHP: usleep, sleep, time_nanosleep and stream_select" {
	requires perf php
	tries perf "${fast[@]}" php -S "127.0.0.1:$port" "$TESTS/apps/eintr.php"
	sampled_by perf-user 100
}

@test "PHP, sampled by the thread's CPU timer" {
	requires php
	tries timer "${denied[@]}" "${fast[@]}" php -S "127.0.0.1:$port" "$TESTS/apps/eintr.php"
	sampled_by thread-timer 1
}

@test "perl: select, sleep, Time::HiRes" {
	requires perf perl
	tries perf "${fast[@]}" perl "$TESTS/apps/eintr.pl" "$port"
	sampled_by perf-user 100
}

@test "perl, sampled by the thread's CPU timer" {
	requires perl
	tries timer "${denied[@]}" "${fast[@]}" perl "$TESTS/apps/eintr.pl" "$port"
	sampled_by thread-timer 1
}

# New kernels end no call by a tick of the thread's timer, so that counting shows nothing of this there.
@test "a clock that may tick in the kernel has its signal blocked in each of those waits" {
	local said=$BATS_TEST_TMPDIR/said odd="sigtimedwait|sigwait|accept with a time limit"
	"${denied[@]}" "${preload[@]}" "$PROGRAMS/held" >"$said"
	sampled_by thread-timer 1
	# The kernel opens what is waited for (we wait on if it is ours), and who accepts works for no request.
	is "" "$(grep -E "^($odd)" "$said" | grep -v ': open$')"
	# Two that may be over before anybody looks.
	is "" "$(grep -vE "^($odd|getrandom|waitpid)" "$said" | grep -v ': held$')"
	[ "$(grep -c ': held$' "$said")" -ge 34 ]
}
