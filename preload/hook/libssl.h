/*
 * OpenSSL's own functions behind those in tls.c. A process may have none, one or several libssl:
 * the system's, perhaps local to Python's _ssl (RTLD_NEXT does not find it), and one that a binary
 * package brought for itself. A call has to reach the one that the caller would have been bound to
 * without us, for the objects of one are nothing to the other; so the caller's address decides.
 */
#ifndef REQPROF_HOOK_LIBSSL_H
#define REQPROF_HOOK_LIBSSL_H

#include <stdint.h>

#include "preload/hook/table.h"

enum libssl_version { LIBSSL_3, LIBSSL_1_1, LIBSSL_VERSIONS };

struct libssl {
#define LIBSSL_MEMBER(result, name, failure, version, parameters, arguments) \
	result(*name) parameters;
	HOOK_SSL_TABLE(LIBSSL_MEMBER)
#undef LIBSSL_MEMBER
	/* What we ask it ourselves: neither touches its error queue. NULL: do not ask. */
	size_t (*get_client_random)(const void *ssl, unsigned char *out, size_t size);
	int (*is_server)(const void *ssl);
};

/*
 * For a call from `caller`, a return address, to a symbol of this version. Never NULL, no member of
 * the table is: where a function cannot be found, there is one that fails with ENOSYS. The first
 * call from a place looks libssl up by the dynamic linker; later ones find it in a table. Loads
 * nothing. errno is kept.
 */
const struct libssl *libssl_for(enum libssl_version version, const void *caller);

/* Before a library is unloaded: forgets what was found. */
void libssl_withdraw(void);

/* In a forked child: another thread may have held the lock. */
void libssl_postfork_child(void);

#endif
