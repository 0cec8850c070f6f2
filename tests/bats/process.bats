# What servers do with their processes: nothing of it changes for having the library loaded, each
# request has one profile, by the process that served it.
load helpers

setup() {
	use_profiles
	port=$(free_port)
}

serve() {
	spawn server "${preload[@]}" "$PROGRAMS/processes" "$port"
	server_up server "$port"
}
# answers PATH WANT: the server's answer, behind its pid.
answers() { is "$2" "$(get "$1" | cut -d' ' -f2)" "$1:"; }
# ask PATH: a request in the background; `asked` waits for all of them.
ask() {
	get "$1" >/dev/null 3>&- &
	asking+=("$!")
}
asking=()
asked() { wait "${asking[@]}"; }
decided() { is "$1" "$(status | jq '.totals | .files_written + .files_failed')"; }
status() { "$REQPROF" ctl "$profiles" status --json; }
quiet_server() { is "" "$(cat "$BATS_TEST_TMPDIR/server.log")" "the server said:"; }
# descriptors PID: what they are, numbers apart, as the kernel has them.
descriptors() { find "/proc/$1/fd" -mindepth 1 -printf '%l\n' 2>/dev/null | sed 's/\[[0-9]*\]//' | sort | uniq -c; }

@test "forks in one thread while others are sampled: children leave no profile, all requests have theirs" {
	requires perf
	serve
	local i
	for i in 1 2 3 4; do ask /burn/300; done
	for i in $(seq 10); do answers /fork/5 42; done
	asked
	settle "$server_pid" 14
	quiet_server
	is "$server_pid" "$(all_facts | jq '.["process.pid"]' | sort -u)"
	# The children's time is theirs: 5 ms each, that the parent waited for.
	all_facts | jq -s -e 'map(select(.["url.path"] == "/burn/300")) | length == 4 and all(.["reqprof.samples"] > 200)' >/dev/null
}

@test "children that share the memory, with the thread's locals or their own: what they do is not taken for the parent's" {
	serve
	local how i
	for i in $(seq 5); do for how in all locals; do answers "/share/$how" 7; done; done
	answers /burn/20 20
	settle "$server_pid" 11
	quiet_server
	all_facts | jq -s -e 'all(.["reqprof.end"] == "complete" and .["http.response.status_code"] == 200)' >/dev/null
	is "$server_pid" "$(all_facts | jq '.["process.pid"]' | sort -u)"
	is 11 "$(all_facts | jq -r '.["reqprof.id"]' | sort -u | wc -l)"
}

@test "a vfork child that closes all descriptors: the parent's connections stay, and are followed" {
	requires perf
	serve
	local i
	for i in 1 2; do ask /burn/400; done
	for i in $(seq 5); do answers /vfork 0; done
	asked
	answers /burn/20 20
	settle "$server_pid" 8
	quiet_server
	all_facts | jq -s -e 'all(.["reqprof.end"] == "complete" and .["http.response.status_code"] == 200)' >/dev/null
	all_facts | jq -s -e 'map(select(.["url.path"] == "/burn/20"))[0]["reqprof.samples"] > 10' >/dev/null
}

@test "posix_spawn with file actions: the child runs, and leaves no profile" {
	serve
	answers /spawn/usr/bin/true 0
	answers /spawn/usr/bin/false 1
	answers /spawn/nowhere -2
	settle "$server_pid" 3
	quiet_server
}

@test "static and set-user-ID children run as ever" {
	cat >"$BATS_TEST_TMPDIR/child.c" <<-'END'
		int main(void) { return 7; }
	END
	gcc -static -o "$BATS_TEST_TMPDIR/static" "$BATS_TEST_TMPDIR/child.c" || skip "no static libc"
	gcc -o "$BATS_TEST_TMPDIR/setuid" "$BATS_TEST_TMPDIR/child.c"
	chmod 4755 "$BATS_TEST_TMPDIR/setuid"
	serve
	answers "/spawn$BATS_TEST_TMPDIR/static" 7
	answers "/spawn$BATS_TEST_TMPDIR/setuid" 7
	settle "$server_pid" 2
	quiet_server
}

@test "a 32-bit child runs as ever, but for what its loader says" {
	printf 'int main(void) { return 7; }\n' >"$BATS_TEST_TMPDIR/child.c"
	gcc -m32 -o "$BATS_TEST_TMPDIR/child" "$BATS_TEST_TMPDIR/child.c" 2>/dev/null || skip "gcc -m32 does not work here"
	run "$BATS_TEST_TMPDIR/child"
	[ "$status" -eq 7 ] || skip "this kernel runs no 32-bit programs"
	serve
	answers "/spawn$BATS_TEST_TMPDIR/child" 7
	settle "$server_pid" 1
	# The dynamic loader's word, known and documented: it does not load a 64-bit library.
	is 0 "$(grep -cv 'wrong ELF class.*ignored' "$BATS_TEST_TMPDIR/server.log")"
}

