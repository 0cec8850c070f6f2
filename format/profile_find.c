/* Looking things up in a profile that has been read: entries by id, facts by key. */
#include "format/profile.h"

#include <stdlib.h>
#include <string.h>

/* The three kinds of entry begin with their id. */
static int compare_id(const void *id, const void *entry)
{
	uint64_t x, y;

	memcpy(&x, id, sizeof(x));
	memcpy(&y, entry, sizeof(y));
	return x < y ? -1 : x > y;
}

static const void *find_id(const void *array, size_t n, size_t size, uint64_t id)
{
	const char *at = array;

	if (!id || !n)
		return NULL;
	if (id <= n) {
		const void *likely = at + (id - 1) * size;

		if (!compare_id(&id, likely))
			return likely;
	}
	return bsearch(&id, array, n, size, compare_id);
}

const struct profile_location_in *profile_location(const struct profile_in *p, uint64_t id)
{
	return find_id(p->locations, p->n_locations, sizeof(*p->locations), id);
}

const struct profile_function_in *profile_function(const struct profile_in *p, uint64_t id)
{
	return find_id(p->functions, p->n_functions, sizeof(*p->functions), id);
}

const struct profile_mapping_in *profile_mapping(const struct profile_in *p, uint64_t id)
{
	return find_id(p->mappings, p->n_mappings, sizeof(*p->mappings), id);
}

const char *profile_code_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && dot[1] ? dot + 1 : name;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* A '%' that begins no code is itself: other tools may have written the comment. */
static long decode_value(const char *value, char *buf, size_t size)
{
	size_t len = 0;

	for (; *value; value++, len++) {
		char c = *value;

		if (c == '%' && hex_digit(value[1]) >= 0 && hex_digit(value[2]) >= 0) {
			c = (char)(hex_digit(value[1]) * 16 + hex_digit(value[2]));
			value += 2;
		}
		if (len + 1 < size)
			buf[len] = c;
	}
	if (size)
		buf[len < size ? len : size - 1] = '\0';
	return (long)len;
}

long profile_fact(const struct profile_in *p, const char *key, char *buf, size_t size)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < p->n_comments; i++) {
		const char *text = p->strings[p->comments[i]];

		if (!strncmp(text, key, len) && text[len] == '=')
			return decode_value(text + len + 1, buf, size);
	}
	if (size)
		*buf = '\0';
	return -1;
}
