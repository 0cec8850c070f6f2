#include "tools/cmd/report.h"

#include <math.h>
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

static void heading(const char *text)
{
	printf("\n%s%s%s\n", colour(COLOUR_BOLD), text, colour(COLOUR_PLAIN));
}

static const char *plural(int64_t n)
{
	return n == 1 ? "" : "s";
}

/* ---- what was measured ---- */

static void print_one_request(const struct request *r)
{
	char time[FIGURE_MAX];

	escape_print(stdout, r->method);
	putchar(' ');
	escape_print(stdout, r->path);
	if (r->status)
		printf(" -> %d", r->status);
	printf("   %s   pid %d thread %d\n", figure_local_time(time, r->start_ns), r->pid, r->tid);
	escape_print(stdout, r->file);
	putchar('\n');
}

/* A part of the wall time; the parts' shares are rounded so that they make 100.0. */
static void print_part(const char *name, int64_t ns, double percent, int64_t samples)
{
	char figure[FIGURE_MAX];

	printf("  %-30s %9s  %5.1f %%", name, figure_duration(figure, ns), percent);
	if (samples >= 0)
		printf("   %lld sample%s", (long long)samples, plural(samples));
	putchar('\n');
}

static void print_wall(const struct totals *t)
{
	double whole = t->wall_ns ? (double)t->wall_ns : 1;
	double user = round(1000 * (double)t->user_ns / whole) / 10;
	double wait = round(1000 * (double)t->wait_ns / whole) / 10;
	char figure[FIGURE_MAX];

	print_part("wall time", t->wall_ns, 100, -1);
	print_part("= on the CPU, user code", t->user_ns, user, t->samples);
	if (t->wait_ns)
		print_part("+ waiting", t->wait_ns, wait, -1);
	print_part("+ unaccounted", t->rest_ns, t->wall_ns ? 100 - user - wait : 0, -1);
	printf("  %-30s %9s           exact, user and kernel\n", "thread CPU time",
	       figure_duration(figure, t->cpu_ns));
	if (t->samples) {
		char share[FIGURE_MAX];

		printf("  %-30s %9lld  %7s\n", "incomplete stacks", (long long)t->incomplete,
		       figure_percent(share, t->incomplete, t->samples));
	}
	printf("  %-30s %9lld\n", "lost samples", (long long)t->lost);
}

/* Each way of measuring that is worth a word, once, with how many requests it concerns. */
static void print_remarks(const struct model *m)
{
	for (uint32_t i = 0; i < m->n_requests; i++) {
		const struct request *r = &m->requests[i];
		bool told = false;
		uint32_t same = 0;

		if (!strcmp(r->clock, "perf-user"))
			continue;
		for (uint32_t j = 0; j < m->n_requests; j++) {
			bool equal = m->requests[j].clock == r->clock &&
				     m->requests[j].clock_why == r->clock_why;

			told |= equal && j < i;
			same += equal;
			if (told)
				break;
		}
		if (told)
			continue;
		printf("  clock of %u request%s: ", same, plural(same));
		escape_print(stdout, *r->clock ? r->clock : "unknown");
		if (*r->clock_why) {
			printf(" (");
			escape_print(stdout, r->clock_why);
			putchar(')');
		}
		putchar('\n');
	}
	for (uint32_t i = 0; i < m->n_requests; i++) {
		if (strncmp(m->requests[i].python, "unsupported", 11) != 0)
			continue;
		printf("  Python: ");
		escape_print(stdout, m->requests[i].python);
		printf(": native frames only\n");
		break;
	}
}

static void print_head(const struct report *r, const struct totals *t)
{
	const struct model *m = r->model;

	if (m->n_requests == 1)
		print_one_request(&m->requests[0]);
	else
		printf("%u requests\n", m->n_requests);
	if (r->n_hidden)
		printf("%u view%s from a proxy left out (--all counts them too)\n", r->n_hidden,
		       plural(r->n_hidden));
	putchar('\n');
	print_wall(t);
	print_remarks(m);
}

/* ---- tables ---- */

