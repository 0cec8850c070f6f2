# What a kernel, a container or a limit refuses, the library does without: it falls back, counts, and
# `ctl status` says what it was. The server serves on either way.
load helpers

setup() {
	use_profiles
	port=$(free_port)
	as_nobody=()
}

need_root() { [ "$(id -u)" -eq 0 ] || skip "$1 needs root"; }
need_nobody() {
	need_root "becoming another user"
	as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" \
		"$BATS_TEST_TMPDIR/.."
	"${as_nobody[@]}" test -r "$LIBREQPROF" || skip "user nobody may not read $LIBREQPROF"
	"${as_nobody[@]}" test -x "$PROGRAMS/threaded_server" || skip "nobody may not run the server"
	mkdir "$profiles"
	chown 65534:65534 "$profiles"
}
# serve WORD...: the C server with the library, its command put after WORD...; answers 8 requests rightly.
serve() {
	spawn server "$@" "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 2
	server_up server "$port"
	local i
	for i in $(seq 8); do
		is "route=1 path=/r1/$i" "$(get "/r1/$i" | cut -d' ' -f1,2)"
	done
}
# doctor WORD...: what it says where the server stands, its command put after WORD...
doctor() { "$@" "$REQPROF" doctor -o "$profiles" 2>&1 || true; }
status() { "$REQPROF" ctl "$profiles" status --json; }
total() { status | jq ".totals.$1"; }

