#include "tools/model/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"

#define NOTHING UINT32_MAX /* in place of a sample: what is left over */

enum { CHOICES_MAX = 4000000 };

/* A stretch of time that a sample gets. */
struct span {
	uint32_t sample;
	int64_t start, length;
};

/* What one thread has to place. */
struct thread {
	uint32_t id;
	struct span *waits; /* with a place of their own */
	struct span *ticks; /* end at their moment */
	struct span *loose; /* no place */
	size_t n_waits, n_ticks, n_loose;
};

/* ---- who has what ---- */

/* Wall values are smaller where threads overlapped; a thread's own time is what was measured. */
static int64_t length_of(const struct request *r, const struct sample *s)
{
	if (!r->overlap_ns || r->wall_ns <= 0)
		return s->values[PROFILE_WALL];
	if (s->state == STATE_WAIT)
		return s->values[PROFILE_WAIT];
	if (s->state == STATE_USER || s->state == STATE_KERNEL)
		return s->values[PROFILE_CPU];
	return (int64_t)((double)s->values[PROFILE_WALL] *
			 ((double)r->wall_ns + (double)r->overlap_ns) / (double)r->wall_ns);
}

static bool has_place(const struct sample *s)
{
	return s->at_ns >= 0 && s->count <= 1;
}

static int compare_threads(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The threads' numbers, each once; how many. */
static size_t list_threads(const struct model *m, const struct request *r, uint32_t *ids)
{
	size_t n = 0, kept = 0;

	for (uint32_t i = r->first_sample; i < r->first_sample + r->n_samples; i++) {
		if (m->samples[i].thread)
			ids[n++] = m->samples[i].thread;
	}
	qsort(ids, n, sizeof(*ids), compare_threads);
	for (size_t i = 0; i < n; i++) {
		if (!kept || ids[kept - 1] != ids[i])
			ids[kept++] = ids[i];
	}
	if (!kept)
		ids[kept++] = r->tid > 0 ? (uint32_t)r->tid : 0;
	return kept;
}

/* What no thread is told of belongs to the one that ended the response, if it is among them. */
static size_t main_thread(const struct request *r, const uint32_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ids[i] == (uint32_t)r->tid)
			return i;
	}
	return 0;
}

static void put(struct span **spans, size_t *n, uint32_t sample, int64_t start, int64_t length)
{
	/* grows at powers of two */
	if (!(*n & (*n - 1)))
		*spans = errors_realloc(*spans, *n ? *n * 2 : 1, sizeof(**spans));
	(*spans)[(*n)++] = (struct span){ sample, start, length };
}

static struct thread *sort_out(const struct model *m, const struct request *r, size_t *n_threads)
{
	uint32_t *ids = errors_alloc((size_t)r->n_samples + 1, sizeof(*ids));
	size_t n = list_threads(m, r, ids), main = main_thread(r, ids, n);
	struct thread *threads = errors_alloc(n, sizeof(*threads));

	for (size_t i = 0; i < n; i++)
		threads[i].id = ids[i];
	for (uint32_t i = r->first_sample; i < r->first_sample + r->n_samples; i++) {
		const struct sample *s = &m->samples[i];
		const uint32_t *id = bsearch(&s->thread, ids, n, sizeof(*ids), compare_threads);
		struct thread *t = &threads[id ? (size_t)(id - ids) : main];
		int64_t length = length_of(r, s);
		int64_t at = s->at_ns < r->wall_ns ? s->at_ns : r->wall_ns;

		if (!length)
			continue;
		if (s->state == STATE_WAIT && has_place(s))
			put(&t->waits, &t->n_waits, i, at, length);
		else if (s->ticks && s->at_ns >= 0)
			put(&t->ticks, &t->n_ticks, i, at - length, length);
		else
			put(&t->loose, &t->n_loose, i, 0, length);
	}
	free(ids);
	*n_threads = n;
	return threads;
}

/* ---- placing ---- */

static int compare_spans(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->sample < y->sample ? -1 : x->sample > y->sample;
}

static void order(struct span *spans, size_t n)
{
	if (n)
		qsort(spans, n, sizeof(*spans), compare_spans);
}

