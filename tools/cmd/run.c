#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/env.h"
#include "tools/base/directory.h"
#include "tools/base/errors.h"
#include "tools/base/options.h"
#include "tools/cmd/cmd.h"
#include "tools/cmd/library.h"
#include "tools/cmd/run_target.h"
#include "tools/cmd/wishes.h"

static const char *const stacks_names[] = { "mixed", "python", "native", NULL };

/* ---- the library ---- */

/* In front of what is preloaded already. The list has no way to quote its separators. */
static int preload(const char *library)
{
	const char *others = getenv("LD_PRELOAD");
	char *value;

	if (strpbrk(library, ": \t\n")) {
		errors_say(
			"%s: LD_PRELOAD cannot hold a path with a space or colon (set REQPROF_LIB to a copy elsewhere)",
			library);
		return -1;
	}
	if (asprintf(&value, "%s%s%s", library, others && *others ? ":" : "",
		     others ? others : "") < 0 ||
	    setenv("LD_PRELOAD", value, 1)) {
		errors_say("LD_PRELOAD: %s", strerror(errno));
		return -1;
	}
	free(value);
	return 0;
}

/* ---- the directory ---- */

static int say_directory(const char *directory, int error)
{
	struct stat st;

	if (error == ENOTDIR && !stat(directory, &st))
		errors_say("%s: it is a file; profiles need a directory", directory);
	else if (error == ENOENT && !lstat(directory, &st) && S_ISLNK(st.st_mode))
		errors_say("%s: it is a symbolic link that leads nowhere", directory);
	else if (error == EACCES && !stat(directory, &st))
		errors_say("%s: no profile can be written there: %s", directory, strerror(error));
	else
		errors_say("%s: the directory cannot be made: %s", directory, strerror(error));
	return EXIT_FAILED;
}

/*
 * Made now, so that a wrong one is told before the server starts; absolute, as servers change
 * theirs.
 */
static int prepare_directory(const char *directory)
{
	char absolute[PATH_MAX];
	int error = directory_make(directory);

	if (!error && eaccess(directory, W_OK | X_OK))
		error = errno;
	if (!error && !realpath(directory, absolute))
		error = errno;
	if (!error && setenv(ENV_DIR, absolute, 1))
		error = errno;
	return error ? say_directory(directory, error) : OPTIONS_GO_ON;
}

/* ---- settings ---- */

static void set_number(const char *name, long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", value);
	setenv(name, text, 1);
}

/* The library would go on with the default; here somebody can still be told. */
static int check_environment(const struct options_spec *spec, const char *name, long min, long max)
{
	const char *text = getenv(name);
	char *end;
	long value;

	if (!text || !*text)
		return OPTIONS_GO_ON;
	errno = 0;
	value = strtol(text, &end, 10);
	if (*end || errno || value < min || value > max)
		return options_usage_error(spec, "%s must be a number from %ld to %ld, not \"%s\"",
					   name, min, max, text);
	return OPTIONS_GO_ON;
}

static int check_stacks(const struct options_spec *spec)
{
	const char *text = getenv(ENV_STACKS);

	if (!text || !*text)
		return OPTIONS_GO_ON;
	for (int i = 0; stacks_names[i]; i++) {
		if (!strcmp(stacks_names[i], text))
			return OPTIONS_GO_ON;
	}
	return options_usage_error(spec, ENV_STACKS " must be mixed, python or native, not \"%s\"",
				   text);
}

/* ---- what to keep ---- */

static int check_max_files(const struct options_spec *spec, const char *what, const char *text)
{
	uint64_t files;

	return wishes_max_files(spec, what, text, &files);
}

static int check_max_bytes(const struct options_spec *spec, const char *what, const char *text)
{
	uint64_t bytes;

	return wishes_max_bytes(spec, what, text, &bytes);
}

/* Settings that are texts: the option's value goes into the variable, which is checked either way. */
struct wish {
	const char *option, *variable;
	int (*check)(const struct options_spec *spec, const char *what, const char *text);
	const char *value; /* NULL: the option was not given */
};

