#include "tests/bench/deep_stack.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

typedef void *(*leaf_function)(void *self, void *argument);

/* PyMethodDef and the few functions used are of the stable ABI. */
static struct {
	const char *name;
	leaf_function function;
	int flags;
	const char *doc;
} leaf_definition;

enum { METH_NOARGS = 4 };

static struct {
	void (*initialize)(int);
	void *(*new_function)(void *definition, void *self, void *module);
	void *(*add_module)(const char *name);
	int (*set_attribute)(void *object, const char *name, void *value);
	int (*run)(const char *text);
	void *none;
	void (*at_leaf)(int line);
	size_t pad;
	int line;
} deep;

void (*deep_stack_measure)(size_t *python, size_t *native);

/* Each level is a native frame more. */
static __attribute__((noinline)) void deep_pad(size_t levels)
{
	if (levels > 0)
		deep_pad(levels - 1);
	else
		deep.at_leaf(deep.line);
	__asm__ volatile(""); /* no tail call */
}

static void *deep_leaf(void *self, void *argument)
{
	deep_pad(deep.pad);
	deep.line++;
	/* A reference to None is given away, as the caller expects. */
	++*(ssize_t *)deep.none;
	return deep.none;
}

/*
 * `max` calls back into Python: a native part of some frames, after which the interpreter runs
 * three Python functions in one evaluation. DEPTH is what is left above the leaf.
 */
static const char program[] =
	"def last():\n"
	"    return LEAVES[leaf_line]()\n"
	"def plain(depth):\n"
	"    return last() if depth == 0 else through(depth - 1) if depth % 7 == 3 else plain(depth - 1)\n"
	"def through(depth):\n"
	"    return max((depth,), key=lambda depth: plain(depth) or 0) and None\n"
	"LEAVES = []\n"
	"text = ''\n"
	"for n in range(LINES):\n"
	"    text += 'def leaf_%d():\\n' % n + '    pass\\n' * n + '    return sample()\\nLEAVES.append(leaf_%d)\\n' % n\n"
	"exec(text)\n";

static int deep_load(void)
{
	void *python = dlopen("libpython3.11.so.1.0", RTLD_NOW | RTLD_GLOBAL);

	if (!python)
		return -1;
	*(void **)&deep.initialize = dlsym(python, "Py_InitializeEx");
	*(void **)&deep.new_function = dlsym(python, "PyCMethod_New");
	*(void **)&deep.add_module = dlsym(python, "PyImport_AddModule");
	*(void **)&deep.set_attribute = dlsym(python, "PyObject_SetAttrString");
	*(void **)&deep.run = dlsym(python, "PyRun_SimpleString");
	deep.none = dlsym(python, "_Py_NoneStruct");
	setenv("PYTHONHASHSEED", "0", 1);
	deep.initialize(0);
	return 0;
}

static int deep_start(void)
{
	typedef void *(*method_new)(void *, void *, void *, void *);
	method_new new_method;
	char text[sizeof(program) + 64];

	if (deep_load() < 0)
		return -1;
	leaf_definition.name = "sample";
	leaf_definition.function = deep_leaf;
	leaf_definition.flags = METH_NOARGS;
	*(void **)&new_method = *(void **)&deep.new_function;
	deep.set_attribute(deep.add_module("__main__"), "sample",
			   new_method(&leaf_definition, NULL, NULL, NULL));
	snprintf(text, sizeof(text), "LINES = %d\n%s", DEEP_LINES, program);
	return deep.run(text);
}

static void deep_call(int depth, int first, int end)
{
	char text[120];

	deep.line = first;
	snprintf(text, sizeof(text), "for leaf_line in range(%d, %d): plain(%d)\n", first, end, depth);
	deep.run(text);
}

static size_t measured_python, measured_native;

static void deep_measure_leaf(int line)
{
	deep_stack_measure(&measured_python, &measured_native);
}

int deep_stack_run(size_t python, size_t native, void (*at_leaf)(int line))
{
	int depth = 0;

	if (deep_start() < 0)
		return -1;
	deep.at_leaf = deep_measure_leaf;
	/* As deep as it takes, and then native frames to fill up. */
	do
		deep_call(++depth, 0, 1);
	while (measured_python < python && depth < 100);
	if (measured_python != python || measured_native > native) {
		fprintf(stderr, "deep_stack: %zu Python and %zu native frames\n", measured_python,
			measured_native);
		return -1;
	}
	deep.pad = native - measured_native;
	deep.at_leaf = at_leaf;
	deep_call(depth, 0, DEEP_LINES);
	return 0;
}
