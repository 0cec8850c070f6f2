#include "tools/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"

/* One open-addressed table of ids + 1 for each kind of entry; 0 is free. */
struct table {
	uint32_t *slots;
	uint32_t n_slots;
};

struct model_index {
	struct table functions, frames, modules, locations, stacks;
};

enum {
	SPACE_FUNCTIONS,
	SPACE_FRAMES,
	SPACE_MODULES,
	SPACE_LOCATIONS,
	SPACE_STACKS,
	SPACE_PLACES,
	SPACE_SAMPLES
};

static uint32_t mix(uint64_t hash)
{
	hash *= 0x9e3779b97f4a7c15u;
	return (uint32_t)(hash >> 32);
}

static uint64_t add(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * 0xd6e8feb86659fd93u ^ hash >> 29;
}

/* Texts are pooled: equal ones have equal addresses. */
static uint64_t add_text(uint64_t hash, const char *pooled)
{
	return add(hash, (uintptr_t)pooled);
}

static uint32_t hash_function(const struct function *f)
{
	uint64_t hash = add_text(add_text(f->kind, f->name), f->file);

	return mix(
		add(add_text(add_text(hash, f->module), f->system_name), (uint32_t)f->start_line));
}

static uint32_t hash_frame(const struct frame *f)
{
	return mix(add(add(f->function, (uint32_t)f->line), f->inlined));
}

static uint32_t hash_module(const struct module *m)
{
	return mix(add_text(add_text(0, m->path), m->build_id));
}

static uint32_t hash_location(const struct location *l)
{
	if (l->kind == FRAME_NATIVE)
		return mix(add(l->module, l->offset));
	return mix(add(add(1, l->function), (uint32_t)l->line));
}

static uint32_t hash_stack(const struct stack *s)
{
	return mix((uint64_t)s->parent << 32 | s->location);
}

static bool same_function(const struct function *a, const struct function *b)
{
	return a->kind == b->kind && a->name == b->name && a->file == b->file &&
	       a->module == b->module && a->system_name == b->system_name &&
	       a->start_line == b->start_line;
}

static bool same_location(const struct location *a, const struct location *b)
{
	return a->kind == b->kind && a->function == b->function && a->line == b->line &&
	       a->module == b->module && a->offset == b->offset;
}

/* Makes room for one more entry of an array that has n. */
static void *grow(void *array, uint32_t n, uint32_t *space, size_t size)
{
	if (n < *space)
		return array;
	if (n >= UINT32_MAX / 4) {
		errors_say("too many stacks for one run: give fewer files");
		exit(EXIT_FAILED);
	}
	*space = *space ? *space * 2 : 64;
	return errors_realloc(array, *space, size);
}

/* Doubles a table that is half full; its entries are entered again by their hashes. */
#define REHASH(table, n, hash_of)                                                            \
	do {                                                                                 \
		struct table *rehashed = (table);                                            \
		if ((n)*2 >= rehashed->n_slots) {                                            \
			free(rehashed->slots);                                               \
			rehashed->n_slots = rehashed->n_slots ? rehashed->n_slots * 2 : 256; \
			rehashed->slots = errors_alloc(rehashed->n_slots, sizeof(uint32_t)); \
			for (uint32_t id = 0; id < (n); id++) {                              \
				uint32_t free_at = (hash_of) & (rehashed->n_slots - 1);      \
				while (rehashed->slots[free_at])                             \
					free_at = (free_at + 1) & (rehashed->n_slots - 1);   \
				rehashed->slots[free_at] = id + 1;                           \
			}                                                                    \
		}                                                                            \
	} while (0)

/* The slot that holds the id + 1 of an entry for which `same` is true of id, or a free one. */
#define PROBE(at, table, hash, same)                                     \
	for ((at) = (hash) & ((table)->n_slots - 1); (table)->slots[at]; \
	     (at) = ((at) + 1) & ((table)->n_slots - 1)) {               \
		uint32_t id = (table)->slots[at] - 1;                    \
		if (same)                                                \
			return id;                                       \
	}

const char *wait_kind_name(enum wait_kind kind)
{
#define WAIT_KIND_NAME(id, name, help) name,
	static const char *const names[] = { PROFILE_WAIT_KINDS(WAIT_KIND_NAME) };
#undef WAIT_KIND_NAME

	return names[kind];
}

struct model *model_new(void)
{
	struct model *m = errors_alloc(1, sizeof(*m));

	m->index = errors_alloc(1, sizeof(*m->index));
	m->strings = strings_new();
	m->stacks = grow(NULL, 0, &m->space[SPACE_STACKS], sizeof(*m->stacks));
	m->stacks[0] = (struct stack){ 0, UINT32_MAX };
	m->n_stacks = 1;
	return m;
}

void model_free(struct model *m)
{
	if (!m)
		return;
	free(m->index->functions.slots);
	free(m->index->frames.slots);
	free(m->index->modules.slots);
	free(m->index->locations.slots);
	free(m->index->stacks.slots);
	free(m->index);
	free(m->requests);
	free(m->functions);
	free(m->frames);
	free(m->modules);
	free(m->locations);
	free(m->location_frames);
	free(m->stacks);
	free(m->samples);
	strings_free(m->strings);
	free(m);
}

