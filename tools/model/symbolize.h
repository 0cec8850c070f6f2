/* Gives every location its frames; call after loading and before any view. */
#ifndef REQPROF_TOOLS_MODEL_SYMBOLIZE_H
#define REQPROF_TOOLS_MODEL_SYMBOLIZE_H

struct model;
struct symbolizer; /* tools/symbol/symbol.h */

/*
 * Native places get the names that symbol_resolve gives, several where functions were inlined, and
 * "[module+0xoffset]" when it knows nothing. With a NULL symbolizer all native places are named
 * that way.
 */
void model_symbolize(struct model *m, struct symbolizer *symbolizer);

#endif
