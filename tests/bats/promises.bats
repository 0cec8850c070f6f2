# The server cannot tell that it is profiled; nothing happens before the first request; private files.
load helpers

setup() {
	use_profiles
	port=$(free_port)
}

# answers_alike QUESTION: tests/programs/asker says the same with the library as without.
answers_alike() {
	local way
	for way in without with; do
		port=$(free_port)
		if [ "$way" = with ]; then
			spawn "$way" "${preload[@]}" "$PROGRAMS/asker" "$port"
		else
			spawn "$way" "$PROGRAMS/asker" "$port"
		fi
		server_up "$way" "$port"
		# Twice: whatever the library does at its first request must not show at the second either.
		get "/$1" >"$BATS_TEST_TMPDIR/$way"
		get "/$1" >>"$BATS_TEST_TMPDIR/$way"
		[ "$way" = with ] || stop "$without_pid"
	done
	[ -s "$BATS_TEST_TMPDIR/without" ]
	diff "$BATS_TEST_TMPDIR/without" "$BATS_TEST_TMPDIR/with"
	settle "$with_pid" 2
	is "" "$(cat "$BATS_TEST_TMPDIR/with.log")" "the server's output:"
}

@test "signal masks read back as they were set" { answers_alike mask; }
@test "signal actions read back as they were set, and taking our signal does not end the server" { answers_alike action; }
@test "no blocking call is interrupted while requests are sampled" {
	requires perf
	answers_alike eintr
}
@test "results and errno of failing and succeeding calls are the same" { answers_alike errno; }
@test "new descriptors get the same numbers, and none of ours is among the first 256" { answers_alike numbers; }
@test "a server that closes all its descriptors is served on, and gets the same numbers" { answers_alike closeall; }
@test "the process has no thread of ours" { answers_alike threads; }
@test "fork, vfork, posix_spawn and system work in a request, and children leave no profile" { answers_alike fork; }

@test "after a server closed all its descriptors it is still profiled" {
	requires perf
	spawn server "${preload[@]}" "$PROGRAMS/asker" "$port"
	server_up server "$port"
	get /threads >/dev/null
	get /closeall >/dev/null
	get /mask >/dev/null
	get /eintr >/dev/null
	settle "$server_pid" 4
	all_facts | jq -s -e 'any(.["url.path"] == "/eintr" and .["reqprof.samples"] > 60)'
}

@test "threads that block all signals are sampled" {
	requires perf
	spawn server "${preload[@]}" "$PROGRAMS/asker" "$port"
	server_up server "$port"
	get /mask >/dev/null
	settle "$server_pid" 1
	# 5 of its 10 ms of CPU pass with all 64 signals blocked, 5 with signals 40 to 60.
	all_facts | jq -e '.["reqprof.samples"] >= 7'
}

@test "before the first request the library opens, makes and catches nothing" {
	requires strace
	spawn server strace -f -q -o "$BATS_TEST_TMPDIR/trace" \
		-e 'trace=%file,perf_event_open,mmap,clone,clone3,timer_create,rt_sigaction,signalfd4,memfd_create,socket,connect' \
		-E "LD_PRELOAD=$LIBREQPROF" -E "REQPROF_DIR=$profiles" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	[ ! -e "$profiles" ]
	run ! grep -E "$profiles|perf_event_open|timer_create|memfd_create|signalfd|clone|connect" "$BATS_TEST_TMPDIR/trace"
	run ! grep -E 'rt_sigaction\(SIGRT_?(1[0-9]|2[0-9])' "$BATS_TEST_TMPDIR/trace"
	# Shared or large memory: nothing beyond what the loader maps for the library's own file.
	run ! grep -E 'mmap\(.*MAP_SHARED' "$BATS_TEST_TMPDIR/trace"
	get /r1/1 >/dev/null
	retry has_profiles 1
	grep -q perf_event_open "$BATS_TEST_TMPDIR/trace"
}

@test "a child like true makes few system calls more for having the library loaded" {
	requires strace
	strace -f -o "$BATS_TEST_TMPDIR/without" true
	strace -f -o "$BATS_TEST_TMPDIR/with" -E "LD_PRELOAD=$LIBREQPROF" -E "REQPROF_DIR=$profiles" true
	local without with
	without=$(wc -l <"$BATS_TEST_TMPDIR/without")
	with=$(wc -l <"$BATS_TEST_TMPDIR/with")
	echo "$without system calls without, $with with" >&2
	# The loader needs about 10 to map a library; what is ours comes on top.
	diff <(cut -d' ' -f2- "$BATS_TEST_TMPDIR/without" | sed 's/(.*//') \
		<(cut -d' ' -f2- "$BATS_TEST_TMPDIR/with" | sed 's/(.*//') >&2 || true
	[ "$((with - without))" -le 24 ]
	[ ! -e "$profiles" ]
}