static int check_live(const struct options_spec *spec, const char *what, const char *text)
{
	if (*text == '/' || !strcmp(text, "off"))
		return OPTIONS_GO_ON;
	return options_usage_error(spec, "%s must be a directory's whole path, or off, not \"%s\"", what,
				   text);
}

enum { WISH_KEEP, WISH_FILTER, WISH_MAX_FILES, WISH_MAX_BYTES, WISH_LIVE, WISHES };

static int check_wishes(const struct options_spec *spec, const struct wish *wishes)
{
	for (int i = 0; i < WISHES; i++) {
		const struct wish *w = &wishes[i];
		const char *text;
		int status;

		if (w->value)
			setenv(w->variable, w->value, 1);
		text = getenv(w->variable);
		if (!text || !*text)
			continue;
		status = w->check(spec, w->value ? w->option : w->variable, text);
		if (status != OPTIONS_GO_ON)
			return status;
	}
	return OPTIONS_GO_ON;
}

static int check_settings(const struct options_spec *spec)
{
	int status = check_environment(spec, ENV_RATE, ENV_RATE_MIN, ENV_RATE_MAX);

	if (status == OPTIONS_GO_ON)
		status = check_environment(spec, ENV_ENABLE, 0, 1);
	if (status == OPTIONS_GO_ON)
		status = check_environment(spec, ENV_SIGNAL, 34, 64);
	if (status == OPTIONS_GO_ON)
		status = check_environment(spec, ENV_MIN_MS, 0, ENV_MIN_MS_MAX);
	if (status == OPTIONS_GO_ON)
		status = check_environment(spec, ENV_EVERY, 1, INT_MAX);
	if (status == OPTIONS_GO_ON)
		status = check_environment(spec, ENV_WAITS, 0, 1);
	if (status == OPTIONS_GO_ON)
		status = check_environment(spec, ENV_WAIT_MIN_US, 0, ENV_WAIT_MIN_US_MAX);
	return status == OPTIONS_GO_ON ? check_stacks(spec) : status;
}

