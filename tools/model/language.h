/* Whose code ran: Python's, or native code's that Python called or that had no Python above it. */
#ifndef REQPROF_TOOLS_MODEL_LANGUAGE_H
#define REQPROF_TOOLS_MODEL_LANGUAGE_H

#include "tools/model/model.h"

/*
 * For each stack whether its leaf is Python code: the interpreter's own functions that run on
 * behalf of a Python function count as Python, those of other modules do not. A new array of
 * m->n_stacks; free it.
 */
bool *language_python(const struct model *m);

#endif
