#include "preload/emit/samples.h"

#include <string.h>

#include "format/route.h"
#include "format/share.h"

static const char *const wait_names[] = {
#define WAIT_NAME(name, text, meaning) [WAIT_##name] = text,
	PROFILE_WAIT_KINDS(WAIT_NAME)
};
_Static_assert(sizeof(wait_names) / sizeof(wait_names[0]) == WAIT_KINDS,
	       "the kinds of waits are those of the format");

/* The labels of one sample: those of the request, then its own. */
struct labels {
	struct profile_writer *writer;
	struct profile_label list[13];
	size_t fixed, count; /* the first few are the same for every sample */
	uint32_t at, ns;
};

static uint32_t samples_string(struct profile_writer *w, const char *text)
{
	return profile_write_string(w, text, strlen(text));
}

static void labels_text(struct labels *labels, const char *key, const char *value)
{
	struct profile_label *label = &labels->list[labels->count];

	if (!value || !*value)
		return;
	*label = (struct profile_label){ .key = samples_string(labels->writer, key) };
	label->str = samples_string(labels->writer, value);
	labels->count++;
}

static void labels_number(struct labels *labels, const char *key, int64_t value)
{
	struct profile_label *label = &labels->list[labels->count];

	*label = (struct profile_label){ .key = samples_string(labels->writer, key) };
	label->num = value;
	labels->count++;
}

static void labels_start(struct labels *labels, struct profile_writer *w, const struct request *r,
			 const char *route)
{
	*labels = (struct labels){ .writer = w };
	labels_text(labels, PROFILE_LABEL_METHOD, request_facts(r)->method);
	labels_text(labels, PROFILE_LABEL_ROUTE, route);
	if (r->out_ready && r->out.any.status)
		labels_number(labels, PROFILE_LABEL_STATUS, r->out.any.status);
	labels->fixed = labels->count;
	labels->at = samples_string(w, PROFILE_LABEL_AT);
	labels->ns = samples_string(w, "nanoseconds");
}

static void labels_at(struct labels *labels, const struct request *r, uint64_t at_ns)
{
	labels->list[labels->count++] = (struct profile_label){
		.key = labels->at,
		.num = at_ns > r->start_ns ? (int64_t)(at_ns - r->start_ns) : 0,
		.unit = labels->ns,
	};
}

/* Worst first: a stack can lack more than one thing, a label has one value. */
static void labels_stack(struct labels *labels, uint32_t flags)
{
	if (flags & STACK_INCOMPLETE)
		labels_text(labels, PROFILE_LABEL_STACK,
			    flags & STACK_NO_PYTHON  ? PROFILE_STACK_NO_PYTHON
			    : flags & STACK_UNMERGED ? PROFILE_STACK_UNMERGED
						     : PROFILE_STACK_TRUNCATED);
	if (flags & STACK_INFERRED)
		labels_text(labels, PROFILE_LABEL_CERTAINTY, PROFILE_INFERRED);
}

/* ---- the kinds of samples ---- */

struct writing {
	const struct emit_samples *samples;
	struct labels labels;
	struct locations locations;
	struct share share;
	int64_t written, kernel_written; /* stacks taken on the CPU, in user code and in the kernel */
	uint32_t kernel_root;             /* the location under the kernel's frames; 0: not written yet */
};

static void write_sample(struct writing *w, const uint32_t *stack, size_t depth, int64_t count,
			 int64_t cpu_ns, int64_t wait_ns, int64_t wall_ns)
{
	const int64_t values[PROFILE_VALUES] = {
		[PROFILE_SAMPLES] = count,
		[PROFILE_CPU] = cpu_ns,
		[PROFILE_WAIT] = wait_ns,
		[PROFILE_WALL] = share_next(&w->share, wall_ns),
	};

	profile_write_sample(w->samples->writer, stack, depth, values, w->labels.list,
			     w->labels.count);
}

