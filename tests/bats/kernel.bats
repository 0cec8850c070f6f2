# The kernel's own stacks: a second perf event without a signal, where the user may have one; where
# not, the time is counted, and files and `ctl status` say why.
load helpers

setup() {
	requires perf
	use_profiles
	port=$(free_port)
}

serve() { # WORD...: before the server's command
	spawn server "$@" "$PYTHON" "$TESTS/apps/in_kernel.py" "$port"
	server_up server "$port"
}
requires_kernel_perf() {
	"$REQPROF" doctor | grep -q '^ok  *kernel-time' || skip "the kernel may not be sampled here"
}
requires_names() { grep -qvm1 '^0* ' /proc/kallsyms || skip "the kernel's addresses may not be read here"; }
status() { "$REQPROF" ctl "$profiles" status --json; }

# as_nobody_with SYSCTL=VALUE... -- COMMAND...: sets them, and puts them back.
with_sysctls() {
	local -a before=() names=()
	local pair failed=0
	while [ "$1" != -- ]; do
		pair=/proc/sys/kernel/${1%%=*}
		names+=("$pair")
		before+=("$(cat "$pair")")
		echo "${1#*=}" 2>/dev/null >"$pair" || skip "the sysctls cannot be set"
		shift
	done
	shift
	"$@" || failed=1
	local i
	for i in "${!names[@]}"; do echo "${before[i]}" >"${names[i]}"; done
	return "$failed"
}
need_nobody() {
	[ "$(id -u)" -eq 0 ] || skip "becoming another user needs root"
	as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" \
		"$BATS_TEST_TMPDIR/.."
	"${as_nobody[@]}" test -r "$LIBREQPROF" -a -r "$TESTS/apps/in_kernel.py" || skip "user nobody may not read us"
	mkdir "$profiles"
	chown 65534:65534 "$profiles"
}

@test "time in the kernel is shown by the kernel's functions, and adds up to what the kernel counted" {
	requires_kernel_perf
	requires_names
	serve "${preload[@]}"
	get /read/30000 >"$BATS_TEST_TMPDIR/read"
	get /stat/150 >"$BATS_TEST_TMPDIR/stat"
	settle "$server_pid" 2
	local what
	for what in read stat; do
		# All but a tenth of it has a stack: a stack stands for ten milliseconds.
		"$REQPROF" report --json --no-limit "$profiles"/GET."$what".* | jq -e --arg what "$what" '
			{kernel_ns, kernel_sampled_ns, kernel_samples, names: [.functions[] |
				select(.module == "[kernel.kallsyms]") | select(.name | test($what))] | map(.name)},
			(.kernel_samples > 10 and .kernel_sampled_ns > 0.7 * .kernel_ns and
			([.functions[] | select(.module == "[kernel.kallsyms]" and (.name | test($what)))] | length > 0))'
		facts "$profiles"/GET."$what".* | jq -e --slurpfile app "$BATS_TEST_TMPDIR/$what" '
			.["reqprof.kernel_rate"] == 99 and .["reqprof.kernel_samples"] > 10 and
			.["reqprof.kernel_ns"] > 0.8 * $app[0].kernel_ns and .["reqprof.cpu_ns"] >= $app[0].cpu_ns'
	done
	# Leaf first, the kernel's pseudo frame outermost; mapping and build id say which boot.
	facts -s "$profiles"/GET.read.* | jq -e --arg boot "$(tr -d - </proc/sys/kernel/random/boot_id)" '
		[.stacks[] | select(.labels.state == "kernel" and (.frames | length) > 1)] | length > 0 and
		all(.frames[-1].name == "[kernel]" and .frames[0].kind == "native" and .frames[0].build_id == $boot
			and .frames[0].file == "[kernel.kallsyms]")'
	status | jq -e '.totals | .kernel_samples > 20 and .threads_kernel == 1 and .lost_kernel == 0'
}

@test "kernel functions are in every export, and user code has none" {
	requires_kernel_perf
	requires_names
	serve "${preload[@]}"
	get /stat/100 >/dev/null
	get /user/300 >/dev/null
	settle "$server_pid" 2
	local format
	for format in collapsed speedscope firefox pprof pstats; do
		"$REQPROF" export -f "$format" -o "$BATS_TEST_TMPDIR/$format" "$profiles"/GET.stat.*
		zcat -f "$BATS_TEST_TMPDIR/$format" | grep -a 'vfs_stat' >/dev/null
	done
	"$REQPROF" report --json "$profiles"/GET.user.* | jq -e '.kernel_ns < 0.2 * .user_ns'
}

@test "stacks taken in the kernel do not fill their ring while user code runs; else they are counted as lost" {
	requires_kernel_perf
	serve "${preload[@]}" REQPROF_KERNEL_RATE=9970
	get /stat/150 >/dev/null
	settle "$server_pid" 1
	# The ring holds a few hundred.
	facts "$profiles"/GET.stat.* | jq -e '.["reqprof.kernel_samples"] > 1000 and .["reqprof.lost.kernel"] == null'
	use_profiles "$BATS_TEST_TMPDIR/one-call"
	port=$(free_port)
	serve "${preload[@]}" REQPROF_KERNEL_RATE=9970
	get /random/31 >/dev/null
	get /random/31 >/dev/null
	settle "$server_pid" 2
	# The one that comes after it finds the ring empty, and the kernel's word of what was lost.
	all_facts | jq -s -e 'all(.["reqprof.kernel_samples"] > 50) and any(.["reqprof.lost.kernel"] > 0)'
	status | jq -e '{lost: .totals.lost_kernel}, .totals.lost_kernel > 0'
}

