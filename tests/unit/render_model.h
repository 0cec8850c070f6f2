/*
 * Small models for tests of tools/render: a request at a time is written as a profile and loaded,
 * so that what is rendered has come the whole way. Stacks are told root first:
 *
 *     maker_begin(&k, "GET", "/x", 200);
 *     maker_sample(&k, 3, 250, (uint32_t[]){ maker_python(&k, "a.py", 10, "V.view", "view", 12) }, 1);
 *     maker_load(&k, model);
 */
#ifndef REQPROF_TESTS_UNIT_RENDER_MODEL_H
#define REQPROF_TESTS_UNIT_RENDER_MODEL_H

#include <stdlib.h>
#include <string.h>

#include "format/profile.h"
#include "tests/unit/tap.h"
#include "tools/model/load.h"
#include "tools/model/symbolize.h"
#include "tools/model/view.h"

enum { MAKER_BYTES = 1 << 20, MAKER_STACK = 512, NS_PER_MS = 1000000 };

struct maker {
	struct profile_writer w;
	uint8_t bytes[MAKER_BYTES];
	size_t len;
	uint64_t tables[PROFILE_MEMORY_MIN / 8];
	int64_t at_ms;
	int64_t samples, wall_ns, wait_ns;
};

static inline int maker_sink(void *arg, const void *bytes, size_t len)
{
	struct maker *k = arg;

	if (len > MAKER_BYTES - k->len)
		return -1;
	memcpy(k->bytes + k->len, bytes, len);
	k->len += len;
	return 0;
}

static inline struct profile_text maker_text(const char *s)
{
	return (struct profile_text){ s, strlen(s) };
}

static inline void maker_fact(struct maker *k, const char *key, const char *value)
{
	profile_write_comment(&k->w, key, value, strlen(value));
}

static inline void maker_begin(struct maker *k, const char *method, const char *route, int status)
{
	k->len = 0;
	k->at_ms = 0;
	k->samples = k->wall_ns = k->wait_ns = 0;
	profile_write_begin(&k->w, maker_sink, k, k->tables, sizeof(k->tables));
	profile_write_comment_number(&k->w, PROFILE_KEY_VERSION, PROFILE_VERSION);
	maker_fact(k, PROFILE_KEY_ID, "7-1");
	maker_fact(k, PROFILE_KEY_ROLE, "server");
	maker_fact(k, PROFILE_KEY_METHOD, method);
	maker_fact(k, PROFILE_KEY_ROUTE, route);
	maker_fact(k, PROFILE_KEY_PATH, route);
	maker_fact(k, PROFILE_KEY_EXE, "/bin/server");
	profile_write_comment_number(&k->w, PROFILE_KEY_STATUS, status);
}

static inline uint32_t maker_python(struct maker *k, const char *file, int first, const char *name,
				    const char *code_name, int line)
{
	uint32_t function = profile_write_function(&k->w, maker_text(name), maker_text(code_name),
						   maker_text(file), first);

	return profile_write_line_location(&k->w, function, line);
}

static inline uint32_t maker_pseudo(struct maker *k, const char *name)
{
	return maker_python(k, "", 0, name, name, 0);
}

static inline uint32_t maker_place(struct maker *k, const char *module, uint64_t offset)
{
	static const uint8_t id[] = { 0xab, 0xcd };
	uint32_t mapping = profile_write_mapping(&k->w, 0x10000, 0x20000, 0, maker_text(module), id,
						 sizeof(id));

	return profile_write_native_location(&k->w, mapping, 0x10000 + offset);
}

/* Called "[libthing.so.1+0x...]" unless maker_inline says otherwise. */
static inline uint32_t maker_native(struct maker *k, uint64_t offset)
{
	return maker_place(k, "/lib/libthing.so.1", offset);
}

/* count samples' worth in one: value_ms is what it stands for in wall time and half of it in CPU time. */
static inline void maker_sample(struct maker *k, int64_t count, int64_t value_ms,
				const uint32_t *root_first, size_t n)
{
	int64_t values[PROFILE_VALUES] = { count, value_ms * NS_PER_MS / 2, 0,
					   value_ms * NS_PER_MS };
	struct profile_label at = { .key = profile_write_string(&k->w, PROFILE_LABEL_AT,
								strlen(PROFILE_LABEL_AT)),
				    .num = k->at_ms * NS_PER_MS };
	uint32_t leaf_first[MAKER_STACK];

	for (size_t i = 0; i < n; i++)
		leaf_first[i] = root_first[n - 1 - i];
	profile_write_sample(&k->w, leaf_first, n, values, &at, 1);
	k->at_ms += value_ms;
	k->samples += count;
	k->wall_ns += value_ms * NS_PER_MS;
}

/* A wait as the library writes it, its "[wait: ...]" leaf included. Zero fields are left out. */
struct maker_wait {
	const char *kind, *on, *holder, *certainty;
	int64_t ns, at_ns, count, trips, thread;
	bool timed; /* at_ns counts */
};

static inline struct profile_label maker_text_label(struct maker *k, const char *key,
						    const char *value)
{
	return (struct profile_label){ .key = profile_write_string(&k->w, key, strlen(key)),
				       .str = profile_write_string(&k->w, value, strlen(value)) };
}

static inline struct profile_label maker_number_label(struct maker *k, const char *key, int64_t n)
{
	return (struct profile_label){ .key = profile_write_string(&k->w, key, strlen(key)),
				       .num = n };
}

