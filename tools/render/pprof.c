#include "tools/render/pprof.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tools/base/errors.h"
#include "tools/base/numbers.h"
#include "tools/render/cells.h"

enum {
	GZIP = 15 + 16,	     /* zlib's way to ask for it */
	LOCATIONS_MAX = 512, /* of one sample: profile_write_sample takes no more */
	LINES_MAX = 64,
	BUILD_ID_MAX = 64,
};

struct pack {
	FILE *out;
	z_stream zip;
};

static int deflate_out(struct pack *p, int flush)
{
	uint8_t packed[16384];

	do {
		p->zip.next_out = packed;
		p->zip.avail_out = sizeof(packed);
		if (deflate(&p->zip, flush) == Z_STREAM_ERROR)
			return -EINVAL;
		if (fwrite(packed, 1, sizeof(packed) - p->zip.avail_out, p->out) !=
		    sizeof(packed) - p->zip.avail_out)
			return errno ? -errno : -EIO;
	} while (p->zip.avail_out == 0);
	return 0;
}

static int sink(void *arg, const void *bytes, size_t len)
{
	struct pack *p = arg;

	p->zip.next_in = (Bytef *)bytes;
	p->zip.avail_in = (uInt)len;
	return deflate_out(p, Z_NO_FLUSH);
}

/* Ids in the file of what stands in the model; 0: not written yet. */
struct writing {
	struct profile_writer w;
	const struct view *v;
	uint32_t *functions;	  /* by function id */
	uint32_t *mappings;	  /* by module id */
	struct numbers modules;	  /* address of a path -> module id */
	struct numbers chains;	  /* see chain() */
	struct numbers locations; /* chain -> location */
};

static struct profile_text text(const char *s)
{
	return (struct profile_text){ s, strlen(s) };
}

static uint32_t mapping(struct writing *o, uint32_t module)
{
	const struct module *m = &o->v->model->modules[module];
	uint8_t id[BUILD_ID_MAX];
	size_t len = 0;

	if (o->mappings[module])
		return o->mappings[module];
	for (const char *hex = m->build_id; hex[0] && hex[1] && len < BUILD_ID_MAX; hex += 2) {
		char byte[3] = { hex[0], hex[1], '\0' };

		id[len++] = (uint8_t)strtoul(byte, NULL, 16);
	}
	return o->mappings[module] = profile_write_named_mapping(&o->w, text(m->path), id, len);
}

/* pprof takes the first mapping for the main program. */
static void write_mappings(struct writing *o)
{
	const struct model *m = o->v->model;
	bool fresh;

	for (uint32_t i = m->n_modules; i-- > 0;)
		*numbers_at(&o->modules, (uintptr_t)m->modules[i].path, &fresh) = i;
	for (uint32_t r = 0; r < m->n_requests; r++)
		for (uint32_t i = 0; i < m->n_modules; i++)
			if (m->modules[i].path == m->requests[r].exe ||
			    strcmp(m->modules[i].path, m->requests[r].exe) == 0) {
				mapping(o, i);
				return;
			}
}

static uint32_t function(struct writing *o, uint32_t id)
{
	const struct function *f = &o->v->model->functions[id];

	if (!o->functions[id])
		o->functions[id] = profile_write_function(
			&o->w, text(f->name), text(f->system_name), text(f->file), f->start_line);
	return o->functions[id];
}

static uint32_t function_mapping(struct writing *o, const struct function *f)
{
	uint64_t *module;
	bool fresh;

	if (f->kind != FRAME_NATIVE || !f->module[0])
		return 0;
	module = numbers_at(&o->modules, (uintptr_t)f->module, &fresh);
	return fresh ? 0 : mapping(o, (uint32_t)*module);
}

static const struct frame *frame_of(const struct writing *o, uint32_t node)
{
	return &o->v->model->frames[o->v->nodes[node].frame];
}

/* Whether the function of this node was inlined into that of its parent. */
static bool is_inlined(const struct writing *o, uint32_t node)
{
	return node && frame_of(o, node)->inlined && o->v->nodes[node].parent;
}

/* A number for a node's frame together with all that it is inlined into, the same in every path. */
static uint32_t chain(struct writing *o, uint32_t node)
{
	uint32_t holder = is_inlined(o, node) ? chain(o, o->v->nodes[node].parent) : 0;
	uint64_t *known;
	bool fresh;

	known = numbers_at(&o->chains, (uint64_t)holder << 32 | o->v->nodes[node].frame, &fresh);
	if (fresh)
		*known = o->chains.count;
	return (uint32_t)*known;
}

/* The location of a node: its frame is the first line, what it is inlined into are the others. */
static uint32_t location(struct writing *o, uint32_t node)
{
	const struct function *f = &o->v->model->functions[frame_of(o, node)->function];
	struct profile_line lines[LINES_MAX];
	uint64_t *known;
	size_t count = 0;
	bool fresh;

	known = numbers_at(&o->locations, chain(o, node), &fresh);
	if (!fresh)
		return (uint32_t)*known;
	while (count < LINES_MAX) {
		const struct frame *frame = frame_of(o, node);

		lines[count++] = (struct profile_line){ function(o, frame->function), frame->line };
		if (!is_inlined(o, node))
			break;
		node = o->v->nodes[node].parent;
	}
	*known = profile_write_named_location(&o->w, function_mapping(o, f), lines, count);
	return (uint32_t)*known;
}

