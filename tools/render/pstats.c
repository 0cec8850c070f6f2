/*
 * A tree of functions is built first, with the requests' roots as its top. In it "once per stack" is
 * easy to see: an entry counts where none of its callers is the same entry.
 */
#include "tools/render/pstats.h"

#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/base/escape.h"
#include "tools/base/numbers.h"
#include "tools/render/cells.h"
#include "tools/render/marshal.h"

enum {
	NS_PER_S = 1000000000,
	NONE = UINT32_MAX,
};

#define REQUEST_FILE "<request>"

/* A key of the dict. */
struct entry {
	const char *file, *name;
	int32_t line;
	int64_t calls, own, total;
};

struct node {
	uint32_t parent, first_child, next_sibling; /* NONE ends */
	uint32_t entry;
	int64_t calls, own, total; /* calls and total with all below */
};

/* One function called by another. */
struct edge {
	uint32_t callee, caller;
	int64_t calls, own, total;
};

struct tree {
	struct strings *texts;
	struct numbers by_key; /* address of a key's text -> entry + 1 */
	struct entry *entries;
	uint32_t n_entries, entries_room;
	struct node *nodes;
	uint32_t n_nodes, nodes_room;
	struct edge *edges;
	size_t n_edges;
	uint32_t *entry_of;	     /* of the model's functions, plus 1 */
	struct numbers interpreters; /* addresses of the paths of modules that run Python code */
};

/*
 * Marshal wants UTF-8; snakeviz puts names into its page as they are, so nothing in them may end
 * its script.
 */
static const char *clean(struct tree *t, const char *text)
{
	char *out = escape_utf8(text, strlen(text));
	const char *kept;

	for (char *c = out; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '_';
		if (c[0] == '<' && c[1] == '/')
			c[1] = '_';
	}
	kept = strings_addz(t->texts, out);
	free(out);
	return kept;
}

static uint32_t entry_at(struct tree *t, const char *file, int32_t line, const char *name)
{
	struct entry new = { .file = clean(t, file), .name = clean(t, name), .line = line };
	uint64_t *index;
	char *key = NULL;
	bool fresh;

	if (asprintf(&key, "%s\n%d\n%s", new.file, (int)line, new.name) < 0) {
		errors_say("out of memory");
		exit(EXIT_FAILED);
	}
	index = numbers_at(&t->by_key, (uintptr_t)strings_addz(t->texts, key), &fresh);
	free(key);
	if (!fresh)
		return (uint32_t)*index;
	if (t->n_entries == t->entries_room) {
		t->entries_room = t->entries_room ? t->entries_room * 2 : 256;
		t->entries = errors_realloc(t->entries, t->entries_room, sizeof(*t->entries));
	}
	t->entries[t->n_entries] = new;
	*index = t->n_entries;
	return t->n_entries++;
}

/* <memcpy in libc.so.6>: pstats shows it as {memcpy in libc.so.6}, like {built-in method builtins.len}. */
static uint32_t native_entry(struct tree *t, const struct function *f)
{
	const char *slash = strrchr(f->module, '/'), *module = slash ? slash + 1 : f->module;
	size_t len = strlen(f->name);
	char *name = NULL;
	uint32_t entry;
	int made;

	if (len > 2 && f->name[0] == '[' && f->name[len - 1] == ']')
		made = asprintf(&name, "<%.*s>", (int)len - 2, f->name + 1);
	else if (*module)
		made = asprintf(&name, "<%s in %s>", f->name, module);
	else
		made = asprintf(&name, "<%s>", f->name);
	entry = entry_at(t, "~", 0, made < 0 ? f->name : name);
	free(name);
	return entry;
}

static uint32_t function_entry(struct tree *t, const struct model *m, uint32_t function)
{
	const struct function *f = &m->functions[function];
	uint32_t entry;

	if (t->entry_of[function])
		return t->entry_of[function] - 1;
	if (f->kind == FRAME_PYTHON)
		entry = entry_at(t, f->file, f->start_line, f->system_name);
	else
		entry = native_entry(t, f);
	t->entry_of[function] = entry + 1;
	return entry;
}

static uint32_t new_node(struct tree *t, uint32_t parent, uint32_t entry)
{
	if (t->n_nodes == t->nodes_room) {
		t->nodes_room = t->nodes_room ? t->nodes_room * 2 : 1024;
		t->nodes = errors_realloc(t->nodes, t->nodes_room, sizeof(*t->nodes));
	}
	t->nodes[t->n_nodes] = (struct node){
		.parent = parent, .first_child = NONE, .next_sibling = NONE, .entry = entry
	};
	if (parent != NONE) {
		t->nodes[t->n_nodes].next_sibling = t->nodes[parent].first_child;
		t->nodes[parent].first_child = t->n_nodes;
	}
	return t->n_nodes++;
}

