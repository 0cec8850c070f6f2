#include "tools/model/load.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/base/errors.h"
#include "tools/base/read_file.h"
#include "tools/symbol/symbol.h"

static int decode(const void *bytes, size_t len, unsigned what, struct profile_in **in,
		  struct load_error *error)
{
	struct profile_error damage = { 0, NULL };

	if (!profile_read(bytes, len, what, in, &damage))
		return 0;
	*error = (struct load_error){ 0, damage.offset, damage.reason };
	return -1;
}

int load_decode(const char *file, struct file_bytes *bytes, unsigned what, struct profile_in **in,
		struct load_error *error)
{
	*error = (struct load_error){ 0, 0, NULL };
	*in = NULL;
	if (read_file(file, bytes, &error->code, &error->reason, &error->offset))
		return -1;
	return decode(bytes->bytes, bytes->len, what, in, error);
}

/* ---- samples ---- */

/* Keys of labels, and the words that their values may be. */
enum word {
	WORD_NEW, /* not looked at yet */
	WORD_UNKNOWN,
	WORD_AT,
	WORD_THREAD,
	WORD_STACK,
	WORD_STATE,
	WORD_WAIT,
	WORD_ON,
	WORD_COUNT,
	WORD_TRIPS,
	WORD_HOLDER,
	WORD_CERTAINTY,
};

struct loading {
	struct model *m;
	const struct profile_in *in;
	uint8_t *words;	     /* enum word of each string, once it was met as a key */
	const char *none;    /* "", pooled */
	const struct request *request;
	uint32_t generated;  /* the module of its generated code, plus 1; 0: not needed yet */
	const char **texts;  /* strings of the input in the model's pool, once needed */
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
	/* Code has a file; what has none is ours, such as "[kernel]" and the kernel's functions above it. */
	bool pseudo = !*strings[f->filename];
	int32_t start =
		f->start_line > 0 && f->start_line <= INT32_MAX ? (int32_t)f->start_line : 0;

	if (pseudo && !strcmp(name, PROFILE_REST_FRAME_EARLIER))
		name = system_name = PROFILE_REST_FRAME;
	if (!*system_name)
		system_name = pseudo ? name : profile_code_name(name);
	return model_function(l->m, pseudo ? FRAME_PSEUDO : FRAME_PYTHON,
			      *name ? name : "[unnamed]", *system_name ? system_name : name,
			      strings[f->filename], start, "");
}

/* Addresses in no file mean something in their own process only. */
static uint32_t generated_code(struct loading *l)
{
	char number[32], *process;
	uint64_t start = 0;
	struct stat st;

	if (l->generated)
		return l->generated - 1;
	if (profile_fact(l->in, PROFILE_KEY_PROCESS_START, number, sizeof(number)) > 0)
		start = strtoull(number, NULL, 10);
	process = symbol_process((uint32_t)l->request->pid, start,
				 stat(l->request->file, &st) == 0 ? st.st_uid : geteuid());
	l->generated = model_module(l->m, SYMBOL_GENERATED, process) + 1;
	free(process);
	return l->generated - 1;
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
	to.module = mapping ? model_module(l->m, l->in->strings[mapping->filename],
					   l->in->strings[mapping->build_id]) :
			      generated_code(l);
	to.offset = mapping ? from->address - mapping->start + mapping->file_offset : from->address;
	return model_location(l->m, &to);
}

static enum word word_of(const char *key)
{
	static const struct {
		const char *key;
		enum word word;
	} known[] = {
		{ PROFILE_LABEL_AT, WORD_AT },	       { PROFILE_LABEL_THREAD, WORD_THREAD },
		{ PROFILE_LABEL_STACK, WORD_STACK },   { PROFILE_LABEL_STATE, WORD_STATE },
		{ PROFILE_LABEL_WAIT, WORD_WAIT },     { PROFILE_LABEL_ON, WORD_ON },
		{ PROFILE_LABEL_COUNT, WORD_COUNT },   { PROFILE_LABEL_TRIPS, WORD_TRIPS },
		{ PROFILE_LABEL_HOLDER, WORD_HOLDER }, { PROFILE_LABEL_CERTAINTY, WORD_CERTAINTY },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(key, known[i].key))
			return known[i].word;
	}
	return WORD_UNKNOWN;
}

