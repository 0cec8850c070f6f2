#include "tools/model/load.h"

#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/base/read_file.h"

/* One buffer for all files: 10,000 of them are read one after the other. */
static struct file_bytes buffer;

static int read_profile(const void *bytes, size_t len, unsigned what, struct profile_in **in,
			struct load_error *error)
{
	struct profile_error damage = { 0, NULL };

	if (!profile_read(bytes, len, what, in, &damage))
		return 0;
	*error = (struct load_error){ 0, damage.offset, damage.reason };
	return -1;
}

static int read_bytes(const char *file, struct load_error *error)
{
	*error = (struct load_error){ 0, 0, NULL };
	return read_file(file, &buffer, &error->code, &error->reason, &error->offset);
}

int load_facts(const char *file, struct strings *pool, struct request *r, struct load_error *error)
{
	struct profile_in *in;
	int result;

	if (read_bytes(file, error) ||
	    read_profile(buffer.bytes, buffer.len, PROFILE_READ_FACTS, &in, error))
		return -1;
	result = request_read(r, in, file, pool, &error->reason);
	profile_free(in);
	return result;
}

/* ---- samples ---- */

struct loading {
	struct model *m;
	const struct profile_in *in;
	uint32_t *locations; /* the model's, by index in in->locations */
	struct {
		uint64_t id;
		uint32_t stack;
	} * path; /* see take_stack */
	size_t path_len, path_space;
};

static uint32_t take_function(struct loading *l, uint64_t id)
{
	const struct profile_function_in *f = profile_function(l->in, id);
	char **strings = l->in->strings;
	const char *name = strings[f->name], *system_name = strings[f->system_name];
	bool pseudo = name[0] == '[' && !*strings[f->filename];
	int32_t start =
		f->start_line > 0 && f->start_line <= INT32_MAX ? (int32_t)f->start_line : 0;

	if (pseudo && !strcmp(name, PROFILE_REST_FRAME_EARLIER))
		name = system_name = PROFILE_REST_FRAME;
	return model_function(l->m, pseudo ? FRAME_PSEUDO : FRAME_PYTHON,
			      *name ? name : "[unnamed]", *system_name ? system_name : name,
			      strings[f->filename], start, "");
}

static uint32_t take_location(struct loading *l, const struct profile_location_in *from)
{
	struct location to = { .kind = FRAME_NATIVE };
	const struct profile_mapping_in *mapping;

	if (from->n_lines) {
		/*
		 * Our files have one line here. Should another tool have put names in, the
		 * innermost stands.
		 */
		to.function = take_function(l, from->lines[0].function_id);
		to.kind = l->m->functions[to.function].kind;
		if (from->lines[0].line > 0 && from->lines[0].line <= INT32_MAX)
			to.line = (int32_t)from->lines[0].line;
		return model_location(l->m, &to);
	}
	mapping = profile_mapping(l->in, from->mapping_id);
	to.module = model_module(l->m, mapping ? l->in->strings[mapping->filename] : "",
				 mapping ? l->in->strings[mapping->build_id] : "");
	to.offset = mapping ? from->address - mapping->start + mapping->file_offset : from->address;
	return model_location(l->m, &to);
}

static void take_label(const struct profile_in *in, const struct profile_label_in *label,
		       struct sample *s)
{
	const char *key = in->strings[label->key], *value = in->strings[label->str];

	if (!strcmp(key, PROFILE_LABEL_AT)) {
		s->at_ns = label->num;
	} else if (!strcmp(key, PROFILE_LABEL_THREAD)) {
		s->thread = (uint32_t)label->num;
	} else if (!strcmp(key, PROFILE_LABEL_STACK)) {
		if (!strcmp(value, PROFILE_STACK_TRUNCATED))
			s->state = STACK_TRUNCATED;
		else if (!strcmp(value, PROFILE_STACK_UNMERGED))
			s->state = STACK_UNMERGED;
		else if (!strcmp(value, PROFILE_STACK_NO_PYTHON))
			s->state = STACK_NO_PYTHON;
	}
}

