#include "tools/cmd/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/colour.h"
#include "tools/base/errors.h"
#include "tools/base/escape.h"
#include "tools/base/figures.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

void report_heading(const char *text)
{
	printf("\n%s%s%s\n", colour(COLOUR_BOLD), text, colour(COLOUR_PLAIN));
}

/* ---- tables ---- */

static void print_share(int64_t part, int64_t whole)
{
	char percent[FIGURE_MAX];

	printf(" %7s", part ? figure_percent(percent, part, whole) : "-");
}

static void print_routes(const struct report *r)
{
	struct route_totals *routes;
	size_t n = totals_by_route(r->model, &routes), shown = n;

	if (r->limit && shown > r->limit)
		shown = r->limit;
	if (n > 1) {
		report_heading("Routes");
		printf("  %8s %9s %9s %7s     ± %7s %7s %7s %7s %8s  %s\n", "REQUESTS", "MEAN",
		       "MAX", "USER", "KERNEL", "WAIT", "GIL", "REST", "SAMPLES", "ROUTE");
		for (size_t i = 0; i < shown; i++) {
			const struct totals *t = &routes[i].totals;
			double on_cpu = (double)(t->user_ns + t->kernel_ns);
			char mean[FIGURE_MAX], max[FIGURE_MAX];

			printf("  %8u %9s %9s", t->requests,
			       figure_duration(mean, t->wall_ns / t->requests),
			       figure_duration(max, t->wall_max_ns));
			print_share(t->user_ns, t->wall_ns);
			printf(" %5.1f", t->wall_ns ? 100 * interval_half(totals_user_interval(t)) *
							      on_cpu / (double)t->wall_ns
						    : 0.0);
			print_share(t->kernel_ns, t->wall_ns);
			print_share(t->wait_ns, t->wall_ns);
			print_share(t->gil_ns, t->wall_ns);
			print_share(t->rest_ns + t->runnable_ns, t->wall_ns);
			printf(" %8lld  ", (long long)t->samples);
			escape_print(stdout, routes[i].method);
			putchar(' ');
			escape_print(stdout, routes[i].route);
			putchar('\n');
		}
		if (shown < n)
			printf("  ... and %zu more\n", n - shown);
	}
	free(routes);
}

void report_place(const struct function *f, int32_t line)
{
	if (*f->file) {
		escape_print(stdout, f->file);
		if (line)
			printf(":%d", line);
	} else if (*f->module) {
		escape_print(stdout, base_name(f->module));
	}
}

static void print_function(const struct function *f)
{
	char *name = escape_text(f->name);
	size_t width = escape_width(name);

	printf("%s%s%s%*s  ", f->kind == FRAME_PYTHON ? colour(COLOUR_CYAN) : "", name,
	       f->kind == FRAME_PYTHON ? colour(COLOUR_PLAIN) : "",
	       (int)(width < 36 ? 36 - width : 0), "");
	free(name);
}

/* A share and how many points it may be off; nothing stands behind what is exact. */
static void print_sure(const struct report *r, int64_t value, int64_t ticks, int64_t whole)
{
	struct bounds b = report_bounds(r, value, ticks);
	char share[FIGURE_MAX];

	printf(" %7s", figure_percent(share, value, whole));
	if (b.high > b.low && whole)
		printf(" %5.1f", 50 * (b.high - b.low) / (double)whole);
	else
		printf(" %5s", "");
}

static void print_shares(const struct report *r, const struct view_sum *sum, int64_t whole)
{
	char self_time[FIGURE_MAX], total_time[FIGURE_MAX];

	putchar(' ');
	print_sure(r, sum->self[r->by], sum->self_ticks, whole);
	print_sure(r, sum->total[r->by], sum->total_ticks, whole);
	printf(" %9s %9s %7lld  ", figure_duration(self_time, sum->self[r->by]),
	       figure_duration(total_time, sum->total[r->by]), (long long)sum->total_ticks);
}

/* The plus-minus sign is two bytes and one column. */
static void print_table_head(const char *what)
{
	printf("  %7s     ± %7s     ± %9s %9s %7s  %-36s  %s\n", "SELF", "TOTAL", "SELF", "TOTAL",
	       "SAMPLES", what, "WHERE");
}

/* Entries that have nothing of what is counted, as the rest has no CPU time. */
static size_t without_empty(const struct report *r, const struct view_sum *sums, size_t n)
{
	while (n && !sums[n - 1].self[r->by] && !sums[n - 1].total[r->by])
		n--;
	return n;
}

static void print_functions(const struct report *r)
{
	static const char *const titles[] = {
		[PROFILE_CPU] = "Functions by CPU time",
		[PROFILE_WAIT] = "Functions by waits",
		[PROFILE_WALL] = "Functions by wall time",
	};
	struct view_sum *sums;
	size_t n = view_by_function(r->view, r->by, &sums), shown;

	n = shown = without_empty(r, sums, n);
	if (r->limit && shown > r->limit)
		shown = r->limit;
	report_heading(titles[r->by]);
	print_table_head("FUNCTION");
	for (size_t i = 0; i < shown; i++) {
		const struct function *f = &r->model->functions[sums[i].id];

		print_shares(r, &sums[i], r->view->nodes[0].total[r->by]);
		print_function(f);
		report_place(f, f->start_line);
		putchar('\n');
	}
	if (shown < n)
		printf("  ... and %zu more (--limit N or --no-limit)\n", n - shown);
	free(sums);
}

