#include "preload/wire/facts.h"

#include <string.h>

void facts_start(struct wire_facts *facts)
{
	facts->method[0] = '\0';
	facts->traceparent[0] = '\0';
	facts->request_id[0] = '\0';
	facts->http_minor = 1;
	facts->keep_alive = false;
	facts->expect_continue = false;
	facts->upgrade = false;
	facts->is_head = false;
	facts->is_connect = false;
	facts->asked = false;
	facts_clear_path(facts);
}

void facts_clear_path(struct wire_facts *facts)
{
	facts->path[0] = '\0';
	facts->path_len = 0;
	facts->path_full_len = 0;
}

void facts_add_path(struct wire_facts *facts, const char *bytes, size_t len)
{
	size_t room = WIRE_PATH_MAX - 1 - facts->path_len;
	size_t stored = len < room ? len : room;

	memcpy(facts->path + facts->path_len, bytes, stored);
	facts->path_len += (uint32_t)stored;
	facts->path[facts->path_len] = '\0';
	/* A path of 4 GiB is no path, but its count must not come round to a small one. */
	if (len > UINT32_MAX - facts->path_full_len)
		facts->path_full_len = UINT32_MAX;
	else
		facts->path_full_len += (uint32_t)len;
}

void facts_end_method(struct wire_facts *facts)
{
	facts->is_head = strcmp(facts->method, "HEAD") == 0;
	facts->is_connect = strcmp(facts->method, "CONNECT") == 0;
}

/* Lower-case hex digits, not all of them zero: an all-zero id means "none". */
static bool is_hex_id(const char *text, size_t len)
{
	bool any = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		any |= c != '0';
	}
	return any;
}

void facts_take_traceparent(struct wire_facts *facts, const char *value, size_t len)
{
	/* 00-TRACE_ID-PARENT_ID-FLAGS. Later versions may be longer; none exists. */
	if (len != WIRE_TRACEPARENT_MAX - 1 || memcmp(value, "00-", 3) != 0 || value[35] != '-' ||
	    value[52] != '-')
		return;
	if (!is_hex_id(value + 3, 32) || !is_hex_id(value + 36, 16))
		return;
	if (!is_hex_id(value + 53, 2) && memcmp(value + 53, "00", 2) != 0)
		return;
	memcpy(facts->traceparent, value, len);
	facts->traceparent[len] = '\0';
}

void facts_take_request_id(struct wire_facts *facts, const char *value, size_t len)
{
	size_t stored = len < WIRE_ID_MAX - 1 ? len : WIRE_ID_MAX - 1;

	if (facts->request_id[0])
		return;
	memcpy(facts->request_id, value, stored);
	facts->request_id[stored] = '\0';
}

/* Lower-case for eight bytes at once: each sum carries into the top bit of its byte, never beyond. */
static uint64_t lower8(uint64_t word)
{
	const uint64_t ones = UINT64_MAX / 255, tops = ones * 0x80;
	uint64_t low = word & ~tops;
	uint64_t from_a = low + ones * (0x80 - 'A');
	uint64_t after_z = low + ones * (0x80 - 'Z' - 1);

	return word | (from_a & ~after_z & ~word & tops) >> 2;
}

bool facts_same_bytes(const char *text, const char *word, size_t len)
{
	uint64_t have, want;
	size_t i = 0;

	/* Not strncasecmp(): it follows the host's locale. */
	for (; i + sizeof(have) <= len; i += sizeof(have)) {
		memcpy(&have, text + i, sizeof(have));
		memcpy(&want, word + i, sizeof(want));
		if (lower8(have) != want)
			return false;
	}
	for (; i < len; i++) {
		char c = text[i];

		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (c != word[i])
			return false;
	}
	return true;
}

bool facts_parse_length(const char *text, size_t len, uint64_t *value)
{
	uint64_t sum = 0;

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned char)text[i] - '0';

		if (digit > 9 || sum > ((uint64_t)INT64_MAX - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*value = sum;
	return true;
}

const bool facts_token_chars[256] = {
	['!'] = true,	      ['#'] = true,	    ['$'] = true, ['%'] = true,
	['&'] = true,	      ['\''] = true,	    ['*'] = true, ['+'] = true,
	['-'] = true,	      ['.'] = true,	    ['^'] = true, ['_'] = true,
	['`'] = true,	      ['|'] = true,	    ['~'] = true, ['0' ... '9'] = true,
	['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};
