#include "tools/model/language.h"

#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"

static bool is_named_python(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	return !strncmp(name, "python", 6) || !strncmp(name, "libpython", 9);
}

/*
 * The native place right rootward of a Python one is an eval loop; its module is an interpreter.
 * Where Python frames stand apart from native ones the name must do.
 */
static bool *interpreters(const struct model *m)
{
	bool *is = errors_alloc(m->n_modules, sizeof(*is));

	for (uint32_t i = 0; i < m->n_modules; i++)
		is[i] = is_named_python(m->modules[i].path);
	for (uint32_t i = 1; i < m->n_stacks; i++) {
		const struct location *l = &m->locations[m->stacks[i].location], *below;

		if (l->kind != FRAME_PYTHON || !m->stacks[i].parent)
			continue;
		below = &m->locations[m->stacks[m->stacks[i].parent].location];
		if (below->kind == FRAME_NATIVE)
			is[below->module] = true;
	}
	return is;
}

bool *language_python(const struct model *m)
{
	bool *python = errors_alloc(m->n_stacks, sizeof(*python));
	bool *interpreter = interpreters(m);

	/* A parent has the smaller id. */
	for (uint32_t i = 1; i < m->n_stacks; i++) {
		const struct location *l = &m->locations[m->stacks[i].location];

		python[i] = l->kind == FRAME_PYTHON ||
			    (python[m->stacks[i].parent] &&
			     (l->kind == FRAME_PSEUDO || interpreter[l->module]));
	}
	free(interpreter);
	return python;
}
