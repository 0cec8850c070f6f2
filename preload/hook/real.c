#include "preload/hook/real.h"

#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <stdbool.h>
#include <string.h>

/*
 * A function that this libc lacks (close_range before 2.34, epoll_pwait2 before 2.35): a program
 * that calls it by name would not have started, so only users of dlsym come here.
 */
static long real_missing(void)
{
	errno = ENOSYS;
	return -1;
}

/* Each pointer starts at a stub that looks the whole table up, then calls on. */
#define REAL_STUB(result, name, parameters, arguments) \
	static result stub_##name parameters \
	{ \
		real_resolve(); \
		return libc_##name arguments; \
	} \
	result(*libc_##name) parameters = stub_##name;

/* A variadic callee finds its arguments in the same registers as one with fixed parameters. */
#define REAL_VARIADIC_STUB(result, name, parameters, fixed, arguments) \
	static result stub_##name fixed \
	{ \
		real_resolve(); \
		return libc_##name arguments; \
	} \
	result(*libc_##name) parameters = (result(*) parameters)(void *)stub_##name;

HOOK_TABLE(REAL_STUB)
HOOK_VARIADIC_TABLE(REAL_VARIADIC_STUB)

/* libc's own vfork cannot be called from a C function that returns; process.c jumps to it. */
pid_t (*libc_vfork)(void);

/*
 * A look-up that fails allocates its message, and the first of all calls may come from an allocator
 * that is starting (jemalloc, by syscall): it would wait for itself. So what a libc does not have
 * is not asked for. minor: of glibc's 2.minor that has it first.
 */
static bool real_exists(const char *name)
{
	static const struct {
		const char *name;
		int minor;
	} later[] = {
		{ "pthread_cond_clockwait", 30 }, { "pthread_mutex_clocklock", 30 },
		{ "sem_clockwait", 30 },	  { "close_range", 34 },
		{ "closefrom", 34 },		  { "epoll_pwait2", 35 },
		{ "thrd_sleep", 28 },		  { "getrandom", 25 },
		{ "aio_suspend", 34 },		  { "gai_suspend", 34 },
		{ "preadv2", 26 },		  { "pwritev2", 26 },
		{ "_Fork", 34 },
	};
	const char *version = gnu_get_libc_version();
	int minor = 0;

	for (version = strchr(version, '.'); version && *++version >= '0' && *version <= '9';)
		minor = 10 * minor + *version - '0';
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (strcmp(name, later[i].name) == 0)
			return minor >= later[i].minor;
	return true;
}

static void *real_find(const char *name)
{
	void *found = NULL;

	if (!real_exists(name))
		return (void *)real_missing;
	/* The conditions of glibc before 2.3.2 have another form, and dlsym may find those first. */
	if (strcmp(name, "pthread_cond_wait") == 0 || strcmp(name, "pthread_cond_timedwait") == 0)
		found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
	if (!found)
		found = dlsym(RTLD_NEXT, name);

	return found ? found : (void *)real_missing;
}

void real_resolve(void)
{
#define REAL_LOOK_UP(result, name, parameters, arguments) \
	libc_##name = (result(*) parameters)real_find(#name);
#define REAL_LOOK_UP_VARIADIC(result, name, parameters, fixed, arguments) \
	libc_##name = (result(*) parameters)real_find(#name);
	HOOK_TABLE(REAL_LOOK_UP)
	HOOK_VARIADIC_TABLE(REAL_LOOK_UP_VARIADIC)
	libc_vfork = (pid_t(*)(void))real_find("vfork");
}

void *real_in_library(const char *library, const char *name)
{
	void *opened = dlopen(library, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
	void *found;

	if (!opened)
		return NULL;
	found = dlsym(opened, name);
	dlclose(opened);
	return found;
}

void *real_in_libc(const char *name)
{
	return real_in_library("libc.so.6", name);
}
