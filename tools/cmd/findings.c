#include "tools/cmd/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/base/colour.h"
#include "tools/base/errors.h"
#include "tools/base/escape.h"
#include "tools/base/json.h"

static struct finding {
	enum finding_level level;
	const char *check, *advice;
	char *text;
} * list;
static size_t n;

static const char *const level_names[] = { "ok", "note", "problem" };

void findings_add(enum finding_level level, const char *check, const char *advice,
		  const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = errors_strdup("");
	va_end(args);
	list = errors_realloc(list, n + 1, sizeof(*list));
	list[n++] = (struct finding){ level, check, advice, text };
}

bool findings_have_problem(void)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].level == FINDING_PROBLEM)
			return true;
	}
	return false;
}

void findings_print(void)
{
	static const enum colour colours[] = { COLOUR_PLAIN, COLOUR_YELLOW, COLOUR_RED };

	for (size_t i = 0; i < n; i++) {
		printf("%s%-8s%s %-13s ", colour(colours[list[i].level]),
		       level_names[list[i].level], colour(COLOUR_PLAIN), list[i].check);
		escape_print(stdout, list[i].text);
		putchar('\n');
		if (list[i].advice)
			printf("%22s  try: %s\n", "", list[i].advice);
	}
	printf("%s\n", findings_have_problem() ? "It would not work as it is." : "It would work.");
}

void findings_print_json(void)
{
	json_t *o = json_object(), *array = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *one = json_object();

		json_object_set_new(one, "level", json_text(level_names[list[i].level]));
		json_object_set_new(one, "check", json_text(list[i].check));
		json_object_set_new(one, "text", json_text(list[i].text));
		json_object_set_new(one, "advice",
				    list[i].advice ? json_text(list[i].advice) : json_null());
		json_array_append_new(array, one);
	}
	json_object_set_new(o, "works", json_boolean(!findings_have_problem()));
	json_object_set_new(o, "findings", array);
	json_print(o);
}
