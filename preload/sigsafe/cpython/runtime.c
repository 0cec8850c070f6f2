#include "preload/sigsafe/cpython/runtime.h"

#include "preload/sigsafe/cpython/debug_offsets.h"
#include "preload/sigsafe/cpython/load.h"
#include "preload/sigsafe/cpython/symbols.h"
#include "preload/sigsafe/peek.h"

enum { INTERPRETERS_MAX = 1024, LIST_ATTEMPTS = 5 };

struct names {
	uintptr_t variables, version, version_text, code, generator, coroutine, async_generator,
		text, frame, none, this_thread, holder;
	size_t variables_size;
};

static bool names_find(struct names *names)
{
	const struct symbol symbols[] = {
		{ "_PyRuntime", &names->variables, &names->variables_size },
		{ "Py_Version", &names->version, NULL },
		{ "Py_GetVersion", &names->version_text, NULL },
		{ "PyCode_Type", &names->code, NULL },
		{ "PyGen_Type", &names->generator, NULL },
		{ "PyCoro_Type", &names->coroutine, NULL },
		{ "PyAsyncGen_Type", &names->async_generator, NULL },
		{ "PyUnicode_Type", &names->text, NULL },
		{ "PyFrame_Type", &names->frame, NULL },
		{ "_Py_NoneStruct", &names->none, NULL },
		{ "PyGILState_GetThisThreadState", &names->this_thread, NULL },
		{ "_PyThreadState_UncheckedGet", &names->holder, NULL },
	};

	return symbols_find("Py_GetVersion", symbols, sizeof(symbols) / sizeof(symbols[0]));
}

static unsigned number(const char **text)
{
	unsigned value = 0;

	for (; **text >= '0' && **text <= '9' && value < 1000; (*text)++)
		value = value * 10 + (unsigned)(**text - '0');
	if (**text == '.')
		(*text)++;
	return value;
}

/* False when that has to wait: before 3.11 there is only a function, and it must not be called while
 * another thread is still loading the library. */
static bool version_read(struct runtime *runtime, const struct names *names)
{
	const char *text;
	uintptr_t ready;

	if (names->version) {
		uintptr_t version = load_word(names->version);

		runtime->major = version >> 24 & 255;
		runtime->minor = version >> 16 & 255;
		runtime->micro = version >> 8 & 255;
		return true;
	}
	runtime->wakes = names->code + TYPE_DICT;
	if (!names->code || !peek_word(runtime->wakes, &ready) || !ready)
		return false;
	/* It formats into a static buffer, always the same. */
	text = ((const char *(*)(void))names->version_text)();
	runtime->major = number(&text);
	runtime->minor = number(&text);
	runtime->micro = number(&text);
	return true;
}

static bool basicsize_is(const struct cpython_layout *layout, uintptr_t type, uint16_t size)
{
	uintptr_t found;

	return peek_word(type + layout->type_basicsize, &found) && found == size;
}

/*
 * A build with other structures (debug, patched) must be found out before a handler reads by the
 * table. The sizes that types state change with every such difference we know of.
 */
static const char *objects_check(const struct runtime *runtime)
{
	const struct cpython_layout *layout = runtime->layout;

	if (!basicsize_is(layout, runtime->code_type, layout->code_basicsize))
		return "its code objects have another size than this version's";
	if (!basicsize_is(layout, runtime->text_type, layout->text_basicsize))
		return "its strings have another size than this version's";
	if (!basicsize_is(layout, runtime->generator_types[0], layout->generator_basicsize))
		return "its generators have another size than this version's";
	if (layout->chain == CHAIN_HEAP &&
	    !basicsize_is(layout, runtime->frame_type, layout->frame_basicsize))
		return "its frames have another size than this version's";
	return NULL;
}

/* The list of interpreters must look like one: it ends with the main interpreter, whose id is 0. */
static const char *interpreters_check(const struct runtime *runtime, uintptr_t first)
{
	const struct cpython_layout *layout = runtime->layout;
	uintptr_t at = first, next, id, thread, owner;

	for (unsigned i = 0; i < INTERPRETERS_MAX; i++, at = next) {
		if (!load_plausible(at) || !peek_word(at + layout->interpreter.next, &next) ||
		    !peek_word(at + layout->interpreter.id, &id) ||
		    !peek_word(at + layout->interpreter.threads, &thread))
			return "its list of interpreters cannot be read";
		if (thread != 0 &&
		    (!load_plausible(thread) ||
		     !peek_word(thread + layout->thread.interpreter, &owner) || owner != at))
			return "its thread states are not where this version has them";
		if (next == 0)
			return id == 0 ? NULL : "its list of interpreters has no main one";
	}
	return "its list of interpreters has no end";
}

enum runtime_state runtime_find(struct runtime *runtime, const char **reason)
{
	struct names names;
	uintptr_t first;

	*runtime = (struct runtime){ 0 };
	if (!names_find(&names))
		return RUNTIME_NONE;
	if (!version_read(runtime, &names))
		return RUNTIME_ASLEEP;
	runtime->variables = names.variables;
	runtime->variables_size = names.variables_size;
	runtime->code_type = names.code;
	runtime->text_type = names.text;
	runtime->frame_type = names.frame;
	runtime->none = names.none;
	runtime->generator_types[0] = names.generator;
	runtime->generator_types[1] = names.coroutine;
	runtime->generator_types[2] = names.async_generator;
	runtime->this_thread = (uintptr_t(*)(void))names.this_thread;
	runtime->holder = (uintptr_t(*)(void))names.holder;

	*reason = "no stack layout for this version";
	runtime->layout = layout_find(runtime->major, runtime->minor);
	if (!runtime->layout)
		return RUNTIME_UNSUPPORTED;
	*reason = "it lacks symbols that every known build exports";
	if (!names.variables || !names.code || !names.generator || !names.coroutine ||
	    !names.async_generator || !names.text || !names.frame || !names.none ||
	    !names.this_thread || (runtime->layout->given.runtime && !names.version))
		return RUNTIME_UNSUPPORTED;
	if (runtime->layout->given.runtime) {
		uintptr_t version = load_word(names.version);

		runtime->given = *runtime->layout;
		*reason = debug_offsets_apply(&runtime->given, names.variables, version);
		if (*reason)
			return RUNTIME_UNSUPPORTED;
		runtime->layout = &runtime->given;
	}
	*reason = "its variables cannot be read";
	runtime->wakes = runtime->variables + runtime->layout->runtime.interpreters;
	if (!peek_word(runtime->wakes, &first))
		return RUNTIME_UNSUPPORTED;
	if (first == 0)
		return RUNTIME_ASLEEP;
	*reason = objects_check(runtime);
	if (*reason)
		return RUNTIME_UNSUPPORTED;
	/* Threads and interpreters may come and go while we look. */
	for (unsigned attempt = 0; attempt < LIST_ATTEMPTS; attempt++) {
		if (!peek_word(runtime->wakes, &first))
			break;
		*reason = interpreters_check(runtime, first);
		if (!*reason)
			break;
	}
	runtime->uvloop = runtime->layout->values_before && runtime->holder &&
			  symbols_module("/uvloop/loop.");
	return *reason ? RUNTIME_UNSUPPORTED : RUNTIME_READY;
}