static inline void maker_wait(struct maker *k, const struct maker_wait *w,
			      const uint32_t *root_first, size_t n)
{
	int64_t values[PROFILE_VALUES] = { 0, 0, w->ns, w->ns };
	struct profile_label labels[10];
	uint32_t leaf_first[MAKER_STACK];
	size_t n_labels = 0;
	char leaf[200];

	snprintf(leaf, sizeof(leaf), PROFILE_WAIT_FRAME "%s%s%s]", w->kind, w->on ? " " : "",
		 w->on ? w->on : "");
	leaf_first[0] = maker_pseudo(k, leaf);
	for (size_t i = 0; i < n; i++)
		leaf_first[i + 1] = root_first[n - 1 - i];
	labels[n_labels++] = maker_text_label(k, PROFILE_LABEL_STATE, PROFILE_STATE_WAIT);
	labels[n_labels++] = maker_text_label(k, PROFILE_LABEL_WAIT, w->kind);
	if (w->on)
		labels[n_labels++] = maker_text_label(k, PROFILE_LABEL_ON, w->on);
	if (w->holder)
		labels[n_labels++] = maker_text_label(k, PROFILE_LABEL_HOLDER, w->holder);
	if (w->certainty)
		labels[n_labels++] = maker_text_label(k, PROFILE_LABEL_CERTAINTY, w->certainty);
	if (w->count)
		labels[n_labels++] = maker_number_label(k, PROFILE_LABEL_COUNT, w->count);
	if (w->trips)
		labels[n_labels++] = maker_number_label(k, PROFILE_LABEL_TRIPS, w->trips);
	if (w->thread)
		labels[n_labels++] = maker_number_label(k, PROFILE_LABEL_THREAD, w->thread);
	if (w->timed)
		labels[n_labels++] = maker_number_label(k, PROFILE_LABEL_AT, w->at_ns);
	profile_write_sample(&k->w, leaf_first, n + 1, values, labels, n_labels);
	k->wall_ns += w->ns;
	k->wait_ns += w->ns;
}

/* Wall time in some state: values as given, the frames with it; in user code state is NULL. */
static inline void maker_state(struct maker *k, const char *state,
			       const int64_t values[PROFILE_VALUES], const uint32_t *root_first,
			       size_t n)
{
	struct profile_label label;
	uint32_t leaf_first[MAKER_STACK];

	if (state)
		label = maker_text_label(k, PROFILE_LABEL_STATE, state);
	for (size_t i = 0; i < n; i++)
		leaf_first[i] = root_first[n - 1 - i];
	profile_write_sample(&k->w, leaf_first, n, values, &label, state ? 1 : 0);
	k->samples += values[PROFILE_SAMPLES];
	k->wall_ns += values[PROFILE_WALL];
	k->wait_ns += values[PROFILE_WAIT];
}

/* The facts of the split, from what was put in; rest is what the others leave. */
static inline void maker_split(struct maker *k, int64_t user_ns, int64_t kernel_ns,
			       int64_t overlap_ns)
{
	profile_write_comment_number(&k->w, PROFILE_KEY_USER_NS, user_ns);
	profile_write_comment_number(&k->w, PROFILE_KEY_KERNEL_NS, kernel_ns);
	profile_write_comment_number(&k->w, PROFILE_KEY_CPU_NS, user_ns + kernel_ns);
	profile_write_comment_number(&k->w, PROFILE_KEY_WAIT_NS, k->wait_ns);
	profile_write_comment_number(&k->w, PROFILE_KEY_OVERLAP_NS, overlap_ns);
	profile_write_comment_number(&k->w, PROFILE_KEY_REST_NS,
				     k->wall_ns + overlap_ns - user_ns - kernel_ns - k->wait_ns);
	maker_fact(k, PROFILE_KEY_WAITS, "on");
}

static inline void maker_load(struct maker *k, struct model *m)
{
	struct load_error error = { 0 };

	profile_write_comment_number(&k->w, PROFILE_KEY_SAMPLES, k->samples);
	profile_write_comment_number(&k->w, PROFILE_KEY_WALL_NS, k->wall_ns);
	profile_write_times(&k->w, 1795446911000000000, k->wall_ns, NS_PER_MS);
	CHECK_INT(profile_write_end(&k->w), 0);
	CHECK_INT(load_profile_bytes(m, "made", k->bytes, k->len, &error), 0);
	if (error.reason)
		printf("# %s at %zu\n", error.reason, error.offset);
}

/* The native place at offset becomes: inner, at line 3, inlined into outer at line 9. Before naming the rest. */
static inline void maker_inline(struct model *m, uint64_t offset)
{
	for (uint32_t i = 0; i < m->n_locations; i++) {
		uint32_t inner, outer;

		if (m->locations[i].kind != FRAME_NATIVE || m->locations[i].offset != offset)
			continue;
		inner = model_function(m, FRAME_NATIVE, "inner", "inner", "thing.h", 2,
				       "/lib/libthing.so.1");
		outer = model_function(m, FRAME_NATIVE, "outer", "outer", "thing.c", 7,
				       "/lib/libthing.so.1");
		model_set_frames(m, i,
				 (uint32_t[]){ model_frame(m, inner, 3, true),
					       model_frame(m, outer, 9, false) },
				 2);
		return;
	}
	CHECK(!"the place is in the model");
}

/* What is written to a stream, as memory. Free *bytes. */
struct written {
	char *bytes;
	size_t len;
	FILE *stream;
};

static inline FILE *written_open(struct written *w)
{
	w->stream = open_memstream(&w->bytes, &w->len);
	return w->stream;
}

static inline void written_close(struct written *w)
{
	fclose(w->stream);
}

#endif