@test "perf_event_open refused in each way: the timer takes over, files and ctl status say why" {
	local case name number
	for case in EPERM:1 EACCES:13 ENOSYS:38 EMFILE:24 EBUSY:16; do
		name=${case%:*} number=${case#*:}
		use_profiles "$BATS_TEST_TMPDIR/$name"
		port=$(free_port)
		serve "$PROGRAMS/deny_syscall" perf_event_open "$number"
		retry has_profiles 8
		status | jq -e --argjson number "$number" '.clock_error.errno == $number and
			(.clock_error.advice | length) > 10 and .totals.threads_timer > 0 and .totals.threads_perf == 0'
		settle "$server_pid" 8
		is "thread-timer perf_event_open: $name" \
			"$(all_facts | jq -r '"\(.["reqprof.clock"]) \(.["reqprof.clock_why"])"' | sort -u)"
	done
}

@test "with perf_event_paranoid 2 and 3, an ordinary user's server is sampled by one clock or the other" {
	need_nobody
	local file=/proc/sys/kernel/perf_event_paranoid before value
	before=$(cat "$file")
	for value in 2 3; do
		echo "$value" 2>/dev/null >"$file" || skip "the sysctl cannot be set"
		port=$(free_port)
		use_profiles "$BATS_TEST_TMPDIR/paranoid-$value"
		mkdir "$profiles"
		chown 65534 "$profiles"
		serve "${as_nobody[@]}" || { echo "$before" >"$file"; return 1; }
		retry has_profiles 8 || { echo "$before" >"$file"; return 1; }
		stop "$server_pid"
	done
	echo "$before" >"$file"
	# At 2 perf events are everybody's; what 3 means is the distribution's.
	use_profiles "$BATS_TEST_TMPDIR/paranoid-2"
	is perf-user "$(all_facts | jq -r '.["reqprof.clock"]' | sort -u)"
	use_profiles "$BATS_TEST_TMPDIR/paranoid-3"
	all_facts | jq -e '.["reqprof.clock"] | test("perf-user|thread-timer")' >/dev/null
}

@test "no descriptor left for our files: the server serves, the failures are counted and explained" {
	# 0 to 2, the listener, a connection, the next one: none is left for us.
	serve prlimit --nofile=6
	stop "$server_pid"
	is "" "$(grep -v '^route=' "$BATS_TEST_TMPDIR/server.log")" "the server said more:"
	# One is left, but is in use when there is a profile to be written.
	port=$(free_port)
	use_profiles "$BATS_TEST_TMPDIR/one-more"
	serve prlimit --nofile=7
	stop "$server_pid"
	status | jq -e '.totals.requests_seen == 8 and .totals.files_failed > 0 and
		.file_error.errno == 24 and (.file_error.advice | test("ulimit"))'
	[[ $(doctor prlimit --nofile=7) == *"only 7 open files"*"ulimit -n"* ]]
	is "" "$(grep -v '^route=' "$BATS_TEST_TMPDIR/server.log")" "the server said more:"
}

@test "no memory may be locked: requests have their profiles" {
	need_nobody
	serve "${as_nobody[@]}" prlimit --memlock=0
	settle "$server_pid" 8
	all_facts | jq -e '.["reqprof.samples"] > 0' >/dev/null
}

@test "no signal may be queued: the server lives, and lost samples are counted" {
	need_nobody
	serve "${as_nobody[@]}" prlimit --sigpending=0
	retry has_profiles 8
	status | jq -e '.totals | .samples + .lost_signal_queue > 0' >/dev/null
	[[ $(doctor "${as_nobody[@]}" prlimit --sigpending=0) == *"only 0 queued signals"*"ulimit -i"* ]]
	settle "$server_pid" 8
}

@test "/proc is not mounted: requests have their profiles" {
	need_root "unmounting"
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	serve unshare -m sh -c 'umount -l /proc; exec "$@"' sh
	retry has_profiles 8
	[ ! -e "/proc/$server_pid/root/proc/self" ] || is "" "$(ls "/proc/$server_pid/root/proc")"
	settle "$server_pid" 8
	all_facts | jq -e '.["reqprof.samples"] > 0' >/dev/null
	[[ $(doctor unshare -m sh -c 'umount -l /proc; exec "$@"' sh env "REQPROF_LIB=$LIBREQPROF") == *"/proc is not there"*"mount -t proc"* ]]
}

@test "/dev/shm is missing, or may not be written: requests have their profiles, and it is said what is not there" {
	need_root "mounting"
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	local way
	for way in "-o size=4k none /dev" "-o ro,size=4k none /dev/shm"; do
		use_profiles "$BATS_TEST_TMPDIR/${way##*/}"
		port=$(free_port)
		serve unshare -m sh -c "mount -t tmpfs $way; exec \"\$@\"" sh
		retry has_profiles 8
		is 1 "$(total live_refused)"
		"$REQPROF" ctl "$profiles" status | grep "1  processes without a live file: recover"
		[[ $(doctor unshare -m sh -c "mount -t tmpfs $way; exec \"\$@\"" sh) == *"none in /dev/shm"*"recover would not"*REQPROF_LIVE* ]]
		settle "$server_pid" 8
	done
	[[ $(doctor env) != *live-files* ]]
}

@test "a read-only root: the server serves; with a directory that may be written it is profiled" {
	need_root "mounting"
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	local read_only='mount --make-rprivate / && mount --rbind / /mnt && mount -o remount,ro,bind /mnt &&
		mount -t tmpfs none "/mnt$REQPROF_WRITABLE" && exec chroot /mnt "$@"'
	mkdir -p "$profiles" "$BATS_TEST_TMPDIR/writable"
	export REQPROF_WRITABLE=$BATS_TEST_TMPDIR/writable
	# Where nothing can be written: profiles fail, the server does not.
	serve unshare -m sh -c "$read_only" sh
	is 0 "$(profile_count)"
	is "" "$(grep -v '^route=' "$BATS_TEST_TMPDIR/server.log")" "the server said more:"
	stop "$server_pid"
	port=$(free_port)
	preload=(env "LD_PRELOAD=$LIBREQPROF" "REQPROF_DIR=$REQPROF_WRITABLE/profiles")
	serve unshare -m sh -c "$read_only" sh
	profiles=/proc/$server_pid/root$REQPROF_WRITABLE/profiles
	retry has_profiles 8
	profiles=$BATS_TEST_TMPDIR/elsewhere
	[[ $(doctor unshare -m sh -c 'mount --make-rprivate / && mount -o remount,ro,bind / && exec "$@"' sh) == *"mounted read-only"*"another directory"* ]]
}

@test "in a container's namespaces (user, process ids, mounts) requests have their profiles" {
	unshare -Urpfm --mount-proc true 2>/dev/null || skip "no user namespaces here"
	serve unshare -Urpfm --mount-proc --kill-child
	retry has_profiles 8
	stop "$server_pid" KILL
	# The process calls itself by the id that it has in there.
	all_facts | jq -e '.["process.pid"] < 100' >/dev/null
}

@test "process_vm_readv and renameat2 refused as containers do: requests have their profiles" {
	serve "$PROGRAMS/deny_syscall" process_vm_readv,renameat2 1
	settle "$server_pid" 8
	all_facts | jq -e '.["reqprof.samples"] > 0' >/dev/null
}
