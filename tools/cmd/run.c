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
#include "tools/cmd/run_target.h"

#define LIBRARY "libreqprof.so"

static const char *const stacks_names[] = { "mixed", "python", "native", NULL };

/* ---- the library ---- */

/* Beside this program (a build tree), or where `make install` puts it. */
static bool find_library(char library[PATH_MAX])
{
	static const char *const places[] = { LIBRARY, "../lib/reqprof/" LIBRARY };
	const char *named = getenv("REQPROF_LIB");
	char self[PATH_MAX];
	ssize_t len;

	if (named && *named) {
		if (realpath(named, library) && !access(library, R_OK))
			return true;
		errors_say("REQPROF_LIB: %s: %s", named, strerror(errno));
		return false;
	}
	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len > 0) {
		self[len] = '\0';
		*(strrchr(self, '/') + 1) = '\0';
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			char path[PATH_MAX + 32];

			snprintf(path, sizeof(path), "%s%s", self, places[i]);
			if (realpath(path, library) && !access(library, R_OK))
				return true;
		}
	}
	errors_say(
		LIBRARY
		" is neither beside this program nor in ../lib/reqprof (set REQPROF_LIB to where it is)");
	return false;
}

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

static int check_settings(const struct options_spec *spec)
{
	int status = check_environment(spec, ENV_RATE, ENV_RATE_MIN, ENV_RATE_MAX);

	if (status == OPTIONS_GO_ON)
		status = check_environment(spec, ENV_ENABLE, 0, 1);
	if (status == OPTIONS_GO_ON)
		status = check_environment(spec, ENV_SIGNAL, 34, 64);
	return status == OPTIONS_GO_ON ? check_stacks(spec) : status;
}

int cmd_run(int argc, char **argv)
{
	const char *directory = NULL;
	char library[PATH_MAX];
	long rate = 0, signal = 0;
	int stacks = -1, status;
	bool off = false;
	const struct option_row rows[] = {
		{ OPTION_TEXT, 'o', "output", "DIR", &directory,
		  "Where profiles go; made when missing. Default $REQPROF_DIR, or reqprof.out.",
		  NULL, 0, 0 },
		{ OPTION_NUMBER, 'r', "rate", "N", &rate,
		  "Samples a second of CPU time; default 997.", NULL, ENV_RATE_MIN, ENV_RATE_MAX },
		{ OPTION_FLAG, 0, "off", NULL, &off,
		  "Start switched off; `reqprof ctl on` switches on.", NULL, 0, 0 },
		{ OPTION_CHOICE, 0, "stacks", NULL, &stacks, "Which stacks to take; default mixed.",
		  stacks_names, 0, 0 },
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
	if (signal)
		set_number(ENV_SIGNAL, signal);
	if (off)
		set_number(ENV_ENABLE, 0);
	if (stacks >= 0)
		setenv(ENV_STACKS, stacks_names[stacks], 1);
	status = check_settings(&spec);
	if (status != OPTIONS_GO_ON)
		return status;
	if (!directory)
		directory = getenv(ENV_DIR);
	status = prepare_directory(directory && *directory ? directory : ENV_DIR_DEFAULT);
	if (status != OPTIONS_GO_ON)
		return status;
	if (!find_library(library))
		return EXIT_FAILED;
	run_target_check(argv[1]);
	if (preload(library))
		return EXIT_FAILED;
	execvp(argv[1], argv + 1);
	errors_say("%s: %s", argv[1], strerror(errno));
	return EXIT_FAILED;
}
