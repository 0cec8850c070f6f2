#include "tools/model/view.h"

#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"

#define VIEW_NO_STACK "[no stack]"

/* ---- the tree ---- */

struct building {
	struct view *v;
	struct model *m;
	enum view_mode mode;
	bool fold;
	uint32_t space;
	uint32_t *slots; /* node ids by (parent, frame); 0: free */
	uint32_t n_slots;
};

static uint32_t hash_child(uint32_t parent, uint32_t frame)
{
	uint64_t hash = ((uint64_t)parent << 32 | frame) * 0x9e3779b97f4a7c15u;

	return (uint32_t)(hash >> 32);
}

static void rehash(struct building *b)
{
	free(b->slots);
	b->n_slots = b->n_slots ? b->n_slots * 2 : 256;
	b->slots = errors_alloc(b->n_slots, sizeof(*b->slots));
	for (uint32_t i = 1; i < b->v->n_nodes; i++) {
		uint32_t at = hash_child(b->v->nodes[i].parent, b->v->nodes[i].frame);

		for (at &= b->n_slots - 1; b->slots[at];)
			at = (at + 1) & (b->n_slots - 1);
		b->slots[at] = i;
	}
}

static uint32_t child(struct building *b, uint32_t parent, uint32_t frame)
{
	struct view *v = b->v;
	uint32_t at;

	if (v->n_nodes * 2 >= b->n_slots)
		rehash(b);
	for (at = hash_child(parent, frame) & (b->n_slots - 1); b->slots[at];
	     at = (at + 1) & (b->n_slots - 1)) {
		const struct view_node *node = &v->nodes[b->slots[at]];

		if (node->parent == parent && node->frame == frame)
			return b->slots[at];
	}
	if (v->n_nodes == b->space) {
		b->space = b->space ? b->space * 2 : 256;
		v->nodes = errors_realloc(v->nodes, b->space, sizeof(*v->nodes));
	}
	v->nodes[v->n_nodes] = (struct view_node){ .parent = parent, .frame = frame };
	b->slots[at] = v->n_nodes;
	return v->n_nodes++;
}

static bool is_shown(enum view_mode mode, enum frame_kind kind)
{
	return kind == FRAME_PSEUDO || mode == VIEW_MIXED ||
	       (mode == VIEW_PYTHON) == (kind == FRAME_PYTHON);
}

static bool is_wait(const struct model *m, const struct location *l)
{
	return l->kind == FRAME_PSEUDO && !strncmp(m->functions[l->function].name,
						   PROFILE_WAIT_FRAME, strlen(PROFILE_WAIT_FRAME));
}

/* Where a stack ends in this view; 0 when nothing of it is shown. Its parents are done. */
static uint32_t place_stack(struct building *b, uint32_t id)
{
	const struct stack *s = &b->m->stacks[id], *parent = &b->m->stacks[s->parent];
	const struct location *l = &b->m->locations[s->location];
	uint32_t node = b->v->node_of_stack[s->parent];

	/*
	 * The native frame right below Python frames is the eval loop that ran them: see
	 * format/profile.h.
	 */
	if (b->mode == VIEW_MIXED && l->kind == FRAME_PYTHON && s->parent &&
	    b->m->locations[parent->location].kind == FRAME_NATIVE)
		node = b->v->node_of_stack[parent->parent];
	if (!is_shown(b->mode, l->kind) || (b->fold && node && is_wait(b->m, l)))
		return node;
	for (uint32_t i = l->n_frames; i--;)
		node = child(b, node, b->m->location_frames[l->first_frame + i]);
	return node;
}

/* Samples of which nothing is shown get a frame that says so. */
static void place_nothing(struct building *b)
{
	static const char *const names[] = { VIEW_NO_STACK, VIEW_NO_PYTHON, VIEW_NO_NATIVE };
	const char *name = names[b->mode];
	uint32_t function = model_function(b->m, FRAME_PSEUDO, name, name, "", 0, "");
	uint32_t node = child(b, 0, model_frame(b->m, function, 0, false));

	for (uint32_t i = 0; i < b->m->n_stacks; i++) {
		if (!b->v->node_of_stack[i])
			b->v->node_of_stack[i] = node;
	}
}

