#include "preload/emit/emit.h"

#include <errno.h>
#include <string.h>

#include "format/profile.h"
#include "preload/track/address.h"
#include "preload/emit/errno_name.h"
#include "preload/emit/file.h"
#include "format/file_name.h"
#include "preload/emit/kept.h"
#include "preload/emit/locations.h"
#include "format/route.h"
#include "preload/emit/samples.h"
#include "preload/sample/kernel_clock.h"

/* What would be too large for the stacks that coroutines have. */
struct emit_work {
	struct profile_writer writer;
	struct file file;
	char route[WIRE_PATH_MAX];
	char name[FILE_NAME_MAX + 1];
	uint32_t nodes[STACKS_DEPTH_MAX];
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

/*
 * Small files: the writer clears its tables, so they are no larger than this request can use. (Beside what the stacks
 * bring there are some 40 strings.)
 */
static size_t emit_writer_memory(const struct stacks *stacks)
{
	size_t entries = 0;

	for (const struct stacks *s = stacks; s; s = s->next)
		entries += s->n_nodes + 2 * s->waits.count;
	return entries < 24	? PROFILE_MEMORY_MIN
	       : entries < 256	? 4 * PROFILE_MEMORY_MIN
	       : entries < 1024 ? 8 * PROFILE_MEMORY_MIN
	       : entries < 4096 ? 16 * PROFILE_MEMORY_MIN
				: SCRATCH_WRITER_BYTES;
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

static void emit_number(struct profile_writer *w, const char *key, int64_t value)
{
	if (value)
		profile_write_comment_number(w, key, value);
}

static void emit_parts(struct profile_writer *w, const struct request *r, const struct parts *parts)
{
	profile_write_comment_number(w, PROFILE_KEY_WALL_NS, parts->wall);
	profile_write_comment_number(w, PROFILE_KEY_CPU_NS, parts->cpu);
	profile_write_comment_number(w, PROFILE_KEY_USER_NS, parts->user);
	profile_write_comment_number(w, PROFILE_KEY_KERNEL_NS, parts->kernel);
	profile_write_comment_number(w, PROFILE_KEY_WAIT_NS, parts->wait);
	emit_number(w, PROFILE_KEY_GIL_NS, parts->gil);
	if (r->queued_known)
		profile_write_comment_number(w, PROFILE_KEY_RUNNABLE_NS, parts->runnable);
	profile_write_comment_number(w, PROFILE_KEY_REST_NS, parts->rest);
	emit_number(w, PROFILE_KEY_OVERLAP_NS, parts->overlap);
	emit_text(w, PROFILE_KEY_WAITS, r->waits ? "on" : "off");
	emit_number(w, PROFILE_KEY_WAIT_COUNT, (int64_t)parts->waits);
	emit_number(w, PROFILE_KEY_TRIPS, (int64_t)parts->trips);
	emit_number(w, PROFILE_KEY_FAULTS, (int64_t)r->faults);
	emit_number(w, PROFILE_KEY_MAJOR_FAULTS, (int64_t)r->major_faults);
	emit_number(w, PROFILE_KEY_SWITCHED, (int64_t)r->preempted);
	if (r->arrived_known)
		profile_write_comment_number(w, PROFILE_KEY_QUEUED_NS, (int64_t)r->arrived_ns);
	emit_number(w, PROFILE_KEY_KERNEL_SAMPLES, (int64_t)parts->kernel_samples);
	emit_number(w, PROFILE_KEY_LOST "kernel", (int64_t)parts->kernel_lost);
	profile_write_comment_number(w, PROFILE_KEY_SAMPLES, (int64_t)parts->samples);
	profile_write_comment_number(w, PROFILE_KEY_INCOMPLETE, (int64_t)parts->incomplete);
	emit_number(w, PROFILE_KEY_LOST "buffer_full", (int64_t)parts->lost);
	emit_number(w, PROFILE_KEY_LOST "nested", (int64_t)parts->nested);
	emit_number(w, PROFILE_KEY_LOST_WAITS, (int64_t)parts->waits_lost);
	emit_number(w, PROFILE_KEY_TAIL, (int64_t)parts->tail);
}

static void emit_kernel_why(struct profile_writer *w, const struct request *r)
{
	char why[64] = "";

	switch ((enum kernel_clock_state)r->kernel_state) {
	case KERNEL_SAMPLED:
		return;
	case KERNEL_OFF:
		strcpy(why, "off");
		break;
	case KERNEL_NO_CLOCK:
		strcpy(why, "the clock is no perf event");
		break;
	case KERNEL_REFUSED:
		strcpy(why, "perf_event_open: ");
		break;
	case KERNEL_NO_RING:
		strcpy(why, "mmap: ");
		break;
	}
	if (r->kernel_error)
		strncat(why, errno_name(-r->kernel_error), sizeof(why) - strlen(why) - 1);
	emit_text(w, PROFILE_KEY_KERNEL_WHY, why);
}

static void emit_clock(struct profile_writer *w, const struct emit_job *job)
{
	char why[64] = "perf_event_open: ";

	emit_text(w, PROFILE_KEY_CLOCK, clock_name(job->clock));
	if (job->clock != CLOCK_PERF_USER && job->clock_error) {
		strncat(why, errno_name(-job->clock_error), sizeof(why) - strlen(why) - 1);
		emit_text(w, PROFILE_KEY_CLOCK_WHY, why);
	}
	profile_write_comment_number(w, PROFILE_KEY_RATE, job->rate);
	if (job->request->kernel_state == KERNEL_SAMPLED || job->parts.kernel_samples)
		profile_write_comment_number(w, PROFILE_KEY_KERNEL_RATE, job->kernel_rate);
	emit_kernel_why(w, job->request);
}

/* "PID:NAME PID:NAME": the first of them. Names are short. */
static void emit_children(struct profile_writer *w, const struct request *r)
{
	uint32_t n = r->n_children < REQUEST_CHILDREN_MAX ? r->n_children : REQUEST_CHILDREN_MAX;
	char text[REQUEST_CHILDREN_MAX * (sizeof(r->children[0].name) + 16)];
	size_t at = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct request_child *child = &r->children[i];
		size_t len = strlen(child->name);

		at = file_name_number(text, at, (uint64_t)child->pid);
		text[at++] = ':';
		for (size_t j = 0; j < len; j++)
			text[at++] = child->name[j] == ' ' ? '_' : child->name[j];
		text[at++] = ' ';
	}
	emit_number(w, PROFILE_KEY_CHILDREN, r->n_children);
	if (at)
		profile_write_comment(w, PROFILE_KEY_CHILDREN_STARTED, text, at - 1);
	emit_number(w, PROFILE_KEY_THREADS_STARTED, r->threads_started);
}

static void emit_facts(struct profile_writer *w, const struct emit_job *job, const char *route,
		       const struct parts *parts)
{
	const struct request *r = job->request;
	const struct wire_facts *facts = request_facts(r);
	char id[48];
	size_t n = file_name_id(job->pid, job->counter, id);

	profile_write_comment_number(w, PROFILE_KEY_VERSION, PROFILE_VERSION);
	profile_write_comment(w, PROFILE_KEY_ID, id, n);
	emit_text(w, PROFILE_KEY_METHOD, facts->method);
	emit_text(w, PROFILE_KEY_PATH, facts->path);
	if (r->secure)
		emit_text(w, PROFILE_KEY_SCHEME, "https");
	if (facts->path_full_len > facts->path_len)
		profile_write_comment_number(w, PROFILE_KEY_PATH_CUT, facts->path_full_len);
	emit_text(w, PROFILE_KEY_ROUTE, route);
	if (r->out_ready && r->out.any.status)
		profile_write_comment_number(w, PROFILE_KEY_STATUS, r->out.any.status);
	emit_parts(w, r, parts);
	emit_text(w, PROFILE_KEY_ROLE, r->role == REQUEST_PROXY ? "proxy" : "server");
	if (r->role == REQUEST_PROXY)
		emit_address(w, PROFILE_KEY_UPSTREAM, &r->upstream);
	emit_text(w, PROFILE_KEY_END, emit_end_name(r));
	emit_text(w, PROFILE_KEY_PROTOCOL, wire_protocol_name(r->protocol, &r->in));
	emit_address(w, PROFILE_KEY_PEER, &r->peer);
	profile_write_comment_number(w, PROFILE_KEY_PID, job->pid);
	profile_write_comment_number(w, PROFILE_KEY_TID, r->end_tid);
	profile_write_comment_number(w, PROFILE_KEY_THREADS, r->threads);
	emit_children(w, r);
	emit_text(w, PROFILE_KEY_EXE, locations_executable());
	emit_clock(w, job);
	emit_text(w, PROFILE_KEY_PYTHON, job->python);
	emit_kept(w, job->kept);
	emit_text(w, PROFILE_KEY_TRACEPARENT, facts->traceparent);
	emit_text(w, PROFILE_KEY_REQUEST_ID, facts->request_id);
}

int emit_profile(struct emit_job *job)
{
	const struct request *r = job->request;
	const struct wire_facts *facts = request_facts(r);
	int64_t period_ns = clock_period_ns(job->rate);
	struct emit_work *work = (struct emit_work *)((char *)job->scratch + SCRATCH_WORK);
	struct profile_writer *writer = &work->writer;
	struct emit_samples samples = {
		.writer = writer,
		.request = r,
		.parts = &job->parts,
		.period_ns = period_ns,
		.kernel_period_ns = job->kernel_rate ? clock_period_ns(job->kernel_rate) : 0,
		.process_start_ns = job->process_start_ns,
		.locations_memory = (char *)job->scratch + SCRATCH_LOCATIONS,
		.nodes = work->nodes,
	};
	int result;
	struct file_name_parts parts = {
		.method = facts->method,
		.path = facts->path,
		.wall_ns = r->end_ns - r->start_ns,
		.start_unix_ns = r->start_unix_ns,
		.pid = job->pid,
		.counter = job->counter,
	};

	parts_of(r, job->stacks, period_ns, &job->parts);
	file_name_temporary(job->pid, job->counter, work->name);
	result = file_open(&work->file, job->directory, work->name,
			   (char *)job->scratch + SCRATCH_FILE, SCRATCH_FILE_BYTES);
	if (result < 0)
		goto out;
	work->file.room = emit_room;
	work->file.room_arg = job->budget;
	route_fold(facts->path, facts->path_len, work->route, sizeof(work->route));
	profile_write_begin(writer, file_sink, &work->file, (char *)job->scratch + SCRATCH_WRITER,
			    emit_writer_memory(job->stacks));
	emit_facts(writer, job, work->route, &job->parts);
	profile_write_times(writer, (int64_t)r->start_unix_ns, job->parts.wall, period_ns);
	emit_samples_write(&samples, work->route, job->stacks);
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
