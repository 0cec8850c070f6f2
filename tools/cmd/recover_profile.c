#include "tools/cmd/recover_profile.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/file_name.h"
#include "format/route.h"
#include "format/share.h"
#include "tools/base/errors.h"
#include "tools/model/model.h"

static const char *const clock_names[] = { "none", "perf-user", "thread-timer" };

enum { STACK_MAX = 448 };

struct writing {
	const struct recover_request *r;
	struct profile_writer writer;
	struct profile_label labels[16];
	size_t fixed, count;
	const struct live_tree_in *tree;
	uint32_t *of_node; /* location of each node of the tree, 0: not written yet */
	uint32_t *of_module;
	uint32_t stack[STACK_MAX + 2]; /* a wait stands on top, the kernel's stack on [kernel] */
	char route[2048];
	uint32_t kernel_mapping, kernel_root; /* 0: not written yet */
	struct share share;
	int64_t written, kernel_written; /* samples */
};

static bool is_kernel(uint64_t key)
{
	return (key & (LIVE_KEY_PYTHON | LIVE_KEY_KERNEL)) == LIVE_KEY_KERNEL;
}

static uint32_t string_of(struct writing *w, const char *text)
{
	return profile_write_string(&w->writer, text, strlen(text));
}

static void label_bytes(struct writing *w, const char *key, const char *value, size_t len)
{
	struct profile_label *label = &w->labels[w->count];

	if (!len)
		return;
	*label = (struct profile_label){ .key = string_of(w, key) };
	label->str = profile_write_string(&w->writer, value, len);
	w->count++;
}

static void label_text(struct writing *w, const char *key, const char *value)
{
	label_bytes(w, key, value, strlen(value));
}

static void label_number(struct writing *w, const char *key, int64_t value, const char *unit)
{
	struct profile_label *label = &w->labels[w->count++];

	*label = (struct profile_label){ .key = string_of(w, key), .num = value };
	if (unit)
		label->unit = string_of(w, unit);
}

static void write_sample(struct writing *w, size_t depth, int64_t count, int64_t cpu_ns,
			 int64_t waited_ns, int64_t wall_ns)
{
	const int64_t values[PROFILE_VALUES] = {
		[PROFILE_SAMPLES] = count,
		[PROFILE_CPU] = cpu_ns,
		[PROFILE_WAIT] = waited_ns,
		[PROFILE_WALL] = share_next(&w->share, wall_ns),
	};

	profile_write_sample(&w->writer, w->stack, depth, values, w->labels, w->count);
}

static uint32_t pseudo(struct writing *w, const char *text)
{
	const struct profile_text name = { text, strlen(text) }, none = { "", 0 };

	return profile_write_line_location(
		&w->writer, profile_write_function(&w->writer, name, none, none, 0), 0);
}

static uint32_t module_location(struct writing *w, size_t i)
{
	const struct live_module_in *m = &w->r->in->modules[i];

	if (!w->of_module[i])
		w->of_module[i] = profile_write_mapping(
			&w->writer, m->facts.start, m->facts.end, m->facts.file_offset,
			(struct profile_text){ m->path, m->facts.path_len }, m->facts.build_id,
			m->facts.build_id_len);
	return w->of_module[i];
}

static uint32_t native_location(struct writing *w, uint64_t key)
{
	uint64_t pc = key & ~LIVE_KEY_EXACT;
	uint64_t address = key & LIVE_KEY_EXACT || !pc ? pc : pc - 1;
	const struct live_in *in = w->r->in;
	uint32_t mapping = 0;

	for (size_t i = 0; i < in->n_modules && !mapping; i++)
		if (address >= in->modules[i].facts.start && address < in->modules[i].facts.end)
			mapping = module_location(w, i);
	return profile_write_native_location(&w->writer, mapping, address);
}

