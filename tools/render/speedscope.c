/*
 * Written profile by profile, and the frames last, when all have been met: a document of 1,000
 * requests in memory would take 20 times its size.
 */
#include "tools/render/speedscope.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/base/json.h"
#include "tools/model/timeline.h"

#define SCHEMA "https://www.speedscope.app/file-format-schema.json"

enum { NS_PER_MS = 1000000 };

/* Functions in the order of their first appearance, so that no unused one is written. */
struct frames {
	uint32_t *number; /* of a function, plus 1 */
	uint32_t *functions;
	uint32_t count;
};

static uint32_t frame_number(struct frames *frames, uint32_t function)
{
	if (!frames->number[function]) {
		frames->functions[frames->count] = function;
		frames->number[function] = ++frames->count;
	}
	return frames->number[function] - 1;
}

static void put_frames(const struct frames *frames, const struct model *m, FILE *out)
{
	for (uint32_t i = 0; i < frames->count; i++) {
		const struct function *f = &m->functions[frames->functions[i]];
		const char *file = f->file[0] ? f->file : f->module;

		fputs(i ? ",{\"name\":" : "{\"name\":", out);
		json_put_text(out, f->name);
		if (file[0]) {
			fputs(",\"file\":", out);
			json_put_text(out, file);
		}
		if (f->start_line > 0)
			fprintf(out, ",\"line\":%" PRId32, f->start_line);
		putc('}', out);
	}
}

/* Root first. */
static void put_stack(struct frames *frames, const struct view *v, uint32_t node, FILE *out)
{
	uint32_t depth = 0, *path;

	for (uint32_t n = node; n; n = v->nodes[n].parent)
		depth++;
	path = errors_alloc(depth, sizeof(*path));
	for (uint32_t n = node, i = depth; n; n = v->nodes[n].parent)
		path[--i] = v->model->frames[v->nodes[n].frame].function;
	for (uint32_t i = 0; i < depth; i++)
		fprintf(out, "%c%" PRIu32, i ? ',' : '[', frame_number(frames, path[i]));
	putc(']', out);
	free(path);
}

struct moment {
	int64_t at_ns;
	uint32_t sample;
};

/* What has no time, such as the rest, stands behind what has one, in the file's order. */
static int compare(const void *left, const void *right)
{
	const struct moment *a = left, *b = right;
	uint64_t x = (uint64_t)a->at_ns, y = (uint64_t)b->at_ns; /* -1 comes last */

	if (x != y)
		return x < y ? -1 : 1;
	return a->sample < b->sample ? -1 : a->sample > b->sample;
}

/* Samples that count for something, in the order of time; how many. */
static uint32_t moments_of(const struct model *m, const struct request *r, enum profile_value by,
			   struct moment *moments)
{
	uint32_t count = 0;

	for (uint32_t i = r->first_sample; i < r->first_sample + r->n_samples; i++)
		if (m->samples[i].values[by] > 0)
			moments[count++] = (struct moment){ m->samples[i].at_ns, i };
	qsort(moments, count, sizeof(*moments), compare);
	return count;
}

/* "GET /users/42 36.1 ms 200 (8368-42)", and the thread when there are several. */
static void put_name(const struct request *r, uint32_t thread, FILE *out)
{
	char *name = NULL, status[16] = "", which[32] = "";

	if (r->status)
		snprintf(status, sizeof(status), " %d", r->status);
	if (thread)
		snprintf(which, sizeof(which), " thread %" PRIu32, thread);
	if (asprintf(&name, "%s %s %.1f ms%s (%s)%s", r->method, r->path,
		     (double)r->wall_ns / NS_PER_MS, status, r->id, which) < 0)
		name = errors_strdup(r->path);
	json_put_text(out, name);
	free(name);
}

static void put_head(const struct request *r, uint32_t thread, const char *unit, FILE *out)
{
	fputs("{\"type\":\"sampled\",\"name\":", out);
	put_name(r, thread, out);
	fprintf(out, ",\"unit\":\"%s\",\"startValue\":0,\"samples\":[", unit);
}

