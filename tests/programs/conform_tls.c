/* OpenSSL's reading and writing. See conform.h. Declared here: its headers are no other test's need. */
#include "tests/programs/conform.h"

typedef struct ssl SSL;
typedef struct ssl_ctx SSL_CTX;
typedef struct ssl_method SSL_METHOD;

typedef unsigned psk_client(SSL *, const char *, char *, unsigned, unsigned char *, unsigned);
typedef unsigned psk_server(SSL *, const char *, unsigned char *, unsigned);

const SSL_METHOD *TLS_server_method(void);
const SSL_METHOD *TLS_client_method(void);
SSL_CTX *SSL_CTX_new(const SSL_METHOD *);
long SSL_CTX_ctrl(SSL_CTX *, int, long, void *);
int SSL_CTX_set_cipher_list(SSL_CTX *, const char *);
void SSL_CTX_set_psk_client_callback(SSL_CTX *, psk_client *);
void SSL_CTX_set_psk_server_callback(SSL_CTX *, psk_server *);
SSL *SSL_new(SSL_CTX *);
int SSL_set_fd(SSL *, int);
int SSL_accept(SSL *);
int SSL_connect(SSL *);
int SSL_shutdown(SSL *);
void SSL_free(SSL *);
int SSL_get_error(const SSL *, int);
void ERR_clear_error(void);
int SSL_read(SSL *, void *, int);
int SSL_read_ex(SSL *, void *, size_t, size_t *);
int SSL_read_early_data(SSL *, void *, size_t, size_t *);
int SSL_write(SSL *, const void *, int);
int SSL_write_ex(SSL *, const void *, size_t, size_t *);
int SSL_write_early_data(SSL *, const void *, size_t, size_t *);
ssize_t SSL_sendfile(SSL *, int, off_t, size_t, int);

enum { MAX_VERSION = 124, TLS_1_2 = 0x303 };

static SSL *client, *server;
static char buf[300000];
static size_t moved;

static unsigned client_key(SSL *ssl, const char *hint, char *identity, unsigned identity_size,
			   unsigned char *key, unsigned size)
{
	(void)ssl;
	(void)hint;
	snprintf(identity, identity_size, "conform");
	memset(key, 7, size < 16 ? size : 16);
	return 16;
}

static unsigned server_key(SSL *ssl, const char *identity, unsigned char *key, unsigned size)
{
	(void)ssl;
	(void)identity;
	memset(key, 7, size < 16 ? size : 16);
	return 16;
}

/* A shared key instead of a certificate: nothing to make, nothing that expires. */
static SSL *session(bool serves, int fd)
{
	SSL_CTX *context = SSL_CTX_new(serves ? TLS_server_method() : TLS_client_method());
	SSL *ssl;

	SSL_CTX_ctrl(context, MAX_VERSION, TLS_1_2, NULL);
	if (SSL_CTX_set_cipher_list(context, "PSK") != 1)
		fatal("no PSK");
	if (serves)
		SSL_CTX_set_psk_server_callback(context, server_key);
	else
		SSL_CTX_set_psk_client_callback(context, client_key);
	ssl = SSL_new(context);
	SSL_set_fd(ssl, fd);
	return ssl;
}

static void sessions(void)
{
	int pair[2], connected = 0, accepted = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		fatal("socketpair");
	client = session(false, pair[0]);
	server = session(true, pair[1]);
	for (int i = 0; i < 20 && (connected != 1 || accepted != 1); i++) {
		connected = SSL_connect(client);
		accepted = SSL_accept(server);
	}
	if (connected != 1 || accepted != 1)
		fatal("handshake");
	errno = ERRNO_BEFORE;
}

static void show_call(const char *what, SSL *ssl, long result)
{
	int saved = errno;

	say("  %s: %ld, error %d, moved %zu", what, result,
	    result > 0 ? 0 : SSL_get_error(ssl, (int)result), moved);
	if (saved != ERRNO_BEFORE && saved != 0)
		say(" errno %d", saved);
	say("\n");
	ERR_clear_error();
	moved = 0;
	errno = ERRNO_BEFORE;
}
#define call(what, ssl, ...) show_call(what, ssl, (long)(__VA_ARGS__))

#define READING(name, called)                                           \
	do {                                                            \
		size_t size = 3;                                        \
                                                                        \
		CASE(name)                                              \
		sessions();                                             \
		memset(buf, 0, 32);                                     \
		call("nothing there", server, called);                  \
		call("written", client, SSL_write(client, "hello", 5)); \
		call("3 of 5", server, called);                         \
		say("  got %.10s\n", buf);                              \
		size = 0;                                               \
		call("no bytes", server, called);                       \
		size = 100;                                             \
		call("the rest", server, called);                       \
		SSL_shutdown(client);                                   \
		call("at the end", server, called);                     \
		call("again", server, called);                          \
	} while (0)

#define WRITING(name, called)                                       \
	do {                                                        \
		size_t size = 5;                                    \
                                                                    \
		CASE(name)                                          \
		sessions();                                         \
		memcpy(buf, "hello", 5);                            \
		call("5 bytes", server, called);                    \
		call("arrive", client, SSL_read(client, buf, 100)); \
		size = 0;                                           \
		call("no bytes", server, called);                   \
		size = sizeof(buf);                                 \
		call("more than fit", server, called);              \
		call("the same again", server, called);             \
		SSL_shutdown(server);                               \
		call("after the end", server, called);              \
	} while (0)

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	request_begin();
	READING(SSL_read, SSL_read(server, buf, (int)size));
	READING(SSL_read_ex, SSL_read_ex(server, buf, size, &moved));
	WRITING(SSL_write, SSL_write(server, buf, (int)size));
	WRITING(SSL_write_ex, SSL_write_ex(server, buf, size, &moved));
	/* No early data here, and no TLS in the kernel: refused as ever. */
	CASE(SSL_read_early_data)
	sessions();
	call("too late", server, SSL_read_early_data(server, buf, 10, &moved));
	call("as a client", client, SSL_read_early_data(client, buf, 10, &moved));
	CASE(SSL_write_early_data)
	call("too late", client, SSL_write_early_data(client, buf, 10, &moved));
	CASE(SSL_sendfile)
	call("a file", server, SSL_sendfile(server, STDIN_FILENO, 0, 10, 0));
	request_finish();
	return 0;
}