/* As the library does: preload/emit/locations.c. */
static uint32_t kernel_location(struct writing *w, uint64_t key)
{
	const uint64_t start = UINT64_C(0xff) << 56,
		       pc = (key & LIVE_KEY_ADDRESS) | ~LIVE_KEY_ADDRESS;
	const struct profile_text path = { PROFILE_KERNEL_MAPPING, strlen(PROFILE_KERNEL_MAPPING) };
	const struct live_head *head = &w->r->in->head;

	if (!w->kernel_mapping)
		w->kernel_mapping = profile_write_mapping(
			&w->writer, start, UINT64_MAX, start, path, head->boot_id,
			head->boot_id_len <= sizeof(head->boot_id) ? head->boot_id_len : 0);
	return profile_write_native_location(&w->writer, w->kernel_mapping,
					     key & LIVE_KEY_EXACT ? pc : pc - 1);
}

static uint32_t python_location(struct writing *w, uint64_t key)
{
	const struct live_code_in *code = recover_code_of(w->r->in, key);

	if (!code)
		return pseudo(w, "[unknown Python function]");
	return profile_write_line_location(&w->writer,
					   profile_write_function(&w->writer, code->qualname,
								  code->name, code->filename,
								  code->first_line),
					   recover_line_of(code, key));
}

/* The locations of this node and its callers, from stack[at] on; returns the depth. */
static size_t stack_of(struct writing *w, uint32_t node, size_t at)
{
	const struct live_tree_in *t = w->tree;

	for (; node && at < STACK_MAX; node = t->nodes[node].parent) {
		uint64_t key = t->nodes[node].key;

		if (!w->of_node[node])
			w->of_node[node] = key & LIVE_KEY_PYTHON ? python_location(w, key)
					   : is_kernel(key)	 ? kernel_location(w, key)
								 : native_location(w, key);
		w->stack[at++] = w->of_node[node];
	}
	return at;
}

static void label_stack(struct writing *w, uint64_t at_ns, uint32_t flags)
{
	uint64_t start = w->r->request->facts.start_ns;

	w->count = w->fixed;
	label_number(w, PROFILE_LABEL_THREAD, w->tree->facts.tid, NULL);
	label_number(w, PROFILE_LABEL_AT, (int64_t)(recover_within(w->r, at_ns) - start),
		     "nanoseconds");
	if (flags & LIVE_STACK_INCOMPLETE)
		label_text(w, PROFILE_LABEL_STACK,
			   flags & LIVE_STACK_NO_PYTHON	 ? PROFILE_STACK_NO_PYTHON
			   : flags & LIVE_STACK_UNMERGED ? PROFILE_STACK_UNMERGED
							 : PROFILE_STACK_TRUNCATED);
	if (flags & LIVE_STACK_INFERRED)
		label_text(w, PROFILE_LABEL_CERTAINTY, PROFILE_INFERRED);
}

static void write_user(struct writing *w, size_t depth)
{
	const struct recover_request *r = w->r;

	write_sample(w, depth, 1, r->period, 0,
		     share_of_tick(r->user, (int64_t)r->samples, r->period, w->written++));
}

static void write_kernel(struct writing *w, size_t depth)
{
	const struct recover_request *r = w->r;

	if (!w->kernel_root)
		w->kernel_root = pseudo(w, PROFILE_KERNEL_SAMPLED);
	w->stack[depth++] = w->kernel_root;
	label_text(w, PROFILE_LABEL_STATE, PROFILE_STATE_KERNEL);
	write_sample(w, depth, 0, r->kernel_period, 0,
		     share_of_tick(r->kernel, (int64_t)r->kernel_samples, r->kernel_period,
				   w->kernel_written++));
}

static void write_samples(struct writing *w)
{
	for (size_t i = 0; i < w->tree->n_samples && !w->writer.error; i++) {
		const struct live_sample *s = &w->tree->samples[i];
		size_t depth = stack_of(w, s->node, 0);

		label_stack(w, s->at_ns, s->flags);
		if (s->flags & LIVE_STACK_KERNEL)
			write_kernel(w, depth);
		else
			write_user(w, depth);
	}
}

