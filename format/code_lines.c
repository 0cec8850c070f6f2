#include "format/code_lines.h"

#include <stdbool.h>

/* Lines wrap instead of overflowing: a damaged table may add up to anything. */
static int lines_add(int line, int delta)
{
	return (int)((unsigned)line + (unsigned)delta);
}

/* Pairs of bytes: address increment, signed line increment. An increment over the limits of a byte
 * is spread over several pairs. */
static int lnotab_at(const uint8_t *table, size_t len, int first_line, int32_t lasti)
{
	int line = first_line;
	int64_t address = 0;

	for (size_t i = 0; i + 1 < len; i += 2) {
		address += table[i];
		if (address > lasti)
			break;
		line = lines_add(line, (int8_t)table[i + 1]);
	}
	return line;
}

/* Pairs of bytes: length of a range of instructions, and what its line is more than the last
 * range's; -128 for a range that belongs to no line. */
static int ranges_at(const uint8_t *table, size_t len, int first_line, int32_t lasti)
{
	enum { NO_LINE = -128 };
	int line = first_line;
	int64_t end = 0;

	for (size_t i = 0; i + 1 < len; i += 2) {
		int delta = table[i + 1] < 128 ? table[i + 1] : table[i + 1] - 256;

		if (delta != NO_LINE)
			line = lines_add(line, delta);
		end += table[i];
		if (lasti < end)
			return delta == NO_LINE ? first_line : line;
	}
	return first_line;
}

struct cursor {
	const uint8_t *at, *end;
};

/* Six bits a byte, lowest first; bit 6 says that more follow. */
static unsigned cursor_varint(struct cursor *cursor)
{
	unsigned value = 0;

	for (unsigned shift = 0; cursor->at < cursor->end; shift += 6) {
		uint8_t byte = *cursor->at++;

		if (shift < 32)
			value |= (unsigned)(byte & 63) << shift;
		if (!(byte & 64))
			break;
	}
	return value;
}

static int cursor_signed_varint(struct cursor *cursor)
{
	unsigned value = cursor_varint(cursor);

	return value & 1 ? -(int)(value >> 1) : (int)(value >> 1);
}

/* Entries of a first byte 1kkkklll (kind k, length l + 1 in code units of two bytes) and what the
 * kind wants after it. Only first bytes have bit 7, so columns are skipped by looking for the next. */
static int locations_at(const uint8_t *table, size_t len, int first_line, int32_t lasti)
{
	enum { ONE_LINE_0 = 10, ONE_LINE_2 = 12, NO_COLUMNS = 13, LONG = 14, NO_LINE = 15 };
	struct cursor cursor = { table, table + len };
	int line = first_line;
	int64_t end = 0;

	while (cursor.at < cursor.end) {
		uint8_t first = *cursor.at++;
		unsigned kind = (first >> 3) & 15;
		bool none = kind == NO_LINE;

		if (kind == LONG || kind == NO_COLUMNS)
			line = lines_add(line, cursor_signed_varint(&cursor));
		else if (kind >= ONE_LINE_0 && kind <= ONE_LINE_2)
			line = lines_add(line, (int)(kind - ONE_LINE_0));
		end += 2 * (int64_t)((first & 7) + 1);
		if (lasti < end)
			return none ? first_line : line;
		while (cursor.at < cursor.end && !(*cursor.at & 128))
			cursor.at++;
	}
	return first_line;
}

int lines_at(enum code_line_format format, const uint8_t *table, size_t len, int first_line,
	     int32_t lasti)
{
	if (lasti < 0)
		return first_line;
	switch (format) {
	case LINES_LNOTAB:
		return lnotab_at(table, len, first_line, lasti);
	case LINES_RANGES:
		return ranges_at(table, len, first_line, lasti);
	case LINES_LOCATIONS:
		return locations_at(table, len, first_line, lasti);
	case LINES_NONE:
		break;
	}
	return first_line;
}
