#include "preload/wire/tls.h"

#include <string.h>

void tls_start(struct tls_records *t)
{
	memset(t, 0, sizeof(*t));
}

static uint32_t tls_size(const struct tls_records *t)
{
	return (uint32_t)t->header[3] << 8 | t->header[4];
}

/* Since TLS 1.3 an alert, such as the one that says good-bye, looks like data, but for its size: two
 * bytes, the type and the tag. No request is as short. */
static void tls_count(struct tls_records *t)
{
	enum { ALERT = 2 + 1 + 16 };
	uint8_t *counter =
		t->header[0] == TLS_HANDSHAKE				       ? &t->handshakes :
		t->header[0] == TLS_APPLICATION_DATA && tls_size(t) > ALERT ? &t->data :
									       NULL;

	if (counter && *counter < UINT8_MAX)
		(*counter)++;
}

/* Behind the first record's header: message type, 24-bit length, 16-bit version, random. */
static void tls_take_random(struct tls_records *t, const uint8_t *bytes, size_t len)
{
	enum { AT = 6 };

	for (size_t i = 0; i < len && t->body_len + i < AT + TLS_RANDOM; i++) {
		if (t->body_len + i >= AT)
			t->random[t->body_len + i - AT] = bytes[i];
	}
	t->hello = t->body_len + len >= AT + TLS_RANDOM;
}

/* Uses what belongs to the record at hand. */
static size_t tls_feed_body(struct tls_records *t, const uint8_t *bytes, size_t len)
{
	uint32_t size = tls_size(t);
	size_t left = size - t->body_len;
	size_t used = len < left ? len : left;

	if (bytes && !t->first_over && !t->hello)
		tls_take_random(t, bytes, used);
	t->body_len += (uint32_t)used;
	if (t->body_len == size) {
		t->header_len = 0;
		t->body_len = 0;
		t->first_over = true;
	}
	return used;
}

void tls_feed(struct tls_records *t, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len > 0 && !t->lost) {
		size_t used = 1;

		if (t->header_len < TLS_HEADER) {
			if (!p) {
				t->lost = true;
				break;
			}
			t->header[t->header_len++] = *p;
			if (t->header_len == TLS_HEADER) {
				tls_count(t);
				tls_feed_body(t, NULL, 0); /* it may be empty */
			}
		} else {
			used = tls_feed_body(t, p, len);
		}
		if (p)
			p += used;
		len -= used;
	}
}

bool tls_carries_data(const struct tls_records *t)
{
	/* Until TLS 1.2 the handshake's own end is a handshake record; since 1.3 it looks like data. */
	return t->data >= (t->handshakes >= 2 ? 1 : 2);
}
