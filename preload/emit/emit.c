#include "preload/emit/emit.h"

#include <errno.h>
#include <string.h>

#include "format/profile.h"
#include "preload/emit/address.h"
#include "preload/emit/errno_name.h"
#include "preload/emit/file.h"
#include "preload/emit/file_name.h"
#include "preload/emit/kept.h"
#include "preload/emit/locations.h"
#include "preload/emit/route.h"

/* What would be too large for the stacks that coroutines have. */
struct emit_work {
	struct profile_writer writer;
	struct file file;
	char route[WIRE_PATH_MAX];
	char name[FILE_NAME_MAX + 1];
	uint32_t stack[STACKS_DEPTH_MAX];
};

/* How the scratch memory is shared out. */
enum {
	SCRATCH_WORK = 0,
	SCRATCH_WORK_BYTES = 64 << 10,
	SCRATCH_WRITER = SCRATCH_WORK + SCRATCH_WORK_BYTES,
	SCRATCH_WRITER_BYTES = 512 << 10,
	SCRATCH_LOCATIONS = SCRATCH_WRITER + SCRATCH_WRITER_BYTES,
	SCRATCH_LOCATIONS_BYTES = LOCATIONS_BYTES,
	SCRATCH_FILE = SCRATCH_LOCATIONS + SCRATCH_LOCATIONS_BYTES,
	SCRATCH_FILE_BYTES = EMIT_SCRATCH - SCRATCH_FILE,
};
_Static_assert(sizeof(struct emit_work) <= SCRATCH_WORK_BYTES, "the work area is too small");
_Static_assert(SCRATCH_FILE_BYTES >= 65536, "too little is left to buffer the file");

static size_t emit_nodes(const struct emit_job *job)
{
	size_t nodes = 0;

	for (const struct stacks *s = job->stacks; s; s = s->next)
		nodes += s->n_nodes;
	return nodes;
}

/* Small files: the writer clears its tables, so they are no larger than this request can use. */
static size_t emit_writer_memory(size_t nodes)
{
	return nodes < 256	? PROFILE_MEMORY_MIN :
	       nodes < 1024 ? 2 * PROFILE_MEMORY_MIN :
			      SCRATCH_WRITER_BYTES;
}

/* Samples after the response's end are the tail's: found out only when a close told where the end was. */
static void emit_count(struct emit_job *job)
{
	for (const struct stacks *s = job->stacks; s; s = s->next) {
		job->lost += s->lost;
		job->nested += s->nested;
		for (uint32_t i = 0; i < s->n_samples; i++) {
			if (s->samples[i].at_ns > job->request->end_ns) {
				job->tail++;
			} else {
				job->samples++;
				job->incomplete += s->samples[i].flags != 0;
			}
		}
	}
}

static void emit_text(struct profile_writer *w, const char *key, const char *value)
{
	if (value && *value)
		profile_write_comment(w, key, value, strlen(value));
}

static void emit_address(struct profile_writer *w, const char *key,
			 const struct request_address *address)
{
	char text[ADDRESS_TEXT_MAX];

	if (address_format(address, text))
		emit_text(w, key, text);
}

static const char *emit_end_name(const struct request *r)
{
	static const char *const names[] = {
		[REQUEST_COMPLETE] = "complete", [REQUEST_CLOSED] = "closed",
		[REQUEST_NEXT] = "next-request", [REQUEST_ABORTED] = "aborted",
		[REQUEST_UPGRADED] = "upgraded", [REQUEST_LOST] = "lost"
	};

	return names[r->end];
}

static void emit_kept(struct profile_writer *w, uint32_t kept)
{
	char names[KEEP_TEXT_MAX];

	if (kept & ~(uint32_t)KEEP_ALWAYS) {
		kept_names(kept, names);
		emit_text(w, PROFILE_KEY_KEPT, names);
	}
}

static int emit_room(void *budget, uint64_t size)
{
	return budget_take_bytes(budget, size);
}

