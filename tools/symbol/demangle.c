#include "tools/symbol/demangle.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

#include "tools/base/errors.h"

enum {
	DEMANGLE_MAX = 4096
}; /* the demangler recurses: a name made to hurt must not exhaust the stack */

typedef char *demangle_function(const char *mangled, char *buffer, size_t *len, int *status);

/* Opened at the first mangled name, so that profiles of plain C and Python never load it. */
static demangle_function *demangler(void)
{
	static demangle_function *function;
	static bool asked;
	void *library;

	if (!asked) {
		asked = true;
		library = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);
		if (library)
			*(void **)&function = dlsym(library, "__cxa_demangle");
	}
	return function;
}

/* Old Rust ends names with "::h" and 16 hex digits that tell builds apart and say nothing to people. */
static void cut_rust_hash(char *name)
{
	size_t len = strlen(name);

	if (len > 19 && strncmp(name + len - 19, "::h", 3) == 0 &&
	    strspn(name + len - 16, "0123456789abcdef") == 16)
		name[len - 19] = '\0';
}

char *demangle_name(const char *name)
{
	demangle_function *function;
	char *readable;
	int status = -1;

	if (strncmp(name, "_Z", 2) != 0 || strlen(name) > DEMANGLE_MAX)
		return NULL;
	function = demangler();
	readable = function ? function(name, NULL, NULL, &status) : NULL;
	if (readable)
		cut_rust_hash(readable);
	return readable;
}
