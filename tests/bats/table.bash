# Names in preload/hook/table.h, as the preprocessor sees them: those of libc, with vfork, which
# stands apart; those of OpenSSL, each with its version in libssl.so.1.1; and both.
libc_table() {
	gcc -E -P -D_GNU_SOURCE -I"$TESTS/.." -x c - <<-'END' | grep -oE '@ *[A-Za-z_0-9]+' | tr -d '@ ' | sort -u
		#include "preload/hook/table.h"
		#define NAME(result, name, ...) @name
		#define ALIAS(name, of) @name
		HOOK_TABLE(NAME) HOOK_VARIADIC_TABLE(NAME) HOOK_ALIASES(ALIAS) @vfork @__vfork
	END
}
ssl_table() {
	gcc -E -P -D_GNU_SOURCE -I"$TESTS/.." -x c - <<-'END' | grep -oE '@[A-Za-z_0-9]+ [A-Z_0-9]+' | tr -d '@' | sort -u
		#include "preload/hook/table.h"
		#define NAME(result, name, failure, version, ...) @name version
		HOOK_SSL_TABLE(NAME)
	END
}
table() { { libc_table; ssl_table | cut -d' ' -f1; } | sort -u; }
