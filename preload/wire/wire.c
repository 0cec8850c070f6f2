#include "preload/wire/wire.h"

#include <string.h>

#include "preload/wire/facts.h"
#include "preload/wire/modwsgi.h"
#include "preload/wire/proxy_head.h"
#include "preload/wire/scgi.h"
#include "preload/wire/tls.h"

/* HTTP/2's first line looks like one of HTTP/1 but for its version. */
static const char http2_preface[] = "PRI * HTTP/2";

/* What to say of a method that may yet end, or be the preface's: what we look at must be enough. */
static enum wire_protocol undecided(size_t len)
{
	return len == WIRE_SNIFF_MAX ? WIRE_HTTP1 : WIRE_UNKNOWN;
}

static enum wire_protocol sniff_http1(const unsigned char *bytes, size_t len)
{
	enum { SHORT = 3 };
	size_t start = 0, end, compared;

	while (start < len && (bytes[start] == '\r' || bytes[start] == '\n'))
		start++;
	if (start == WIRE_SNIFF_MAX)
		return WIRE_NONE;
	for (end = start; end < len && facts_is_token_char(bytes[end]); end++)
		;
	if (end - start == WIRE_METHOD_MAX)
		return WIRE_NONE;
	if (end == len)
		return undecided(len);
	if (bytes[end] != ' ' || end == start)
		return WIRE_NONE;
	/* "A \0" may be a number that stands in front of something. No target begins with a NUL. */
	if (end + 1 <= SHORT) {
		if (end + 1 == len)
			return undecided(len);
		if (bytes[end + 1] == '\0')
			return WIRE_NONE;
	}
	compared = sizeof(http2_preface) - 1;
	if (compared > len - start)
		compared = len - start;
	if (memcmp(bytes + start, http2_preface, compared) != 0)
		return WIRE_HTTP1;
	if (compared < sizeof(http2_preface) - 1)
		return undecided(len);
	/* Empty lines come before requests only of HTTP/1. */
	return start == 0 ? WIRE_HTTP2 : WIRE_NONE;
}

static enum wire_protocol sniff_uwsgi(const unsigned char *bytes, size_t len)
{
	enum { HEADER = 4, KEY_MIN = 1, KEY_MAX = 256 };
	size_t size, key_len, i;

	if (len < HEADER + 2)
		return WIRE_UNKNOWN;
	size = bytes[1] | (size_t)bytes[2] << 8;
	key_len = bytes[HEADER] | (size_t)bytes[HEADER + 1] << 8;
	if (key_len < KEY_MIN || key_len > KEY_MAX || size < 2 + key_len + 2)
		return WIRE_NONE;
	for (i = HEADER + 2; i < len && i < HEADER + 2 + key_len; i++) {
		if (bytes[i] <= ' ' || bytes[i] >= 0x7f)
			return WIRE_NONE;
	}
	return i == WIRE_SNIFF_MAX || i == HEADER + 2 + key_len ? WIRE_UWSGI : WIRE_UNKNOWN;
}

/* A record of version 1, type 1, 8 bytes long, for an id, that asks for one of the three roles. */
static enum wire_protocol sniff_fastcgi(const unsigned char *bytes, size_t len)
{
	static const int begin[] = { 1, 1, -1, -1, 0, 8, -1, -1, 0, -1 };
	enum { ID = 2, ROLE = 9, NEEDED = 10 };

	for (size_t i = 0; i < len && i < NEEDED; i++) {
		if (begin[i] >= 0 && bytes[i] != begin[i])
			return WIRE_NONE;
	}
	if (len > ID + 1 && bytes[ID] == 0 && bytes[ID + 1] == 0)
		return WIRE_NONE;
	if (len < NEEDED)
		return WIRE_UNKNOWN;
	return bytes[ROLE] >= 1 && bytes[ROLE] <= 3 ? WIRE_FASTCGI : WIRE_NONE;
}

/* A netstring that begins with what SCGI wants there. */
static enum wire_protocol sniff_scgi(const unsigned char *bytes, size_t len)
{
	static const char first[] = "CONTENT_LENGTH";
	size_t digits = 0, compared;

