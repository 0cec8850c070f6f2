#include "tools/base/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"
#include "tools/base/errors.h"

/*
 * Characters that change how their neighbours look, or cannot be seen: first and last of each
 * range.
 */
static const uint32_t unseen[][2] = {
	{ 0x0000, 0x001f },    { 0x007f, 0x009f }, { 0x00ad, 0x00ad },	 { 0x034f, 0x034f },
	{ 0x061c, 0x061c },    { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 },	 { 0x180b, 0x180f },
	{ 0x200b, 0x200f },    { 0x2028, 0x202e }, { 0x2060, 0x206f },	 { 0x3164, 0x3164 },
	{ 0xd800, 0xf8ff },    { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },	 { 0xffa0, 0xffa0 },
	{ 0xfff0, 0xfffb },    { 0xfffe, 0xffff }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
	{ 0xe0000, 0x10ffff },
};

static bool is_unseen(uint32_t point)
{
	if (point >= 0x20 && point < 0x7f)
		return false;
	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++) {
		if (point >= unseen[i][0] && point <= unseen[i][1])
			return true;
	}
	return false;
}

/* What stands for the first character of bytes, in out; how many bytes of input it was. */
static unsigned escape_one(const char *bytes, size_t len, char out[16], size_t *out_len)
{
	static const char named[] = "\aa\bb\ff\nn\rr\tt\vv\\\\";
	uint32_t point = 0;
	unsigned n = utf8_next(bytes, len, &point);

	if (!n) {
		*out_len = (size_t)snprintf(out, 16, "\\x%02x", (uint8_t)*bytes);
		return 1;
	}
	for (size_t i = 0; i + 1 < sizeof(named); i += 2) {
		if (point != (uint8_t)named[i])
			continue;
		out[0] = '\\';
		out[1] = named[i + 1];
		*out_len = 2;
		return 1;
	}
	if (!is_unseen(point)) {
		memcpy(out, bytes, n);
		*out_len = n;
	} else if (point < 0x80) {
		*out_len = (size_t)snprintf(out, 16, "\\x%02x", point);
	} else {
		*out_len = (size_t)snprintf(out, 16, point > 0xffff ? "\\U%08x" : "\\u%04x", point);
	}
	return n;
}

char *escape_bytes(const char *bytes, size_t len)
{
	size_t room = 16 + 2 * len, used = 0;
	char *out = errors_alloc(room, 1);

	while (len) {
		char piece[16];
		size_t piece_len;
		unsigned n = escape_one(bytes, len, piece, &piece_len);

		if (used + piece_len + 1 > room) {
			room = 2 * room + piece_len;
			out = errors_realloc(out, room, 1);
		}
		memcpy(out + used, piece, piece_len);
		used += piece_len;
		bytes += n;
		len -= n;
	}
	out[used] = '\0';
	return out;
}

char *escape_text(const char *text)
{
	return escape_bytes(text, strlen(text));
}

void escape_print(FILE *out, const char *text)
{
	char *escaped = escape_text(text);

	fputs(escaped, out);
	free(escaped);
}

/* East Asian wide and emoji blocks, coarsely: a table needs columns, not typography. */
static bool is_wide(uint32_t p)
{
	return (p >= 0x1100 && p <= 0x115f) || (p >= 0x2e80 && p <= 0xa4cf) ||
	       (p >= 0xac00 && p <= 0xd7a3) || (p >= 0xf900 && p <= 0xfaff) ||
	       (p >= 0xfe30 && p <= 0xfe6f) || (p >= 0xff00 && p <= 0xff60) ||
	       (p >= 0xffe0 && p <= 0xffe6) || (p >= 0x1f300 && p <= 0x1f64f) ||
	       (p >= 0x1f680 && p <= 0x1f6ff) || (p >= 0x1f900 && p <= 0x1f9ff) ||
	       (p >= 0x20000 && p <= 0x3fffd);
}

size_t escape_width(const char *utf8)
{
	size_t len = strlen(utf8), width = 0;

	while (len) {
		uint32_t point = 0;
		unsigned n = utf8_next(utf8, len, &point);

		if (!n)
			n = 1;
		/* combining marks sit on their neighbour */
		if (point < 0x300 || point > 0x36f)
			width += is_wide(point) ? 2 : 1;
		utf8 += n;
		len -= n;
	}
	return width;
}

char *escape_utf8(const char *bytes, size_t len)
{
	char *out = errors_alloc(3 * len + 1, 1), *at = out;

	while (len) {
		unsigned n = utf8_next(bytes, len, NULL);

		if (n) {
			memcpy(at, bytes, n);
			at += n;
		} else {
			memcpy(at, "\xef\xbf\xbd", 3);
			at += 3;
			n = 1;
		}
		bytes += n;
		len -= n;
	}
	*at = '\0';
	return out;
}

char *escape_fit(const char *text, size_t columns)
{
	char *escaped = escape_text(text);
	size_t len = strlen(escaped);

	if (escape_width(escaped) <= columns)
		return escaped;
	while (escape_width(escaped) > columns - 1) {
		/* a whole character at a time */
		while (len && (escaped[len - 1] & 0xc0) == 0x80)
			len--;
		escaped[--len] = '\0';
	}
	char *cut;

	if (asprintf(&cut, "%s…", escaped) < 0)
		return escaped;
	free(escaped);
	return cut;
}