@test "a thread's kernel event takes no descriptor, and goes with its ring when the thread ends" {
	requires_kernel_perf
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" spawn
	server_up server "$port"
	local i
	for i in 1 2 3; do get "/r1/$i" >/dev/null; done
	retry has_profiles 3
	rings_gone() { ! grep -q perf_event "/proc/$server_pid/maps"; }
	retry rings_gone
	settle "$server_pid" 3
	status | jq -e '.totals.threads_kernel == 3'
	use_profiles "$BATS_TEST_TMPDIR/stays"
	port=$(free_port)
	serve "${preload[@]}"
	get /stat/1 >/dev/null
	is 1 "$(find "/proc/$server_pid/fd" -lname '*perf_event*' | wc -l)"
	is 1 "$(grep -c perf_event "/proc/$server_pid/maps")"
}

@test "switched off by its rate, there is no second event, and the file says so" {
	serve "$REQPROF" run --kernel-rate 0 -o "$profiles" --
	get /read/100 >/dev/null
	run ! grep perf_event "/proc/$server_pid/maps"
	settle "$server_pid" 1
	is off "$(facts "$profiles"/GET.read.* | jq -r '.["reqprof.kernel_why"]')"
	run -2 "$REQPROF" run --kernel-rate -1 -- true
	run -2 "$REQPROF" run --kernel-rate 10000 -- true
}

# A route in the kernel under perf_event_paranoid 2, or with no memory to lock.
refused() { # WHY COUNTER WORD...
	local why=$1 counter=$2
	shift 2
	serve "${as_nobody[@]}" "$@" "${preload[@]}"
	get /read/500 >/dev/null
	settle "$server_pid" 1
	facts "$profiles"/GET.read.* | jq -e --arg why "$why" '.["reqprof.kernel_why"] == $why and
		.["reqprof.clock"] == "perf-user" and .["reqprof.kernel_samples"] == null and .["reqprof.kernel_ns"] > 0'
	facts -s "$profiles"/GET.read.* | jq -e '[.stacks[] | select(.labels.state == "kernel")] |
		length == 1 and .[0].frames[0].name == "[kernel (not sampled)]"'
	status | jq -e --arg counter "$counter" '.totals[$counter] == 1 and .totals.threads_kernel == 0 and
		.kernel_error.errno > 0 and (.kernel_error.advice | length) > 20'
	"$REQPROF" ctl "$profiles" status | grep -q 'the kernel could not be sampled'
	"${as_nobody[@]}" "$REQPROF" doctor -o "$profiles" >"$BATS_TEST_TMPDIR/doctor"
}

@test "an ordinary user with perf_event_paranoid 2: the time is counted, and why is told" {
	need_nobody
	with_sysctls perf_event_paranoid=2 -- refused "perf_event_open: EACCES" threads_kernel_refused
	grep -q '^note  *kernel-time  *is counted, but not sampled.*perf_event_paranoid is 2' "$BATS_TEST_TMPDIR/doctor"
}

@test "no memory may be locked: the time is counted, and why is told" {
	need_nobody
	with_sysctls perf_event_paranoid=1 perf_event_mlock_kb=0 -- refused "mmap: EPERM" threads_kernel_memory prlimit --memlock=0
}

@test "an ordinary user with perf_event_paranoid 1 has kernel stacks; without rights to the names, addresses" {
	need_nobody
	sampled() {
		serve "${as_nobody[@]}" "${preload[@]}"
		get /stat/100 >/dev/null
		settle "$server_pid" 1
		facts "$profiles"/GET.stat.* | jq -e '.["reqprof.kernel_samples"] > 5'
		"${as_nobody[@]}" "$REQPROF" report --no-limit "$profiles" >"$BATS_TEST_TMPDIR/report" 2>"$BATS_TEST_TMPDIR/said"
	}
	with_sysctls perf_event_paranoid=1 kptr_restrict=2 -- sampled
	grep -q '\[kernel.kallsyms+0xffffffff' "$BATS_TEST_TMPDIR/report"
	grep -q 'kernel.kallsyms.*may not read' "$BATS_TEST_TMPDIR/said"
}

@test "page faults, times taken off the CPU, and time ready to run are what the kernel counts" {
	[ -r /proc/thread-self/schedstat ] || skip "this kernel keeps no schedstats"
	requires taskset
	# Together with another that never sleeps, on one CPU.
	spawn rival taskset -c 0 sh -c 'while :; do :; done'
	serve taskset -c 0 "${preload[@]}"
	get /touch/1 >/dev/null
	get /touch/3000 >"$BATS_TEST_TMPDIR/touch"
	get /user/200 >"$BATS_TEST_TMPDIR/user"
	settle "$server_pid" 3
	facts "$profiles"/GET.touch.3000.* | jq -e --slurpfile app "$BATS_TEST_TMPDIR/touch" '
		{seen: .["reqprof.page_faults"], app: $app[0].faults},
		(.["reqprof.page_faults"] >= $app[0].faults and .["reqprof.page_faults"] < $app[0].faults + 1000 and $app[0].faults > 2900)'
	facts "$profiles"/GET.user.* | jq -e --slurpfile app "$BATS_TEST_TMPDIR/user" '
		{seen: .["reqprof.runnable_ns"], app: $app[0].queued_ns},
		(.["reqprof.runnable_ns"] > 0.9 * $app[0].queued_ns and $app[0].queued_ns > 50000000 and .["reqprof.preempted"] > 5)'
}
