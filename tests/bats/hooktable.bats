# What the library exports is what its table says, and the table forgets no twin.
load helpers
load table

libc_names() {
	nm -D --defined-only "$(ldd /bin/true | sed -n 's/.*libc\.so\.6 => \([^ ]*\).*/\1/p')" |
		awk '!/@GLIBC_PRIVATE/ { sub(/@.*/, "", $3); print $3 }' | sort -u
}
exports() { nm -D --defined-only "$LIBREQPROF" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u; }

@test "the exported symbols are the hook table" {
	[ "$(table | wc -l)" -gt 30 ]
	diff <(table) <(exports)
}

@test "every function in the table exists in libc" {
	is "" "$(comm -23 <(libc_table) <(libc_names) | xargs)" "not in libc:"
}

@test "OpenSSL's functions are exported under its versions of both kinds, and exist in libssl" {
	local name since libssl
	libssl=$(ldconfig -p | sed -n 's/.*libssl\.so\.3 .*=> //p' | head -n 1)
	[ "$(ssl_table | wc -l)" -eq 7 ]
	ssl_table | while read -r name since; do
		nm -D "$libssl" | grep -q " T $name@@OPENSSL_3.0.0$"
		# "@" is hidden from look-ups that name no version, "@@" would not be.
		nm -D "$LIBREQPROF" | grep -q " T $name@OPENSSL_3.0.0$"
		nm -D "$LIBREQPROF" | grep -q " T $name@$since$"
	done
	is "" "$(nm -D "$LIBREQPROF" | grep SSL_ | grep @@)" "to be found by dlsym:"
}

@test "a program without OpenSSL that asks for SSL_read does not find ours" {
	is "None 0" "$(env LD_PRELOAD="$LIBREQPROF" REQPROF_DIR="$BATS_TEST_TMPDIR/profiles" "$PYTHON" - <<-'END'
		import ctypes
		def find(name):
		    dlsym = ctypes.CDLL(None).dlsym
		    dlsym.restype, dlsym.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]
		    return dlsym(None, name)
		assert find(b"read")
		print(find(b"SSL_read"), sum("libssl" in line for line in open("/proc/self/maps")))
	END
	)"
}

@test "fortified, 64-bit and double-underscore twins of what we take over are taken over too" {
	local missing="" name twin
	libc_names >"$BATS_TEST_TMPDIR/libc"
	libc_table >"$BATS_TEST_TMPDIR/table"
	for name in $(libc_table); do
		for twin in "__${name}_chk" "${name}64" "__${name}" "__${name}64" "__libc_${name}"; do
			grep -qx "$twin" "$BATS_TEST_TMPDIR/libc" || continue
			grep -qx "$twin" "$BATS_TEST_TMPDIR/table" || missing+=" $twin"
		done
	done
	is "" "$missing" "twins that pass us by:"
}

# What signal(7) and the kernel's sources name: never restarted after a handler, or cut short by one.
@test "each call that a signal can end early or cut short is taken over, or it is known why not" {
	local name reason
	libc_table >"$BATS_TEST_TMPDIR/table"
	for name in accept accept4 connect recv recvfrom recvmsg recvmmsg send sendto sendmsg read write readv writev \
		sendfile splice tee vmsplice pause sigsuspend sigpause sigtimedwait sigwaitinfo sigwait \
		epoll_wait epoll_pwait epoll_pwait2 poll ppoll select pselect msgrcv msgsnd semop semtimedop \
		preadv2 pwritev2 aio_suspend aio_suspend64 gai_suspend \
		clock_nanosleep nanosleep thrd_sleep usleep sleep sem_wait sem_timedwait sem_clockwait getrandom \
		fallocate posix_fallocate fcntl flock lockf tcdrain wait waitpid waitid wait3 wait4 syscall; do
		grep -qx "$name" "$BATS_TEST_TMPDIR/table" || { echo "not taken over: $name" >&2; return 1; }
	done
	while read -r name reason; do
		[ -n "$reason" ]
		libc_names | grep -qx "$name"
		! grep -qx "$name" "$BATS_TEST_TMPDIR/table" || { echo "taken over: $name" >&2; return 1; }
	done <<-'END'
		open		a FIFO's: restarted, as our handler asks with SA_RESTART
		openat		the same
		ioctl		restarted; what drivers do not restart is theirs to say, and sampled hosts wait in none of it
		mq_receive	restarted
		mq_send		restarted
		mq_timedreceive	restarted: its limit is a point in time
		mq_timedsend	the same
		lio_listio	with LIO_WAIT in a futex without a limit, which is restarted
		getaddrinfo_a	with GAI_WAIT the same
		pthread_timedjoin_np	goes on by itself
		pthread_clockjoin_np	goes on by itself
		pthread_rwlock_clockrdlock	goes on by itself
		pthread_rwlock_clockwrlock	goes on by itself
		mtx_lock	goes on by itself
		mtx_timedlock	goes on by itself
		cnd_wait	goes on by itself
		cnd_timedwait	goes on by itself
		thrd_join	goes on by itself
		copy_file_range	ended by fatal signals only
		getentropy	256 bytes at most, which are never interrupted
		pthread_barrier_wait	goes on by itself
		pthread_rwlock_timedrdlock	goes on by itself
		pthread_rwlock_timedwrlock	goes on by itself
		msync		not interrupted
	END
}
