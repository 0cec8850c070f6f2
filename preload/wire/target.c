#include "preload/wire/target.h"

#include <emmintrin.h>

#include "preload/wire/facts.h"

enum state { START, SCHEME, COLON, SLASH, AUTHORITY, PATH, IGNORED };

enum class { PLAIN, QUERY, ODD }; /* QUERY: begins a query or a fragment */

static const uint8_t classes[256] = {
	[0 ... ' '] = ODD,
	['?'] = QUERY,
	['#'] = QUERY,
};

/*
 * How many bytes come before the first one of class stop or above. Sixteen at a time, for targets
 * are long.
 */
static size_t run_before(const char *bytes, size_t len, enum class stop)
{
	const __m128i space = _mm_set1_epi8(' '), query = _mm_set1_epi8('?'),
		      fragment = _mm_set1_epi8('#');
	size_t i = 0;

	for (; i + sizeof(space) <= len; i += sizeof(space)) {
		__m128i word = _mm_loadu_si128((const __m128i *)(bytes + i));
		__m128i stops = _mm_cmpeq_epi8(_mm_min_epu8(word, space), word);
		unsigned found;

		if (stop == QUERY)
			stops = _mm_or_si128(stops, _mm_or_si128(_mm_cmpeq_epi8(word, query),
								 _mm_cmpeq_epi8(word, fragment)));
		found = (unsigned)_mm_movemask_epi8(stops);
		if (found)
			return i + (size_t)__builtin_ctz(found);
	}
	while (i < len && classes[(unsigned char)bytes[i]] < stop)
		i++;
	return i;
}

static bool is_scheme_char(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '+' || c == '-' || c == '.';
}

void target_start(struct target *t, struct wire_facts *facts)
{
	t->state = START;
	facts_clear_path(facts);
}

bool target_is_empty(const struct target *t)
{
	return t->state == START;
}

/* Follows a byte of what may be "scheme://": the bytes go to the path until that is certain. */
static void follow_scheme(struct target *t, struct wire_facts *facts, unsigned char c)
{
	if (t->state == SCHEME && is_scheme_char(c))
		return;
	if (t->state == SCHEME && c == ':') {
		t->state = COLON;
	} else if (t->state == COLON && c == '/') {
		t->state = SLASH;
	} else if (t->state == SLASH && c == '/') {
		facts_clear_path(facts);
		t->state = AUTHORITY;
	} else {
		t->state = PATH;
	}
}

/* The first byte that ends the authority belongs to the path, or there is none. */
static size_t feed_authority(struct target *t, struct wire_facts *facts, const char *bytes,
			     size_t len)
{
	size_t i = 0;

	while (i < len && bytes[i] != '/' && classes[(unsigned char)bytes[i]] == PLAIN)
		i++;
	if (i < len && bytes[i] == '/') {
		t->state = PATH;
	} else if (i < len && classes[(unsigned char)bytes[i]] == QUERY) {
		target_end(t, facts);
	}
	return i;
}

static size_t feed_path(struct target *t, struct wire_facts *facts, const char *bytes, size_t len)
{
	size_t i = run_before(bytes, len, QUERY);

	facts_add_path(facts, bytes, i);
	if (i < len && classes[(unsigned char)bytes[i]] == QUERY)
		t->state = IGNORED;
	return i;
}

size_t target_feed(struct target *t, struct wire_facts *facts, const char *bytes, size_t len)
{
	size_t i = 0;

	while (i < len && classes[(unsigned char)bytes[i]] != ODD) {
		unsigned char c = (unsigned char)bytes[i];

		switch (t->state) {
		case START:
			t->state = c != '/' && is_scheme_char(c) ? SCHEME : PATH;
			break;
		case SCHEME:
		case COLON:
		case SLASH:
			follow_scheme(t, facts, c);
			if (t->state == AUTHORITY) {
				i++;
			} else if (t->state != PATH) {
				facts_add_path(facts, bytes + i, 1);
				i++;
			}
			break;
		case AUTHORITY:
			i += feed_authority(t, facts, bytes + i, len - i);
			break;
		case PATH:
			i += feed_path(t, facts, bytes + i, len - i);
			break;
		default:
			i += run_before(bytes + i, len - i, ODD);
		}
	}
	return i;
}

void target_feed_odd(struct target *t, struct wire_facts *facts, const char *bytes, size_t len)
{
	if (t->state == AUTHORITY || t->state == IGNORED)
		return;
	t->state = PATH;
	facts_add_path(facts, bytes, len);
}

void target_end(struct target *t, struct wire_facts *facts)
{
	if (t->state == AUTHORITY)
		facts_add_path(facts, "/", 1);
	t->state = IGNORED;
}
