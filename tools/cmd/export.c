#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/base/errors.h"
#include "tools/cmd/cmd.h"
#include "tools/cmd/inputs.h"
#include "tools/model/view.h"
#include "tools/render/collapsed.h"
#include "tools/render/firefox.h"
#include "tools/render/pprof.h"
#include "tools/render/pstats.h"
#include "tools/render/speedscope.h"

enum format {
	FORMAT_PSTATS,
	FORMAT_COLLAPSED,
	FORMAT_SPEEDSCOPE,
	FORMAT_FIREFOX,
	FORMAT_PPROF,
};
static const char *const format_names[] = { "pstats",  "collapsed", "speedscope",
					    "firefox", "pprof",	    NULL };
static const char *const mode_names[] = { "mixed", "python", "native", NULL };
static const char *const type_names[] = { "samples", "cpu", "wait", "wall", NULL };

enum { NOT_GIVEN = -1 };

struct wish {
	int format, mode, type;
	const char *out;
};

/* ---- where it goes ---- */

struct target {
	FILE *stream;
	char *path, *temporary; /* NULL: straight to the stream */
};

static int cannot_write(const char *path)
{
	errors_say("cannot write %s: %s", path, strerror(errno));
	return EXIT_FAILED;
}

/*
 * Written beside its place and renamed when whole, so that nobody reads a half of it. Devices and
 * pipes are written as they are.
 */
static int target_open(struct target *t, const char *path)
{
	struct stat st;
	mode_t mask;
	int fd;

	*t = (struct target){ .stream = stdout };
	if (!path || strcmp(path, "-") == 0)
		return OPTIONS_GO_ON;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		t->stream = fopen(path, "wbe");
		return t->stream ? OPTIONS_GO_ON : cannot_write(path);
	}
	/* What a link points to is what is meant. */
	t->path = realpath(path, NULL);
	if (!t->path)
		t->path = errors_strdup(path);
	if (asprintf(&t->temporary, "%s.XXXXXX", t->path) < 0)
		t->temporary = errors_strdup("");
	fd = mkostemp(t->temporary, O_CLOEXEC);
	if (fd < 0) {
		free(t->temporary);
		t->temporary = NULL;
		return cannot_write(path);
	}
	mask = umask(0);
	umask(mask);
	fchmod(fd, 0666 & ~mask);
	t->stream = fdopen(fd, "wb");
	return t->stream ? OPTIONS_GO_ON : cannot_write(path);
}

/* Also after a failure, which it passes on. */
static int target_close(struct target *t, const char *path, int status)
{
	bool failed = false;

	if (t->stream && t->stream != stdout) {
		failed = ferror(t->stream);
		if (fclose(t->stream) != 0)
			failed = true;
		if (!failed && status != EXIT_FAILED && t->temporary &&
		    rename(t->temporary, t->path) != 0)
			failed = true;
		if (failed)
			status = cannot_write(path);
	}
	if (t->temporary && status == EXIT_FAILED)
		unlink(t->temporary);
	free(t->temporary);
	free(t->path);
	return status;
}

/* ---- what goes there ---- */

static bool is_binary(enum format format)
{
	return format == FORMAT_PSTATS || format == FORMAT_PPROF;
}

/* Returns false when the stream failed; errno says why. */
static bool render(struct model *m, const struct wish *wish, FILE *out)
{
	enum profile_value by =
		wish->type == NOT_GIVEN ? PROFILE_WALL : (enum profile_value)wish->type;
	struct view *v =
		view_make(m, wish->mode == NOT_GIVEN ? VIEW_MIXED : (enum view_mode)wish->mode);
	int error = 0;

	switch ((enum format)wish->format) {
	case FORMAT_PSTATS:
		pstats_render(v, by, wish->mode == NOT_GIVEN ? PSTATS_CALLED : PSTATS_ALL, out);
		break;
	case FORMAT_COLLAPSED:
		collapsed_render(v, by, out);
		break;
	case FORMAT_SPEEDSCOPE:
		speedscope_render(v, by, out);
		break;
	case FORMAT_FIREFOX:
		firefox_render(v, out);
		break;
	case FORMAT_PPROF:
		error = pprof_render(v, out);
		break;
	}
	view_free(v);
	if (error)
		errno = -error;
	return !error;
}

