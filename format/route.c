#include "format/route.h"

#include <stdbool.h>
#include <string.h>

enum { HEX_MIN = 16, DIGIT_RUN_MIN = 4, EXTENSION_MAX = 5 };

static bool route_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool route_is_hex(char c)
{
	return route_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool route_is_uuid(const char *segment, size_t len)
{
	if (len != 36)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? segment[i] != '-' : !route_is_hex(segment[i]))
			return false;
	}
	return true;
}

static bool route_names_one_thing(const char *segment, size_t len)
{
	size_t digits = 0, hex = 0, run = 0, longest = 0;

	for (size_t i = 0; i < len; i++) {
		hex += route_is_hex(segment[i]);
		if (route_is_digit(segment[i])) {
			digits++;
			run++;
		} else {
			run = 0;
		}
		longest = run > longest ? run : longest;
	}
	if (len == 0)
		return false;
	return digits == len || longest >= DIGIT_RUN_MIN || (hex == len && len >= HEX_MIN && digits > 0) ||
	       route_is_uuid(segment, len);
}

/* Length of `.png` at the end of a segment, or 0. */
static size_t route_extension(const char *segment, size_t len)
{
	for (size_t i = len; i-- > 1 && len - i <= EXTENSION_MAX + 1;)
		if (segment[i] == '.')
			return len - i > 1 && !route_is_digit(segment[i + 1]) ? len - i : 0;
	return 0;
}

static size_t route_put(char *route, size_t size, size_t at, const char *text, size_t len)
{
	for (size_t i = 0; i < len && at + 1 < size; i++)
		route[at++] = text[i];
	return at;
}

size_t route_fold(const char *path, size_t len, char *route, size_t size)
{
	size_t at = 0, start = 0;

	for (size_t i = 0; i <= len; i++) {
		size_t segment_len, extension;

		if (i < len && path[i] != '/')
			continue;
		segment_len = i - start;
		extension = route_extension(path + start, segment_len);
		if (route_names_one_thing(path + start, segment_len - extension)) {
			at = route_put(route, size, at, "{id}", 4);
			at = route_put(route, size, at, path + i - extension, extension);
		} else {
			at = route_put(route, size, at, path + start, segment_len);
		}
		if (i < len)
			at = route_put(route, size, at, "/", 1);
		start = i + 1;
	}
	route[at] = '\0';
	return at;
}