static const char *take_text(struct loading *l, int64_t string)
{
	if (!l->texts[string])
		l->texts[string] = strings_addz(l->m->strings, l->in->strings[string]);
	return l->texts[string];
}

static enum stack_state stack_state_of(const char *value)
{
	if (!strcmp(value, PROFILE_STACK_TRUNCATED))
		return STACK_TRUNCATED;
	if (!strcmp(value, PROFILE_STACK_UNMERGED))
		return STACK_UNMERGED;
	return !strcmp(value, PROFILE_STACK_NO_PYTHON) ? STACK_NO_PYTHON : STACK_WHOLE;
}

/* What a later version calls otherwise is unaccounted to us. */
static enum sample_state state_of(const char *value)
{
	if (!strcmp(value, PROFILE_STATE_WAIT))
		return STATE_WAIT;
	if (!strcmp(value, PROFILE_STATE_KERNEL))
		return STATE_KERNEL;
	return !strcmp(value, PROFILE_STATE_RUNNABLE) ? STATE_RUNNABLE : STATE_REST;
}

static enum wait_kind kind_of(const char *value)
{
	enum wait_kind kind = 0;

	while (kind < WAIT_OTHER && strcmp(value, wait_kind_name(kind)) != 0)
		kind++;
	return kind;
}

/* Any number can stand there; what is added up over files must not overflow. */
static int64_t amount(int64_t n)
{
	return n < 0 || n > (int64_t)1 << 53 ? 0 : n;
}

