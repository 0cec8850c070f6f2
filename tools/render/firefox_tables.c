#include "tools/render/firefox_tables.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/base/json.h"

enum { RESOURCE_LIBRARY = 1, NS_PER_MS = 1000000 };

static struct firefox_numbering numbering_new(uint32_t n)
{
	return (struct firefox_numbering){ errors_alloc(n, sizeof(uint32_t)),
					   errors_alloc(n, sizeof(uint32_t)), 0 };
}

static void numbering_clear(struct firefox_numbering *n)
{
	while (n->count)
		n->number[n->ids[--n->count]] = 0;
}

static void numbering_free(struct firefox_numbering *n)
{
	free(n->number);
	free(n->ids);
}

static uint32_t numbered(struct firefox_numbering *n, uint32_t id)
{
	if (!n->number[id]) {
		n->ids[n->count] = id;
		n->number[id] = ++n->count;
	}
	return n->number[id] - 1;
}

uint32_t firefox_text(struct firefox_writing *w, const char *text)
{
	const char *pooled = strings_addz(w->m->strings, text);
	bool fresh;
	uint64_t *known = numbers_at(&w->text_numbers, (uintptr_t)pooled, &fresh);

	if (!fresh)
		return (uint32_t)*known;
	*known = w->n_texts;
	if (w->n_texts == w->texts_room) {
		w->texts_room = w->texts_room ? w->texts_room * 2 : 256;
		w->texts = errors_realloc(w->texts, w->texts_room, sizeof(*w->texts));
	}
	w->texts[w->n_texts] = pooled;
	return w->n_texts++;
}

/* ---- columns ---- */

void firefox_column(FILE *out, const char *name)
{
	fprintf(out, ",\"%s\":[", name);
}

void firefox_put_ms(FILE *out, int64_t ns)
{
	fprintf(out, "%" PRId64 ".%06" PRId64, ns / NS_PER_MS, ns % NS_PER_MS);
}

/* A column that has the same everywhere. */
static void constant(FILE *out, const char *name, uint32_t n, const char *value)
{
	firefox_column(out, name);
	for (uint32_t i = 0; i < n; i++)
		fprintf(out, "%s%s", i ? "," : "", value);
	putc(']', out);
}

/* ---- categories ---- */

