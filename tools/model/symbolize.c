#include "tools/model/symbolize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/model/model.h"
#include "tools/symbol/symbol.h"

static void name_unknown(struct model *m, uint32_t location)
{
	const struct location *l = &m->locations[location];
	const char *path = m->modules[l->module].path;
	const char *base = strrchr(path, '/');
	uint32_t frame;
	size_t len;
	char *name;

	if (strcmp(path, SYMBOL_GENERATED) == 0) {
		frame = model_frame(m, model_function(m, FRAME_NATIVE, path, path, "", 0, path), 0,
				    false);
		model_set_frames(m, location, &frame, 1);
		return;
	}
	base = base && base[1] ? base + 1 : *path ? path : "unknown";
	len = strlen(base);
	/* "[vdso]" has brackets of its own. */
	if (len > 2 && base[0] == '[' && base[len - 1] == ']') {
		base++;
		len -= 2;
	}
	if (asprintf(&name, "[%.*s+0x%llx]", (int)len, base, (unsigned long long)l->offset) < 0)
		name = errors_strdup("[unknown]");
	frame = model_frame(m, model_function(m, FRAME_NATIVE, name, name, "", 0, path), 0, false);
	free(name);
	model_set_frames(m, location, &frame, 1);
}

static void name_native(struct model *m, struct symbolizer *symbolizer, uint32_t location)
{
	const struct location *l = &m->locations[location];
	const struct module *module = &m->modules[l->module];
	struct symbol_frame found[SYMBOL_FRAMES_MAX];
	uint32_t frames[SYMBOL_FRAMES_MAX];
	size_t n = 0;

	if (symbolizer && module->path[0])
		n = symbol_resolve(symbolizer, module->path, module->build_id, l->offset, found,
				   SYMBOL_FRAMES_MAX);
	for (size_t i = 0; i < n; i++) {
		const char *name = found[i].name;
		uint32_t function = model_function(m, FRAME_NATIVE, name, name,
						   found[i].file ? found[i].file : "",
						   found[i].start_line, module->path);

		frames[i] = model_frame(m, function, found[i].line, found[i].inlined);
	}
	if (n)
		model_set_frames(m, location, frames, (uint32_t)n);
	else
		name_unknown(m, location);
}

void model_symbolize(struct model *m, struct symbolizer *symbolizer)
{
	for (uint32_t i = 0; i < m->n_locations; i++) {
		uint32_t frame;

		if (m->locations[i].n_frames)
			continue;
		if (m->locations[i].kind == FRAME_NATIVE) {
			name_native(m, symbolizer, i);
			continue;
		}
		frame = model_frame(m, m->locations[i].function, m->locations[i].line, false);
		model_set_frames(m, i, &frame, 1);
	}
}