static int64_t sum_of(const struct span *spans, size_t n)
{
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += spans[i].length;
	return sum;
}

/* Lengths that make at most `room`, each as much smaller as the others. */
static void shrink(struct span *spans, size_t n, int64_t room)
{
	double sum = (double)sum_of(spans, n), factor = (double)room / sum;
	double given = 0;
	int64_t rounded = 0;

	if (sum <= (double)room)
		return;
	for (size_t i = 0; i < n; i++) {
		int64_t before = rounded;

		given += (double)spans[i].length * factor;
		rounded = (int64_t)given;
		spans[i].length = rounded - before;
	}
}

/*
 * Moves spans as little as needed so that none overlaps another or leaves [0, room], in the order
 * of their starts; they fit.
 */
static void untangle(struct span *spans, size_t n, int64_t room)
{
	int64_t from = 0, to = room;

	order(spans, n);
	for (size_t i = 0; i < n; i++) {
		if (spans[i].start < from)
			spans[i].start = from;
		from = spans[i].start + spans[i].length;
	}
	for (size_t i = n; i--;) {
		if (spans[i].start + spans[i].length > to)
			spans[i].start = to - spans[i].length;
		to = spans[i].start;
	}
}

/*
 * The ticks' moments counted in time without waits: there a sample's time stands in one stretch.
 * Waits are in order; ticks get in order of their moments.
 */
static void leave_waits_out(struct thread *t)
{
	int64_t waited = 0;
	size_t w = 0;

	/* they start a period before their moment, all of them: mostly in order already */
	order(t->ticks, t->n_ticks);
	for (size_t i = 0; i < t->n_ticks; i++) {
		int64_t at = t->ticks[i].start + t->ticks[i].length, inside = 0;

		while (w < t->n_waits && t->waits[w].start + t->waits[w].length <= at)
			waited += t->waits[w++].length;
		if (w < t->n_waits && t->waits[w].start < at)
			inside = at - t->waits[w].start;
		t->ticks[i].start -= waited + inside;
	}
}

/* Pieces under way, in time without waits. */
struct laid {
	struct span *spans;
	size_t n;
};

/* Which of the loose spans lags most behind its even share when so much of the gaps is filled. */
static size_t most_behind(const struct span *loose, const int64_t *given, size_t n, double progress)
{
	double most = -1;
	size_t which = n;

	for (size_t i = 0; i < n; i++) {
		double behind = (double)loose[i].length * progress - (double)given[i];

		if (given[i] < loose[i].length && (which == n || behind > most)) {
			most = behind;
			which = i;
		}
	}
	return which;
}

struct filling {
	const struct span *loose;
	int64_t *given;
	size_t n, next;
	int64_t gaps, filled;
	bool in_order; /* too many to choose among for each gap */
};

static size_t choose(struct filling *f, int64_t gap)
{
	if (!f->in_order)
		return most_behind(f->loose, f->given, f->n,
				   (double)(f->filled + gap) / (double)f->gaps);
	while (f->next < f->n && f->given[f->next] >= f->loose[f->next].length)
		f->next++;
	return f->next;
}

static void fill_gap(struct filling *f, struct laid *laid, int64_t from, int64_t to)
{
	while (from < to) {
		size_t i = choose(f, to - from);
		int64_t length = to - from;

		if (i == f->n)
			return;
		if (length > f->loose[i].length - f->given[i])
			length = f->loose[i].length - f->given[i];
		if (f->loose[i].sample != NOTHING)
			put(&laid->spans, &laid->n, f->loose[i].sample, from, length);
		f->given[i] += length;
		f->filled += length;
		from += length;
	}
}

/* Ticks where they are, and the loose ones in the gaps between them. */
static struct laid fill_gaps(struct thread *t, int64_t room)
{
	struct filling f = { .gaps = room - sum_of(t->ticks, t->n_ticks) };
	struct laid laid = { NULL, 0 };
	int64_t at = 0;