@test "a server that executes itself anew is profiled on, and nothing is written twice or lost" {
	requires perf
	serve
	answers /burn/10 10
	answers /burn/0 0
	get /exec >/dev/null
	retry answers /burn/10 10
	answers /burn/0 0
	retry has_profiles 5
	stop "$server_pid"
	is "$(all_facts | jq '.["reqprof.id"]' | sort -u | wc -l)" "$(profile_count)"
	is "$server_pid" "$(all_facts | jq '.["process.pid"]' | sort -u)"
	is 0 "$(status | jq '.totals.files_failed')"
}

@test "descriptors closed all at once, in three ways, by a server that is profiled on" {
	requires perf
	serve
	local how
	answers /burn/10 10
	for how in loop range from; do
		answers "/close/$how" 0
		answers /burn/20 20
	done
	settle "$server_pid" 7
	quiet_server
	all_facts | jq -s -e 'map(select(.["url.path"] == "/burn/20")) | length == 3 and all(.["reqprof.samples"] > 10)' >/dev/null
}

@test "a server that changes its user: it serves, and files that cannot be written any more are counted" {
	[ "$(id -u)" -eq 0 ] || skip "changing the user needs root"
	serve
	answers /burn/5 5
	retry has_profiles 1
	answers /setuid/54321 0
	answers /burn/5 5
	answers /burn/5 5
	retry decided 4
	[ "$(status | jq .totals.files_failed)" -ge 2 ]
	status | jq -e '.file_error.errno == 13' >/dev/null
	quiet_server
	# A directory of that user's: all is well.
	stop "$server_pid"
	use_profiles "$BATS_TEST_TMPDIR/theirs"
	chmod a+x "$BATS_RUN_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/.."
	mkdir "$profiles"
	chown 54321 "$profiles"
	port=$(free_port)
	serve
	answers /setuid/54321 0
	answers /burn/5 5
	answers /burn/5 5
	retry has_profiles 2
	is 54321 "$(stat -c %u "$profiles"/GET.burn.* | sort -u)"
}

@test "a server that changes its root serves, and has its profiles under that path in the new one" {
	[ "$(id -u)" -eq 0 ] || skip "chroot needs root"
	mkdir "$BATS_TEST_TMPDIR/root"
	serve
	answers /burn/5 5
	answers "/chroot$BATS_TEST_TMPDIR/root" 0
	answers /burn/5 5
	answers /burn/5 5
	counted() { is 4 "$(find "$profiles" "$BATS_TEST_TMPDIR/root" -name 'GET.*.pprof' | wc -l)"; }
	retry counted
	# Where the control page has gone is looked at once in a while, at a request.
	listed() {
		answers /burn/5 5
		"$REQPROF" ctl "$BATS_TEST_TMPDIR/root$profiles" status --json 2>/dev/null |
			jq -e "any(.processes[]; .pid == $server_pid)" >/dev/null
	}
	retry listed
	quiet_server
}

@test "a server that leaves its namespaces is profiled on" {
	[ "$(id -u)" -eq 0 ] || skip "unshare needs root"
	serve
	answers /burn/5 5
	answers /unshare 0
	answers /burn/20 20
	settle "$server_pid" 3
	quiet_server
}

@test "libraries loaded and unloaded in a storm, while other threads are sampled in them" {
	requires perf
	serve
	local i
	for i in 1 2 3; do ask /burn/1500; done
	answers /modules/1500 0
	asked
	settle "$server_pid" 4
	quiet_server
	all_facts | jq -s -e 'map(select(.["url.path"] == "/burn/1500")) | length == 3 and all(.["reqprof.samples"] > 1000)' >/dev/null
}

@test "10,000 threads with a request each: no descriptor, memory or perf event is left of them" {
	requires perf
	preload+=("REQPROF_KEEP=every=1000")
	serve
	answers /threads/300 0
	local before after maps
	# The thread that asks is counted too: look when it has gone.
	one_thread() { is 1 "$(find "/proc/$server_pid/task" -mindepth 1 -maxdepth 1 | wc -l)"; }
	retry one_thread
	before=$(descriptors "$server_pid")
	maps=$(wc -l <"/proc/$server_pid/maps")
	memory() { awk '/^Rss(Anon|Shmem)/ { sum += $2 } END { print sum }' "/proc/$server_pid/status"; }
	local kilobytes
	kilobytes=$(memory)
	answers /threads/10000 0
	retry one_thread
	after=$(descriptors "$server_pid")
	is "$before" "$after" "open descriptors:"
	[ "$(wc -l <"/proc/$server_pid/maps")" -le "$((maps + 100))" ] # as many as run at the same time
	echo "$kilobytes kB before, $(memory) kB after" >&2
	[ "$(memory)" -lt "$((kilobytes + 1024))" ]
	is 0 "$(descriptors "$server_pid" | grep -c perf_event)"
	is 10302 "$(status | jq .totals.requests_profiled)"
	quiet_server
}