	while (digits < len && bytes[digits] >= '0' && bytes[digits] <= '9')
		digits++;
	if (digits == len && digits <= SCGI_DIGITS_MAX)
		return WIRE_UNKNOWN;
	if (digits == 0 || digits > SCGI_DIGITS_MAX || bytes[digits] != ':')
		return WIRE_NONE;
	/* With the NUL behind it. */
	compared = len - digits - 1 < sizeof(first) ? len - digits - 1 : sizeof(first);
	if (memcmp(bytes + digits + 1, first, compared) != 0)
		return WIRE_NONE;
	return compared == sizeof(first) ? WIRE_SCGI : WIRE_UNKNOWN;
}

/* A packet for the container that is a Forward Request, or the ping that some send first. */
static enum wire_protocol sniff_ajp(const unsigned char *bytes, size_t len)
{
	enum { NEEDED = 5, FORWARD_REQUEST = 2, PING = 10 };

	if (bytes[0] != 0x12 || (len > 1 && bytes[1] != 0x34))
		return WIRE_NONE;
	if (len < NEEDED)
		return WIRE_UNKNOWN;
	return bytes[4] == FORWARD_REQUEST || bytes[4] == PING ? WIRE_AJP : WIRE_NONE;
}

/* Two numbers and the first letter of a variable's name. */
static enum wire_protocol sniff_modwsgi(const unsigned char *bytes, size_t len)
{
	enum { NEEDED = 17 };

	if (!modwsgi_header_fits(bytes, len))
		return WIRE_NONE;
	if (len < NEEDED)
		return WIRE_UNKNOWN;
	return bytes[NEEDED - 1] > ' ' && bytes[NEEDED - 1] < 0x7f ? WIRE_MODWSGI : WIRE_NONE;
}

/* "PROXY TCP4 ", "PROXY TCP6 ", "PROXY UNKNOWN", or the binary signature. */
static enum wire_protocol sniff_proxy(const unsigned char *bytes, size_t len)
{
	static const char *const begins[] = { "PROXY TCP4 ", "PROXY TCP6 ", "PROXY UNKNOWN" };
	size_t signature = len < PROXY_SIGNATURE ? len : PROXY_SIGNATURE;
	enum wire_protocol verdict = WIRE_NONE;

	if (memcmp(bytes, proxy_signature, signature) == 0)
		return signature == PROXY_SIGNATURE ? WIRE_PROXY : WIRE_UNKNOWN;
	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		size_t whole = strlen(begins[i]), compared = len < whole ? len : whole;

		if (memcmp(bytes, begins[i], compared) != 0)
			continue;
		if (compared == whole)
			return WIRE_PROXY;
		verdict = WIRE_UNKNOWN;
	}
	return verdict;
}

static enum wire_protocol sniff_tls(const unsigned char *bytes, size_t len)
{
	/* Record type, version 3.x, 16-bit length, then the type of the first message. */
	static const unsigned char hello[] = { TLS_HANDSHAKE, 3, 0, 0, 0, TLS_CLIENT_HELLO };

	for (size_t i = 0; i < len && i < sizeof(hello); i++) {
		if (bytes[i] != hello[i] && (i < 2 || i > 4))
			return WIRE_NONE;
	}
	return len < sizeof(hello) ? WIRE_UNKNOWN : WIRE_TLS;
}

enum wire_protocol wire_sniff(const void *bytes, size_t len)
{
	/* The first one that is certain. "PROXY TCP4" could be a method: who else begins so comes first. */
	static enum wire_protocol (*const sniffers[])(const unsigned char *, size_t) = {
		sniff_tls,  sniff_proxy, sniff_http1,	sniff_fastcgi,
		sniff_scgi, sniff_ajp,	 sniff_modwsgi,
	};
	enum wire_protocol verdict = WIRE_NONE, found;
	const unsigned char *first = bytes;

	if (len == 0)
		return WIRE_UNKNOWN;
	if (len > WIRE_SNIFF_MAX)
		len = WIRE_SNIFF_MAX;
	if (*first == 0) {
		verdict = sniff_uwsgi(first, len);
		if (verdict == WIRE_UWSGI)
			return verdict;
		/* Of the others only mod_wsgi's length can begin so. */
		found = sniff_modwsgi(first, len);
		return found == WIRE_NONE ? verdict : found;
	}
	for (size_t i = 0; i < sizeof(sniffers) / sizeof(sniffers[0]); i++) {
		found = sniffers[i](first, len);
		if (found > WIRE_NONE)
			/* While it may still become a PROXY head it is not HTTP's. */
			return verdict == WIRE_UNKNOWN ? WIRE_UNKNOWN : found;
		if (found == WIRE_UNKNOWN)
			verdict = WIRE_UNKNOWN;
	}
	return verdict;
}
