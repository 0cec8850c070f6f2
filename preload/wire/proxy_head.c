#include "preload/wire/proxy_head.h"

#include <string.h>

#include "preload/wire/facts.h"

const unsigned char proxy_signature[PROXY_SIGNATURE] = "\r\n\r\n\0\r\nQUIT\n";

enum { FIXED = 16, IPV4_BYTES = 4, IPV6_BYTES = 16, LOCAL = 0, TCP4 = 0x11, TCP6 = 0x21 };

void proxy_head_start(struct proxy_head *h)
{
	h->ended = false;
	h->family = 0;
	h->port = 0;
	h->version = 0;
	h->kept = 0;
	h->left = 0;
	memset(h->address, 0, sizeof(h->address));
}

/* ---- version 1 ---- */

/* The next word of the line, up to a space or its end; "" when there is none. */
static const char *next_word(const char **at, const char *end, size_t *len)
{
	const char *word = *at, *space = memchr(word, ' ', (size_t)(end - word));

	*len = (size_t)((space ? space : end) - word);
	*at = space ? space + 1 : end;
	return word;
}

static bool parse_ipv4(const char *text, size_t len, uint8_t *address)
{
	const char *end = text + len;

	for (int i = 0; i < IPV4_BYTES; i++) {
		const char *stop =
			i < IPV4_BYTES - 1 ? memchr(text, '.', (size_t)(end - text)) : end;
		uint64_t number;

		if (!stop || stop - text > 3 ||
		    !facts_parse_length(text, (size_t)(stop - text), &number) || number > 255)
			return false;
		address[i] = (uint8_t)number;
		text = stop + 1;
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Groups of up to four hex digits between colons; two colons stand for as many zeros as are missing. */
static bool parse_ipv6(const char *text, size_t len, uint8_t *address)
{
	uint16_t groups[8];
	int count = 0, gap = -1, digits = 0;
	unsigned value = 0;

	for (size_t i = 0; i <= len; i++) {
		int digit = i < len ? hex_digit(text[i]) : -1;

		if (digit >= 0) {
			if (++digits > 4)
				return false;
			value = value << 4 | (unsigned)digit;
			continue;
		}
		if (i < len && text[i] != ':')
			return false;
		if (digits > 0) {
			if (count == 8)
				return false;
			groups[count++] = (uint16_t)value;
		} else if (i < len && i > 0) {
			if (gap >= 0)
				return false;
			gap = count;
		}
		digits = 0;
		value = 0;
	}
	if (gap < 0 ? count != 8 : count == 8)
		return false;
	memset(address, 0, IPV6_BYTES);
	for (int i = 0; i < count; i++) {
		int to = gap >= 0 && i >= gap ? 8 - count + i : i;

		address[2 * to] = (uint8_t)(groups[i] >> 8);
		address[2 * to + 1] = (uint8_t)groups[i];
	}
	return true;
}

static bool is_word(const char *word, size_t len, const char *wanted)
{
	return strlen(wanted) == len && memcmp(word, wanted, len) == 0;
}

/* "PROXY TCP4 source destination source-port destination-port". An address that is none is not told. */
static bool take_line(struct proxy_head *h)
{
	const char *at = h->text, *end = h->text + h->kept - 2, *word;
	uint64_t port;
	uint8_t family;
	size_t len;

	word = next_word(&at, end, &len);
	if (end[0] != '\r' || !is_word(word, len, "PROXY"))
		return false;
	h->ended = true;
	word = next_word(&at, end, &len);
	if (is_word(word, len, "UNKNOWN"))
		return true;
	if (!is_word(word, len, "TCP4") && !is_word(word, len, "TCP6"))
		return false;
	family = word[3] == '4' ? 4 : 6;
	word = next_word(&at, end, &len);
	if (!(family == 4 ? parse_ipv4(word, len, h->address) : parse_ipv6(word, len, h->address)))
		return true;
	next_word(&at, end, &len);
	word = next_word(&at, end, &len);
	if (!facts_parse_length(word, len, &port) || port > UINT16_MAX)
		return true;
	h->port = (uint16_t)port;
	h->family = family;
	return true;
}

/* ---- version 2 ---- */

/* The addresses are there, as far as they were told. */
static void take_block(struct proxy_head *h)
{
	const uint8_t *block = (const uint8_t *)h->text + FIXED;
	size_t size = h->kept - FIXED;
	uint8_t family = (uint8_t)h->text[13];

	h->ended = true;
	if ((h->text[12] & 0xf) == LOCAL)
		return;
	if (family == TCP4 && size >= 2 * IPV4_BYTES + 4) {
		h->family = 4;
		memcpy(h->address, block, IPV4_BYTES);
		h->port = (uint16_t)(block[2 * IPV4_BYTES] << 8 | block[2 * IPV4_BYTES + 1]);
	}
	if (family == TCP6 && size >= 2 * IPV6_BYTES + 4) {
		h->family = 6;
		memcpy(h->address, block, IPV6_BYTES);
		h->port = (uint16_t)(block[2 * IPV6_BYTES] << 8 | block[2 * IPV6_BYTES + 1]);
	}
}

static bool take_fixed(struct proxy_head *h)
{
	if ((h->text[12] & 0xf0) != 0x20)
		return false;
	h->left = (uint16_t)((uint8_t)h->text[14] << 8 | (uint8_t)h->text[15]);
	if (h->left == 0)
		take_block(h);
	return true;
}

/* One byte; false when this is no head. */
static bool take_byte(struct proxy_head *h, char c)
{
	if (h->kept == 0)
		h->version = c == 'P' ? 1 : 2;
	if (h->version == 1) {
		h->text[h->kept++] = c;
		if (c == '\n')
			return h->kept >= 2 && take_line(h);
		return h->kept < PROXY_LINE_MAX;
	}
	if (h->kept < PROXY_SIGNATURE && (unsigned char)c != proxy_signature[h->kept])
		return false;
	/* Of what follows the addresses nothing is kept. */
	if (h->kept < PROXY_LINE_MAX)
		h->text[h->kept++] = c;
	if (h->left > 0) {
		if (--h->left == 0)
			take_block(h);
	} else if (h->kept == FIXED) {
		return take_fixed(h);
	}
	return true;
}

ssize_t proxy_head_feed(struct proxy_head *h, const void *bytes, size_t len)
{
	const char *at = bytes;
	size_t i = 0;

	while (i < len && !h->ended) {
		if (!take_byte(h, at[i]))
			return WIRE_NOT;
		i++;
	}
	return (ssize_t)i;
}