static uint32_t write_pseudo(struct profile_writer *writer, const char *bytes, size_t len)
{
	const struct profile_text name = { bytes, len }, none = { "", 0 };

	return profile_write_line_location(writer,
					   profile_write_function(writer, name, none, none, 0), 0);
}

static void write_user(struct writing *w, size_t depth)
{
	const struct emit_samples *samples = w->samples;
	const struct parts *parts = samples->parts;

	write_sample(w, samples->stack, depth, 1, samples->period_ns, 0,
		     share_of_tick(parts->user, (int64_t)parts->samples, samples->period_ns,
				   w->written++));
}

static void write_kernel(struct writing *w, size_t depth)
{
	const struct emit_samples *samples = w->samples;
	const struct parts *parts = samples->parts;

	if (!w->kernel_root)
		w->kernel_root = write_pseudo(samples->writer, PROFILE_KERNEL_SAMPLED,
					      strlen(PROFILE_KERNEL_SAMPLED));
	samples->stack[depth++] = w->kernel_root;
	labels_text(&w->labels, PROFILE_LABEL_STATE, PROFILE_STATE_KERNEL);
	write_sample(w, samples->stack, depth, 0, samples->kernel_period_ns, 0,
		     share_of_tick(parts->kernel, (int64_t)parts->kernel_samples,
				   samples->kernel_period_ns, w->kernel_written++));
}

static void write_stacks(struct writing *w, const struct stacks *s)
{
	const struct emit_samples *samples = w->samples;

	for (uint32_t i = 0; i < s->n_samples && !samples->writer->error; i++) {
		const struct stack_sample *sample = &s->samples[i];
		size_t depth;

		if (sample->at_ns > samples->request->end_ns)
			continue;
		depth = locations_stack(&w->locations, s, sample->node, samples->stack);
		w->labels.count = w->labels.fixed;
		labels_number(&w->labels, PROFILE_LABEL_THREAD, s->tid);
		labels_at(&w->labels, samples->request, sample->at_ns);
		labels_stack(&w->labels, sample->flags);
		if (sample->flags & STACK_KERNEL)
			write_kernel(w, depth);
		else
			write_user(w, depth);
	}
}

static size_t write_append(char *to, size_t at, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len > size - at)
		len = size - at;
	memcpy(to + at, text, len);
	return at + len;
}

/* "[wait: KIND ON]" */
static uint32_t write_wait_frame(struct profile_writer *writer, const char *kind, const char *on)
{
	char name[sizeof(PROFILE_WAIT_FRAME) + 16 + WAITS_TEXT_MAX];
	size_t at = write_append(name, 0, sizeof(name), PROFILE_WAIT_FRAME);

	at = write_append(name, at, sizeof(name), kind);
	if (*on) {
		at = write_append(name, at, sizeof(name), " ");
		at = write_append(name, at, sizeof(name), on);
	}
	return write_pseudo(writer, name, write_append(name, at, sizeof(name), "]"));
}

/* "METHOD PATH" becomes "METHOD ROUTE". */
static void write_holder(struct labels *labels, const char *holder)
{
	const char *path = strchr(holder, ' ');
	char text[2 * WAITS_TEXT_MAX];
	size_t method;

	if (!path)
		return;
	method = (size_t)(path + 1 - holder);
	memcpy(text, holder, method);
	route_fold(path + 1, strlen(path + 1), text + method, sizeof(text) - method);
	labels_text(labels, PROFILE_LABEL_HOLDER, text);
}

