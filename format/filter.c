#include "format/filter.h"

#include <string.h>

struct filter_text {
	const char *bytes;
	size_t len;
};

/* Where * and ? are wild. Goes back to the last star only, so it ends soon whatever the pattern. */
static bool filter_glob(struct filter_text pattern, struct filter_text text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, from = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.bytes[p] == '*') {
			star = p++;
			from = t;
		} else if (p < pattern.len &&
			   (pattern.bytes[p] == '?' || pattern.bytes[p] == text.bytes[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.bytes[p] == '*')
		p++;
	return p == pattern.len;
}

static struct filter_text filter_trim(const char *text, size_t len)
{
	while (len > 0 && *text == ' ') {
		text++;
		len--;
	}
	while (len > 0 && text[len - 1] == ' ')
		len--;
	return (struct filter_text){ text, len };
}

/* The next pattern; *at moves behind it. False when there is no more. */
static bool filter_next(const char *text, size_t len, size_t *at, struct filter_text *pattern)
{
	const char *semicolon;
	size_t end;

	if (*at >= len)
		return false;
	semicolon = memchr(text + *at, ';', len - *at);
	end = semicolon ? (size_t)(semicolon - text) : len;
	*pattern = filter_trim(text + *at, end - *at);
	*at = end + 1;
	return true;
}

/* "!GET /api*" taken apart. The method is empty when there is none. */
static bool filter_split(struct filter_text pattern, bool *excludes, struct filter_text *method,
			 struct filter_text *path)
{
	const char *space;

	*excludes = pattern.len > 0 && pattern.bytes[0] == '!';
	if (*excludes)
		pattern = filter_trim(pattern.bytes + 1, pattern.len - 1);
	space = pattern.len ? memchr(pattern.bytes, ' ', pattern.len) : NULL;
	*method = (struct filter_text){ pattern.bytes, 0 };
	if (space) {
		method->len = (size_t)(space - pattern.bytes);
		pattern = filter_trim(space, pattern.len - method->len);
	}
	*path = pattern;
	return pattern.len > 0;
}

const char *filter_problem(const char *text, size_t len)
{
	struct filter_text pattern, method, path;
	bool excludes;

	if (len > FILTER_TEXT_MAX)
		return "it is longer than 512 characters";
	for (size_t at = 0; filter_next(text, len, &at, &pattern);) {
		if (pattern.len == 0)
			continue;
		if (!filter_split(pattern, &excludes, &method, &path))
			return "a path is missing behind !";
		if (memchr(path.bytes, ' ', path.len))
			return "a pattern is a path, or a method, a space and a path";
		if (path.bytes[0] != '/' && path.bytes[0] != '*' && path.bytes[0] != '?')
			return "a path begins with / or *";
	}
	return NULL;
}

bool filter_takes(const char *text, size_t len, const char *method_name, const char *path_text,
		  size_t path_len)
{
	const struct filter_text request_method = { method_name, strlen(method_name) };
	const struct filter_text request_path = { path_text, path_len };
	struct filter_text pattern, method, path;
	bool excludes, any = false, taken = false;

	for (size_t at = 0; filter_next(text, len, &at, &pattern);) {
		bool matches;

		if (!filter_split(pattern, &excludes, &method, &path))
			continue;
		any |= !excludes;
		if (taken && !excludes)
			continue;
		matches = (method.len == 0 || filter_glob(method, request_method)) &&
			  filter_glob(path, request_path);
		if (matches && excludes)
			return false;
		taken |= matches;
	}
	return taken || !any;
}