int cmd_run(int argc, char **argv)
{
	const char *directory = NULL;
	char library[PATH_MAX];
	long rate = 0, kernel_rate = -1, signal = 0, wait_min_us = -1;
	int stacks = -1, status;
	bool off = false, no_waits = false;
	long min_ms = -1, every = 0;
	struct wish wishes[WISHES] = {
		[WISH_KEEP] = { "--keep", ENV_KEEP, wishes_check_keep, NULL },
		[WISH_FILTER] = { "--filter", ENV_FILTER, wishes_check_filter, NULL },
		[WISH_MAX_FILES] = { "--max-files", ENV_MAX_FILES, check_max_files, NULL },
		[WISH_MAX_BYTES] = { "--max-bytes", ENV_MAX_BYTES, check_max_bytes, NULL },
		[WISH_LIVE] = { "--live", ENV_LIVE, check_live, NULL },
	};
	const struct option_row rows[] = {
		{ OPTION_TEXT, 'o', "output", "DIR", &directory,
		  "Where profiles go; made when missing. Default $REQPROF_DIR, or reqprof.out.",
		  NULL, 0, 0 },
		{ OPTION_NUMBER, 'r', "rate", "N", &rate,
		  "Samples a second of CPU time; default 997.", NULL, ENV_RATE_MIN, ENV_RATE_MAX },
		{ OPTION_NUMBER, 0, "kernel-rate", "N", &kernel_rate,
		  "Stacks a second of time in the kernel, where permitted; 0: none; default 99.", NULL,
		  0, ENV_RATE_MAX },
		{ OPTION_FLAG, 0, "off", NULL, &off,
		  "Start switched off; `reqprof ctl on` switches on.", NULL, 0, 0 },
		{ OPTION_TEXT, 0, "filter", "PATTERNS", &wishes[WISH_FILTER].value,
		  "Which requests to profile: 'GET /api/*;!/health'; default all.", NULL, 0, 0 },
		{ OPTION_TEXT, 0, "keep", "RULES", &wishes[WISH_KEEP].value,
		  "Which of them leave a file, decided at their end: always (the default), or any of "
		  "slower=200ms, failed, first, every=100, worst=5, asked, with commas between.",
		  NULL, 0, 0 },
		{ OPTION_NUMBER, 0, "min-ms", "N", &min_ms, "As slower=Nms among the rules of --keep.",
		  NULL, 0, ENV_MIN_MS_MAX },
		{ OPTION_NUMBER, 0, "every", "N", &every, "As every=N among the rules of --keep.", NULL,
		  1, INT_MAX },
		{ OPTION_TEXT, 0, "live", "DIR|off", &wishes[WISH_LIVE].value,
		  "Where the live files stand that reqprof recover reads, a tmpfs. Default /dev/shm.",
		  NULL, 0, 0 },
		{ OPTION_TEXT, 0, "max-files", "N", &wishes[WISH_MAX_FILES].value,
		  "Most profiles the directory holds; the oldest go. 0: no limit; default 10000.", NULL,
		  0, 0 },
		{ OPTION_TEXT, 0, "max-bytes", "SIZE", &wishes[WISH_MAX_BYTES].value,
		  "Most disk space they take (500M, 1G); the oldest go. 0: no limit; default 1G.", NULL,
		  0, 0 },
		{ OPTION_CHOICE, 0, "stacks", NULL, &stacks, "Which stacks to take; default mixed.",
		  stacks_names, 0, 0 },
		{ OPTION_FLAG, 0, "no-waits", NULL, &no_waits,
		  "Do not time what requests wait for; only sample.", NULL, 0, 0 },
		{ OPTION_NUMBER, 0, "wait-min-us", "N", &wait_min_us,
		  "Waits shorter than this are added up, without a stack; default 200.", NULL, 0,
		  ENV_WAIT_MIN_US_MAX },
		{ OPTION_NUMBER, 0, "signal", "N", &signal,
		  "The real-time signal to use, should the server need ours; default 50.", NULL, 34,
		  64 },
		{ 0 },
	};
	const struct options_spec spec = {
		.command = "run",
		.usage = "[options] [--] COMMAND [ARGUMENT...]",
		.summary =
			"Starts a server with libreqprof.so preloaded: each HTTP request leaves a profile.",
		.details =
			"The same as LD_PRELOAD=libreqprof.so with the settings as REQPROF_* variables;\n"
			"see reqprof(7).\n",
		.examples = "  reqprof run -- uwsgi --http :8000 --wsgi-file app.py\n"
			    "  reqprof run -o /var/lib/reqprof --off -- gunicorn app:app\n"
			    "  reqprof run --rate 250 -- nginx -g 'daemon off;'\n",
		.rows = rows,
		.stop_at_argument = true,
	};

	status = options_parse(&spec, &argc, argv);
	if (status != OPTIONS_GO_ON)
		return status;
	if (argc < 2)
		return options_usage_error(&spec, "which command is to be run?");
	if (rate)
		set_number(ENV_RATE, rate);
	if (kernel_rate >= 0)
		set_number(ENV_KERNEL_RATE, kernel_rate);
	if (signal)
		set_number(ENV_SIGNAL, signal);
	if (off)
		set_number(ENV_ENABLE, 0);
	if (no_waits)
		set_number(ENV_WAITS, 0);
	if (wait_min_us >= 0)
		set_number(ENV_WAIT_MIN_US, wait_min_us);
	if (stacks >= 0)
		setenv(ENV_STACKS, stacks_names[stacks], 1);
	if (min_ms >= 0)
		set_number(ENV_MIN_MS, min_ms);
	if (every)
		set_number(ENV_EVERY, every);
	status = check_settings(&spec);
	if (status == OPTIONS_GO_ON)
		status = check_wishes(&spec, wishes);
	if (status != OPTIONS_GO_ON)
		return status;
	if (!directory)
		directory = getenv(ENV_DIR);
	status = prepare_directory(directory && *directory ? directory : ENV_DIR_DEFAULT);
	if (status != OPTIONS_GO_ON)
		return status;
	if (!library_find(library, false))
		return EXIT_FAILED;
	run_target_check(argv[1]);
	if (preload(library))
		return EXIT_FAILED;
	execvp(argv[1], argv + 1);
	errors_say("%s: %s", argv[1], strerror(errno));
	return EXIT_FAILED;
}
