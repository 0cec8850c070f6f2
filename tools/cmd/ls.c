#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/colour.h"
#include "tools/base/errors.h"
#include "tools/base/escape.h"
#include "tools/base/figures.h"
#include "tools/base/json.h"
#include "tools/cmd/cmd.h"
#include "tools/cmd/inputs.h"

enum sort {
	BY_TIME,
	BY_WALL,
	BY_USER,
	BY_KERNEL,
	BY_CPU,
	BY_WAIT,
	BY_GIL,
	BY_RUNNABLE,
	BY_REST,
	BY_QUEUED,
	BY_TRIPS,
	BY_FAULTS,
	BY_SAMPLES,
	BY_STATUS,
	BY_ROUTE,
	BY_PATH
};

static const char *const sort_names[] = { "time",  "wall",   "user",	 "kernel", "cpu",
					  "wait",  "gil",    "runnable", "rest",   "queued",
					  "trips", "faults", "samples",	 "status", "route",
					  "path",  NULL };

struct order {
	enum sort by;
	bool reverse;
};

static int64_t number_of(const struct request *r, enum sort by)
{
	switch (by) {
	case BY_WALL:
		return r->wall_ns;
	case BY_USER:
		return r->user_ns;
	case BY_KERNEL:
		return r->kernel_ns;
	case BY_CPU:
		return r->cpu_ns;
	case BY_WAIT:
		return r->wait_ns;
	case BY_GIL:
		return r->gil_ns;
	case BY_RUNNABLE:
		return r->runnable_ns;
	case BY_REST: /* as the column has it */
		return r->rest_ns + r->runnable_ns;
	case BY_QUEUED:
		return r->queued_ns;
	case BY_TRIPS:
		return r->round_trips;
	case BY_FAULTS:
		return r->faults;
	case BY_SAMPLES:
		return r->samples;
	case BY_STATUS:
		return r->status;
	case BY_TIME:
	case BY_ROUTE:
	case BY_PATH:
		break;
	}
	return 0;
}

static int compare_numbers(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

/* Numbers fall, times and texts rise: what is looked for comes first. */
static int compare_requests(const void *a, const void *b, void *arg)
{
	const struct request *x = a, *y = b;
	const struct order *order = arg;
	int result = compare_numbers(number_of(y, order->by), number_of(x, order->by));

	if (order->by == BY_ROUTE)
		result = strcmp(x->route, y->route);
	else if (order->by == BY_PATH)
		result = strcmp(x->path, y->path);
	if (!result)
		result = compare_numbers(x->start_ns, y->start_ns);
	if (!result)
		result = strcmp(x->file, y->file);
	return order->reverse ? -result : result;
}

/* ---- json ---- */

static void set_integer(json_t *o, const char *key, int64_t value)
{
	json_object_set_new(o, key, json_integer(value));
}

static json_t *to_json(const struct request *r)
{
	char start[FIGURE_MAX];
	json_t *o = json_object();

	json_object_set_new(o, "id", json_text(r->id));
	json_object_set_new(o, "file", json_text(r->file));
	json_object_set_new(o, "method", json_text(r->method));
	json_object_set_new(o, "path", json_text(r->path));
	json_object_set_new(o, "route", json_text(r->route));
	json_object_set_new(o, "status", r->status ? json_integer(r->status) : json_null());
	json_object_set_new(o, "start", json_text(figure_rfc3339(start, r->start_ns)));
	json_object_set_new(o, "wall_ns", json_integer(r->wall_ns));
	set_integer(o, "cpu_ns", r->cpu_ns);
	set_integer(o, "user_ns", r->user_ns);
	set_integer(o, "kernel_ns", r->kernel_ns);
	set_integer(o, "wait_ns", r->wait_ns);
	set_integer(o, "gil_ns", r->gil_ns);
	set_integer(o, "runnable_ns", r->runnable_ns);
	set_integer(o, "rest_ns", r->rest_ns);
	set_integer(o, "overlap_ns", r->overlap_ns);
	json_object_set_new(o, "queued_ns",
			    r->queued_ns < 0 ? json_null() : json_integer(r->queued_ns));
	set_integer(o, "waits", r->wait_count);
	set_integer(o, "round_trips", r->round_trips);
	set_integer(o, "faults", r->faults);
	set_integer(o, "children", r->children);
	json_object_set_new(o, "children_started", json_text(r->children_started));
	set_integer(o, "threads_started", r->threads_started);
	json_object_set_new(o, "samples", json_integer(r->samples));
	json_object_set_new(o, "pid", json_integer(r->pid));
	json_object_set_new(o, "tid", json_integer(r->tid));
	json_object_set_new(o, "role", json_text(r->role));
	json_object_set_new(o, "end", json_text(r->end));
	return o;
}

static void print_json(const struct request *requests, uint32_t n)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(array, to_json(&requests[i]));
	json_print(array);
}

/* ---- table ---- */

enum { ROUTE_MAX = 48 };

static void print_padded(const char *text, size_t columns)
{
	size_t width = escape_width(text);

	printf("%s%*s", text, (int)(width < columns ? columns - width : 0), "");
}

static enum colour status_colour(int status)
{
	if (status >= 500)
		return COLOUR_RED;
	return status >= 400 ? COLOUR_YELLOW : COLOUR_PLAIN;
}

struct row {
	char *route, *method;
};

/* A part of the wall time; nothing of it is a dash, and so is what was not measured. */
static void print_time(int64_t ns)
{
	char figure[FIGURE_MAX];

	printf(" %8s", ns ? figure_duration(figure, ns) : "-");
}

