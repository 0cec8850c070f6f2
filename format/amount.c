#include "format/amount.h"

#include <string.h>

/* The digits at the beginning; returns how many, 0 when there are none or they are too large. */
static size_t amount_digits(const char *text, size_t len, uint64_t *value)
{
	size_t i = 0;

	*value = 0;
	for (; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
		if (*value > (UINT64_MAX - 9) / 10)
			return 0;
		*value = *value * 10 + (uint64_t)(text[i] - '0');
	}
	return i;
}

static bool amount_times(uint64_t *value, uint64_t factor)
{
	return !__builtin_mul_overflow(*value, factor, value);
}

static bool amount_is(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

bool amount_count(const char *text, size_t len, uint64_t *count)
{
	size_t digits = amount_digits(text, len, count);

	return digits > 0 && digits == len;
}

bool amount_bytes(const char *text, size_t len, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	size_t digits = amount_digits(text, len, bytes);
	const char *unit;
	char letter;

	if (!digits)
		return false;
	text += digits;
	len -= digits;
	if (len == 0 || amount_is(text, len, "B"))
		return true;
	letter = (char)(text[0] >= 'a' ? text[0] - 'a' + 'A' : text[0]);
	unit = letter ? strchr(units, letter) : NULL;
	if (!unit ||
	    !(len == 1 || amount_is(text + 1, len - 1, "B") || amount_is(text + 1, len - 1, "iB")))
		return false;
	return amount_times(bytes, UINT64_C(1) << (10 * (unit - units + 1)));
}

bool amount_duration(const char *text, size_t len, uint64_t *ns)
{
	size_t digits = amount_digits(text, len, ns);

	if (!digits)
		return false;
	text += digits;
	len -= digits;
	if (len == 0 || amount_is(text, len, "ms"))
		return amount_times(ns, 1000000);
	if (amount_is(text, len, "us"))
		return amount_times(ns, 1000);
	if (amount_is(text, len, "s"))
		return amount_times(ns, 1000000000);
	if (amount_is(text, len, "m"))
		return amount_times(ns, UINT64_C(60000000000));
	return false;
}
