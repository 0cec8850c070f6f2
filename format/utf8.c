#include "format/utf8.h"

#include <string.h>

unsigned utf8_next(const char *bytes, size_t len, uint32_t *point)
{
	const uint8_t *b = (const uint8_t *)bytes;
	static const uint32_t lowest[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned n;
	uint32_t value;

	if (!len)
		return 0;
	if (b[0] < 0x80) {
		n = 1;
		value = b[0];
	} else if (b[0] >= 0xc2 && b[0] < 0xe0) {
		n = 2;
		value = b[0] & 0x1f;
	} else if (b[0] >= 0xe0 && b[0] < 0xf0) {
		n = 3;
		value = b[0] & 0x0f;
	} else if (b[0] >= 0xf0 && b[0] < 0xf5) {
		n = 4;
		value = b[0] & 0x07;
	} else {
		return 0;
	}
	if (n > len)
		return 0;
	for (unsigned i = 1; i < n; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (b[i] & 0x3f);
	}
	if (value < lowest[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	if (point)
		*point = value;
	return n;
}

size_t utf8_valid(const char *bytes, size_t len)
{
	size_t used = 0;

	while (used < len) {
		uint64_t word;
		unsigned n;

		/* Eight ASCII characters at a time: most text is nothing else. */
		if (len - used >= sizeof(word)) {
			memcpy(&word, bytes + used, sizeof(word));
			if (!(word & UINT64_C(0x8080808080808080))) {
				used += sizeof(word);
				continue;
			}
		}
		if ((uint8_t)bytes[used] < 0x80) {
			used++;
			continue;
		}
		n = utf8_next(bytes + used, len - used, NULL);
		if (!n)
			break;
		used += n;
	}
	return used;
}
