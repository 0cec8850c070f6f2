#include "tools/cmd/wishes.h"

#include <string.h>

#include "format/amount.h"
#include "format/env.h"
#include "format/filter.h"
#include "format/keep.h"

/* The library puts what REQPROF_MIN_MS and REQPROF_EVERY say behind it. */
enum { KEEP_ROOM = KEEP_TEXT_MAX - 64 };

int wishes_check_keep(const struct options_spec *spec, const char *what, const char *text)
{
	struct keep_problem problem;
	struct keep_rules rules;

	if (strlen(text) >= KEEP_ROOM)
		return options_usage_error(spec, "%s: longer than %d characters", what,
					   KEEP_ROOM - 1);
	if (keep_parse(text, strlen(text), &rules, &problem))
		return OPTIONS_GO_ON;
	return options_usage_error(spec, "%s: \"%.*s\": %s", what, (int)problem.len,
				   text + problem.at, problem.text);
}

int wishes_check_filter(const struct options_spec *spec, const char *what, const char *text)
{
	const char *problem = filter_problem(text, strlen(text));

	if (!problem)
		return OPTIONS_GO_ON;
	return options_usage_error(spec, "%s: \"%s\": %s (as in 'GET /api/*;!/health')", what, text,
				   problem);
}

int wishes_max_files(const struct options_spec *spec, const char *what, const char *text,
		     uint64_t *files)
{
	if (amount_count(text, strlen(text), files) && *files <= ENV_MAX_FILES_MAX)
		return OPTIONS_GO_ON;
	return options_usage_error(spec, "%s must be a number from 0 (no limit) to %d, not \"%s\"",
				   what, ENV_MAX_FILES_MAX, text);
}

int wishes_max_bytes(const struct options_spec *spec, const char *what, const char *text,
		     uint64_t *bytes)
{
	if (amount_bytes(text, strlen(text), bytes))
		return OPTIONS_GO_ON;
	return options_usage_error(
		spec, "%s must be a size such as 500M, 1G or 0 (no limit), not \"%s\"", what, text);
}
