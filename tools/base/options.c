#include "tools/base/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/base/similar.h"

/* Where one row of possibly nested tables is found, by letter or by name. */
static const struct option_row *find(const struct option_row *rows, char letter, const char *name,
				     size_t name_len)
{
	for (; rows && rows->kind != OPTION_END; rows++) {
		const struct option_row *inner;

		if (rows->kind == OPTION_TABLE) {
			inner = find(rows->value, letter, name, name_len);
			if (inner)
				return inner;
		} else if (letter ? rows->letter == letter
				  : !strncmp(rows->name, name, name_len) && !rows->name[name_len]) {
			return rows;
		}
	}
	return NULL;
}

static void similar_rows(struct similar *best, const struct option_row *rows)
{
	for (; rows && rows->kind != OPTION_END; rows++) {
		if (rows->kind == OPTION_TABLE)
			similar_rows(best, rows->value);
		else
			similar_try(best, rows->name);
	}
}

int options_usage_error(const struct options_spec *spec, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	errors_say("%s: %s (try: reqprof %s --help)", spec->command, text ? text : "wrong usage",
		   spec->command);
	free(text);
	return EXIT_USAGE;
}

/* ---- help ---- */

enum { HELP_COLUMN = 26, HELP_WIDTH = 79 };

/* Words of text from column `from` on, in lines that begin there. */
static void print_wrapped(const char *text, int from)
{
	int column = from;

	while (*text) {
		int word = (int)strcspn(text, " ");

		if (column > from && column + 1 + word > HELP_WIDTH) {
			printf("\n%*s", from, "");
			column = from;
		} else if (column > from) {
			putchar(' ');
			column++;
		}
		printf("%.*s", word, text);
		column += word;
		text += word + strspn(text + word, " ");
	}
	putchar('\n');
}

static void print_row(const struct option_row *row)
{
	char left[128], letter[8] = "    ";
	size_t used;
	int width;

	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	used = (size_t)snprintf(left, sizeof(left), "  %s--%s", letter, row->name);
	if (row->kind == OPTION_CHOICE) {
		for (int i = 0; row->choices[i] && used < sizeof(left); i++)
			used += (size_t)snprintf(left + used, sizeof(left) - used, "%s%s",
						 i ? "|" : " ", row->choices[i]);
	} else if (row->value_name && used < sizeof(left)) {
		snprintf(left + used, sizeof(left) - used, " %s", row->value_name);
	}
	width = printf("%s", left);
	if (width >= HELP_COLUMN) {
		putchar('\n');
		width = 0;
	}
	printf("%*s", HELP_COLUMN - width, "");
	print_wrapped(row->help, HELP_COLUMN);
}

static void print_rows(const struct option_row *rows)
{
	for (; rows && rows->kind != OPTION_END; rows++) {
		if (rows->kind == OPTION_TABLE)
			print_rows(rows->value);
		else
			print_row(rows);
	}
}

void options_help(const struct options_spec *spec)
{
	static const struct option_row help = { OPTION_FLAG,	   'h',	 "help", NULL, NULL,
						"Show this text.", NULL, 0,	 0 };

	printf("Usage: reqprof %s %s\n\n%s\n\nOptions:\n", spec->command, spec->usage,
	       spec->summary);
	print_rows(spec->rows);
	print_row(&help);
	if (spec->details)
		printf("\n%s", spec->details);
	if (spec->examples)
		printf("\nExamples:\n%s", spec->examples);
}

/* ---- parsing ---- */

static int take_number(const struct options_spec *spec, const struct option_row *row,
		       const char *text)
{
	bool bounded = row->min || row->max;
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (end == text || *end || errno)
		return options_usage_error(spec, "--%s wants a whole number, not \"%s\"", row->name,
					   text);
	if (bounded && (value < row->min || value > row->max))
		return options_usage_error(spec, "--%s must be from %ld to %ld, not %ld", row->name,
					   row->min, row->max, value);
	*(long *)row->value = value;
	return OPTIONS_GO_ON;
}

static int take_decimal(const struct options_spec *spec, const struct option_row *row,
			const char *text)
{
	bool bounded = row->min || row->max;
	char *end;
	double value = strtod(text, &end);

	/* written so that NaN is refused */
	if (end == text || *end || !(value > -1e300 && value < 1e300))
		return options_usage_error(spec, "--%s wants a number, not \"%s\"", row->name,
					   text);
	if (bounded && (value < (double)row->min || value > (double)row->max))
		return options_usage_error(spec, "--%s must be from %ld to %ld, not \"%s\"",
					   row->name, row->min, row->max, text);
	*(double *)row->value = value;
	return OPTIONS_GO_ON;
}