static uint32_t wait_frame(struct writing *w, const char *kind, struct profile_text on)
{
	char name[sizeof(PROFILE_WAIT_FRAME) + 300];

	snprintf(name, sizeof(name), PROFILE_WAIT_FRAME "%s%s%.*s]", kind, on.len ? " " : "",
		 (int)on.len, on.bytes);
	return pseudo(w, name);
}

static void label_wait(struct writing *w, const char *kind, struct profile_text on)
{
	label_text(w, PROFILE_LABEL_STATE, PROFILE_STATE_WAIT);
	label_text(w, PROFILE_LABEL_WAIT, kind);
	label_bytes(w, PROFILE_LABEL_ON, on.bytes, on.len);
}

/* "METHOD PATH" becomes "METHOD ROUTE". */
static void label_holder(struct writing *w, struct profile_text holder)
{
	const char *path = holder.len ? memchr(holder.bytes, ' ', holder.len) : NULL;
	char text[600];
	size_t method;

	if (!path)
		return;
	method = (size_t)(path + 1 - holder.bytes);
	memcpy(text, holder.bytes, method);
	route_fold(path + 1, holder.len - method, text + method, sizeof(text) - method);
	label_text(w, PROFILE_LABEL_HOLDER, text);
}

static const char *kind_name(uint32_t kind)
{
	return wait_kind_name(kind < WAIT_KINDS ? (enum wait_kind)kind : WAIT_OTHER);
}

static void write_wait(struct writing *w, const struct live_wait *wait)
{
	struct profile_text on = live_text(w->tree, wait->on);
	int64_t ns = recover_wait_ns(w->r, wait);

	w->stack[0] = wait_frame(w, kind_name(wait->kind), on);
	label_stack(w, wait->at_ns, wait->flags);
	label_wait(w, kind_name(wait->kind), on);
	if (wait->summed)
		label_number(w, PROFILE_LABEL_COUNT, wait->count, NULL);
	if (wait->trips)
		label_number(w, PROFILE_LABEL_TRIPS, wait->trips, NULL);
	label_holder(w, live_text(w->tree, wait->holder));
	write_sample(w, stack_of(w, wait->node, 1), 0, 0, ns, ns);
}

/* The call that it was killed in, or that lasted until then. */
static void write_waiting(struct writing *w)
{
	const struct live_tree *facts = &w->tree->facts;
	const char *kind = kind_name(facts->waiting_node ? facts->waiting_kind : WAIT_OTHER);
	const struct profile_text on = { PROFILE_ON_INTERRUPTED, strlen(PROFILE_ON_INTERRUPTED) };
	int64_t ns = recover_waiting_ns(w->r, w->tree);

	if (!facts->waiting_ns)
		return;
	w->stack[0] = wait_frame(w, kind, on);
	label_stack(w, facts->waiting_ns, facts->waiting_node ? facts->waiting_flags : 0);
	label_wait(w, kind, on);
	write_sample(w, stack_of(w, facts->waiting_node, 1), 0, 0, ns, ns);
}

static void write_trees(struct writing *w)
{
	const struct live_in *in = w->r->in;

	for (size_t i = 0; i < in->n_trees; i++) {
		w->tree = &in->trees[i];
		if (!recover_works_for(w->r, w->tree))
			continue;
		w->of_node = errors_alloc(w->tree->n_nodes + 1, sizeof(*w->of_node));
		write_samples(w);
		for (size_t j = 0; j < w->tree->n_waits && !w->writer.error; j++)
			write_wait(w, &w->tree->waits[j]);
		write_waiting(w);
		free(w->of_node);
	}
}

static void write_part(struct writing *w, const char *frame, const char *state, int64_t cpu_ns,
		       int64_t ns)
{
	if (ns <= 0)
		return;
	w->stack[0] = pseudo(w, frame);
	w->count = w->fixed;
	label_text(w, PROFILE_LABEL_STATE, state);
	write_sample(w, 1, 0, cpu_ns, 0, ns);
}