static uint32_t child(struct tree *t, uint32_t parent, uint32_t entry)
{
	for (uint32_t n = t->nodes[parent].first_child; n != NONE; n = t->nodes[n].next_sibling)
		if (t->nodes[n].entry == entry)
			return n;
	return new_node(t, parent, entry);
}

/* A native place right below a Python one is an eval loop; the module it is in is an interpreter. */
static void find_interpreters(struct tree *t, const struct model *m)
{
	bool fresh;

	for (uint32_t i = 1; i < m->n_stacks; i++) {
		const struct location *l = &m->locations[m->stacks[i].location], *below;

		if (l->kind != FRAME_PYTHON || !m->stacks[i].parent)
			continue;
		below = &m->locations[m->stacks[m->stacks[i].parent].location];
		if (below->kind == FRAME_NATIVE)
			numbers_at(&t->interpreters, (uintptr_t)m->modules[below->module].path,
				   &fresh);
	}
}

static bool is_interpreter(const struct tree *t, const char *module)
{
	return numbers_has(&t->interpreters, (uintptr_t)module);
}

static const struct function *function_at(const struct view *v, uint32_t node)
{
	return &v->model->functions[v->model->frames[v->nodes[node].frame].function];
}

/* The node of the native function that the last Python function of a path called; NONE: there is none. */
static uint32_t called_native(const struct tree *t, const struct view *v, uint32_t node)
{
	uint32_t called = NONE;

	for (uint32_t n = node; n && function_at(v, n)->kind == FRAME_NATIVE;
	     n = v->nodes[n].parent)
		if (!v->model->frames[v->nodes[n].frame].inlined &&
		    !is_interpreter(t, function_at(v, n)->module))
			called = n;
	return called;
}

/* The functions of a call path that are shown, leaf first; how many. */
static uint32_t shown_path(const struct tree *t, const struct view *v, uint32_t node,
			   enum pstats_natives natives, uint32_t *functions)
{
	uint32_t count = 0, called;
	bool all = natives == PSTATS_ALL, python = false;

	for (uint32_t n = node; n; n = v->nodes[n].parent)
		if (function_at(v, n)->kind == FRAME_PYTHON)
			python = true;
	called = called_native(t, v, node);
	for (uint32_t n = node; n; n = v->nodes[n].parent)
		if (all || !python || n == called || function_at(v, n)->kind != FRAME_NATIVE)
			functions[count++] = v->model->frames[v->nodes[n].frame].function;
	return count;
}

static void add_cells(struct tree *t, const struct view *v, const struct cells *c,
		      enum profile_value by, enum pstats_natives natives,
		      const uint32_t *group_node)
{
	uint32_t *functions = errors_alloc(v->n_nodes + 1, sizeof(*functions));

	for (size_t i = 0; i < c->n_cells; i++) {
		const struct cell *cell = &c->cells[i];
		uint32_t count = shown_path(t, v, cell->node, natives, functions);
		uint32_t node = group_node[cell->group];

		while (count--)
			node = child(t, node, function_entry(t, v->model, functions[count]));
		t->nodes[node].own += cell->values[by];
		t->nodes[node].calls += cell->values[PROFILE_SAMPLES] + cell->count;
	}
	free(functions);
}

/* Nodes for the roots; where each group's paths start goes to group_node. */
static void add_roots(struct tree *t, const struct cells *c, uint32_t *group_node)
{
	uint32_t top = NONE, requests = 0;
	char text[32];

	for (size_t i = 0; i < c->n_groups; i++)
		requests += c->groups[i].n_requests;
	if (c->n_groups != 1) {
		snprintf(text, sizeof(text), "%u requests", requests);
		top = new_node(t, NONE, entry_at(t, REQUEST_FILE, 0, text));
		t->entries[t->nodes[top].entry].calls = requests;
	}
	for (size_t i = 0; i < c->n_groups; i++) {
		char *name = cells_group_name(&c->groups[i]);

		group_node[i] = new_node(t, top, entry_at(t, REQUEST_FILE, 0, name));
		t->entries[t->nodes[group_node[i]].entry].calls += c->groups[i].n_requests;
		free(name);
	}
}

static bool is_root(const struct tree *t, uint32_t entry)
{
	return strcmp(t->entries[entry].file, REQUEST_FILE) == 0;
}

static bool called_above(const struct tree *t, uint32_t node)
{
	for (uint32_t n = t->nodes[node].parent; n != NONE; n = t->nodes[n].parent)
		if (t->nodes[n].entry == t->nodes[node].entry)
			return true;
	return false;
}

