#include "preload/wire/wire.h"

#include <string.h>

#include "preload/wire/facts.h"

/* HTTP/2's first line looks like one of HTTP/1 but for its version. */
static const char http2_preface[] = "PRI * HTTP/2";

/* What to say of a method that may yet end, or be the preface's: what we look at must be enough. */
static enum wire_protocol undecided(size_t len)
{
	return len == WIRE_SNIFF_MAX ? WIRE_HTTP1 : WIRE_UNKNOWN;
}

static enum wire_protocol sniff_http1(const unsigned char *bytes, size_t len)
{
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

enum wire_protocol wire_sniff(const void *bytes, size_t len)
{
	const unsigned char *first = bytes;

	if (len == 0)
		return WIRE_UNKNOWN;
	if (len > WIRE_SNIFF_MAX)
		len = WIRE_SNIFF_MAX;
	return *first == 0 ? sniff_uwsgi(first, len) : sniff_http1(first, len);
}