static void write_wait(struct writing *w, const struct stacks *s, const struct wait_record *wait)
{
	const struct emit_samples *samples = w->samples;
	int64_t ns = (int64_t)parts_wait_ns(samples->request, wait);
	const char *on = waits_text(&s->waits, wait->on);
	size_t depth;

	samples->stack[0] = write_wait_frame(samples->writer, wait_names[wait->kind], on);
	depth = 1 + locations_stack(&w->locations, s, wait->node, samples->stack + 1);
	w->labels.count = w->labels.fixed;
	labels_number(&w->labels, PROFILE_LABEL_THREAD, s->tid);
	labels_at(&w->labels, samples->request, wait->at_ns);
	labels_stack(&w->labels, wait->flags);
	labels_text(&w->labels, PROFILE_LABEL_STATE, PROFILE_STATE_WAIT);
	labels_text(&w->labels, PROFILE_LABEL_WAIT, wait_names[wait->kind]);
	labels_text(&w->labels, PROFILE_LABEL_ON, on);
	if (wait->summed)
		labels_number(&w->labels, PROFILE_LABEL_COUNT, wait->count);
	if (wait->trips)
		labels_number(&w->labels, PROFILE_LABEL_TRIPS, wait->trips);
	if (wait->holder)
		write_holder(&w->labels, waits_text(&s->waits, wait->holder));
	write_sample(w, samples->stack, depth, 0, 0, ns, ns);
}

static void write_waits(struct writing *w, const struct stacks *s)
{
	for (uint32_t i = 0; i < s->waits.count && !w->samples->writer->error; i++) {
		const struct wait_record *wait = &s->waits.records[i];

		if (wait->at_ns < w->samples->request->end_ns)
			write_wait(w, s, wait);
	}
}

/* What has no stack: one pseudo frame, so that wall values add up in any reader. */
static void write_part(struct writing *w, const char *frame, const char *state, int64_t cpu_ns,
		       int64_t wall_ns)
{
	uint32_t location;

	if (wall_ns <= 0)
		return;
	location = write_pseudo(w->samples->writer, frame, strlen(frame));
	w->labels.count = w->labels.fixed;
	labels_text(&w->labels, PROFILE_LABEL_STATE, state);
	write_sample(w, &location, 1, 0, cpu_ns, 0, wall_ns);
}

/* A wait of no thread. */
static void write_wait_part(struct writing *w, enum wait_kind kind, const char *on, int64_t ns)
{
	uint32_t location;

	if (ns <= 0)
		return;
	location = write_wait_frame(w->samples->writer, wait_names[kind], on);
	w->labels.count = w->labels.fixed;
	labels_text(&w->labels, PROFILE_LABEL_STATE, PROFILE_STATE_WAIT);
	labels_text(&w->labels, PROFILE_LABEL_WAIT, wait_names[kind]);
	labels_text(&w->labels, PROFILE_LABEL_ON, on);
	write_sample(w, &location, 1, 0, 0, ns, ns);
}

static void write_parts(struct writing *w)
{
	const struct parts *parts = w->samples->parts;
	int64_t not_sampled = parts->kernel - (int64_t)parts->kernel_samples *
						       w->samples->kernel_period_ns;

	write_part(w, PROFILE_KERNEL_FRAME, PROFILE_STATE_KERNEL, not_sampled, not_sampled);
	write_wait_part(w, WAIT_QUEUE, "", parts->idle);
	write_wait_part(w, WAIT_OTHER, "start of reqprof", parts->prepared);
	write_part(w, PROFILE_RUNNABLE_FRAME, PROFILE_STATE_RUNNABLE, 0, parts->runnable);
	write_part(w, PROFILE_REST_FRAME, PROFILE_STATE_REST, 0, parts->rest);
}

void emit_samples_write(const struct emit_samples *samples, const char *route,
			const struct stacks *stacks)
{
	struct writing w = { .samples = samples };
	size_t nodes = 0;

	for (const struct stacks *s = stacks; s; s = s->next)
		nodes += s->n_nodes;
	labels_start(&w.labels, samples->writer, samples->request, route);
	share_start(&w.share, samples->parts->wall, samples->parts->overlap);
	locations_start(&w.locations, samples->writer, samples->locations_memory, nodes);
	for (const struct stacks *s = stacks; s; s = s->next) {
		locations_tree(&w.locations, s);
		write_stacks(&w, s);
		write_waits(&w, s);
	}
	locations_end(&w.locations);
	write_parts(&w);
	if (w.locations.generated)
		profile_write_comment_number(samples->writer, PROFILE_KEY_PROCESS_START,
					     (int64_t)samples->process_start_ns);
}