/* What has no time of its own cannot stand on a time axis: one after the other. */
static void put_sums(struct frames *frames, const struct view *v, const struct request *r,
		     enum profile_value by, FILE *out)
{
	struct moment *moments = errors_alloc(r->n_samples, sizeof(*moments));
	uint32_t count = moments_of(v->model, r, by, moments);
	const struct sample *samples = v->model->samples;
	int64_t sum = 0;

	put_head(r, 0, by == PROFILE_SAMPLES ? "none" : "nanoseconds", out);
	for (uint32_t i = 0; i < count; i++) {
		if (i)
			putc(',', out);
		put_stack(frames, v, v->node_of_stack[samples[moments[i].sample].stack], out);
	}
	fputs("],\"weights\":[", out);
	for (uint32_t i = 0; i < count; i++) {
		int64_t weight = samples[moments[i].sample].values[by];

		fprintf(out, i ? ",%" PRId64 : "%" PRId64, weight);
		sum += weight;
	}
	fprintf(out, "],\"endValue\":%" PRId64 "}", sum);
	free(moments);
}

/* An empty stack where the thread did not work for the request. */
static void put_thread(struct frames *frames, const struct view *v, const struct request *r,
		       const struct thread_line *line, bool several, FILE *out)
{
	int64_t at = 0;

	put_head(r, several ? line->thread : 0, "nanoseconds", out);
	for (size_t i = 0; i < line->n_pieces; i++) {
		const struct piece *p = &line->pieces[i];

		if (i)
			putc(',', out);
		if (p->start_ns > at)
			fputs("[],", out);
		put_stack(frames, v, v->node_of_stack[v->model->samples[p->sample].stack], out);
		at = p->start_ns + p->length_ns;
	}
	if (at < r->wall_ns)
		fputs(line->n_pieces ? ",[]" : "[]", out);
	fputs("],\"weights\":[", out);
	at = 0;
	for (size_t i = 0; i < line->n_pieces; i++) {
		const struct piece *p = &line->pieces[i];

		if (i)
			putc(',', out);
		if (p->start_ns > at)
			fprintf(out, "%" PRId64 ",", p->start_ns - at);
		fprintf(out, "%" PRId64, p->length_ns);
		at = p->start_ns + p->length_ns;
	}
	if (at < r->wall_ns)
		fprintf(out, line->n_pieces ? ",%" PRId64 : "%" PRId64, r->wall_ns - at);
	fprintf(out, "],\"endValue\":%" PRId64 "}", r->wall_ns);
}

static void put_timeline(struct frames *frames, const struct view *v, uint32_t request, FILE *out)
{
	struct timeline *t = timeline_make(v->model, request);

	for (size_t i = 0; i < t->n_threads; i++) {
		if (i)
			fputs(",\n", out);
		put_thread(frames, v, &v->model->requests[request], &t->threads[i],
			   t->n_threads > 1, out);
	}
	timeline_free(t);
}

void speedscope_render(const struct view *v, enum profile_value by, FILE *out)
{
	const struct model *m = v->model;
	struct frames frames = { errors_alloc(m->n_functions, sizeof(uint32_t)),
				 errors_alloc(m->n_functions, sizeof(uint32_t)), 0 };

	fputs("{\"$schema\":\"" SCHEMA "\",\"exporter\":\"reqprof@" REQPROF_VERSION "\",\"name\":",
	      out);
	if (m->n_requests == 1)
		put_name(&m->requests[0], 0, out);
	else
		json_put_text(out, "reqprof");
	fputs(",\"activeProfileIndex\":0,\"profiles\":[", out);
	for (uint32_t i = 0; i < m->n_requests; i++) {
		if (i)
			fputs(",\n", out);
		if (by == PROFILE_WALL)
			put_timeline(&frames, v, i, out);
		else
			put_sums(&frames, v, &m->requests[i], by, out);
	}
	fputs("],\"shared\":{\"frames\":[", out);
	put_frames(&frames, m, out);
	fputs("]}}\n", out);
	free(frames.number);
	free(frames.functions);
}
