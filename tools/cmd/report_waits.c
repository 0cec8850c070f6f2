/* What was waited for: reasons, lines, round trips, and who held the GIL. */
#include <stdio.h>
#include <stdlib.h>

#include "tools/base/errors.h"
#include "tools/base/escape.h"
#include "tools/base/figures.h"
#include "tools/cmd/report.h"
#include "tools/model/waits.h"

enum { TEXT_COLUMNS = 46 };

static size_t rows(const struct report *r, size_t n)
{
	return r->limit && n > r->limit ? r->limit : n;
}

static void print_more(size_t shown, size_t n)
{
	if (shown < n)
		printf("  ... and %zu more (--limit N or --no-limit)\n", n - shown);
}

static char *text_of(const struct wait_sum *w)
{
	char *text, *fit;

	if (asprintf(&text, "%s%s%s", wait_kind_name(w->kind), *w->on ? " " : "", w->on) < 0)
		return errors_strdup("");
	fit = escape_fit(text, TEXT_COLUMNS);
	free(text);
	return fit;
}

static void print_row_head(const char *what, const char *last)
{
	printf("  %7s %9s %8s %9s %9s %6s  %-*s%s\n", "SHARE", "TOTAL", "COUNT", "MEAN", "MAX",
	       "TRIPS", *last ? TEXT_COLUMNS + 2 : 0, what, last);
}

static void print_row(const struct report *r, const struct wait_sum *w)
{
	char share[FIGURE_MAX], total[FIGURE_MAX], mean[FIGURE_MAX], max[FIGURE_MAX];
	int64_t n = w->count ? w->count : 1;

	printf("  %7s %9s %8lld %9s %9s", figure_percent(share, w->wall_ns, r->totals.wall_ns),
	       figure_duration(total, w->ns), (long long)w->count, figure_duration(mean, w->ns / n),
	       figure_duration(max, w->max_ns));
	if (w->trips)
		printf(" %6lld  ", (long long)w->trips);
	else
		printf(" %6s  ", "");
}

static void print_line(const struct report *r, uint32_t frame)
{
	const struct frame *f;

	if (frame == WAITS_NO_FRAME) {
		printf("(no stack taken)");
		return;
	}
	f = &r->model->frames[frame];
	report_place(&r->model->functions[f->function], f->line);
	printf("  ");
	escape_print(stdout, r->model->functions[f->function].name);
}

static void print_reasons(const struct report *r)
{
	struct wait_sum *sums;
	size_t n = waits_by_reason(r->model, &sums), shown = rows(r, n);

	report_heading("Waits by reason");
	print_row_head("WAITED FOR", "");
	for (size_t i = 0; i < shown; i++) {
		char *text = text_of(&sums[i]);

		print_row(r, &sums[i]);
		printf("%s\n", text);
		free(text);
	}
	print_more(shown, n);
	free(sums);
}

static void print_lines(const struct report *r, const struct wait_sum *sums, size_t n)
{
	size_t shown = rows(r, n);

	report_heading("Waits by line");
	print_row_head("WAITED FOR", "LINE");
	for (size_t i = 0; i < shown; i++) {
		char *text = text_of(&sums[i]);
		size_t width = escape_width(text);

		print_row(r, &sums[i]);
		printf("%s%*s", text, (int)(TEXT_COLUMNS + 2 - width), "");
		print_line(r, sums[i].frame);
		putchar('\n');
		free(text);
	}
	print_more(shown, n);
}

static int compare_trips(const void *a, const void *b)
{
	const struct wait_sum *x = a, *y = b;

	if (x->trips != y->trips)
		return x->trips > y->trips ? -1 : 1;
	return x->ns > y->ns ? -1 : x->ns < y->ns;
}

/* "  37 round trips to 127.0.0.1:5432, 35 from models.py:88  User.orders" */
static void print_trips(const struct report *r, const struct wait_sum *peers, size_t n_peers,
			const struct wait_sum *lines, size_t n_lines)
{
	bool any = false;

	for (size_t i = 0; i < n_peers; i++) {
		int left = 3;

		if (!peers[i].trips)
			continue;
		if (!any)
			report_heading("Round trips");
		any = true;
		printf("  %lld round trip%s to ", (long long)peers[i].trips,
		       peers[i].trips == 1 ? "" : "s");
		escape_print(stdout, *peers[i].on ? peers[i].on : "a peer not known");
		for (size_t j = 0; j < n_lines && left; j++) {
			if (lines[j].kind != peers[i].kind || lines[j].on != peers[i].on ||
			    !lines[j].trips)
				continue;
			printf(", %lld from ", (long long)lines[j].trips);
			print_line(r, lines[j].frame);
			left--;
		}
		putchar('\n');
	}
}

static void print_holders(const struct report *r)
{
	struct wait_sum *sums;
	size_t n = waits_by_holder(r->model, &sums), shown = rows(r, n);
	char total[FIGURE_MAX];

	if (n) {
		report_heading("The GIL, and who held it meanwhile");
		for (size_t i = 0; i < shown; i++) {
			printf("  %9s  ", figure_duration(total, sums[i].ns));
			escape_print(stdout,
				     *sums[i].holder ? sums[i].holder : "no request that is known");
			putchar('\n');
		}
		print_more(shown, n);
	}
	free(sums);
}

void report_waits(const struct report *r)
{
	struct wait_sum *peers, *lines;
	size_t n_peers = waits_by_peer(r->model, &peers);
	size_t n_lines = waits_by_line(r->model, &lines);

	if (n_peers) {
		print_reasons(r);
		print_lines(r, lines, n_lines);
		qsort(peers, n_peers, sizeof(*peers), compare_trips);
		qsort(lines, n_lines, sizeof(*lines), compare_trips);
		print_trips(r, peers, n_peers, lines, n_lines);
		print_holders(r);
	} else {
		printf("\n%s\n", r->totals.waits_off == r->totals.requests
					 ? "Waits were not measured."
					 : "It waited for nothing.");
	}
	free(peers);
	free(lines);
}
