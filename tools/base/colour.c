#include "tools/base/colour.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { AUTO, ALWAYS, NEVER };

static int when = AUTO;
static const char *const choices[] = { "auto", "always", "never", NULL };

const struct option_row colour_rows[] = {
	{ OPTION_CHOICE, 0, "color", NULL, &when,
	  "Colours; auto: on a terminal, unless NO_COLOR is set.", choices, 0, 0 },
	{ 0 },
};

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value && strcmp(value, "0") != 0;
}

static bool wanted(void)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	if (when != AUTO)
		return when == ALWAYS;
	if (no_color && *no_color)
		return false;
	if (is_set("CLICOLOR_FORCE") || is_set("FORCE_COLOR"))
		return true;
	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

const char *colour(enum colour which)
{
	static const char *const sequences[] = { "\x1b[0m",  "\x1b[1m",	 "\x1b[2m",
						 "\x1b[31m", "\x1b[33m", "\x1b[36m" };
	static int last_when = -1;
	static bool on;

	if (last_when != when) {
		on = wanted();
		last_when = when;
	}
	return on ? sequences[which] : "";
}

unsigned colour_columns(void)
{
	const char *columns = getenv("COLUMNS");
	long asked = columns ? strtol(columns, NULL, 10) : 0;
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (asked > 0 && asked < 10000)
		return (unsigned)asked;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	return 80;
}
