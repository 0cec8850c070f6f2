#include "tools/render/tracks.h"

#include <stdlib.h>

#include "tools/base/errors.h"

struct entry {
	int pid;
	uint32_t thread;
	struct track_part part;
};

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (x->thread != y->thread)
		return x->thread < y->thread ? -1 : 1;
	if (x->part.start_ns != y->part.start_ns)
		return x->part.start_ns < y->part.start_ns ? -1 : 1;
	return x->part.request < y->part.request ? -1 : x->part.request > y->part.request;
}

/* Every thread of every request that did something. */
static struct entry *list(const struct model *m, struct tracks *t, size_t *n)
{
	struct entry *entries = NULL;
	size_t room = 0;

	*n = 0;
	for (uint32_t i = 0; i < m->n_requests; i++) {
		const struct request *r = &m->requests[i];

		t->timelines[i] = timeline_make(m, i);
		for (size_t j = 0; j < t->timelines[i]->n_threads; j++) {
			const struct thread_line *line = &t->timelines[i]->threads[j];
			const struct piece *last = line->pieces + line->n_pieces;

			if (!line->n_pieces)
				continue;
			if (*n == room) {
				room = room ? room * 2 : 64;
				entries = errors_realloc(entries, room, sizeof(*entries));
			}
			last--;
			entries[(*n)++] = (struct entry){
				r->pid,
				line->thread,
				{ i, line, r->start_ns + line->pieces[0].start_ns,
				  r->start_ns + last->start_ns + last->length_ns },
			};
		}
	}
	if (*n)
		qsort(entries, *n, sizeof(*entries), compare);
	return entries;
}

static void add_part(struct track *track, const struct track_part *part)
{
	if (!(track->n_parts & (track->n_parts - 1)))
		track->parts = errors_realloc(track->parts, track->n_parts ? track->n_parts * 2 : 1,
					      sizeof(*part));
	track->parts[track->n_parts++] = *part;
}

/* The first of the thread's tracks that is free by then, from t->tracks[first] on; or a new one. */
static struct track *free_track(struct tracks *t, size_t first, const struct entry *e)
{
	struct track *new;

	for (size_t i = first; i < t->n_tracks; i++) {
		struct track *track = &t->tracks[i];

		if (track->parts[track->n_parts - 1].end_ns <= e->part.start_ns)
			return track;
	}
	if (!(t->n_tracks & (t->n_tracks - 1)))
		t->tracks = errors_realloc(t->tracks, t->n_tracks ? t->n_tracks * 2 : 1,
					   sizeof(*t->tracks));
	new = &t->tracks[t->n_tracks++];
	*new = (struct track){ .pid = e->pid,
			       .thread = e->thread,
			       .number = (uint32_t)(t->n_tracks - first) };
	return new;
}

struct tracks *tracks_make(const struct model *m)
{
	struct tracks *t = errors_alloc(1, sizeof(*t));
	struct entry *entries;
	size_t n, first = 0;

	t->n_requests = m->n_requests;
	t->timelines = errors_alloc(m->n_requests, sizeof(struct timeline *));
	entries = list(m, t, &n);
	for (size_t i = 0; i < n; i++) {
		const struct entry *e = &entries[i];

		if (i && (e->pid != entries[i - 1].pid || e->thread != entries[i - 1].thread))
			first = t->n_tracks;
		add_part(free_track(t, first, e), &e->part);
	}
	free(entries);
	return t;
}

void tracks_free(struct tracks *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_tracks; i++)
		free(t->tracks[i].parts);
	for (uint32_t i = 0; i < t->n_requests; i++)
		timeline_free(t->timelines[i]);
	free(t->tracks);
	free(t->timelines);
	free(t);
}
