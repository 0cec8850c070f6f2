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