static void print_lines(const struct report *r)
{
	struct view_sum *sums;
	size_t n = view_by_line(r->line_view, r->by, &sums), shown = 0;

	report_heading(r->line_view == r->view
			       ? "Lines"
			       : "Python lines, with the native code they call and their waits");
	print_table_head("FUNCTION");
	for (size_t i = 0; i < n && (!r->limit || shown < r->limit); i++) {
		const struct frame *frame = &r->model->frames[sums[i].id];
		const struct function *f = &r->model->functions[frame->function];

		if (!sums[i].self[r->by])
			break;
		if (f->kind == FRAME_PSEUDO) /* no line: it stands among the functions */
			continue;
		print_shares(r, &sums[i], r->line_view->nodes[0].total[r->by]);
		print_function(f);
		report_place(f, frame->line);
		putchar('\n');
		shown++;
	}
	free(sums);
}

/* ---- tree ---- */

static bool is_worth_a_line(const struct report *r, uint32_t at)
{
	const struct view_node *nodes = r->tree_view->nodes;
	int64_t total = nodes[at].total[r->by];

	return total && (double)total * 100 >= r->min_percent * (double)nodes[0].total[r->by];
}

static uint32_t worthy_children(const struct report *r, uint32_t at)
{
	uint32_t n = 0;

	for (uint32_t i = r->tree_view->nodes[at].first_child; i;
	     i = r->tree_view->nodes[i].next_sibling)
		n += is_worth_a_line(r, i);
	return n;
}

struct trunk {
	char *text; /* the bars to the left; grows and shrinks with depth */
	size_t len, room;
};

static void trunk_add(struct trunk *t, const char *text)
{
	size_t len = strlen(text);

	if (t->len + len + 1 > t->room) {
		t->room = 2 * (t->len + len + 1);
		t->text = errors_realloc(t->text, t->room, 1);
	}
	memcpy(t->text + t->len, text, len + 1);
	t->len += len;
}

static void print_branch(const struct report *r, uint32_t at, struct trunk *trunk, const char *fork)
{
	const struct view_node *node = &r->tree_view->nodes[at];
	const struct frame *frame = &r->model->frames[node->frame];
	const struct function *f = &r->model->functions[frame->function];
	int64_t whole = r->tree_view->nodes[0].total[r->by];
	char total[FIGURE_MAX], self[FIGURE_MAX];

	printf("  %7s %7s  %s%s%s%s", figure_percent(total, node->total[r->by], whole),
	       node->self[r->by] ? figure_percent(self, node->self[r->by], whole) : "",
	       colour(COLOUR_DIM), trunk->text, fork, colour(COLOUR_PLAIN));
	if (f->kind == FRAME_PYTHON)
		printf("%s", colour(COLOUR_CYAN));
	escape_print(stdout, f->name);
	if (f->kind == FRAME_PYTHON)
		printf("%s", colour(COLOUR_PLAIN));
	if (frame->inlined)
		printf(" (inlined)");
	printf("  %s", colour(COLOUR_DIM));
	report_place(f, frame->line);
	printf("%s\n", colour(COLOUR_PLAIN));
}

/* An only child stands straight below its parent, so that depth does not run out of the window. */
static void print_children(const struct report *r, uint32_t at, struct trunk *trunk)
{
	uint32_t left = worthy_children(r, at);
	bool only = left == 1;
	size_t len = trunk->len;

	for (uint32_t i = r->tree_view->nodes[at].first_child; i;
	     i = r->tree_view->nodes[i].next_sibling) {
		if (!is_worth_a_line(r, i))
			continue;
		left--;
		print_branch(r, i, trunk, only ? "" : left ? "├─ " : "└─ ");
		if (!only)
			trunk_add(trunk, left ? "│  " : "   ");
		print_children(r, i, trunk);
		trunk->len = len;
		trunk->text[len] = '\0';
	}
}

static void print_tree(const struct report *r)
{
	struct trunk trunk = { 0 };

	trunk_add(&trunk, "");
	report_heading("Tree");
	printf("  %7s %7s  %s\n", "TOTAL", "SELF", "FUNCTION AND LINE");
	print_children(r, 0, &trunk);
	free(trunk.text);
}

void report_text(const struct report *r)
{
	static const char *const nothing[] = {
		[PROFILE_CPU] =
			"No sample was taken on the CPU, so there are no functions to show.",
		[PROFILE_WAIT] = "No wait was measured.",
		[PROFILE_WALL] = "There is no time to show.",
	};

	report_head(r);
	print_routes(r);
	if (r->waits)
		report_waits(r);
	if (!r->view->nodes[0].total[r->by]) {
		printf("\n%s\n", nothing[r->by]);
		return;
	}
	if (!r->waits) {
		print_functions(r);
		print_lines(r);
	}
	if (r->tree)
		print_tree(r);
}