static int export(struct inputs *inputs, const struct wish *wish, char **paths, int n_paths)
{
	struct model *m = NULL;
	struct target target = { 0 };
	int status = inputs_load(inputs, paths, n_paths, &m);

	if (status != OPTIONS_GO_ON)
		return status;
	if (!m->n_requests) {
		status = inputs->status_code;
		if (status == EXIT_DONE) {
			errors_say("no request to export%s", inputs->n_files
								     ? " passes the filters"
								     : ": no profile is there");
			status = EXIT_TOO_LITTLE;
		}
		model_free(m);
		return status;
	}
	status = target_open(&target, wish->out);
	if (status == OPTIONS_GO_ON) {
		status = inputs->status_code;
		if (!render(m, wish, target.stream) && target.stream != stdout &&
		    !ferror(target.stream))
			status = cannot_write(wish->out);
	}
	status = target_close(&target, wish->out, status);
	model_free(m);
	return errors_finish(status);
}

int cmd_export(int argc, char **argv)
{
	struct inputs inputs;
	struct wish wish = { NOT_GIVEN, NOT_GIVEN, NOT_GIVEN, NULL };
	const struct option_row rows[] = {
		{ OPTION_CHOICE, 'f', "format", NULL, &wish.format, "What to write.", format_names,
		  0, 0 },
		{ OPTION_TEXT, 'o', "output", "OUT", &wish.out,
		  "Where to, in place of standard output; the file appears when it is whole.", NULL,
		  0, 0 },
		{ OPTION_CHOICE, 0, "type", NULL, &wish.type,
		  "What is counted (pprof has all of them, firefox wall time). Default wall.", type_names, 0, 0 },
		{ OPTION_CHOICE, 0, "mode", NULL, &wish.mode,
		  "Which frames. Default mixed; for pstats with native functions only where Python calls them, as cProfile shows built-ins.",
		  mode_names, 0, 0 },
		{ OPTION_TABLE, 0, NULL, NULL, inputs.rows, NULL, NULL, 0, 0 },
		{ 0 },
	};
	const struct options_spec spec = {
		.command = "export",
		.usage = "-f FORMAT [options] [FILE|DIR...]",
		.summary =
			"Writes profiles in another tool's format; several requests become one file.",
		.details = "pstats      Python's pstats, snakeviz, tuna, gprof2dot\n"
			   "collapsed   flamegraph.pl, inferno; a line for each stack\n"
			   "speedscope  speedscope.app; a timeline for each request and thread\n"
			   "firefox     profiler.firefox.com; all threads on one time axis\n"
			   "pprof       go tool pprof, with names, all requests merged\n",
		.examples = "  reqprof export -f pstats -o slow.prof FILE && snakeviz slow.prof\n"
			    "  reqprof export -f collapsed DIR | flamegraph.pl >flame.svg\n"
			    "  reqprof export -f pprof --route '/users/*' -o users.pb.gz DIR\n",
		.rows = rows,
	};
	int status;

	inputs_init(&inputs);
	status = options_parse(&spec, &argc, argv);
	if (status != OPTIONS_GO_ON)
		goto out;
	if (wish.format == NOT_GIVEN)
		status = options_usage_error(&spec, "which format? -f %s",
					     "pstats|collapsed|speedscope|firefox|pprof");
	else if (wish.format == FORMAT_PPROF && wish.type != NOT_GIVEN)
		status = options_usage_error(
			&spec, "--type does not go with pprof, which has all of them");
	else if (wish.format == FORMAT_FIREFOX && wish.type != NOT_GIVEN)
		status = options_usage_error(
			&spec, "--type does not go with firefox, which is a timeline");
	else if (is_binary((enum format)wish.format) && isatty(STDOUT_FILENO) &&
		 (!wish.out || strcmp(wish.out, "-") == 0))
		status = options_usage_error(
			&spec, "%s is not for a terminal to show: add -o FILE, or a pipe",
			format_names[wish.format]);
	else
		status = export(&inputs, &wish, argv + 1, argc - 1);
out:
	inputs_release(&inputs);
	return status;
}
