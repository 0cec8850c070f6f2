#include "tools/render/collapsed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/base/escape.h"
#include "tools/render/cells.h"

enum { NS_PER_US = 1000 };

/* The last two parts of a path: enough to tell one __init__.py from the other, short enough to read. */
static const char *short_path(const char *path)
{
	const char *at = path + strlen(path);
	int slashes = 0;

	while (at > path) {
		if (at[-1] == '/' && ++slashes == 2)
			break;
		at--;
	}
	return at;
}

/* A frame's text, fit for a line whose parts are parted by ';'. A new string. */
static char *clean(const char *text)
{
	char *out = escape_utf8(text, strlen(text));

	for (char *c = out; *c; c++)
		if (*c == ';' || (unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '_';
	return out;
}

static char *label(const struct function *f)
{
	char *text = NULL, *out;

	if (f->kind != FRAME_PYTHON || !f->file[0])
		return clean(f->name);
	if (asprintf(&text, "%s (%s:%d)", f->name, short_path(f->file), (int)f->start_line) < 0)
		return clean(f->name);
	out = clean(text);
	free(text);
	return out;
}

static void print_path(const struct view *v, char *const *labels, uint32_t node, FILE *out)
{
	uint32_t depth = 0, *path;

	for (uint32_t n = node; n; n = v->nodes[n].parent)
		depth++;
	path = errors_alloc(depth + 1, sizeof(*path));
	for (uint32_t n = node, i = depth; n; n = v->nodes[n].parent)
		path[--i] = n;
	for (uint32_t i = 0; i < depth; i++)
		fprintf(out, ";%s", labels[v->model->frames[v->nodes[path[i]].frame].function]);
	free(path);
}

/* What a value prints as when everything before it has been printed: rounding never adds up. */
static int64_t step(enum profile_value by, int64_t value, int64_t *sum)
{
	int64_t unit = by == PROFILE_SAMPLES ? 1 : NS_PER_US;
	int64_t before = (*sum + unit / 2) / unit;

	*sum += value;
	return (*sum + unit / 2) / unit - before;
}

void collapsed_render(const struct view *v, enum profile_value by, FILE *out)
{
	struct cells *c = cells_make(v, false);
	char **labels = errors_alloc(v->model->n_functions, sizeof(char *));
	char **roots = errors_alloc(c->n_groups, sizeof(char *));
	int64_t sum = 0;

	for (uint32_t i = 0; i < v->model->n_functions; i++)
		labels[i] = label(&v->model->functions[i]);
	for (size_t i = 0; i < c->n_groups; i++) {
		char *name = cells_group_name(&c->groups[i]);

		roots[i] = clean(name);
		free(name);
	}
	for (size_t i = 0; i < c->n_cells; i++) {
		int64_t number;

		if (c->cells[i].values[by] <= 0)
			continue;
		number = step(by, c->cells[i].values[by], &sum);
		if (!number)
			continue;
		fputs(roots[c->cells[i].group], out);
		print_path(v, labels, c->cells[i].node, out);
		fprintf(out, " %" PRId64 "\n", number);
	}
	for (uint32_t i = 0; i < v->model->n_functions; i++)
		free(labels[i]);
	for (size_t i = 0; i < c->n_groups; i++)
		free(roots[i]);
	free(labels);
	free(roots);
	cells_free(c);
}
