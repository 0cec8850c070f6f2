#include "preload/settings.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "format/amount.h"
#include "format/env.h"
#include "format/live.h"
#include "preload/sigsafe/raw.h"

/* The variable's value, NULL when it is not set or empty. */
static const char *settings_text(const char *name)
{
	const char *text = getenv(name);

	return text && *text ? text : NULL;
}

/* A decimal number and nothing else, in [low, high]; otherwise `standard`. */
static uint32_t settings_number(struct settings *settings, const char *name, uint32_t low,
				uint32_t high, uint32_t standard)
{
	const char *text = settings_text(name);
	uint64_t value;

	if (!text)
		return standard;
	if (amount_count(text, strlen(text), &value) && value >= low && value <= high)
		return (uint32_t)value;
	settings->wrong++;
	return standard;
}

static uint64_t settings_bytes(struct settings *settings, const char *name, uint64_t standard)
{
	const char *text = settings_text(name);
	uint64_t value;

	if (!text)
		return standard;
	if (amount_bytes(text, strlen(text), &value))
		return value;
	settings->wrong++;
	return standard;
}

static void settings_add_rule(char *keep, const char *name, const char *value, const char *unit)
{
	if (*keep)
		strcat(keep, ",");
	strcat(strcat(strcat(keep, name), value), unit);
}

/* REQPROF_KEEP, with what the two short forms say put behind it. */
static void settings_keep(struct settings *settings)
{
	const char *keep = settings_text(ENV_KEEP), *text;
	const size_t room = sizeof(settings->keep) - 64; /* for the two */
	struct keep_rules rules;
	uint64_t number;

	if (keep && strlen(keep) < room && keep_parse(keep, strlen(keep), &rules, NULL))
		strcpy(settings->keep, keep);
	else if (keep)
		settings->wrong++;
	text = settings_text(ENV_MIN_MS);
	if (text && strlen(text) <= 8 && amount_count(text, strlen(text), &number) &&
	    number <= ENV_MIN_MS_MAX)
		settings_add_rule(settings->keep, "slower=", text, "ms");
	else if (text)
		settings->wrong++;
	text = settings_text(ENV_EVERY);
	if (text && strlen(text) <= 18 && amount_count(text, strlen(text), &number) && number > 0)
		settings_add_rule(settings->keep, "every=", text, "");
	else if (text)
		settings->wrong++;
}

static void settings_filter(struct settings *settings)
{
	const char *text = settings_text(ENV_FILTER);

	if (!text)
		return;
	if (filter_problem(text, strlen(text)))
		settings->wrong++;
	else
		strcpy(settings->filter, text);
}

static void settings_live(struct settings *settings)
{
	const char *text = settings_text(ENV_LIVE);

	strcpy(settings->live, LIVE_PLACE);
	if (!text)
		return;
	if ((text[0] == '/' || strcmp(text, "off") == 0) && strlen(text) < sizeof(settings->live))
		strcpy(settings->live, text);
	else
		settings->wrong++;
}

static bool settings_directory(struct settings *settings)
{
	const char *named = getenv(ENV_DIR);
	size_t at = 0, len;

	if (!named || !*named)
		named = ENV_DIR_DEFAULT;
	len = strlen(named);
	if (named[0] != '/') {
		/* The kernel's getcwd: counts its NUL, and starts with "(unreachable)" outside the root. */
		long got = raw_syscall3(SYS_getcwd, (long)settings->directory,
					sizeof(settings->directory), 0);

		if (got <= 1 || settings->directory[0] != '/')
			return false;
		at = (size_t)got - 1;
		if (at > 1)
			settings->directory[at++] = '/';
	}
	if (at + len + 1 > sizeof(settings->directory))
		return false;
	memcpy(settings->directory + at, named, len + 1);
	for (at += len; at > 1 && settings->directory[at - 1] == '/';)
		settings->directory[--at] = '\0';
	return true;
}

void settings_read(struct settings *settings)
{
	const char *stacks;

	/* A setuid program runs for somebody other than who set these. */
	if (getauxval(AT_SECURE))
		return;
	settings->rate = settings_number(settings, ENV_RATE, ENV_RATE_MIN, ENV_RATE_MAX, ENV_RATE_DEFAULT);
	settings->kernel_rate = settings_number(settings, ENV_KERNEL_RATE, 0, ENV_RATE_MAX,
						ENV_KERNEL_RATE_DEFAULT);
	settings->enabled = settings_number(settings, ENV_ENABLE, 0, 1, 1);
	settings->signal = (int)settings_number(settings, ENV_SIGNAL, 34, 64, ENV_SIGNAL_DEFAULT);
	settings->waits = settings_number(settings, ENV_WAITS, 0, 1, 1);
	settings->wait_min_us = settings_number(settings, ENV_WAIT_MIN_US, 0, ENV_WAIT_MIN_US_MAX,
						ENV_WAIT_MIN_US_DEFAULT);
	stacks = getenv(ENV_STACKS);
	if (stacks && strcmp(stacks, "python") == 0)
		settings->stacks = HANDLER_PYTHON;
	else if (stacks && strcmp(stacks, "native") == 0)
		settings->stacks = HANDLER_NATIVE;
	else if (stacks && *stacks && strcmp(stacks, "mixed") != 0)
		settings->wrong++;
	settings->max_files = settings_number(settings, ENV_MAX_FILES, 0, ENV_MAX_FILES_MAX,
					      ENV_MAX_FILES_DEFAULT);
	settings->max_bytes = settings_bytes(settings, ENV_MAX_BYTES, ENV_MAX_BYTES_DEFAULT);
	settings_live(settings);
	settings_keep(settings);
	settings_filter(settings);
	settings->usable = settings_directory(settings);
}