uint32_t model_function(struct model *m, enum frame_kind kind, const char *name,
			const char *system_name, const char *file, int32_t start_line,
			const char *module)
{
	struct function new = {
		.kind = kind,
		.name = strings_addz(m->strings, name),
		.system_name = strings_addz(m->strings, system_name),
		.file = strings_addz(m->strings, file),
		.module = strings_addz(m->strings, module),
		.start_line = start_line,
	};
	struct table *table = &m->index->functions;
	uint32_t at;

	REHASH(table, m->n_functions, hash_function(&m->functions[id]));
	PROBE(at, table, hash_function(&new), same_function(&m->functions[id], &new));
	m->functions = grow(m->functions, m->n_functions, &m->space[SPACE_FUNCTIONS], sizeof(new));
	m->functions[m->n_functions] = new;
	table->slots[at] = m->n_functions + 1;
	return m->n_functions++;
}

uint32_t model_frame(struct model *m, uint32_t function, int32_t line, bool inlined)
{
	struct frame new = { function, line, inlined };
	struct table *table = &m->index->frames;
	uint32_t at;

	REHASH(table, m->n_frames, hash_frame(&m->frames[id]));
	PROBE(at, table, hash_frame(&new),
	      m->frames[id].function == function && m->frames[id].line == line &&
		      m->frames[id].inlined == inlined);
	m->frames = grow(m->frames, m->n_frames, &m->space[SPACE_FRAMES], sizeof(new));
	m->frames[m->n_frames] = new;
	table->slots[at] = m->n_frames + 1;
	return m->n_frames++;
}

uint32_t model_module(struct model *m, const char *path, const char *build_id)
{
	struct module new = { strings_addz(m->strings, path), strings_addz(m->strings, build_id) };
	struct table *table = &m->index->modules;
	uint32_t at;

	REHASH(table, m->n_modules, hash_module(&m->modules[id]));
	PROBE(at, table, hash_module(&new),
	      m->modules[id].path == new.path && m->modules[id].build_id == new.build_id);
	m->modules = grow(m->modules, m->n_modules, &m->space[SPACE_MODULES], sizeof(new));
	m->modules[m->n_modules] = new;
	table->slots[at] = m->n_modules + 1;
	return m->n_modules++;
}

uint32_t model_location(struct model *m, const struct location *like)
{
	struct location new = *like;
	struct table *table = &m->index->locations;
	uint32_t at;

	new.first_frame = new.n_frames = 0;
	REHASH(table, m->n_locations, hash_location(&m->locations[id]));
	PROBE(at, table, hash_location(&new), same_location(&m->locations[id], &new));
	m->locations = grow(m->locations, m->n_locations, &m->space[SPACE_LOCATIONS], sizeof(new));
	m->locations[m->n_locations] = new;
	table->slots[at] = m->n_locations + 1;
	return m->n_locations++;
}

uint32_t model_stack(struct model *m, uint32_t parent, uint32_t leaf)
{
	struct stack new = { parent, leaf };
	struct table *table = &m->index->stacks;
	uint32_t at;

	REHASH(table, m->n_stacks, hash_stack(&m->stacks[id]));
	PROBE(at, table, hash_stack(&new),
	      m->stacks[id].parent == parent && m->stacks[id].location == leaf);
	m->stacks = grow(m->stacks, m->n_stacks, &m->space[SPACE_STACKS], sizeof(new));
	m->stacks[m->n_stacks] = new;
	table->slots[at] = m->n_stacks + 1;
	return m->n_stacks++;
}

void model_add_request(struct model *m, const struct request *r, uint32_t n_samples)
{
	struct request *to;

	/* grows at powers of two only, so that adding many stays cheap */
	if (!(m->n_requests & (m->n_requests - 1)))
		m->requests = errors_realloc(m->requests, m->n_requests ? m->n_requests * 2 : 1,
					     sizeof(*m->requests));
	if (n_samples > m->space[SPACE_SAMPLES] - m->n_samples) {
		m->space[SPACE_SAMPLES] = (m->n_samples + n_samples) * 2;
		m->samples =
			errors_realloc(m->samples, m->space[SPACE_SAMPLES], sizeof(*m->samples));
	}
	to = &m->requests[m->n_requests++];
	*to = *r;
	to->first_sample = m->n_samples;
	to->n_samples = n_samples;
	m->n_samples += n_samples;
}

void model_order_requests(struct model *m)
{
	qsort(m->requests, m->n_requests, sizeof(*m->requests), request_compare_starts);
	for (uint32_t i = 0; i < m->n_requests; i++) {
		const struct request *r = &m->requests[i];

		for (uint32_t j = 0; j < r->n_samples; j++)
			m->samples[r->first_sample + j].request = i;
	}
}

void model_set_frames(struct model *m, uint32_t location, const uint32_t *frames, uint32_t n)
{
	m->locations[location].first_frame = m->n_location_frames;
	m->locations[location].n_frames = n;
	for (uint32_t i = 0; i < n; i++) {
		m->location_frames = grow(m->location_frames, m->n_location_frames,
					  &m->space[SPACE_PLACES], sizeof(*m->location_frames));
		m->location_frames[m->n_location_frames++] = frames[i];
	}
}