static void print_row(const struct request *r, const struct row *row, size_t route_width,
		      size_t method_width)
{
	char time[FIGURE_MAX], status[16];
	enum colour paint = status_colour(r->status);

	snprintf(status, sizeof(status), r->status ? "%d" : "-", r->status);
	printf("%s  ", figure_local_time(time, r->start_ns));
	print_padded(row->method, method_width);
	printf("  ");
	print_padded(row->route, route_width);
	printf("  %s%6s%s", paint ? colour(paint) : "", status, paint ? colour(COLOUR_PLAIN) : "");
	print_time(r->wall_ns);
	print_time(r->user_ns);
	print_time(r->kernel_ns);
	print_time(r->wait_ns);
	print_time(r->gil_ns);
	print_time(r->rest_ns + r->runnable_ns);
	printf(" %7lld  ", (long long)r->samples);
	escape_print(stdout, r->file);
	if (r->proxy)
		printf("  (proxy)");
	if (r->interrupted)
		printf("  (interrupted)");
	putchar('\n');
}

static void print_table(const struct request *requests, uint32_t n)
{
	struct row *rows = errors_alloc(n, sizeof(*rows));
	size_t route_width = 5, method_width = 6;

	for (uint32_t i = 0; i < n; i++) {
		rows[i].route = escape_fit(
			*requests[i].route ? requests[i].route : requests[i].path, ROUTE_MAX);
		rows[i].method = escape_fit(requests[i].method, 10);
		if (escape_width(rows[i].route) > route_width)
			route_width = escape_width(rows[i].route);
		if (escape_width(rows[i].method) > method_width)
			method_width = escape_width(rows[i].method);
	}
	if (n)
		printf("%s%-23s  %-*s  %-*s  %6s %8s %8s %8s %8s %8s %8s %7s  %s%s\n",
		       colour(COLOUR_BOLD), "TIME", (int)method_width, "METHOD", (int)route_width,
		       "ROUTE", "STATUS", "WALL", "USER", "KERNEL", "WAIT", "GIL", "REST",
		       "SAMPLES", "FILE", colour(COLOUR_PLAIN));
	for (uint32_t i = 0; i < n; i++) {
		print_row(&requests[i], &rows[i], route_width, method_width);
		free(rows[i].route);
		free(rows[i].method);
	}
	free(rows);
}

static void print_footer(const struct inputs *inputs, uint32_t shown)
{
	printf("%s%u request%s", colour(COLOUR_DIM), shown, shown == 1 ? "" : "s");
	if (shown < inputs->n_requests)
		printf(" of %u", inputs->n_requests);
	if (inputs->n_hidden)
		printf("; %u view%s from a proxy hidden (--all shows them)", inputs->n_hidden,
		       inputs->n_hidden == 1 ? "" : "s");
	printf("%s\n", colour(COLOUR_PLAIN));
}

int cmd_ls(int argc, char **argv)
{
	struct inputs inputs;
	struct order order = { 0 };
	int by = BY_TIME, status;
	long limit = 0;
	bool json = false;
	const struct option_row rows[] = {
		{ OPTION_CHOICE, 0, "sort", NULL, &by,
		  "Order: latest last, or largest first. Default time.", sort_names, 0, 0 },
		{ OPTION_FLAG, 'r', "reverse", NULL, &order.reverse, "The other way round.", NULL,
		  0, 0 },
		{ OPTION_TABLE, 0, NULL, NULL, inputs.rows, NULL, NULL, 0, 0 },
		{ OPTION_NUMBER, 'n', "limit", "N", &limit, "The first N of them.", NULL, 1,
		  1000000000 },
		{ OPTION_FLAG, 'j', "json", NULL, &json,
		  "A JSON array with an object for each request; times in nanoseconds.", NULL, 0,
		  0 },
		{ OPTION_TABLE, 0, NULL, NULL, (void *)colour_rows, NULL, NULL, 0, 0 },
		{ 0 },
	};
	const struct options_spec spec = {
		.command = "ls",
		.usage = "[options] [DIR|FILE...]",
		.summary = "Lists profiled requests. Without DIR: $REQPROF_DIR, or reqprof.out.",
		.details =
			"WALL is USER + KERNEL + WAIT + REST, less what several threads did at a time; GIL is\n"
			"part of WAIT, and waiting for a CPU part of REST.\n"
			"A request that passed through a proxy which was profiled too has one file from\n"
			"each; the proxy's is hidden unless --all is given.\n",
		.examples = "  reqprof ls --sort wall --limit 10\n"
			    "  reqprof ls --status 5xx --route '/users/*' /var/lib/reqprof\n"
			    "  reqprof ls --json | jq '.[] | select(.wall_ns > 1e8).path'\n",
		.rows = rows,
	};

	inputs_init(&inputs);
	status = options_parse(&spec, &argc, argv);
	if (status == OPTIONS_GO_ON)
		status = inputs_collect(&inputs, argv + 1, argc - 1);
	if (status == OPTIONS_GO_ON) {
		uint32_t shown = inputs.n_requests;

		order.by = (enum sort)by;
		qsort_r(inputs.requests, inputs.n_requests, sizeof(*inputs.requests),
			compare_requests, &order);
		if (limit && (uint32_t)limit < shown)
			shown = (uint32_t)limit;
		if (json) {
			print_json(inputs.requests, shown);
		} else {
			print_table(inputs.requests, shown);
			print_footer(&inputs, shown);
		}
		status = errors_finish(inputs.status_code);
	}
	inputs_release(&inputs);
	return status;
}
