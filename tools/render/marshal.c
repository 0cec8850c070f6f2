#include "tools/render/marshal.h"

#include <string.h>

enum {
	TYPE_DICT = '{',
	TYPE_DICT_END = '0',
	TYPE_TUPLE = '(',
	TYPE_TEXT = 'u',
	TYPE_INT32 = 'i',
	TYPE_LONG = 'l',
	TYPE_DOUBLE = 'g',
	DIGIT_BITS = 15, /* of a TYPE_LONG, whatever the machine */
};

static void put_little(FILE *out, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		putc((int)(value >> 8 * i & 0xff), out);
}

void marshal_dict_begin(FILE *out)
{
	putc(TYPE_DICT, out);
}

void marshal_dict_end(FILE *out)
{
	putc(TYPE_DICT_END, out);
}

void marshal_tuple(FILE *out, uint32_t count)
{
	putc(TYPE_TUPLE, out);
	put_little(out, count, 4);
}

void marshal_text(FILE *out, const char *text)
{
	size_t len = strlen(text);

	putc(TYPE_TEXT, out);
	put_little(out, len, 4);
	fwrite(text, 1, len, out);
}

void marshal_integer(FILE *out, int64_t value)
{
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
	int32_t digits = 0;

	if (value >= INT32_MIN && value <= INT32_MAX) {
		putc(TYPE_INT32, out);
		put_little(out, (uint64_t)value, 4);
		return;
	}
	for (uint64_t r = rest; r; r >>= DIGIT_BITS)
		digits++;
	putc(TYPE_LONG, out);
	put_little(out, (uint64_t)(value < 0 ? -digits : digits), 4);
	for (; rest; rest >>= DIGIT_BITS)
		put_little(out, rest & ((1 << DIGIT_BITS) - 1), 2);
}

void marshal_real(FILE *out, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	putc(TYPE_DOUBLE, out);
	put_little(out, bits, 8);
}