static void take_label(struct loading *l, const struct profile_label_in *label, struct sample *s)
{
	const char *value = l->in->strings[label->str];

	if (l->words[label->key] == WORD_NEW)
		l->words[label->key] = (uint8_t)word_of(l->in->strings[label->key]);
	switch ((enum word)l->words[label->key]) {
	case WORD_AT:
		s->at_ns = label->num;
		break;
	case WORD_THREAD:
		s->thread = (uint32_t)label->num;
		break;
	case WORD_STACK:
		s->stack_state = stack_state_of(value);
		break;
	case WORD_STATE:
		s->state = state_of(value);
		break;
	case WORD_WAIT:
		s->kind = kind_of(value);
		break;
	case WORD_ON:
		s->on = take_text(l, label->str);
		break;
	case WORD_COUNT:
		s->count = amount(label->num);
		break;
	case WORD_TRIPS:
		s->trips = amount(label->num);
		break;
	case WORD_HOLDER:
		s->holder = take_text(l, label->str);
		break;
	case WORD_CERTAINTY:
		s->certainty = strcmp(value, PROFILE_SHARED) ? INFERRED : SHARED;
		break;
	case WORD_NEW:
	case WORD_UNKNOWN:
		break;
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

static const char *single_frame(const struct model *m, uint32_t stack)
{
	const struct location *l;

	if (!stack || m->stacks[stack].parent)
		return "";
	l = &m->locations[m->stacks[stack].location];
	return l->kind == FRAME_PSEUDO ? m->functions[l->function].name : "";
}

/* What files from before there was a label for it are known by, and how many ticks it stands for. */
static void settle_state(struct loading *l, struct sample *s)
{
	const char *frame = single_frame(l->m, s->stack);

	if (s->state == STATE_USER && s->values[PROFILE_WAIT])
		s->state = STATE_WAIT;
	else if (s->state == STATE_USER && !strcmp(frame, PROFILE_REST_FRAME))
		s->state = STATE_REST;
	if (s->state == STATE_USER)
		s->ticks = (uint32_t)s->values[PROFILE_SAMPLES];
	else if (s->state == STATE_KERNEL && strcmp(frame, PROFILE_KERNEL_FRAME) != 0)
		s->ticks = 1;
	if (s->state != STATE_WAIT)
		s->count = s->trips = 0;
}

static void take_sample(struct loading *l, const struct profile_sample_in *from, struct sample *to)
{
	*to = (struct sample){
		.request = l->m->n_requests - 1,
		.at_ns = -1,
		.count = 1,
		.kind = WAIT_OTHER,
		.on = l->none,
		.holder = l->none,
	};
	memcpy(to->values, from->values, sizeof(to->values));
	to->share_ns = to->values[PROFILE_WALL];
	for (size_t i = 0; i < from->n_labels; i++)
		take_label(l, &from->labels[i], to);
	to->stack = take_stack(l, from);
	settle_state(l, to);
}

/* A wait for the GIL has a sample for each of those that held it meanwhile; they are one wait. */
static bool is_same_wait(const struct sample *a, const struct sample *b)
{
	return a->state == STATE_WAIT && b->state == STATE_WAIT && a->kind == WAIT_GIL &&
	       b->kind == WAIT_GIL && b->count == 1 && a->count <= 1 && a->at_ns >= 0 &&
	       a->at_ns == b->at_ns && a->thread == b->thread;
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
	if (r->split &&
	    (uint64_t)r->wall_ns != (uint64_t)r->user_ns + (uint64_t)r->kernel_ns +
					    (uint64_t)r->wait_ns + (uint64_t)r->runnable_ns +
					    (uint64_t)r->rest_ns - (uint64_t)r->overlap_ns)
		return false;
	return samples == (uint64_t)r->samples && wall == (uint64_t)r->wall_ns;
}

/* Sums over many files must not overflow: 2^53 ns are 104 days, and there may be 1,000 of them. */
static bool is_time(int64_t ns)
{
	return ns >= 0 && ns <= (int64_t)1 << 53;
}

static bool in_bounds(const struct profile_in *in)
{
	for (size_t i = 0; i < in->n_samples; i++) {
		for (int j = 0; j < PROFILE_VALUES; j++) {
			if (!is_time(in->samples[i].values[j]))
				return false;
		}
	}
	return true;
}

static void append(struct model *m, const struct request *r, const struct profile_in *in)
{
	struct loading l = { .m = m, .in = in, .request = r };
	struct sample *to;

	l.none = strings_addz(m->strings, "");
	l.words = errors_alloc(in->n_strings, sizeof(*l.words));
	l.texts = errors_alloc(in->n_strings, sizeof(*l.texts));
	l.locations = errors_alloc(in->n_locations, sizeof(*l.locations));
	for (size_t i = 0; i < in->n_locations; i++)
		l.locations[i] = take_location(&l, &in->locations[i]);
	model_add_request(m, r, (uint32_t)in->n_samples);
	/* A model that has no sample yet has no array of them. */
	to = in->n_samples ? m->samples + m->requests[m->n_requests - 1].first_sample : NULL;
	for (size_t i = 0; i < in->n_samples; i++) {
		take_sample(&l, &in->samples[i], &to[i]);
		if (i && is_same_wait(&to[i - 1], &to[i]))
			to[i].count = 0;
	}
	free(l.locations);
	free(l.words);
	free(l.texts);
	free(l.path);
}

int load_append(struct model *m, const struct request *r, const struct profile_in *in,
		struct load_error *error)
{
	*error = (struct load_error){ 0, 0, NULL };
	if (!in_bounds(in)) {
		error->reason = "a sample has a value that cannot be";
	} else if (!adds_up(r, in)) {
		error->reason = "its samples do not add up to what its facts say";
	} else if (in->n_samples > UINT32_MAX / 8 - m->n_samples) {
		error->reason = "too many samples for one run: give fewer files";
	} else {
		append(m, r, in);
		return 0;
	}
	return -1;
}

/* Frees in. */
static int take_profile(struct model *m, const char *file, struct profile_in *in,
			struct load_error *error)
{
	struct request r;
	int result = request_read(&r, in, file, m->strings, &error->reason);

	if (!result)
		result = load_append(m, &r, in, error);
	profile_free(in);
	return result;
}

int load_profile_bytes(struct model *m, const char *file, const void *bytes, size_t len,
		       struct load_error *error)
{
	struct profile_in *in;

	*error = (struct load_error){ 0, 0, NULL };
	if (decode(bytes, len, PROFILE_READ_ALL, &in, error))
		return -1;
	return take_profile(m, file, in, error);
}

int load_profile(struct model *m, const char *file, struct load_error *error)
{
	struct file_bytes bytes = { 0 };
	struct profile_in *in;
	int result = load_decode(file, &bytes, PROFILE_READ_ALL, &in, error);

	if (!result)
		result = take_profile(m, file, in, error);
	free(bytes.bytes);
	return result;
}
