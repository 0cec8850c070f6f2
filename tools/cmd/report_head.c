/* The head of a report: which requests, and the parts of their wall time. */
#include "tools/cmd/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/base/escape.h"
#include "tools/base/figures.h"
#include "tools/model/waits.h"

static const char *plural(int64_t n)
{
	return n == 1 ? "" : "s";
}

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
	if (r->interrupted) {
		printf("interrupted: its process was killed in the middle");
		if (*r->interrupted_in) {
			printf(", in ");
			escape_print(stdout, r->interrupted_in);
		}
		putchar('\n');
	}
}

/* ---- the wall time and its parts ---- */

enum { NAME_COLUMNS = 34, REASONS_SHOWN = 4 };

static void print_part(const char *name, int64_t ns, int tenths)
{
	char figure[FIGURE_MAX], *fit = escape_fit(name, NAME_COLUMNS);
	size_t width = escape_width(fit);

	printf("  %s%*s %9s  %3d.%d %%", fit, (int)(NAME_COLUMNS - width), "",
	       figure_duration(figure, ns), tenths / 10, tenths % 10);
	free(fit);
}

static void print_waits_of(int64_t count, int64_t trips)
{
	printf("           %lld wait%s", (long long)count, plural(count));
	if (trips)
		printf(", %lld round trip%s", (long long)trips, plural(trips));
	putchar('\n');
}

/* "    socket 127.0.0.1:5432" */
static char *reason_name(const struct wait_sum *w)
{
	char *name;

	if (asprintf(&name, "    %s%s%s", wait_kind_name(w->kind), *w->on ? " " : "", w->on) < 0)
		return errors_strdup("");
	return name;
}

/* The largest few, and the others as one. */
static void print_reasons(const struct report *r, int tenths)
{
	struct wait_sum *sums;
	size_t n = waits_by_peer(r->model, &sums), shown = n;
	int64_t parts[REASONS_SHOWN + 1] = { 0 }, count = 0, trips = 0;
	int shares[REASONS_SHOWN + 1];

	if (shown > REASONS_SHOWN + 1)
		shown = REASONS_SHOWN;
	for (size_t i = 0; i < n; i++) {
		parts[i < shown ? i : shown] += sums[i].wall_ns;
		count += i < shown ? 0 : sums[i].count;
		trips += i < shown ? 0 : sums[i].trips;
	}
	figure_shares(parts, shown < n ? shown + 1 : shown, tenths, shares);
	for (size_t i = 0; i < shown; i++) {
		char *name = reason_name(&sums[i]);

		print_part(name, sums[i].wall_ns, shares[i]);
		print_waits_of(sums[i].count, sums[i].trips);
		free(name);
	}
	if (shown < n) {
		char name[40];

		snprintf(name, sizeof(name), "    %zu other reasons", n - shown);
		print_part(name, parts[shown], shares[shown]);
		print_waits_of(count, trips);
	}
	free(sums);
}

static void print_user(const struct report *r, int tenths, double points)
{
	const struct totals *t = &r->totals;
	int64_t parts[] = { t->python_ns, t->user_ns - t->python_ns };
	int shares[2];

	print_part("= user CPU", t->user_ns, tenths);
	printf("  ± %-4.1f   %lld sample%s\n", points, (long long)t->samples, plural(t->samples));
	if (!parts[0] || !parts[1])
		return;
	figure_shares(parts, 2, tenths, shares);
	print_part("    Python", parts[0], shares[0]);
	putchar('\n');
	print_part("    native code", parts[1], shares[1]);
	putchar('\n');
}

/* What all of them say, "" otherwise. */
static const char *kernel_why(const struct model *m)
{
	for (uint32_t i = 1; i < m->n_requests; i++)
		if (m->requests[i].kernel_why != m->requests[0].kernel_why) /* pooled */
			return "";
	return m->n_requests ? m->requests[0].kernel_why : "";
}

static void print_not_sampled(const char *why)
{
	printf("not sampled");
	if (*why) {
		printf(" (");
		escape_print(stdout, why);
		putchar(')');
	}
	putchar('\n');
}

