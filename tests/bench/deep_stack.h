/*
 * A stack of 40 Python frames between 60 native ones, as a web application has, by an interpreter
 * that is embedded: libpython3.11 is loaded, nothing else of Python is needed.
 */
#ifndef REQPROF_BENCH_DEEP_STACK_H
#define REQPROF_BENCH_DEEP_STACK_H

#include <stddef.h>

enum { DEEP_PYTHON = 40, DEEP_NATIVE = 60, DEEP_LINES = 40 };

/* Calls at_leaf(line) on such a stack, once for each of DEEP_LINES places that it is called from. 0, or -1 when there is no libpython. */
int deep_stack_run(size_t python, size_t native, void (*at_leaf)(int line));

/* For the first run: how deep is the stack of the caller, which is at_leaf? Asked to pad the native part. */
extern void (*deep_stack_measure)(size_t *python, size_t *native);

#endif
