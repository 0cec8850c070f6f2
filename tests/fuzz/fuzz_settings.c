/*
 * Any bytes as what people and damaged control pages say: filters, keep rules, amounts; and what a path
 * becomes in a file's name and as a route.
 */
#include "format/amount.h"
#include "format/file_name.h"
#include "format/filter.h"
#include "format/keep.h"
#include "format/route.h"
#include "preload/emit/budget.h"

#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void amounts(const char *text, size_t len)
{
	uint64_t value;

	amount_bytes(text, len, &value);
	amount_duration(text, len, &value);
	amount_count(text, len, &value);
}

static void rules(const char *text, size_t len)
{
	struct keep_rules rules = { .rules = 77 };
	struct keep_problem problem = { 0 };

	if (keep_parse(text, len, &rules, &problem)) {
		REQUIRE(rules.rules != 77 && rules.rules != 0);
		REQUIRE(!(rules.rules & KEEP_WORST) ||
			(rules.worst >= 1 && rules.worst <= KEEP_WORST_MAX));
		REQUIRE(!(rules.rules & KEEP_EVERY) || rules.every >= 1);
	} else {
		REQUIRE(rules.rules == 77 && problem.text);
		REQUIRE(problem.at <= len && problem.len <= len - problem.at);
	}
}

/* The input's first half is the filter, its second the path. */
static void filters(const char *text, size_t len)
{
	if (len / 2 < FILTER_TEXT_MAX && !filter_problem(text, len / 2)) {
		filter_takes(text, len / 2, "GET", text + len / 2, len - len / 2);
		filter_takes(text, len / 2, "", "", 0);
	}
}

static void names(const uint8_t *bytes, size_t size)
{
	char method[WIRE_METHOD_MAX] = "", path[WIRE_PATH_MAX] = "", name[FILE_NAME_MAX + 1];
	char route[64];
	struct file_name_parts parts = { method, path, 36000000, UINT64_C(1795446911000000000),
					 8368,	 42 };
	size_t len = size < 20 ? size : 20;

	memcpy(method, bytes, len);
	memcpy(path, bytes + len, size - len < sizeof(path) ? size - len : sizeof(path) - 1);
	len = file_name_make(&parts, name);
	REQUIRE(len <= FILE_NAME_MAX && len == strlen(name) && name[0] != '.');
	for (size_t i = 0; i < len; i++)
		REQUIRE(memchr(
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-~@+,",
			name[i], 69));
	REQUIRE(budget_is_profile_name(name, len));
	REQUIRE(route_fold(path, strlen(path), route, sizeof(route)) == strlen(route));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *text = size ? pieces_copy(bytes, size) : "";

	amounts(text, size);
	rules(text, size);
	filters(text, size);
	budget_is_profile_name(text, size);
	names(bytes, size);
	return 0;
}