static void write_wait_part(struct writing *w, const char *kind, const char *on, int64_t ns)
{
	const struct profile_text text = { on, strlen(on) };

	if (ns <= 0)
		return;
	w->stack[0] = wait_frame(w, kind, text);
	w->count = w->fixed;
	label_wait(w, kind, text);
	write_sample(w, 1, 0, 0, ns, ns);
}

static void fact(struct writing *w, const char *key, const char *value)
{
	if (*value)
		profile_write_comment(&w->writer, key, value, strlen(value));
}

static void fact_number(struct writing *w, const char *key, int64_t value)
{
	profile_write_comment_number(&w->writer, key, value);
}

/* What is left out where it is nothing. */
static void fact_count(struct writing *w, const char *key, int64_t value)
{
	if (value)
		fact_number(w, key, value);
}

static void write_parts_facts(struct writing *w)
{
	const struct recover_request *r = w->r;

	fact_number(w, PROFILE_KEY_WALL_NS, r->wall);
	fact_number(w, PROFILE_KEY_CPU_NS, r->user + r->kernel);
	fact_number(w, PROFILE_KEY_USER_NS, r->user);
	fact_number(w, PROFILE_KEY_KERNEL_NS, r->kernel);
	fact_number(w, PROFILE_KEY_WAIT_NS, r->wait);
	fact_count(w, PROFILE_KEY_GIL_NS, r->gil);
	fact_number(w, PROFILE_KEY_REST_NS, r->rest);
	fact_count(w, PROFILE_KEY_OVERLAP_NS, r->overlap);
	fact(w, PROFILE_KEY_WAITS, r->request->facts.waits ? "on" : "off");
	fact_count(w, PROFILE_KEY_WAIT_COUNT, (int64_t)r->waits);
	fact_count(w, PROFILE_KEY_TRIPS, (int64_t)r->trips);
	fact_number(w, PROFILE_KEY_SAMPLES, (int64_t)r->samples);
	fact_count(w, PROFILE_KEY_KERNEL_SAMPLES, (int64_t)r->kernel_samples);
	fact_count(w, PROFILE_KEY_LOST "kernel", (int64_t)r->kernel_lost);
	fact_number(w, PROFILE_KEY_INCOMPLETE, (int64_t)r->incomplete);
	fact_count(w, PROFILE_KEY_LOST "buffer_full", (int64_t)r->lost);
	fact_count(w, PROFILE_KEY_LOST "nested", (int64_t)r->nested);
	fact_count(w, PROFILE_KEY_LOST_WAITS, (int64_t)r->waits_lost);
}

static void write_peer(struct writing *w)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 16] = "";

	memcpy(&in, w->r->request->facts.peer, sizeof(in));
	memcpy(&in6, w->r->request->facts.peer, sizeof(in6));
	if (in.sin_family == AF_INET && inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host)))
		snprintf(text, sizeof(text), "%s:%u", host, ntohs(in.sin_port));
	else if (in.sin_family == AF_INET6 &&
		 inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof(host)))
		snprintf(text, sizeof(text), "[%s]:%u", host, ntohs(in6.sin6_port));
	else if (in.sin_family == AF_UNIX)
		snprintf(text, sizeof(text), "unix");
	fact(w, PROFILE_KEY_PEER, text);
}

static void write_executable(struct writing *w)
{
	const struct live_in *in = w->r->in;

	for (size_t i = 0; i < in->n_modules; i++)
		if (in->modules[i].facts.is_main) {
			if (in->modules[i].facts.path_len)
				profile_write_comment(&w->writer, PROFILE_KEY_EXE,
						      in->modules[i].path,
						      in->modules[i].facts.path_len);
			module_location(w, i); /* the first mapping is the program's */
			return;
		}
}

