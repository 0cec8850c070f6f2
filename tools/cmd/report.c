#include "tools/cmd/report.h"

#include <stdlib.h>

#include "tools/base/colour.h"
#include "tools/base/errors.h"
#include "tools/cmd/cmd.h"
#include "tools/cmd/inputs.h"

static const char *const mode_names[] = { "mixed", "python", "native", NULL };
static const char *const value_names[] = { "cpu", "wall", NULL };

static bool has_python(const struct model *m)
{
	for (uint32_t i = 0; i < m->n_locations; i++) {
		if (m->locations[i].kind == FRAME_PYTHON)
			return true;
	}
	return false;
}

static void show(struct model *m, struct report *r, bool json)
{
	struct view *lines = NULL;
	/* the Python view first: making a view may add frames to the model */
	if (r->mode == VIEW_MIXED && has_python(m))
		lines = view_make(m, VIEW_PYTHON);
	struct view *view = view_make(m, r->mode);

	r->model = m;
	r->view = view;
	r->line_view = lines ? lines : view;
	if (json)
		report_json(r);
	else
		report_text(r);
	view_free(view);
	view_free(lines);
}

int cmd_report(int argc, char **argv)
{
	struct inputs inputs;
	struct model *m = NULL;
	struct report report = { .min_percent = 1.0 };
	int mode = VIEW_MIXED, value = 0, status;
	long limit = 20;
	bool json = false, every = false;
	const struct option_row rows[] = {
		{ OPTION_FLAG, 't', "tree", NULL, &report.tree, "Also who called whom, as a tree.",
		  NULL, 0, 0 },
		{ OPTION_CHOICE, 0, "mode", NULL, &mode,
		  "Which frames: Python and native, without the interpreter's own loop (default); "
		  "only Python, native time going to its caller; only native.",
		  mode_names, 0, 0 },
		{ OPTION_CHOICE, 0, "value", NULL, &value,
		  "What shares are of: user CPU time (default) or wall time.", value_names, 0, 0 },
		{ OPTION_NUMBER, 'n', "limit", "N", &limit, "Rows in a table; 20 unless told.",
		  NULL, 1, 1000000000 },
		{ OPTION_FLAG, 0, "no-limit", NULL, &every, "All rows and all of the tree.", NULL,
		  0, 0 },
		{ OPTION_DECIMAL, 0, "min-percent", "P", &report.min_percent,
		  "Leaves branches of the tree below this share out; 1 unless told.", NULL, 0,
		  100 },
		{ OPTION_TABLE, 0, NULL, NULL, inputs.rows, NULL, NULL, 0, 0 },
		{ OPTION_FLAG, 'j', "json", NULL, &json,
		  "A JSON object with everything; times in nanoseconds.", NULL, 0, 0 },
		{ OPTION_TABLE, 0, NULL, NULL, (void *)colour_rows, NULL, NULL, 0, 0 },
		{ 0 },
	};
	const struct options_spec spec = {
		.command = "report",
		.usage = "[options] [FILE|DIR...]",
		.summary = "Shows where the time of one request or of many together went.",
		.details =
			"Self is time in a function's own code, total includes what it calls; a function that\n"
			"is in a stack more than once counts once. In the tree a line straight below another\n"
			"is its only branch that is shown.\n",
		.examples =
			"  reqprof report                       everything in reqprof.out\n"
			"  reqprof report --tree FILE.pprof     one request, with its call tree\n"
			"  reqprof report --route '/users/*' --mode python\n"
			"  reqprof report --json | jq '.functions[0]'\n",
		.rows = rows,
	};

	inputs_init(&inputs);
	status = options_parse(&spec, &argc, argv);
	if (status == OPTIONS_GO_ON)
		status = inputs_load(&inputs, argv + 1, argc - 1, &m);
	if (status == OPTIONS_GO_ON && !m->n_requests) {
		status = inputs.status_code;
		if (!status) {
			errors_say("no request to report on%s", inputs.n_files
									? " passes the filters"
									: ": no profile is there");
			status = EXIT_TOO_LITTLE;
		}
	} else if (status == OPTIONS_GO_ON) {
		report.mode = (enum view_mode)mode;
		report.by = value ? PROFILE_WALL : PROFILE_CPU;
		report.limit = every ? 0 : (uint32_t)limit;
		if (every)
			report.min_percent = 0;
		report.n_hidden = inputs.n_hidden;
		show(m, &report, json);
		status = errors_finish(inputs.status_code);
	}
	model_free(m);
	inputs_release(&inputs);
	return status;
}