@test "a child like true runs less than a million instructions more" {
	requires valgrind
	instructions() { # reads them from callgrind's summary
		sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$1"
	}
	valgrind --tool=callgrind --callgrind-out-file=/dev/null true 2>"$BATS_TEST_TMPDIR/without"
	valgrind --tool=callgrind --callgrind-out-file=/dev/null \
		env "LD_PRELOAD=$LIBREQPROF" true 2>/dev/null
	LD_PRELOAD=$LIBREQPROF REQPROF_DIR=$profiles valgrind --tool=callgrind \
		--callgrind-out-file=/dev/null true 2>"$BATS_TEST_TMPDIR/with"
	local without with
	without=$(instructions "$BATS_TEST_TMPDIR/without")
	with=$(instructions "$BATS_TEST_TMPDIR/with")
	echo "$without instructions without, $with with" >&2
	[ -n "$without" ]
	[ "$((with - without))" -lt 1000000 ]
}

@test "profiles have mode 0600 whatever the umask, and are opened anew without following links" {
	requires strace
	spawn server bash -c "umask 0; exec $(printf '%q ' strace -f -q -e trace=%file \
		-o "$BATS_TEST_TMPDIR/trace" -E "LD_PRELOAD=$LIBREQPROF" -E "REQPROF_DIR=$profiles" \
		"$PROGRAMS/threaded_server" "$port" accept 1)"
	server_up server "$port"
	get /r1/1 >/dev/null
	retry has_profiles 1
	is "600" "$(stat -c %a "$profiles"/*.pprof)"
	is "600" "$(stat -c %a "$profiles"/reqprof.control)"
	is "700" "$(stat -c %a "$profiles")"
	# The call that made the file which was then renamed to its name.
	grep -E 'open(at)?\(.*O_CREAT' "$BATS_TEST_TMPDIR/trace" | grep -v reqprof.control >"$BATS_TEST_TMPDIR/opens"
	[ -s "$BATS_TEST_TMPDIR/opens" ]
	run ! grep -vE 'O_EXCL.*O_NOFOLLOW|O_NOFOLLOW.*O_EXCL|O_TMPFILE' "$BATS_TEST_TMPDIR/opens"
}

@test "query strings, cookies and other headers are kept nowhere" {
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	get '/r1/1?token=hidden-secret' -H 'Authorization: Bearer hidden-secret' -H 'Cookie: a=hidden-secret' \
		-H 'X-Auth-Token: hidden-secret' -H 'User-Agent: hidden-secret' >/dev/null
	settle "$server_pid" 1
	run ! grep -rl hidden-secret "$profiles"
}

@test "traceparent and x-request-id are kept" {
	spawn server "${preload[@]}" "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	get /r1/1 -H 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' \
		-H 'X-Request-Id: req-7f' >/dev/null
	settle "$server_pid" 1
	is "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 req-7f" \
		"$(all_facts | jq -r '"\(.traceparent) \(.["x-request-id"])"')"
}

@test "in a secure-execution process the library does nothing" {
	[ "$(id -u)" -eq 0 ] || skip "making a set-group-id program needs root"
	local program=$BATS_TEST_TMPDIR/secure
	# LD_PRELOAD itself is ignored there, so the program is linked with the library.
	gcc -O1 -D_GNU_SOURCE -o "$program" "$TESTS/programs/threaded_server.c" \
		-Wl,--no-as-needed "$LIBREQPROF" "-Wl,-rpath,$(cd "$B" && pwd)" -lpthread
	chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/.."
	mkdir -m 0777 "$BATS_TEST_TMPDIR/cwd"
	cd "$BATS_TEST_TMPDIR/cwd"
	mkdir -m 0777 "$profiles"
	nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	"${nobody[@]}" test -r "$LIBREQPROF" || skip "user nobody may not read $LIBREQPROF"

	# First that it does work there without the privilege, then that it does not with it.
	spawn plain "${nobody[@]}" env "REQPROF_DIR=$profiles" "$program" "$port" accept 1
	server_up plain "$port"
	get /r1/1 >/dev/null
	settle "$plain_pid" 1
	rm -r "${profiles:?}"/*
	chown root:root "$program"
	chmod 2755 "$program"
	findmnt -T "$program" -no OPTIONS | grep -q nosuid && skip "set-group-id has no effect here"
	spawn secure "${nobody[@]}" env "REQPROF_DIR=$profiles" "$program" "$port" accept 1
	server_up secure "$port"
	get /r1/2 >/dev/null
	stop "$secure_pid"
	is "" "$(find "$profiles" "$BATS_TEST_TMPDIR/cwd" -mindepth 1)"
}