static void emit_facts(struct profile_writer *w, const struct emit_job *job, const char *route,
		       int64_t rest_ns)
{
	const struct request *r = job->request;
	const struct wire_facts *facts = request_facts(r);
	char id[48];
	size_t n = file_name_id(job->pid, job->counter, id);

	profile_write_comment_number(w, PROFILE_KEY_VERSION, PROFILE_VERSION);
	profile_write_comment(w, PROFILE_KEY_ID, id, n);
	emit_text(w, PROFILE_KEY_METHOD, facts->method);
	emit_text(w, PROFILE_KEY_PATH, facts->path);
	if (facts->path_full_len > facts->path_len)
		profile_write_comment_number(w, PROFILE_KEY_PATH_CUT, facts->path_full_len);
	emit_text(w, PROFILE_KEY_ROUTE, route);
	if (r->out_ready && r->out.any.status)
		profile_write_comment_number(w, PROFILE_KEY_STATUS, r->out.any.status);
	profile_write_comment_number(w, PROFILE_KEY_WALL_NS, (int64_t)(r->end_ns - r->start_ns));
	profile_write_comment_number(w, PROFILE_KEY_CPU_NS, (int64_t)r->cpu_ns);
	profile_write_comment_number(w, PROFILE_KEY_WAIT_NS, 0);
	profile_write_comment_number(w, PROFILE_KEY_REST_NS, rest_ns);
	profile_write_comment_number(w, PROFILE_KEY_SAMPLES, (int64_t)job->samples);
	profile_write_comment_number(w, PROFILE_KEY_INCOMPLETE, (int64_t)job->incomplete);
	if (job->lost)
		profile_write_comment_number(w, PROFILE_KEY_LOST "buffer_full", (int64_t)job->lost);
	if (job->nested)
		profile_write_comment_number(w, PROFILE_KEY_LOST "nested", (int64_t)job->nested);
	if (job->tail)
		profile_write_comment_number(w, PROFILE_KEY_TAIL, (int64_t)job->tail);
	emit_text(w, PROFILE_KEY_ROLE, r->role == REQUEST_PROXY ? "proxy" : "server");
	if (r->role == REQUEST_PROXY)
		emit_address(w, PROFILE_KEY_UPSTREAM, &r->upstream);
	emit_text(w, PROFILE_KEY_END, emit_end_name(r));
	emit_text(w, PROFILE_KEY_PROTOCOL, wire_protocol_name(r->protocol, &r->in));
	emit_address(w, PROFILE_KEY_PEER, &r->peer);
	profile_write_comment_number(w, PROFILE_KEY_PID, job->pid);
	profile_write_comment_number(w, PROFILE_KEY_TID, r->end_tid);
	profile_write_comment_number(w, PROFILE_KEY_THREADS, r->threads);
	emit_text(w, PROFILE_KEY_EXE, locations_executable());
	emit_text(w, PROFILE_KEY_CLOCK, clock_name(job->clock));
	if (job->clock != CLOCK_PERF_USER && job->clock_error) {
		char why[64] = "perf_event_open: ";

		strncat(why, errno_name(-job->clock_error), sizeof(why) - sizeof("perf_event_open: "));
		emit_text(w, PROFILE_KEY_CLOCK_WHY, why);
	}
	profile_write_comment_number(w, PROFILE_KEY_RATE, job->rate);
	emit_text(w, PROFILE_KEY_PYTHON, job->python);
	emit_kept(w, job->kept);
	emit_text(w, PROFILE_KEY_TRACEPARENT, facts->traceparent);
	emit_text(w, PROFILE_KEY_REQUEST_ID, facts->request_id);
}

/*
 * One sample's values. Wall values of a file add up to its wall time: where the samples of a short
 * request stand for more than that, each gets an equal part of it instead.
 */
static void emit_values(const struct emit_job *job, uint64_t index, int64_t wall_ns,
			int64_t values[PROFILE_VALUES])
{
	int64_t period = clock_period_ns(job->rate);
	int64_t n = (int64_t)job->samples;

	values[PROFILE_SAMPLES] = 1;
	values[PROFILE_CPU] = period;
	values[PROFILE_WAIT] = 0;
	values[PROFILE_WALL] = n * period <= wall_ns ? period :
						       wall_ns / n + ((int64_t)index < wall_ns % n);
}

struct emit_labels {
	struct profile_label list[6];
	size_t fixed;                 /* the first few are the same for every sample */
	uint32_t at, thread, stack, ns;
	uint32_t stack_names[3];
};

static void emit_labels_start(struct profile_writer *w, const struct request *r, const char *route,
			      struct emit_labels *labels)
{
	const char *method = request_facts(r)->method;

	memset(labels, 0, sizeof(*labels));
	labels->list[0].key = profile_write_string(w, PROFILE_LABEL_METHOD,
						   strlen(PROFILE_LABEL_METHOD));
	labels->list[0].str = profile_write_string(w, method, strlen(method));
	labels->list[1].key =
		profile_write_string(w, PROFILE_LABEL_ROUTE, strlen(PROFILE_LABEL_ROUTE));
	labels->list[1].str = profile_write_string(w, route, strlen(route));
	labels->fixed = 2;
	if (r->out_ready && r->out.any.status) {
		labels->list[2].key = profile_write_string(w, PROFILE_LABEL_STATUS,
							   strlen(PROFILE_LABEL_STATUS));
		labels->list[2].num = r->out.any.status;
		labels->fixed = 3;
	}
	labels->thread = profile_write_string(w, PROFILE_LABEL_THREAD, strlen(PROFILE_LABEL_THREAD));
	labels->at = profile_write_string(w, PROFILE_LABEL_AT, strlen(PROFILE_LABEL_AT));
	labels->ns = profile_write_string(w, "nanoseconds", strlen("nanoseconds"));
}