static uint32_t name(struct writing *o, const char *s)
{
	return profile_write_string(&o->w, s, strlen(s));
}

/* At most 16 of a sample. */
struct labels {
	struct profile_label all[12];
	size_t n;
};

static void add_text(struct writing *o, struct labels *l, const char *key, const char *value)
{
	if (*value)
		l->all[l->n++] = (struct profile_label){ .key = name(o, key),
							 .str = name(o, value) };
}

static void add_number(struct writing *o, struct labels *l, const char *key, int64_t value)
{
	if (value)
		l->all[l->n++] = (struct profile_label){ .key = name(o, key), .num = value };
}

static void add_labels(struct writing *o, struct labels *l, const struct cell *cell)
{
	static const char *const states[STATES] = {
		[STATE_USER] = "",
		[STATE_KERNEL] = PROFILE_STATE_KERNEL,
		[STATE_WAIT] = PROFILE_STATE_WAIT,
		[STATE_RUNNABLE] = PROFILE_STATE_RUNNABLE,
		[STATE_REST] = PROFILE_STATE_REST,
	};
	static const char *const certainties[] = { "", PROFILE_INFERRED, PROFILE_SHARED };

	add_text(o, l, PROFILE_LABEL_STATE, states[cell->state]);
	add_text(o, l, PROFILE_LABEL_CERTAINTY, certainties[cell->certainty]);
	if (cell->state != STATE_WAIT)
		return;
	add_text(o, l, PROFILE_LABEL_WAIT, wait_kind_name(cell->kind));
	add_text(o, l, PROFILE_LABEL_ON, cell->on);
	add_text(o, l, PROFILE_LABEL_HOLDER, cell->holder);
	add_number(o, l, PROFILE_LABEL_COUNT, cell->count);
	add_number(o, l, PROFILE_LABEL_TRIPS, cell->trips);
}

static void write_cell(struct writing *o, const struct group *g, const struct cell *cell)
{
	struct labels labels = { .n = 0 };
	uint32_t locations[LOCATIONS_MAX];
	size_t n_locations = 0;

	/* Of a stack that is too deep the root's end goes. */
	for (uint32_t n = cell->node; n && n_locations < LOCATIONS_MAX; n = o->v->nodes[n].parent) {
		locations[n_locations++] = location(o, n);
		while (is_inlined(o, n))
			n = o->v->nodes[n].parent;
	}
	add_text(o, &labels, PROFILE_LABEL_METHOD, g->method);
	add_text(o, &labels, PROFILE_LABEL_ROUTE, g->route);
	add_number(o, &labels, PROFILE_LABEL_STATUS, g->status);
	add_labels(o, &labels, cell);
	profile_write_sample(&o->w, locations, n_locations, cell->values, labels.all, labels.n);
}

static void write_times(struct writing *o)
{
	const struct model *m = o->v->model;
	int64_t start = 0, wall = 0, period = 0;

	for (uint32_t i = 0; i < m->n_requests; i++) {
		if (i == 0 || m->requests[i].start_ns < start)
			start = m->requests[i].start_ns;
		if (m->requests[i].period_ns > period)
			period = m->requests[i].period_ns;
		wall += m->requests[i].wall_ns;
	}
	profile_write_times(&o->w, start, wall, period);
	profile_write_comment_number(&o->w, "reqprof.requests", m->n_requests);
}

int pprof_render(const struct view *v, FILE *out)
{
	const struct model *m = v->model;
	struct pack pack = { .out = out };
	struct writing *o = errors_alloc(1, sizeof(*o));
	struct cells *c = cells_make(v, true);
	/* A quarter each for strings and locations, which are at most as many as functions and cells. */
	size_t memory_len = PROFILE_MEMORY_GOOD + (size_t)m->n_functions * 512;
	void *memory = errors_alloc(memory_len, 1);
	int error;

	if (deflateInit2(&pack.zip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK) {
		errors_say("out of memory");
		exit(EXIT_FAILED);
	}
	o->v = v;
	o->functions = errors_alloc(m->n_functions, sizeof(uint32_t));
	o->mappings = errors_alloc(m->n_modules, sizeof(uint32_t));
	profile_write_begin(&o->w, sink, &pack, memory, memory_len);
	write_mappings(o);
	write_times(o);
	for (size_t i = 0; i < c->n_cells; i++)
		write_cell(o, &c->groups[c->cells[i].group], &c->cells[i]);
	error = profile_write_end(&o->w);
	if (!error)
		error = deflate_out(&pack, Z_FINISH);
	deflateEnd(&pack.zip);
	numbers_free(&o->modules);
	numbers_free(&o->chains);
	numbers_free(&o->locations);
	free(o->functions);
	free(o->mappings);
	free(o);
	free(memory);
	cells_free(c);
	return error;
}
