# What the library exports is what its table says, and the table forgets no twin.
load helpers

# All names in preload/hook/table.h, as the preprocessor sees them, and vfork, which stands apart.
table() {
	gcc -E -P -D_GNU_SOURCE -I"$TESTS/.." -x c - <<-'END' | grep -oE '@ *[A-Za-z_0-9]+' | tr -d '@ ' | sort -u
		#include "preload/hook/table.h"
		#define NAME(result, name, ...) @name
		#define ALIAS(name, of) @name
		HOOK_TABLE(NAME) HOOK_VARIADIC_TABLE(NAME) HOOK_ALIASES(ALIAS) @vfork @__vfork
	END
}
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
	is "" "$(comm -23 <(table) <(libc_names) | xargs)" "not in libc:"
}

@test "fortified, 64-bit and double-underscore twins of what we take over are taken over too" {
	local missing="" name twin
	libc_names >"$BATS_TEST_TMPDIR/libc"
	table >"$BATS_TEST_TMPDIR/table"
	for name in $(table); do
		for twin in "__${name}_chk" "${name}64" "__${name}" "__${name}64" "__libc_${name}"; do
			grep -qx "$twin" "$BATS_TEST_TMPDIR/libc" || continue
			grep -qx "$twin" "$BATS_TEST_TMPDIR/table" || missing+=" $twin"
		done
	done
	is "" "$missing" "twins that pass us by:"
}