void firefox_put_categories(FILE *out)
{
	static const struct {
		const char *name, *color;
	} categories[CATEGORIES] = {
		[CATEGORY_OTHER] = { "Other", "grey" },
		[CATEGORY_PYTHON] = { "Python", "yellow" },
		[CATEGORY_NATIVE] = { "Native", "green" },
		[CATEGORY_KERNEL] = { "Kernel", "orange" },
		[CATEGORY_WAIT] = { "Wait", "blue" },
		[CATEGORY_RUNNABLE] = { "Waiting for a CPU", "red" },
		[CATEGORY_REST] = { "Unaccounted", "transparent" },
	};

	fputs("\"categories\":[", out);
	for (int i = 0; i < CATEGORIES; i++) {
		fprintf(out, "%s{\"name\":\"%s\",\"color\":\"%s\",\"subcategories\":[\"Other\"",
			i ? "," : "", categories[i].name, categories[i].color);
		for (int kind = 0; i == CATEGORY_WAIT && kind < WAIT_KINDS; kind++) {
			putc(',', out);
			json_put_text(out, wait_kind_name((enum wait_kind)kind));
		}
		fputs("]}", out);
	}
	putc(']', out);
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static enum firefox_category category_of(const struct function *f)
{
	if (f->kind == FRAME_PYTHON)
		return CATEGORY_PYTHON;
	if (f->kind == FRAME_NATIVE)
		return strcmp(f->module, PROFILE_KERNEL_MAPPING) ? CATEGORY_NATIVE
								 : CATEGORY_KERNEL;
	if (begins(f->name, PROFILE_WAIT_FRAME))
		return CATEGORY_WAIT;
	if (!strcmp(f->name, PROFILE_REST_FRAME))
		return CATEGORY_REST;
	if (!strcmp(f->name, PROFILE_RUNNABLE_FRAME))
		return CATEGORY_RUNNABLE;
	/* the kernel's functions have no brackets */
	if (f->name[0] != '[' || begins(f->name, "[kernel"))
		return CATEGORY_KERNEL;
	return CATEGORY_OTHER;
}

/* 0 is the category itself. */
static int subcategory_of(const struct function *f)
{
	const char *kind = f->name + strlen(PROFILE_WAIT_FRAME);

	if (category_of(f) != CATEGORY_WAIT)
		return 0;
	for (int i = WAIT_KINDS; i--;) {
		const char *name = wait_kind_name((enum wait_kind)i);

		/* from the last: "client send" is no "client" */
		if (begins(kind, name) && strchr(" ]", kind[strlen(name)]))
			return i + 1;
	}
	return 0;
}

/* ---- tables of a thread ---- */

static const struct function *function_of_node(const struct firefox_writing *w, uint32_t node)
{
	return &w->m->functions[w->m->frames[w->v->nodes[node].frame].function];
}

/* Parents first: a node's prefix must stand before it. */
static uint32_t stack_number(struct firefox_writing *w, uint32_t node)
{
	uint32_t parent = w->v->nodes[node].parent;

	if (parent && !w->nodes.number[node])
		stack_number(w, parent);
	return numbered(&w->nodes, node);
}

uint32_t firefox_node(const struct firefox_writing *w, const struct piece *p)
{
	return w->v->node_of_stack[w->m->samples[p->sample].stack];
}

void firefox_number_all(struct firefox_writing *w, const struct track *track)
{
	numbering_clear(&w->nodes);
	numbering_clear(&w->frames);
	numbering_clear(&w->functions);
	numbering_clear(&w->modules);
	w->n_texts = 0;
	numbers_free(&w->text_numbers);
	w->text_numbers = (struct numbers){ 0 };
	for (size_t i = 0; i < track->n_parts; i++) {
		const struct thread_line *line = track->parts[i].line;

		for (size_t j = 0; j < line->n_pieces; j++)
			stack_number(w, firefox_node(w, &line->pieces[j]));
	}
	for (uint32_t i = 0; i < w->nodes.count; i++)
		numbered(&w->frames, w->v->nodes[w->nodes.ids[i]].frame);
	for (uint32_t i = 0; i < w->frames.count; i++)
		numbered(&w->functions, w->m->frames[w->frames.ids[i]].function);
}

static void put_stacks(struct firefox_writing *w)
{
	fprintf(w->out, ",\"stackTable\":{\"length\":%" PRIu32, w->nodes.count);
	firefox_column(w->out, "prefix");
	for (uint32_t i = 0; i < w->nodes.count; i++) {
		uint32_t parent = w->v->nodes[w->nodes.ids[i]].parent;

		if (parent)
			fprintf(w->out, "%s%" PRIu32, i ? "," : "", w->nodes.number[parent] - 1);
		else
			fputs(i ? ",null" : "null", w->out);
	}
	putc(']', w->out);
	FIREFOX_COLUMN(w, "frame", w->nodes.count, "%" PRIu32,
		       w->frames.number[w->v->nodes[w->nodes.ids[i]].frame] - 1);
	FIREFOX_COLUMN(w, "category", w->nodes.count, "%d",
		       (int)category_of(function_of_node(w, w->nodes.ids[i])));
	FIREFOX_COLUMN(w, "subcategory", w->nodes.count, "%d",
		       subcategory_of(function_of_node(w, w->nodes.ids[i])));
	putc('}', w->out);
}

static void put_lines(struct firefox_writing *w, const char *name, uint32_t n, bool first_line)
{
	firefox_column(w->out, name);
	for (uint32_t i = 0; i < n; i++) {
		int32_t line = first_line ? w->m->functions[w->functions.ids[i]].start_line
					  : w->m->frames[w->frames.ids[i]].line;

		if (line > 0)
			fprintf(w->out, "%s%" PRId32, i ? "," : "", line);
		else
			fputs(i ? ",null" : "null", w->out);
	}
	putc(']', w->out);
}

static void put_frames(struct firefox_writing *w)
{
	uint32_t n = w->frames.count;

	fprintf(w->out, ",\"frameTable\":{\"length\":%" PRIu32, n);
	constant(w->out, "address", n, "-1");
	FIREFOX_COLUMN(w, "inlineDepth", n, "%d", 0);
	FIREFOX_COLUMN(w, "category", n, "%d",
		       (int)category_of(&w->m->functions[w->m->frames[w->frames.ids[i]].function]));
	FIREFOX_COLUMN(w, "subcategory", n, "%d",
		       subcategory_of(&w->m->functions[w->m->frames[w->frames.ids[i]].function]));
	FIREFOX_COLUMN(w, "func", n, "%" PRIu32,
		       w->functions.number[w->m->frames[w->frames.ids[i]].function] - 1);
	constant(w->out, "nativeSymbol", n, "null");
	constant(w->out, "innerWindowID", n, "0");
	constant(w->out, "implementation", n, "null");
	put_lines(w, "line", n, false);
	constant(w->out, "column", n, "null");
	putc('}', w->out);
}

static bool find_module(const struct firefox_writing *w, const struct function *f, uint32_t *module)
{
	if (f->kind != FRAME_NATIVE || !*f->module)
		return false;
	for (uint32_t i = 0; i < w->m->n_modules; i++) {
		/* pooled */
		if (w->m->modules[i].path == f->module) {
			*module = i;
			return true;
		}
	}
	return false;
}

const char *firefox_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static void put_functions(struct firefox_writing *w)
{
	uint32_t n = w->functions.count, module;

	fprintf(w->out, ",\"funcTable\":{\"length\":%" PRIu32, n);
	FIREFOX_COLUMN(w, "name", n, "%" PRIu32,
		       firefox_text(w, w->m->functions[w->functions.ids[i]].name));
	constant(w->out, "isJS", n, "false");
	constant(w->out, "relevantForJS", n, "false");
	firefox_column(w->out, "resource");
	for (uint32_t i = 0; i < n; i++) {
		const struct function *f = &w->m->functions[w->functions.ids[i]];

		fprintf(w->out, "%s%ld", i ? "," : "",
			find_module(w, f, &module) ? (long)numbered(&w->modules, module) : -1L);
	}
	putc(']', w->out);
	firefox_column(w->out, "fileName");
	for (uint32_t i = 0; i < n; i++) {
		const char *file = w->m->functions[w->functions.ids[i]].file;

		if (*file)
			fprintf(w->out, "%s%" PRIu32, i ? "," : "", firefox_text(w, file));
		else
			fputs(i ? ",null" : "null", w->out);
	}
	putc(']', w->out);
	put_lines(w, "lineNumber", n, true);
	constant(w->out, "columnNumber", n, "null");
	fprintf(w->out, "},\"resourceTable\":{\"length\":%" PRIu32, w->modules.count);
	FIREFOX_COLUMN(w, "lib", w->modules.count, "%" PRIu32,
		       numbered(&w->libs, w->modules.ids[i]));
	FIREFOX_COLUMN(w, "name", w->modules.count, "%" PRIu32,
		       firefox_text(w, firefox_base_name(w->m->modules[w->modules.ids[i]].path)));
	constant(w->out, "host", w->modules.count, "null");
	FIREFOX_COLUMN(w, "type", w->modules.count, "%d", RESOURCE_LIBRARY);
	fputs("},\"nativeSymbols\":{\"length\":0,\"address\":[],\"functionSize\":[],"
	      "\"libIndex\":[],\"name\":[]}",
	      w->out);
}

void firefox_put_tables(struct firefox_writing *w)
{
	put_stacks(w);
	put_frames(w);
	put_functions(w);
	firefox_column(w->out, "stringArray");
	for (uint32_t i = 0; i < w->n_texts; i++) {
		if (i)
			putc(',', w->out);
		json_put_text(w->out, w->texts[i]);
	}
	putc(']', w->out);
}

struct firefox_writing firefox_writing_begin(const struct view *v, const struct tracks *tracks,
					     FILE *out)
{
	const struct model *m = v->model;

	return (struct firefox_writing){
		.out = out,
		.v = v,
		.m = m,
		.tracks = tracks,
		.nodes = numbering_new(v->n_nodes),
		.frames = numbering_new(m->n_frames),
		.functions = numbering_new(m->n_functions),
		.modules = numbering_new(m->n_modules),
		.libs = numbering_new(m->n_modules),
	};
}

void firefox_writing_end(struct firefox_writing *w)
{
	numbering_free(&w->nodes);
	numbering_free(&w->frames);
	numbering_free(&w->functions);
	numbering_free(&w->modules);
	numbering_free(&w->libs);
	numbers_free(&w->text_numbers);
	free(w->texts);
}
