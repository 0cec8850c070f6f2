/* libc's own functions behind the hooks. Never NULL: each starts at a stub that looks all of them up. */
#ifndef REQPROF_HOOK_REAL_H
#define REQPROF_HOOK_REAL_H

#include "preload/hook/table.h"

/* Ours is declared too: the fortified twins have no declaration in libc's headers. */
#define HOOK_DECLARE(result, name, parameters, arguments) \
	result name parameters; \
	extern result(*libc_##name) parameters;
HOOK_TABLE(HOOK_DECLARE)
#undef HOOK_DECLARE
#define HOOK_DECLARE(result, name, parameters, fixed, arguments) extern result(*libc_##name) parameters;
HOOK_VARIADIC_TABLE(HOOK_DECLARE)
#undef HOOK_DECLARE

extern pid_t (*libc_vfork)(void);

/* Looks up the whole table, once. The constructor calls it; a call that comes earlier does so itself. Uses dlsym. */
void real_resolve(void);
/* A function of libc's own, whoever stands in front of it; NULL: it has none. Uses dlopen, which opens nothing. */
void *real_in_libc(const char *name);
/* The same in a library that the host has loaded, by its soname. */
void *real_in_library(const char *library, const char *name);

#endif
