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

enum sort { BY_TIME, BY_WALL, BY_CPU, BY_WAIT, BY_SAMPLES, BY_STATUS, BY_ROUTE, BY_PATH };

static const char *const sort_names[] = { "time",   "wall",  "cpu",  "wait", "samples",
					  "status", "route", "path", NULL };

struct order {
	enum sort by;
	bool reverse;
};

static int compare_numbers(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

/* Numbers fall, times and texts rise: what is looked for comes first. */
static int compare_requests(const void *a, const void *b, void *arg)
{
	const struct request *x = a, *y = b;
	const struct order *order = arg;
	int result = 0;

	switch (order->by) {
	case BY_TIME:
		break;
	case BY_WALL:
		result = compare_numbers(y->wall_ns, x->wall_ns);
		break;
	case BY_CPU:
		result = compare_numbers(y->cpu_ns, x->cpu_ns);
		break;
	case BY_WAIT:
		result = compare_numbers(y->wait_ns, x->wait_ns);
		break;
	case BY_SAMPLES:
		result = compare_numbers(y->samples, x->samples);
		break;
	case BY_STATUS:
		result = compare_numbers(y->status, x->status);
		break;
	case BY_ROUTE:
		result = strcmp(x->route, y->route);
		break;
	case BY_PATH:
		result = strcmp(x->path, y->path);
		break;
	}
	if (!result)
		result = compare_numbers(x->start_ns, y->start_ns);
	if (!result)
		result = strcmp(x->file, y->file);
	return order->reverse ? -result : result;
}

/* ---- json ---- */

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
	json_object_set_new(o, "cpu_ns", json_integer(r->cpu_ns));
	json_object_set_new(o, "wait_ns", json_integer(r->wait_ns));
	json_object_set_new(o, "samples", json_integer(r->samples));
	json_object_set_new(o, "pid", json_integer(r->pid));
	json_object_set_new(o, "tid", json_integer(r->tid));
	json_object_set_new(o, "role", json_text(r->role));
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

/* Escaped text cut to so many columns. Free it. */
static char *fit(const char *text, size_t columns)
{
	char *escaped = escape_text(text);
	size_t len = strlen(escaped);

	if (escape_width(escaped) <= columns)
		return escaped;
	while (escape_width(escaped) > columns - 1) {
		/* a whole character at a time */
		while (len && (escaped[len - 1] & 0xc0) == 0x80)
			len--;
		escaped[--len] = '\0';
	}
	char *cut;

	if (asprintf(&cut, "%s…", escaped) < 0)
		return escaped;
	free(escaped);
	return cut;
}

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

static void print_row(const struct request *r, const struct row *row, size_t route_width,
		      size_t method_width)
{
	char time[FIGURE_MAX], wall[FIGURE_MAX], cpu[FIGURE_MAX], wait[FIGURE_MAX], status[16];
	enum colour paint = status_colour(r->status);

	snprintf(status, sizeof(status), r->status ? "%d" : "-", r->status);
	printf("%s  ", figure_local_time(time, r->start_ns));
	print_padded(row->method, method_width);
	printf("  ");
	print_padded(row->route, route_width);
	printf("  %s%6s%s %8s %8s %8s %7lld  ", paint ? colour(paint) : "", status,
	       paint ? colour(COLOUR_PLAIN) : "", figure_duration(wall, r->wall_ns),
	       figure_duration(cpu, r->cpu_ns),
	       r->wait_ns ? figure_duration(wait, r->wait_ns) : "-", (long long)r->samples);
	escape_print(stdout, r->file);
	if (r->proxy)
		printf("  (proxy)");
	putchar('\n');
}

static void print_table(const struct request *requests, uint32_t n)
{
	struct row *rows = errors_alloc(n, sizeof(*rows));
	size_t route_width = 5, method_width = 6;

	for (uint32_t i = 0; i < n; i++) {
		rows[i].route =
			fit(*requests[i].route ? requests[i].route : requests[i].path, ROUTE_MAX);
		rows[i].method = fit(requests[i].method, 10);
		if (escape_width(rows[i].route) > route_width)
			route_width = escape_width(rows[i].route);
		if (escape_width(rows[i].method) > method_width)
			method_width = escape_width(rows[i].method);
	}
	if (n)
		printf("%s%-23s  %-*s  %-*s  %6s %8s %8s %8s %7s  %s%s\n", colour(COLOUR_BOLD),
		       "TIME", (int)method_width, "METHOD", (int)route_width, "ROUTE", "STATUS",
		       "WALL", "CPU", "WAIT", "SAMPLES", "FILE", colour(COLOUR_PLAIN));
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