static void write_facts(struct writing *w)
{
	const struct live_request *facts = &w->r->request->facts;
	const struct live_head *head = &w->r->in->head;
	char id[48];

	fact_number(w, PROFILE_KEY_VERSION, PROFILE_VERSION);
	id[file_name_id(head->pid, w->r->counter, id)] = '\0';
	fact(w, PROFILE_KEY_ID, id);
	fact(w, PROFILE_KEY_METHOD, facts->method);
	fact(w, PROFILE_KEY_PATH, facts->path);
	if (facts->secure)
		fact(w, PROFILE_KEY_SCHEME, "https");
	if (facts->path_full_len > strlen(facts->path))
		fact_number(w, PROFILE_KEY_PATH_CUT, facts->path_full_len);
	fact(w, PROFILE_KEY_ROUTE, w->route);
	write_parts_facts(w);
	fact_count(w, PROFILE_KEY_QUEUED_NS,
		   recover_at_most(facts->arrived_ns, (int64_t)RECOVER_LONGEST_NS));
	fact(w, PROFILE_KEY_ROLE, facts->proxy ? "proxy" : "server");
	fact(w, PROFILE_KEY_END, PROFILE_END_INTERRUPTED);
	fact(w, PROFILE_KEY_INSIDE, w->r->inside);
	fact(w, PROFILE_KEY_PROTOCOL, facts->protocol);
	write_peer(w);
	fact_number(w, PROFILE_KEY_PID, head->pid);
	fact_number(w, PROFILE_KEY_TID, facts->begun_tid);
	fact_number(w, PROFILE_KEY_THREADS, facts->threads);
	if (facts->clock >= 0 &&
	    facts->clock < (int32_t)(sizeof(clock_names) / sizeof(*clock_names)))
		fact(w, PROFILE_KEY_CLOCK, clock_names[facts->clock]);
	fact_number(w, PROFILE_KEY_RATE, facts->rate);
	if (w->r->kernel_samples)
		fact_number(w, PROFILE_KEY_KERNEL_RATE, head->kernel_rate);
	fact(w, PROFILE_KEY_PYTHON, head->python);
	fact(w, PROFILE_KEY_TRACEPARENT, facts->traceparent);
	fact(w, PROFILE_KEY_REQUEST_ID, facts->request_id);
	write_executable(w);
}

int recover_profile_write(const struct recover_request *r, profile_sink sink, void *arg)
{
	const struct live_request *facts = &r->request->facts;
	struct writing *w = errors_alloc(1, sizeof(*w));
	void *memory = errors_alloc(1, PROFILE_MEMORY_GOOD);
	int64_t not_sampled = r->kernel - (int64_t)r->kernel_samples * r->kernel_period;
	int result;

	w->r = r;
	w->of_module = errors_alloc(r->in->n_modules + 1, sizeof(*w->of_module));
	route_fold(facts->path, strlen(facts->path), w->route, sizeof(w->route));
	share_start(&w->share, r->wall, r->overlap);
	profile_write_begin(&w->writer, sink, arg, memory, PROFILE_MEMORY_GOOD);
	write_facts(w);
	profile_write_times(&w->writer, (int64_t)facts->start_unix_ns, r->wall, r->period);
	label_text(w, PROFILE_LABEL_METHOD, facts->method);
	label_text(w, PROFILE_LABEL_ROUTE, w->route);
	w->fixed = w->count;
	write_trees(w);
	write_part(w, PROFILE_KERNEL_FRAME, PROFILE_STATE_KERNEL, not_sampled, not_sampled);
	write_wait_part(w, kind_name(WAIT_QUEUE), "", r->idle);
	write_wait_part(w, kind_name(WAIT_OTHER), "start of reqprof", r->prepared);
	write_part(w, PROFILE_REST_FRAME, PROFILE_STATE_REST, 0, r->rest);
	result = profile_write_end(&w->writer);
	free(w->of_module);
	free(memory);
	free(w);
	return result;
}