static int take_choice(const struct options_spec *spec, const struct option_row *row,
		       const char *text)
{
	char list[256] = "";
	size_t used = 0;

	for (int i = 0; row->choices[i]; i++) {
		if (!strcmp(row->choices[i], text)) {
			*(int *)row->value = i;
			return OPTIONS_GO_ON;
		}
		if (used < sizeof(list))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
						 i ? ", " : "", row->choices[i]);
	}
	return options_usage_error(spec, "--%s must be one of %s, not \"%s\"", row->name, list,
				   text);
}

static int take_value(const struct options_spec *spec, const struct option_row *row,
		      const char *text)
{
	switch (row->kind) {
	case OPTION_TEXT:
		*(const char **)row->value = text;
		return OPTIONS_GO_ON;
	case OPTION_NUMBER:
		return take_number(spec, row, text);
	case OPTION_DECIMAL:
		return take_decimal(spec, row, text);
	case OPTION_CHOICE:
		return take_choice(spec, row, text);
	default:
		*(bool *)row->value = true;
		return OPTIONS_GO_ON;
	}
}

/* argv[*at] is "--name" or "--name=value"; *at moves on when the value is the next argument. */
static int take_long(const struct options_spec *spec, int argc, char **argv, int *at)
{
	const char *name = argv[*at] + 2, *value = strchr(name, '=');
	size_t len = value ? (size_t)(value - name) : strlen(name);
	const struct option_row *row = find(spec->rows, 0, name, len);

	if (!row) {
		struct similar best = similar_to(name, len);

		similar_rows(&best, spec->rows);
		if (best.text)
			return options_usage_error(spec, "no option --%.*s; did you mean --%s?",
						   (int)len, name, best.text);
		return options_usage_error(spec, "no option --%.*s", (int)len, name);
	}
	if (row->kind == OPTION_FLAG) {
		if (value)
			return options_usage_error(spec, "--%s takes no value", row->name);
		return take_value(spec, row, NULL);
	}
	if (value)
		return take_value(spec, row, value + 1);
	if (*at + 1 >= argc)
		return options_usage_error(spec, "--%s wants a value", row->name);
	return take_value(spec, row, argv[++*at]);
}

/* argv[*at] is "-abc": flags, and perhaps one with a value at the end. */
static int take_short(const struct options_spec *spec, int argc, char **argv, int *at)
{
	for (const char *letter = argv[*at] + 1; *letter; letter++) {
		const struct option_row *row = find(spec->rows, *letter, NULL, 0);
		int status;

		if (*letter == 'h' && !row) {
			options_help(spec);
			return errors_finish(EXIT_DONE);
		}
		if (!row)
			return options_usage_error(spec, "no option -%c", *letter);
		if (row->kind == OPTION_FLAG) {
			status = take_value(spec, row, NULL);
		} else if (letter[1]) {
			return take_value(spec, row, letter + 1);
		} else if (*at + 1 >= argc) {
			return options_usage_error(spec, "-%c wants a value", *letter);
		} else {
			return take_value(spec, row, argv[++*at]);
		}
		if (status != OPTIONS_GO_ON)
			return status;
	}
	return OPTIONS_GO_ON;
}

int options_parse(const struct options_spec *spec, int *argc, char **argv)
{
	int kept = 1, at, status;

	for (at = 1; at < *argc; at++) {
		const char *argument = argv[at];

		if (!strcmp(argument, "--")) {
			at++;
			break;
		}
		if (argument[0] != '-' || !argument[1]) {
			if (spec->stop_at_argument)
				break;
			argv[kept++] = argv[at];
			continue;
		}
		if (!strcmp(argument, "--help")) {
			options_help(spec);
			return errors_finish(EXIT_DONE);
		}
		if (argument[1] == '-')
			status = take_long(spec, *argc, argv, &at);
		else
			status = take_short(spec, *argc, argv, &at);
		if (status != OPTIONS_GO_ON)
			return status;
	}
	for (; at < *argc; at++)
		argv[kept++] = argv[at];
	*argc = kept;
	argv[kept] = NULL;
	return OPTIONS_GO_ON;
}
