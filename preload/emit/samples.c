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

/* The labels of one sample: those that others have as well, encoded, then its own. */
struct labels {
	struct profile_writer *writer;
	struct profile_label list[9];
	size_t count;
	uint8_t shared[4 * PROFILE_LABEL_BYTES];
	size_t of_request, of_thread; /* bytes of it: the request's, and with those the thread's */
	size_t used;                  /* by this sample: one or the other */
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
	labels->of_request = profile_encode_labels(labels->shared, labels->list, labels->count);
	labels->at = samples_string(w, PROFILE_LABEL_AT);
	labels->ns = samples_string(w, "nanoseconds");
}

static void labels_of_thread(struct labels *labels, uint32_t tid)
{
	labels->count = 0;
	labels_number(labels, PROFILE_LABEL_THREAD, tid);
	labels->of_thread = labels->of_request +
			    profile_encode_labels(labels->shared + labels->of_request, labels->list, 1);
}

/* Of the next sample, which is the thread's or (false) nobody's. */
static void labels_begin(struct labels *labels, bool threads)
{
	labels->count = 0;
	labels->used = threads ? labels->of_thread : labels->of_request;
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

/* first, last: locations before and behind the stack, 0: none. */
struct stack {
	uint32_t first, last;
	struct profile_encoded encoded;
};

static void write_sample(struct writing *w, const struct stack *stack, int64_t count,
			 int64_t cpu_ns, int64_t wait_ns, int64_t wall_ns)
{
	const int64_t values[PROFILE_VALUES] = {
		[PROFILE_SAMPLES] = count,
		[PROFILE_CPU] = cpu_ns,
		[PROFILE_WAIT] = wait_ns,
		[PROFILE_WALL] = share_next(&w->share, wall_ns),
	};
	const struct labels *labels = &w->labels;
	uint8_t one[PROFILE_LOCATION_BYTES];
	struct profile_encoded first = { one, profile_encode_locations(one, &stack->first, 1) };
	struct profile_sample sample = {
		.locations = { first, stack->encoded },
		.shared = { labels->shared, labels->used },
		.values = values,
		.labels = labels->list,
		.n_labels = labels->count,
	};

	if (stack->last) {
		sample.locations[0] = stack->encoded;
		sample.locations[1] = (struct profile_encoded){
			one, profile_encode_locations(one, &stack->last, 1)
		};
	}
	profile_write_encoded(w->samples->writer, &sample);
}

static uint32_t write_pseudo(struct profile_writer *writer, const char *bytes, size_t len)
{
	const struct profile_text name = { bytes, len }, none = { "", 0 };

	return profile_write_line_location(writer,
					   profile_write_function(writer, name, none, none, 0), 0);
}

static void write_user(struct writing *w, const struct stack *stack)
{
	const struct emit_samples *samples = w->samples;
	const struct parts *parts = samples->parts;

	write_sample(w, stack, 1, samples->period_ns, 0,
		     share_of_tick(parts->user, (int64_t)parts->samples, samples->period_ns,
				   w->written++));
}

static void write_kernel(struct writing *w, struct stack *stack)
{
	const struct emit_samples *samples = w->samples;
	const struct parts *parts = samples->parts;

	if (!w->kernel_root)
		w->kernel_root = write_pseudo(samples->writer, PROFILE_KERNEL_SAMPLED,
					      strlen(PROFILE_KERNEL_SAMPLED));
	stack->last = w->kernel_root;
	labels_text(&w->labels, PROFILE_LABEL_STATE, PROFILE_STATE_KERNEL);
	write_sample(w, stack, 0, samples->kernel_period_ns, 0,
		     share_of_tick(parts->kernel, (int64_t)parts->kernel_samples,
				   samples->kernel_period_ns, w->kernel_written++));
}

static struct stack write_stack(struct writing *w, const struct stacks *s, uint32_t node)
{
	return (struct stack){
		.encoded = locations_stack(&w->locations, s, node, w->samples->nodes)
	};
}

static void write_stacks(struct writing *w, const struct stacks *s)
{
	const struct emit_samples *samples = w->samples;

	for (uint32_t i = 0; i < s->n_samples && !samples->writer->error; i++) {
		const struct stack_sample *sample = &s->samples[i];
		struct stack stack;

		if (sample->at_ns > samples->request->end_ns)
			continue;
		stack = write_stack(w, s, sample->node);
		labels_begin(&w->labels, true);
		labels_at(&w->labels, samples->request, sample->at_ns);
		labels_stack(&w->labels, sample->flags);
		if (sample->flags & STACK_KERNEL)
			write_kernel(w, &stack);
		else
			write_user(w, &stack);
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
	uint32_t frame = write_wait_frame(samples->writer, wait_names[wait->kind], on);
	struct stack stack = write_stack(w, s, wait->node);

	stack.first = frame;
	labels_begin(&w->labels, true);
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
	write_sample(w, &stack, 0, 0, ns, ns);
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
	struct stack stack = { 0 };

	if (wall_ns <= 0)
		return;
	stack.first = write_pseudo(w->samples->writer, frame, strlen(frame));
	labels_begin(&w->labels, false);
	labels_text(&w->labels, PROFILE_LABEL_STATE, state);
	write_sample(w, &stack, 0, cpu_ns, 0, wall_ns);
}

/* A wait of no thread. */
static void write_wait_part(struct writing *w, enum wait_kind kind, const char *on, int64_t ns)
{
	struct stack stack = { 0 };

	if (ns <= 0)
		return;
	stack.first = write_wait_frame(w->samples->writer, wait_names[kind], on);
	labels_begin(&w->labels, false);
	labels_text(&w->labels, PROFILE_LABEL_STATE, PROFILE_STATE_WAIT);
	labels_text(&w->labels, PROFILE_LABEL_WAIT, wait_names[kind]);
	labels_text(&w->labels, PROFILE_LABEL_ON, on);
	write_sample(w, &stack, 0, 0, ns, ns);
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
		labels_of_thread(&w.labels, s->tid);
		write_stacks(&w, s);
		write_waits(&w, s);
	}
	locations_end(&w.locations);
	write_parts(&w);
	if (w.locations.generated)
		profile_write_comment_number(samples->writer, PROFILE_KEY_PROCESS_START,
					     (int64_t)samples->process_start_ns);
}
