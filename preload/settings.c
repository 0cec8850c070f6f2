#include "preload/settings.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "format/env.h"
#include "preload/sigsafe/raw.h"

/* A decimal number and nothing else, in [low, high]; otherwise `standard`. */
static uint32_t settings_number(const char *name, uint32_t low, uint32_t high, uint32_t standard)
{
	const char *text = getenv(name);
	uint64_t value = 0;

	if (!text || !*text)
		return standard;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || value > UINT32_MAX)
			return standard;
		value = value * 10 + (uint64_t)(*text - '0');
	}
	return value >= low && value <= high ? (uint32_t)value : standard;
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
	settings->rate = settings_number(ENV_RATE, ENV_RATE_MIN, ENV_RATE_MAX, ENV_RATE_DEFAULT);
	settings->enabled = settings_number(ENV_ENABLE, 0, 1, 1);
	settings->signal = (int)settings_number(ENV_SIGNAL, 34, 64, ENV_SIGNAL_DEFAULT);
	stacks = getenv(ENV_STACKS);
	if (stacks && strcmp(stacks, "python") == 0)
		settings->stacks = HANDLER_PYTHON;
	else if (stacks && strcmp(stacks, "native") == 0)
		settings->stacks = HANDLER_NATIVE;
	settings->usable = settings_directory(settings);
}
