/* What a thread of a Firefox profile refers to: its stacks, frames, functions and texts, as tables. */
#ifndef REQPROF_RENDER_FIREFOX_TABLES_H
#define REQPROF_RENDER_FIREFOX_TABLES_H

#include <stdint.h>
#include <stdio.h>

#include "tools/base/numbers.h"
#include "tools/model/view.h"
#include "tools/render/tracks.h"

enum firefox_category {
	CATEGORY_OTHER, /* the default one must be there, and grey */
	CATEGORY_PYTHON,
	CATEGORY_NATIVE,
	CATEGORY_KERNEL,
	CATEGORY_WAIT,
	CATEGORY_RUNNABLE,
	CATEGORY_REST,
	CATEGORIES
};

/* Ids in the thread that is being written, plus 1; the others' are forgotten between threads. */
struct firefox_numbering {
	uint32_t *number;
	uint32_t *ids; /* in the order of their numbers */
	uint32_t count;
};

struct firefox_writing {
	FILE *out;
	const struct view *v;
	const struct model *m;
	const struct tracks *tracks;
	int64_t start_ns; /* of the earliest request: 0 on the axis */
	struct firefox_numbering nodes, frames, functions, modules;
	struct firefox_numbering libs; /* modules; of the whole file */
	const char **texts;	       /* of the thread, in order of their index */
	uint32_t n_texts, texts_room;
	struct numbers text_numbers; /* address of a pooled text -> its index */
};

/* For one file; nothing is written yet. To be ended. */
struct firefox_writing firefox_writing_begin(const struct view *v, const struct tracks *tracks,
					     FILE *out);
void firefox_writing_end(struct firefox_writing *w);

/* Begins a thread: numbers all that its samples need, from the stacks down to the modules. */
void firefox_number_all(struct firefox_writing *w, const struct track *track);
/* The node of a piece of the thread; its number in the stack table is w->nodes.number[node] - 1. */
uint32_t firefox_node(const struct firefox_writing *w, const struct piece *p);
/* The index of a text in the thread's string table. */
uint32_t firefox_text(struct firefox_writing *w, const char *text);
/* Ends a thread: its tables, the string table last, since all else adds texts to it. */
void firefox_put_tables(struct firefox_writing *w);

/* "categories", for the file's head: enum firefox_category in its order. */
void firefox_put_categories(FILE *out);

/* Begins a column of a table: its caller writes the values and the closing bracket. */
void firefox_column(FILE *out, const char *name);
void firefox_put_ms(FILE *out, int64_t ns);
/* The part of a path that people know it by. */
const char *firefox_base_name(const char *path);

/* A whole column: the arguments are evaluated for each i below n. */
#define FIREFOX_COLUMN(w, name, n, format, ...)                                  \
	do {                                                                     \
		firefox_column((w)->out, name);                                  \
		for (uint32_t i = 0; i < (n); i++)                               \
			fprintf((w)->out, i ? "," format : format, __VA_ARGS__); \
		putc(']', (w)->out);                                             \
	} while (0)

#endif