/*
 * Samples that follow each other mostly share their outer frames: those stacks are known from the
 * last one. l->path holds its locations root first, and the stack at each depth.
 */
static uint32_t take_stack(struct loading *l, const struct profile_sample_in *from)
{
	size_t n = from->n_locations, depth = 0;
	uint32_t stack = 0;

	if (n > l->path_space) {
		l->path_space = 2 * n;
		l->path = errors_realloc(l->path, l->path_space, sizeof(*l->path));
	}
	while (depth < n && depth < l->path_len &&
	       l->path[depth].id == from->locations[n - 1 - depth])
		stack = l->path[depth++].stack;
	for (; depth < n; depth++) {
		uint64_t id = from->locations[n - 1 - depth];
		size_t at = (size_t)(profile_location(l->in, id) - l->in->locations);

		stack = model_stack(l->m, stack, l->locations[at]);
		l->path[depth].id = id;
		l->path[depth].stack = stack;
	}
	l->path_len = n;
	return stack;
}

static void take_sample(struct loading *l, const struct profile_sample_in *from, struct sample *to)
{
	*to = (struct sample){ .request = l->m->n_requests - 1, .at_ns = -1 };
	memcpy(to->values, from->values, sizeof(to->values));
	for (size_t i = 0; i < from->n_labels; i++)
		take_label(l->in, &from->labels[i], to);
	to->stack = take_stack(l, from);
}

/*
 * What the facts say and what the samples add up to must be the same, or one of them was changed.
 */
static bool adds_up(const struct request *r, const struct profile_in *in)
{
	uint64_t samples = 0, wall = 0;

	for (size_t i = 0; i < in->n_samples; i++) {
		samples += (uint64_t)in->samples[i].values[PROFILE_SAMPLES];
		wall += (uint64_t)in->samples[i].values[PROFILE_WALL];
	}
	return samples == (uint64_t)r->samples && wall == (uint64_t)r->wall_ns;
}

/* Sums over many files must not overflow: 2^53 ns are 104 days, and there may be 1,000 of them. */
static bool in_bounds(const struct profile_in *in)
{
	for (size_t i = 0; i < in->n_samples; i++) {
		for (int j = 0; j < PROFILE_VALUES; j++) {
			int64_t value = in->samples[i].values[j];

			if (value < 0 || value > (int64_t)1 << 53)
				return false;
		}
	}
	return true;
}

static void append(struct model *m, const struct request *r, const struct profile_in *in)
{
	struct loading l = { .m = m, .in = in };
	struct sample *to;

	l.locations = errors_alloc(in->n_locations, sizeof(*l.locations));
	for (size_t i = 0; i < in->n_locations; i++)
		l.locations[i] = take_location(&l, &in->locations[i]);
	model_add_request(m, r, (uint32_t)in->n_samples);
	to = m->samples + m->requests[m->n_requests - 1].first_sample;
	for (size_t i = 0; i < in->n_samples; i++)
		take_sample(&l, &in->samples[i], &to[i]);
	free(l.locations);
	free(l.path);
}

int load_profile_bytes(struct model *m, const char *file, const void *bytes, size_t len,
		       struct load_error *error)
{
	struct profile_in *in;
	struct request r;
	int result = -1;

	*error = (struct load_error){ 0, 0, NULL };
	if (read_profile(bytes, len, PROFILE_READ_ALL, &in, error))
		return -1;
	if (request_read(&r, in, file, m->strings, &error->reason))
		goto out;
	if (!in_bounds(in)) {
		error->reason = "a sample has a value that cannot be";
	} else if (!adds_up(&r, in)) {
		error->reason = "its samples do not add up to what its facts say";
	} else if (in->n_samples > UINT32_MAX / 8 - m->n_samples) {
		error->reason = "too many samples for one run: give fewer files";
	} else {
		append(m, &r, in);
		result = 0;
	}
out:
	profile_free(in);
	return result;
}

int load_profile(struct model *m, const char *file, struct load_error *error)
{
	if (read_bytes(file, error))
		return -1;
	return load_profile_bytes(m, file, buffer.bytes, buffer.len, error);
}
