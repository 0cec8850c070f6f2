#include "tools/cmd/report.h"

#include <stdlib.h>

#include "tools/base/colour.h"
#include "tools/base/errors.h"
#include "tools/cmd/cmd.h"
#include "tools/cmd/inputs.h"

static const char *const mode_names[] = { "mixed", "python", "native", NULL };
static const char *const type_names[] = { "wall", "cpu", "wait", NULL };
static const enum profile_value types[] = { PROFILE_WALL, PROFILE_CPU, PROFILE_WAIT };

enum { NOT_GIVEN = -1 };

static bool has_python(const struct model *m)
{
	for (uint32_t i = 0; i < m->n_locations; i++) {
		if (m->locations[i].kind == FRAME_PYTHON)
			return true;
	}
	return false;
}

/* Wall time says it all where waits were measured; elsewhere half of it would be "[unaccounted]". */
static enum profile_value usual_type(const struct totals *t)
{
	return t->waits_off < t->requests ? PROFILE_WALL : PROFILE_CPU;
}

struct bounds report_bounds(const struct report *r, int64_t value, int64_t ticks)
{
	const struct totals *t = &r->totals;
	double ticked = 0, n = (double)r->view->nodes[0].total_ticks, exact;
	struct interval i = { 0, 0 };

	if (r->by == PROFILE_WALL)
		ticked = (double)t->ticked_ns;
	else if (r->by == PROFILE_CPU)
		ticked = (double)t->ticked_cpu_ns;
	if (!ticks || ticked <= 0)
		return (struct bounds){ (double)value, (double)value };
	i = interval_of((double)ticks, n);
	exact = (double)value - (double)ticks / n * ticked;
	if (exact < 0)
		exact = 0;
	return (struct bounds){ exact + i.low * ticked, exact + i.high * ticked };
}

static void show(struct model *m, struct report *r, bool json)
{
	struct view *lines = NULL, *tree = NULL, *view;

	/* all of them first: making a view may add frames to the model */
	if (r->mode == VIEW_MIXED && has_python(m))
		lines = view_make_folded(m, VIEW_PYTHON);
	if (r->tree)
		tree = view_make(m, r->mode);
	view = view_make_folded(m, r->mode);
	r->model = m;
	r->view = view;
	r->tree_view = tree;
	r->line_view = lines ? lines : view;
	if (json)
		report_json(r);
	else
		report_text(r);
	view_free(view);
	view_free(tree);
	view_free(lines);
}

int cmd_report(int argc, char **argv)
{
	struct inputs inputs;
	struct model *m = NULL;
	struct report report = { .min_percent = 1.0 };
	int mode = VIEW_MIXED, type = NOT_GIVEN, status;
	long limit = 20;
	bool json = false, every = false;
	const struct option_row rows[] = {
		{ OPTION_FLAG, 't', "tree", NULL, &report.tree, "Also who called whom, as a tree.",
		  NULL, 0, 0 },
		{ OPTION_CHOICE, 0, "mode", NULL, &mode,
		  "Which frames: Python and native, without the interpreter's own loop (default); "
		  "only Python, native time going to its caller; only native.",
		  mode_names, 0, 0 },
		{ OPTION_FLAG, 'w', "waits", NULL, &report.waits,
		  "What was waited for, by reason and by line, in place of the functions.", NULL, 0,
		  0 },
		{ OPTION_CHOICE, 0, "type", NULL, &type,
		  "What shares are of: wall time (default where waits were measured), CPU time, or waits.",
		  type_names, 0, 0 },
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
			"is in a stack more than once counts once. A wait counts for the function and line that\n"
			"waited. The figure behind a share is its uncertainty in points: with 95 % probability the\n"
			"truth is no further away. Waits are exact. In the tree a line straight below another\n"
			"is its only branch that is shown.\n",
		.examples =
			"  reqprof report                       everything in reqprof.out\n"
			"  reqprof report --tree FILE.pprof     one request, with its call tree\n"
			"  reqprof report --route '/users/*' --mode python\n"
			"  reqprof report --waits FILE.pprof    what it waited for, and where\n"
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
		totals_of(m, &report.totals);
		report.by = type == NOT_GIVEN ? usual_type(&report.totals) : types[type];
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