static bool same_call_above(const struct tree *t, uint32_t node)
{
	uint32_t callee = t->nodes[node].entry, caller = t->nodes[t->nodes[node].parent].entry;

	for (uint32_t n = t->nodes[node].parent; t->nodes[n].parent != NONE; n = t->nodes[n].parent)
		if (t->nodes[n].entry == callee && t->nodes[t->nodes[n].parent].entry == caller)
			return true;
	return false;
}

static int compare_edges(const void *left, const void *right)
{
	const struct edge *a = left, *b = right;

	if (a->callee != b->callee)
		return a->callee < b->callee ? -1 : 1;
	return a->caller < b->caller ? -1 : a->caller > b->caller;
}

static void sum_up(struct tree *t)
{
	size_t kept = 0;

	/* A parent stands before its children. */
	for (uint32_t n = t->n_nodes; n-- > 0;) {
		struct node *node = &t->nodes[n];

		node->total += node->own;
		if (node->parent != NONE) {
			t->nodes[node->parent].total += node->total;
			t->nodes[node->parent].calls += node->calls;
		}
	}
	t->edges = errors_alloc(t->n_nodes, sizeof(*t->edges));
	for (uint32_t n = 0; n < t->n_nodes; n++) {
		const struct node *node = &t->nodes[n];
		struct entry *entry = &t->entries[node->entry];
		struct edge *edge = &t->edges[t->n_edges];

		entry->own += node->own;
		if (!called_above(t, n)) {
			entry->total += node->total;
			/* A root's calls are its requests, as counted before. */
			if (!is_root(t, node->entry))
				entry->calls += node->calls;
		}
		if (node->parent == NONE)
			continue;
		t->n_edges++;
		*edge = (struct edge){ node->entry, t->nodes[node->parent].entry, 0, node->own, 0 };
		if (!same_call_above(t, n)) {
			edge->calls = is_root(t, node->entry) ? entry->calls : node->calls;
			edge->total = node->total;
		}
	}
	qsort(t->edges, t->n_edges, sizeof(*t->edges), compare_edges);
	for (size_t i = 0; i < t->n_edges; i++) {
		struct edge *last = kept ? &t->edges[kept - 1] : NULL;

		if (!last || compare_edges(last, &t->edges[i]) != 0) {
			t->edges[kept++] = t->edges[i];
			continue;
		}
		last->calls += t->edges[i].calls;
		last->own += t->edges[i].own;
		last->total += t->edges[i].total;
	}
	t->n_edges = kept;
}

static void write_key(const struct entry *e, FILE *out)
{
	marshal_tuple(out, 3);
	marshal_text(out, e->file);
	marshal_integer(out, e->line);
	marshal_text(out, e->name);
}

static double seconds(int64_t value, enum profile_value by)
{
	return by == PROFILE_SAMPLES ? (double)value : (double)value / NS_PER_S;
}

/* pstats divides times by calls. */
static int64_t at_least_one(int64_t calls)
{
	return calls > 0 ? calls : 1;
}

static void write_dict(const struct tree *t, enum profile_value by, FILE *out)
{
	size_t at = 0;

	marshal_dict_begin(out);
	for (uint32_t i = 0; i < t->n_entries; i++) {
		const struct entry *e = &t->entries[i];

		write_key(e, out);
		marshal_tuple(out, 5);
		marshal_integer(out, at_least_one(e->calls));
		marshal_integer(out, at_least_one(e->calls));
		marshal_real(out, seconds(e->own, by));
		marshal_real(out, seconds(e->total, by));
		marshal_dict_begin(out);
		for (; at < t->n_edges && t->edges[at].callee == i; at++) {
			const struct edge *edge = &t->edges[at];

			write_key(&t->entries[edge->caller], out);
			marshal_tuple(out, 4);
			marshal_integer(out, at_least_one(edge->calls));
			marshal_integer(out, at_least_one(edge->calls));
			marshal_real(out, seconds(edge->own, by));
			marshal_real(out, seconds(edge->total, by));
		}
		marshal_dict_end(out);
	}
	marshal_dict_end(out);
}

void pstats_render(const struct view *v, enum profile_value by, enum pstats_natives natives,
		   FILE *out)
{
	struct cells *c = cells_make(v, false);
	struct tree t = { .texts = strings_new() };
	uint32_t *group_node = errors_alloc(c->n_groups, sizeof(*group_node));

	t.entry_of = errors_alloc(v->model->n_functions, sizeof(*t.entry_of));
	find_interpreters(&t, v->model);
	add_roots(&t, c, group_node);
	add_cells(&t, v, c, by, natives, group_node);
	sum_up(&t);
	write_dict(&t, by, out);
	free(group_node);
	free(t.entry_of);
	free(t.entries);
	free(t.nodes);
	free(t.edges);
	numbers_free(&t.by_key);
	numbers_free(&t.interpreters);
	strings_free(t.texts);
	cells_free(c);
}
