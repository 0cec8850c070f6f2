#include "format/keep.h"

#include <string.h>

#include "format/amount.h"

static const struct {
	enum keep_rule rule;
	const char *name;
	bool has_value;
} keep_words[] = {
	{ KEEP_ALWAYS, "always", false }, { KEEP_SLOWER, "slower", true },
	{ KEEP_FAILED, "failed", false }, { KEEP_FIRST, "first", false },
	{ KEEP_EVERY, "every", true },	  { KEEP_WORST, "worst", true },
	{ KEEP_ASKED, "asked", false },
};

enum { KEEP_WORDS = sizeof(keep_words) / sizeof(keep_words[0]) };

const char *keep_name(enum keep_rule rule)
{
	for (size_t i = 0; i < KEEP_WORDS; i++)
		if (keep_words[i].rule == rule)
			return keep_words[i].name;
	return NULL;
}

/* NULL when the value is taken, or what is wrong with it. */
static const char *keep_value(struct keep_rules *rules, enum keep_rule rule, const char *text,
			      size_t len)
{
	uint64_t value;

	switch (rule) {
	case KEEP_SLOWER:
		if (!amount_duration(text, len, &rules->slower_ns))
			return "slower= takes a time: 200ms, 2s, 1500us";
		return NULL;
	case KEEP_EVERY:
		if (!amount_count(text, len, &value) || value == 0)
			return "every= takes a number, 1 or more";
		rules->every = value;
		return NULL;
	case KEEP_WORST:
		if (!amount_count(text, len, &value) || value == 0 || value > KEEP_WORST_MAX)
			return "worst= takes a number from 1 to 8";
		rules->worst = (uint32_t)value;
		return NULL;
	default:
		return "this rule takes no value";
	}
}

static const char *keep_one(struct keep_rules *rules, const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len);
	size_t name_len = equals ? (size_t)(equals - text) : len;

	for (size_t i = 0; i < KEEP_WORDS; i++) {
		const char *why = NULL;

		if (strlen(keep_words[i].name) != name_len ||
		    memcmp(keep_words[i].name, text, name_len) != 0)
			continue;
		if (!equals && keep_words[i].has_value)
			return "this rule takes a value: slower=200ms, every=100, worst=5";
		if (equals)
			why = keep_value(rules, keep_words[i].rule, equals + 1, len - name_len - 1);
		if (!why)
			rules->rules |= (uint32_t)keep_words[i].rule;
		return why;
	}
	return "the rules are always, slower=, failed, first, every=, worst= and asked";
}

bool keep_parse(const char *text, size_t len, struct keep_rules *rules,
		struct keep_problem *problem)
{
	struct keep_rules found = { 0 };
	size_t at = 0;

	while (at <= len && len > 0) {
		const char *comma = memchr(text + at, ',', len - at);
		size_t end = comma ? (size_t)(comma - text) : len, first = at, last = end;
		const char *why;

		while (first < last && text[first] == ' ')
			first++;
		while (last > first && text[last - 1] == ' ')
			last--;
		why = first == last ? "a rule is missing here"
				    : keep_one(&found, text + first, last - first);
		if (why) {
			if (problem)
				*problem = (struct keep_problem){ first, last - first, why };
			return false;
		}
		at = end + 1;
	}
	if (!found.rules)
		found.rules = KEEP_ALWAYS;
	*rules = found;
	return true;
}