static void print_routes(const struct report *r)
{
	struct route_totals *routes;
	size_t n = totals_by_route(r->model, &routes), shown = n;

	if (r->limit && shown > r->limit)
		shown = r->limit;
	if (n > 1) {
		heading("Routes");
		printf("  %8s %9s %9s %9s %8s  %s\n", "REQUESTS", "MEAN", "MAX", "CPU MEAN",
		       "SAMPLES", "ROUTE");
		for (size_t i = 0; i < shown; i++) {
			const struct totals *t = &routes[i].totals;
			char mean[FIGURE_MAX], max[FIGURE_MAX], cpu[FIGURE_MAX];

			printf("  %8u %9s %9s %9s %8lld  ", t->requests,
			       figure_duration(mean, t->wall_ns / t->requests),
			       figure_duration(max, t->wall_max_ns),
			       figure_duration(cpu, t->cpu_ns / t->requests),
			       (long long)t->samples);
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

/* "app.py:10", "libz.so.1", or nothing. */
static void print_place(const struct function *f, int32_t line)
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

static void print_shares(const struct report *r, const struct view_sum *sum, int64_t whole)
{
	char self[FIGURE_MAX], total[FIGURE_MAX], self_time[FIGURE_MAX], total_time[FIGURE_MAX];

	printf("  %7s %7s %9s %9s  ", figure_percent(self, sum->self[r->by], whole),
	       figure_percent(total, sum->total[r->by], whole),
	       figure_duration(self_time, sum->self[r->by]),
	       figure_duration(total_time, sum->total[r->by]));
}

static void print_table_head(const char *what)
{
	printf("  %7s %7s %9s %9s  %-36s  %s\n", "SELF", "TOTAL", "SELF", "TOTAL", what, "WHERE");
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
	struct view_sum *sums;
	size_t n = view_by_function(r->view, r->by, &sums), shown;

	n = shown = without_empty(r, sums, n);
	if (r->limit && shown > r->limit)
		shown = r->limit;
	heading("Functions");
	print_table_head("FUNCTION");
	for (size_t i = 0; i < shown; i++) {
		const struct function *f = &r->model->functions[sums[i].id];

		print_shares(r, &sums[i], r->view->nodes[0].total[r->by]);
		print_function(f);
		print_place(f, f->start_line);
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

	heading(r->line_view == r->view ? "Hottest lines"
					: "Hottest Python lines, with the native code they call");
	print_table_head("FUNCTION");
	for (size_t i = 0; i < n && (!r->limit || shown < r->limit); i++) {
		const struct frame *frame = &r->model->frames[sums[i].id];
		const struct function *f = &r->model->functions[frame->function];

		if (!sums[i].self[r->by])
			break;
		print_shares(r, &sums[i], r->line_view->nodes[0].total[r->by]);
		print_function(f);
		print_place(f, frame->line);
		putchar('\n');
		shown++;
	}
	free(sums);
}

/* ---- tree ---- */

static bool is_worth_a_line(const struct report *r, uint32_t at)
{
	const struct view_node *nodes = r->view->nodes;
	int64_t total = nodes[at].total[r->by];

	return total && (double)total * 100 >= r->min_percent * (double)nodes[0].total[r->by];
}

static uint32_t worthy_children(const struct report *r, uint32_t at)
{
	uint32_t n = 0;

	for (uint32_t i = r->view->nodes[at].first_child; i; i = r->view->nodes[i].next_sibling)
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
	const struct view_node *node = &r->view->nodes[at];
	const struct frame *frame = &r->model->frames[node->frame];
	const struct function *f = &r->model->functions[frame->function];
	int64_t whole = r->view->nodes[0].total[r->by];
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
	print_place(f, frame->line);
	printf("%s\n", colour(COLOUR_PLAIN));
}

/* An only child stands straight below its parent, so that depth does not run out of the window. */
static void print_children(const struct report *r, uint32_t at, struct trunk *trunk)
{
	uint32_t left = worthy_children(r, at);
	bool only = left == 1;
	size_t len = trunk->len;

	for (uint32_t i = r->view->nodes[at].first_child; i; i = r->view->nodes[i].next_sibling) {
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
	heading("Tree");
	printf("  %7s %7s  %s\n", "TOTAL", "SELF", "FUNCTION AND LINE");
	print_children(r, 0, &trunk);
	free(trunk.text);
}

void report_text(const struct report *r)
{
	struct totals t;

	totals_of(r->model, &t);
	print_head(r, &t);
	print_routes(r);
	if (!r->view->nodes[0].total[r->by]) {
		printf("\nNo sample was taken on the CPU, so there are no functions to show.\n");
		return;
	}
	if (r->by == PROFILE_CPU)
		printf("\nShares are of %lld sample%s of user CPU time: good to %.1f points (95 %%).\n",
		       (long long)t.samples, plural(t.samples),
		       100 * fmin(1, 0.98 / sqrt((double)(t.samples ? t.samples : 1))));
	print_functions(r);
	print_lines(r);
	if (r->tree)
		print_tree(r);
}