static void print_kernel(const struct report *r, int tenths, double points)
{
	const struct totals *t = &r->totals;
	char figure[FIGURE_MAX];

	print_part("+ kernel", t->kernel_ns, tenths);
	printf("  ± %-4.1f   ", points);
	if (t->kernel_samples)
		printf("%lld sample%s, %s not sampled\n", (long long)t->kernel_samples,
		       plural(t->kernel_samples),
		       figure_duration(figure, t->kernel_ns - t->kernel_sampled_ns));
	else
		print_not_sampled(kernel_why(r->model));
}

/* Each part that there is; the shares are rounded so that they make 100.0. */
static void print_wall(const struct report *r)
{
	const struct totals *t = &r->totals;
	int64_t parts[STATES] = { t->user_ns, t->kernel_ns, t->wait_ns, t->runnable_ns,
				  t->rest_ns };
	double points = t->wall_ns
				? 100 * interval_half(totals_user_interval(t)) *
					  (double)(t->user_ns + t->kernel_ns) / (double)t->wall_ns
				: 0;
	int shares[STATES];

	figure_shares(parts, STATES, 1000, shares);
	print_part("wall time", t->wall_ns, 1000);
	putchar('\n');
	print_user(r, shares[STATE_USER], points);
	if (t->not_split < t->requests)
		print_kernel(r, shares[STATE_KERNEL], points);
	if (t->waits_off < t->requests) {
		print_part("+ waiting", t->wait_ns, shares[STATE_WAIT]);
		print_waits_of(t->wait_count, t->round_trips);
		print_reasons(r, shares[STATE_WAIT]);
	}
	if (t->no_runnable < t->requests) {
		print_part("+ waiting for a CPU", t->runnable_ns, shares[STATE_RUNNABLE]);
		putchar('\n');
	}
	print_part("+ unaccounted", t->rest_ns, shares[STATE_REST]);
	putchar('\n');
}

/* ---- what else was counted ---- */

static void print_count(const char *name, int64_t count, const char *more)
{
	printf("  %-*s %9lld%s\n", NAME_COLUMNS, name, (long long)count, more);
}

static void print_counts(const struct totals *t)
{
	char figure[FIGURE_MAX], text[80];

	printf("  %-*s %9s           exact, user and kernel\n", NAME_COLUMNS, "thread CPU time",
	       figure_duration(figure, t->cpu_ns));
	if (t->queued)
		printf("  %-*s %9s           mean, not in the wall time\n", NAME_COLUMNS,
		       "queued before it was read",
		       figure_duration(figure, t->queued_ns / t->queued));
	if (t->faults) {
		snprintf(text, sizeof(text), "           %lld from disk",
			 (long long)t->major_faults);
		print_count("page faults", t->faults, t->major_faults ? text : "");
	}
	if (t->preempted)
		print_count("taken off the CPU", t->preempted,
			    "           times, for another thread");
	if (t->samples) {
		snprintf(text, sizeof(text), "  %7s",
			 figure_percent(figure, t->incomplete, t->samples));
		print_count("incomplete stacks", t->incomplete, text);
	}
	print_count("lost samples", t->lost, "");
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

/* What makes the figures mean something else than they seem to. */
static void print_caveats(const struct totals *t)
{
	char figure[FIGURE_MAX];

	if (t->waits_off)
		printf("  waits of %u request%s were not measured: they are unaccounted\n",
		       t->waits_off, plural(t->waits_off));
	if (t->gil_free && !t->gil_ns)
		printf("  free-threaded Python in %u request%s: there is no GIL to wait for\n",
		       t->gil_free, plural(t->gil_free));
	if (t->overlap_ns)
		printf("  several threads worked at a time in %u request%s: %s more than the wall time, scaled to fit\n",
		       t->overlapped, plural(t->overlapped),
		       figure_duration(figure, t->overlap_ns));
	if (t->inferred)
		printf("  %lld sample%s inferred to be of these requests, or shared with others\n",
		       (long long)t->inferred, t->inferred == 1 ? " is" : "s are");
}

void report_head(const struct report *r)
{
	const struct totals *t = &r->totals;
	const struct model *m = r->model;

	if (m->n_requests == 1)
		print_one_request(&m->requests[0]);
	else
		printf("%u requests\n", m->n_requests);
	if (r->n_hidden)
		printf("%u view%s from a proxy left out (--all counts them too)\n", r->n_hidden,
		       plural(r->n_hidden));
	putchar('\n');
	print_wall(r);
	print_counts(t);
	report_children(r);
	print_remarks(m);
	print_caveats(t);
}
