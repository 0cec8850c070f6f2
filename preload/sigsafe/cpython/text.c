#include "preload/sigsafe/cpython/text.h"

#include <string.h>

#include "preload/sigsafe/cpython/load.h"
#include "preload/sigsafe/peek.h"

enum { REPLACEMENT = 0xfffd };

struct text text_open(const struct cpython_layout *layout, uintptr_t object, size_t max)
{
	struct text text = { 0 };
	uintptr_t length, data;
	uint32_t state;
	uint8_t width;

	if (!load_plausible(object) || !peek_ok(object, layout->text.pointer + 8u))
		return text;
	length = load_word(object + layout->text.length);
	state = (uint32_t)load_int(object + layout->text.state);
	width = state >> TEXT_KIND_SHIFT & TEXT_KIND_MASK;
	if (width != 1 && width != 2 && width != 4)
		return text;
	if (length > max)
		length = max;
	if (!(state & TEXT_COMPACT))
		data = load_word(object + layout->text.pointer);
	else
		data = object + (state & TEXT_ASCII ? layout->text.ascii : layout->text.compact);
	if (data == 0 || data % width != 0 || !peek_ok(data, length * width))
		return text;
	text.data = data;
	text.chars = length;
	text.width = width;
	text.ascii = (state & TEXT_ASCII) != 0 && width == 1;
	return text;
}

__attribute__((no_sanitize("address"))) static uint32_t text_char(const struct text *text, size_t i)
{
	if (text->width == 1)
		return ((const volatile uint8_t *)text->data)[i];
	if (text->width == 2)
		return ((const volatile uint16_t *)text->data)[i];
	return ((const volatile uint32_t *)text->data)[i];
}

static size_t encode(uint32_t c, char utf8[4])
{
	if (c >= 0x110000 || (c >= 0xd800 && c < 0xe000))
		c = REPLACEMENT;
	if (c < 0x80) {
		utf8[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		utf8[0] = (char)(0xc0 | c >> 6);
		utf8[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		utf8[0] = (char)(0xe0 | c >> 12);
		utf8[1] = (char)(0x80 | (c >> 6 & 63));
		utf8[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	utf8[0] = (char)(0xf0 | c >> 18);
	utf8[1] = (char)(0x80 | (c >> 12 & 63));
	utf8[2] = (char)(0x80 | (c >> 6 & 63));
	utf8[3] = (char)(0x80 | (c & 63));
	return 4;
}

size_t text_write(const struct text *text, char *to, size_t max)
{
	size_t len = 0;

	if (text->ascii) {
		len = text->chars < max ? text->chars : max;
		if (to && len)
			memcpy(to, (const void *)text->data, len);
		return len;
	}
	for (size_t i = 0; i < text->chars; i++) {
		char utf8[4];
		size_t bytes = encode(text_char(text, i), utf8);

		if (bytes > max - len)
			break;
		if (to)
			memcpy(to + len, utf8, bytes);
		len += bytes;
	}
	return len;
}