static void add_up(struct view *v)
{
	const struct model *m = v->model;

	for (uint32_t i = 0; i < m->n_samples; i++) {
		const struct sample *s = &m->samples[i];
		struct view_node *node = &v->nodes[v->node_of_stack[s->stack]];

		for (int j = 0; j < PROFILE_WALL; j++)
			node->self[j] += s->values[j];
		node->self[PROFILE_WALL] += s->share_ns;
		node->self_ticks += s->ticks;
	}
	for (uint32_t i = v->n_nodes; i--;) {
		struct view_node *node = &v->nodes[i];

		node->total_ticks += node->self_ticks;
		if (i)
			v->nodes[node->parent].total_ticks += node->total_ticks;
		for (int j = 0; j < PROFILE_VALUES; j++) {
			node->total[j] += node->self[j];
			if (i)
				v->nodes[node->parent].total[j] += node->total[j];
		}
	}
}

static int compare_siblings(const void *a, const void *b, void *arg)
{
	const struct view *v = arg;
	const struct view_node *x = &v->nodes[*(const uint32_t *)a];
	const struct view_node *y = &v->nodes[*(const uint32_t *)b];

	if (x->total[PROFILE_WALL] != y->total[PROFILE_WALL])
		return x->total[PROFILE_WALL] > y->total[PROFILE_WALL] ? -1 : 1;
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/* All nodes in one order; hung in front of their siblings from the last to the first. */
static void link_siblings(struct view *v)
{
	uint32_t n = v->n_nodes - 1, *order = errors_alloc(n, sizeof(*order));

	for (uint32_t i = 0; i < n; i++)
		order[i] = i + 1;
	qsort_r(order, n, sizeof(*order), compare_siblings, v);
	while (n--) {
		struct view_node *node = &v->nodes[order[n]];

		node->next_sibling = v->nodes[node->parent].first_child;
		v->nodes[node->parent].first_child = order[n];
	}
	free(order);
}

static struct view *make(struct model *m, enum view_mode mode, bool fold)
{
	struct view *v = errors_alloc(1, sizeof(*v));
	struct building b = { .v = v, .m = m, .mode = mode, .fold = fold, .space = 256 };
	bool nothing = false;

	v->model = m;
	v->nodes = errors_alloc(b.space, sizeof(*v->nodes));
	v->n_nodes = 1;
	v->node_of_stack = errors_alloc(m->n_stacks, sizeof(*v->node_of_stack));
	for (uint32_t i = 1; i < m->n_stacks; i++)
		v->node_of_stack[i] = place_stack(&b, i);
	for (uint32_t i = 0; i < m->n_samples; i++)
		nothing |= !v->node_of_stack[m->samples[i].stack];
	if (nothing)
		place_nothing(&b);
	add_up(v);
	link_siblings(v);
	free(b.slots);
	return v;
}

struct view *view_make(struct model *m, enum view_mode mode)
{
	return make(m, mode, false);
}

struct view *view_make_folded(struct model *m, enum view_mode mode)
{
	return make(m, mode, true);
}

void view_free(struct view *v)
{
	if (!v)
		return;
	free(v->nodes);
	free(v->node_of_stack);
	free(v);
}

/* ---- sums ---- */

/*
 * Groups say which entry a frame counts for: entries[frame] is a function id, or the first of equal
 * frames.
 */
static size_t sum_up(const struct view *v, const uint32_t *entries, uint32_t n_entries,
		     enum profile_value by, struct view_sum **out);

size_t view_by_function(const struct view *v, enum profile_value by, struct view_sum **out)
{
	const struct model *m = v->model;
	uint32_t *entries = errors_alloc(m->n_frames, sizeof(*entries));
	size_t n;

	for (uint32_t i = 0; i < m->n_frames; i++)
		entries[i] = m->frames[i].function;
	n = sum_up(v, entries, m->n_functions, by, out);
	free(entries);
	return n;
}

static int compare_places(const void *a, const void *b, void *arg)
{
	const struct frame *frames = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (frames[x].function != frames[y].function)
		return frames[x].function < frames[y].function ? -1 : 1;
	if (frames[x].line != frames[y].line)
		return frames[x].line < frames[y].line ? -1 : 1;
	return x < y ? -1 : x > y;
}

size_t view_by_line(const struct view *v, enum profile_value by, struct view_sum **out)
{
	const struct model *m = v->model;
	uint32_t *entries = errors_alloc(m->n_frames, sizeof(*entries));
	uint32_t *order = errors_alloc(m->n_frames, sizeof(*order));
	size_t n;

	for (uint32_t i = 0; i < m->n_frames; i++)
		order[i] = i;
	qsort_r(order, m->n_frames, sizeof(*order), compare_places, m->frames);
	for (uint32_t i = 0; i < m->n_frames; i++) {
		uint32_t first = i ? entries[order[i - 1]] : 0;
		bool same = i && m->frames[first].function == m->frames[order[i]].function &&
			    m->frames[first].line == m->frames[order[i]].line;

		entries[order[i]] = same ? first : order[i];
	}
	n = sum_up(v, entries, m->n_frames, by, out);
	free(order);
	free(entries);
	return n;
}

struct order {
	enum profile_value by;
};

static int compare_sums(const void *a, const void *b, void *arg)
{
	const struct view_sum *x = a, *y = b;
	enum profile_value by = ((const struct order *)arg)->by;

	if (x->self[by] != y->self[by])
		return x->self[by] > y->self[by] ? -1 : 1;
	if (x->total[by] != y->total[by])
		return x->total[by] > y->total[by] ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* The node after this one, children first; leaving a node counts its entry down again. */
static uint32_t next_node(const struct view *v, const uint32_t *entries, uint32_t *on_path,
			  uint32_t at)
{
	if (v->nodes[at].first_child)
		return v->nodes[at].first_child;
	while (at) {
		on_path[entries[v->nodes[at].frame]]--;
		if (v->nodes[at].next_sibling)
			return v->nodes[at].next_sibling;
		at = v->nodes[at].parent;
	}
	return 0;
}

static size_t sum_up(const struct view *v, const uint32_t *entries, uint32_t n_entries,
		     enum profile_value by, struct view_sum **out)
{
	struct view_sum *sums = errors_alloc(n_entries, sizeof(*sums));
	uint32_t *on_path = errors_alloc(n_entries, sizeof(*on_path));
	struct order order = { by };
	size_t n = 0;

	for (uint32_t at = v->nodes[0].first_child; at; at = next_node(v, entries, on_path, at)) {
		const struct view_node *node = &v->nodes[at];
		struct view_sum *sum = &sums[entries[node->frame]];
		/*
		 * Its outermost frame in a stack counts for the whole stack: recursion counts once.
		 */
		bool outermost = !on_path[entries[node->frame]]++;

		for (int j = 0; j < PROFILE_VALUES; j++) {
			sum->self[j] += node->self[j];
			if (outermost)
				sum->total[j] += node->total[j];
		}
		sum->self_ticks += node->self_ticks;
		if (outermost)
			sum->total_ticks += node->total_ticks;
	}
	for (uint32_t i = 0; i < n_entries; i++) {
		bool any = false;

		for (int j = 0; j < PROFILE_VALUES; j++)
			any |= sums[i].total[j] != 0;
		if (!any)
			continue;
		sums[n] = sums[i];
		sums[n++].id = i;
	}
	qsort_r(sums, n, sizeof(*sums), compare_sums, &order);
	free(on_path);
	*out = sums;
	return n;
}
