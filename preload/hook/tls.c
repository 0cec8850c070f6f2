/*
 * OpenSSL's plain text, on its way to and from the host. What is read and written below it (by
 * libcrypto, or by the host itself before and afterwards) goes by stream.c as ciphertext.
 */
#include <errno.h>

#include "preload/hook/guard.h"
#include "preload/hook/libssl.h"
#include "preload/track/track.h"

/* The object of the call that this thread is in: libssl reaches some of its own functions by way of
 * ours, and the bytes are told of once. */
static __thread void *tls_inside;

static void tls_told(const struct libssl *libssl, const void *ssl, const void *bytes, size_t len,
		     bool sent)
{
	struct track_session session = { .object = ssl };
	int saved = errno;

	if (libssl->is_server && libssl->get_client_random && hook_enter()) {
		if (libssl->is_server(ssl) &&
		    libssl->get_client_random(ssl, session.random, sizeof(session.random)) ==
			    sizeof(session.random))
			track_tls(&session, bytes, len, sent);
		hook_leave();
	}
	errno = saved;
}

/* Is this call the host's? Then tls_leave follows it. */
static bool tls_enter(void *ssl, void **outer)
{
	*outer = tls_inside;
	tls_inside = ssl;
	return *outer != ssl;
}

static bool tls_enter_write(void *ssl, void **outer)
{
	bool hosts = tls_enter(ssl, outer);

	if (hosts && hook_enter()) {
		track_tls_writing();
		hook_leave();
	}
	return hosts;
}

static int tls_SSL_read(const struct libssl *libssl, void *ssl, void *buf, int size)
{
	void *outer;
	bool hosts = tls_enter(ssl, &outer);
	int got = libssl->SSL_read(ssl, buf, size);

	tls_inside = outer;
	if (hosts && got > 0)
		tls_told(libssl, ssl, buf, (size_t)got, false);
	return got;
}

static int tls_SSL_read_ex(const struct libssl *libssl, void *ssl, void *buf, size_t size,
			   size_t *got)
{
	void *outer;
	bool hosts = tls_enter(ssl, &outer);
	int result = libssl->SSL_read_ex(ssl, buf, size, got);

	tls_inside = outer;
	if (hosts && result > 0 && *got > 0)
		tls_told(libssl, ssl, buf, *got, false);
	return result;
}

static int tls_SSL_read_early_data(const struct libssl *libssl, void *ssl, void *buf, size_t size,
				   size_t *got)
{
	enum { READ_SUCCESS = 1 }; /* SSL_READ_EARLY_DATA_SUCCESS; 2 is the end of them */
	void *outer;
	bool hosts = tls_enter(ssl, &outer);
	int result = libssl->SSL_read_early_data(ssl, buf, size, got);

	tls_inside = outer;
	if (hosts && result == READ_SUCCESS && *got > 0)
		tls_told(libssl, ssl, buf, *got, false);
	return result;
}

static int tls_SSL_write(const struct libssl *libssl, void *ssl, const void *buf, int size)
{
	void *outer;
	bool hosts = tls_enter_write(ssl, &outer);
	int sent = libssl->SSL_write(ssl, buf, size);

	tls_inside = outer;
	if (hosts && sent > 0)
		tls_told(libssl, ssl, buf, (size_t)sent, true);
	return sent;
}

static int tls_SSL_write_ex(const struct libssl *libssl, void *ssl, const void *buf, size_t size,
			    size_t *sent)
{
	void *outer;
	bool hosts = tls_enter_write(ssl, &outer);
	int result = libssl->SSL_write_ex(ssl, buf, size, sent);

	tls_inside = outer;
	if (hosts && result > 0 && *sent > 0)
		tls_told(libssl, ssl, buf, *sent, true);
	return result;
}

static int tls_SSL_write_early_data(const struct libssl *libssl, void *ssl, const void *buf,
				    size_t size, size_t *sent)
{
	void *outer;
	bool hosts = tls_enter_write(ssl, &outer);
	int result = libssl->SSL_write_early_data(ssl, buf, size, sent);

	tls_inside = outer;
	if (hosts && result > 0 && *sent > 0)
		tls_told(libssl, ssl, buf, *sent, true);
	return result;
}

static ssize_t tls_SSL_sendfile(const struct libssl *libssl, void *ssl, int fd, off_t offset,
				size_t size, int flags)
{
	void *outer;
	bool hosts = tls_enter_write(ssl, &outer);
	ssize_t sent = libssl->SSL_sendfile(ssl, fd, offset, size, flags);

	tls_inside = outer;
	if (hosts && sent > 0)
		tls_told(libssl, ssl, NULL, (size_t)sent, true);
	return sent;
}

/* What hosts are bound to, for each version of the symbol. Nothing stands in between, so that the return
 * address is the host's. */
#define TLS_LIST(...) __VA_ARGS__
#define TLS_ENTRY(result, name, parameters, arguments, libssl_version, symbol_version)          \
	result libssl_version##_##name parameters;                                              \
	__asm__(".symver " #libssl_version "_" #name ", " #name "@" symbol_version ", remove"); \
	EXPORT result libssl_version##_##name parameters                                        \
	{                                                                                       \
		return tls_##name(libssl_for(libssl_version, __builtin_return_address(0)),      \
				  TLS_LIST arguments);                                          \
	}
#define TLS_ENTRIES(result, name, failure, version, parameters, arguments)        \
	TLS_ENTRY(result, name, parameters, arguments, LIBSSL_3, "OPENSSL_3.0.0") \
	TLS_ENTRY(result, name, parameters, arguments, LIBSSL_1_1, #version)
HOOK_SSL_TABLE(TLS_ENTRIES)