	put(&t->loose, &t->n_loose, NOTHING, 0, f.gaps - sum_of(t->loose, t->n_loose));
	f.loose = t->loose;
	f.n = t->n_loose;
	f.given = errors_alloc(f.n, sizeof(*f.given));
	f.in_order = (double)f.n * (double)(t->n_ticks + f.n) > CHOICES_MAX;
	for (size_t i = 0; i < t->n_ticks; i++) {
		fill_gap(&f, &laid, at, t->ticks[i].start);
		put(&laid.spans, &laid.n, t->ticks[i].sample, t->ticks[i].start,
		    t->ticks[i].length);
		at = t->ticks[i].start + t->ticks[i].length;
	}
	fill_gap(&f, &laid, at, room);
	free(f.given);
	return laid;
}

struct pieces {
	struct piece *pieces;
	size_t n;
};

static void add_piece(struct pieces *to, uint32_t sample, int64_t start, int64_t length)
{
	struct piece *last = to->n ? &to->pieces[to->n - 1] : NULL;

	if (length <= 0)
		return;
	if (last && last->sample == sample && last->start_ns + last->length_ns == start) {
		last->length_ns += length;
		return;
	}
	if (!(to->n & (to->n - 1)))
		to->pieces = errors_realloc(to->pieces, to->n ? to->n * 2 : 1, sizeof(*to->pieces));
	to->pieces[to->n++] = (struct piece){ start, length, sample };
}

/* The waits come back in: each cuts what lies over its place. */
static struct pieces put_waits_in(const struct thread *t, const struct laid *laid)
{
	struct pieces out = { NULL, 0 };
	int64_t waited = 0;
	size_t w = 0;

	for (size_t i = 0; i < laid->n; i++) {
		int64_t from = laid->spans[i].start, end = from + laid->spans[i].length;

		while (w < t->n_waits && t->waits[w].start - waited < end) {
			int64_t here = t->waits[w].start - waited;

			if (here > from) {
				add_piece(&out, laid->spans[i].sample, from + waited, here - from);
				from = here;
			}
			add_piece(&out, t->waits[w].sample, t->waits[w].start, t->waits[w].length);
			waited += t->waits[w++].length;
		}
		add_piece(&out, laid->spans[i].sample, from + waited, end - from);
	}
	for (; w < t->n_waits; w++)
		add_piece(&out, t->waits[w].sample, t->waits[w].start, t->waits[w].length);
	return out;
}

static struct thread_line lay_out(struct thread *t, int64_t wall)
{
	int64_t room;
	struct laid laid;
	struct pieces pieces;

	shrink(t->waits, t->n_waits, wall);
	room = wall - sum_of(t->waits, t->n_waits);
	shrink(t->ticks, t->n_ticks, room);
	shrink(t->loose, t->n_loose, room - sum_of(t->ticks, t->n_ticks));
	untangle(t->waits, t->n_waits, wall);
	leave_waits_out(t);
	untangle(t->ticks, t->n_ticks, room);
	laid = fill_gaps(t, room);
	pieces = put_waits_in(t, &laid);
	free(laid.spans);
	return (struct thread_line){ t->id, pieces.pieces, pieces.n };
}

static int compare_lines(const void *a, const void *b)
{
	const struct thread_line *x = a, *y = b;
	int64_t x_start = x->n_pieces ? x->pieces[0].start_ns : INT64_MAX;
	int64_t y_start = y->n_pieces ? y->pieces[0].start_ns : INT64_MAX;

	if (x_start != y_start)
		return x_start < y_start ? -1 : 1;
	return x->thread < y->thread ? -1 : x->thread > y->thread;
}

struct timeline *timeline_make(const struct model *m, uint32_t request)
{
	const struct request *r = &m->requests[request];
	struct timeline *line = errors_alloc(1, sizeof(*line));
	struct thread *threads = sort_out(m, r, &line->n_threads);

	line->threads = errors_alloc(line->n_threads, sizeof(*line->threads));
	for (size_t i = 0; i < line->n_threads; i++) {
		line->threads[i] = lay_out(&threads[i], r->wall_ns);
		free(threads[i].waits);
		free(threads[i].ticks);
		free(threads[i].loose);
	}
	free(threads);
	qsort(line->threads, line->n_threads, sizeof(*line->threads), compare_lines);
	return line;
}

void timeline_free(struct timeline *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_threads; i++)
		free(t->threads[i].pieces);
	free(t->threads);
	free(t);
}