/* Worst first: a stack can lack more than one thing, a label has one value. */
static const char *emit_stack_name(uint32_t flags)
{
	return flags & STACK_NO_PYTHON ? PROFILE_STACK_NO_PYTHON :
	       flags & STACK_UNMERGED  ? PROFILE_STACK_UNMERGED :
					 PROFILE_STACK_TRUNCATED;
}

static size_t emit_labels_fill(struct profile_writer *w, struct emit_labels *labels, uint32_t tid,
			       uint64_t at_ns, uint32_t flags)
{
	size_t n = labels->fixed;

	labels->list[n++] = (struct profile_label){ .key = labels->thread, .num = tid };
	labels->list[n++] = (struct profile_label){ .key = labels->at,
						    .num = (int64_t)at_ns,
						    .unit = labels->ns };
	if (flags) {
		const char *name = emit_stack_name(flags);

		labels->list[n].key =
			profile_write_string(w, PROFILE_LABEL_STACK, strlen(PROFILE_LABEL_STACK));
		labels->list[n].str = profile_write_string(w, name, strlen(name));
		labels->list[n].num = 0;
		labels->list[n++].unit = 0;
	}
	return n;
}

static void emit_samples(struct profile_writer *w, const struct emit_job *job,
			 struct emit_labels *labels, int64_t wall_ns, uint32_t *stack)
{
	const struct request *r = job->request;
	int64_t values[PROFILE_VALUES];
	uint64_t index = 0;
	struct locations locations;

	locations_start(&locations, w, (char *)job->scratch + SCRATCH_LOCATIONS, emit_nodes(job));
	for (const struct stacks *s = job->stacks; s; s = s->next) {
		locations_tree(&locations, s);
		for (uint32_t i = 0; i < s->n_samples && !w->error; i++) {
			const struct stack_sample *sample = &s->samples[i];
			size_t depth, n_labels;

			if (sample->at_ns > r->end_ns)
				continue;
			depth = locations_stack(&locations, s, sample->node, stack);
			emit_values(job, index++, wall_ns, values);
			n_labels = emit_labels_fill(
				w, labels, s->tid,
				sample->at_ns > r->start_ns ? sample->at_ns - r->start_ns : 0,
				sample->flags);
			profile_write_sample(w, stack, depth, values, labels->list, n_labels);
		}
	}
	locations_end(&locations);
}

/* What was neither sampled nor waited: one pseudo frame, so that wall values add up in any reader. */
static void emit_rest(struct profile_writer *w, const struct emit_labels *labels, int64_t rest_ns)
{
	const struct profile_text name = { PROFILE_REST_FRAME, strlen(PROFILE_REST_FRAME) };
	const struct profile_text none = { "", 0 };
	int64_t values[PROFILE_VALUES] = { [PROFILE_WALL] = rest_ns };
	uint32_t location;

	if (rest_ns <= 0)
		return;
	location = profile_write_line_location(w, profile_write_function(w, name, none, none, 0), 0);
	profile_write_sample(w, &location, 1, values, labels->list, labels->fixed);
}

int emit_profile(struct emit_job *job)
{
	const struct request *r = job->request;
	const struct wire_facts *facts = request_facts(r);
	int64_t wall_ns = (int64_t)(r->end_ns - r->start_ns);
	int64_t period_ns = clock_period_ns(job->rate);
	struct emit_work *work = (struct emit_work *)((char *)job->scratch + SCRATCH_WORK);
	struct profile_writer *writer = &work->writer;
	struct emit_labels labels;
	int result;
	struct file_name_parts parts = {
		.method = facts->method,
		.path = facts->path,
		.wall_ns = (uint64_t)wall_ns,
		.start_unix_ns = r->start_unix_ns,
		.pid = job->pid,
		.counter = job->counter,
	};

	emit_count(job);
	file_name_temporary(job->pid, job->counter, work->name);
	result = file_open(&work->file, job->directory, work->name,
			   (char *)job->scratch + SCRATCH_FILE, SCRATCH_FILE_BYTES);
	if (result < 0)
		goto out;
	work->file.room = emit_room;
	work->file.room_arg = job->budget;
	route_fold(facts->path, facts->path_len, work->route, sizeof(work->route));
	profile_write_begin(writer, file_sink, &work->file, (char *)job->scratch + SCRATCH_WRITER,
			    emit_writer_memory(emit_nodes(job)));
	emit_facts(writer, job, work->route, wall_ns - (int64_t)job->samples * period_ns);
	profile_write_times(writer, (int64_t)r->start_unix_ns, wall_ns, period_ns);
	emit_labels_start(writer, r, work->route, &labels);
	emit_samples(writer, job, &labels, wall_ns, work->stack);
	emit_rest(writer, &labels, wall_ns - (int64_t)job->samples * period_ns);
	result = profile_write_end(writer);
	if (result < 0)
		work->file.error = result;
	file_name_make(&parts, work->name);
	result = file_finish(&work->file, work->name);
out:
	if (result < 0)
		budget_give_back(job->budget);
	else
		budget_written(job->budget, work->name);
	return result;
}
