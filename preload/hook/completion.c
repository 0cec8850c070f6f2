/* Work that other threads of libc's do, and that the host waits for: reads and writes by aio, look-ups of names. */
#include <aio.h>
#include <errno.h>

#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/hook/waiting.h"

/*
 * Before glibc 2.34 the two stand in libraries of their own, which a program that calls them has, and no other is to
 * be given by us: they are looked for when they are called.
 */
static void *completion_elsewhere(long result, const char *library, const char *name)
{
	return result == -1 && errno == ENOSYS ? real_in_library(library, name) : NULL;
}

static int completion_aio(const struct aiocb *const list[], int count, const struct timespec *limit)
{
	int result = libc_aio_suspend(list, count, limit);
	int (*old)(const struct aiocb *const[], int, const struct timespec *) =
		completion_elsewhere(result, "librt.so.1", "aio_suspend");

	return old ? old(list, count, limit) : result;
}

static int completion_names(const struct gaicb *const list[], int count, const struct timespec *limit)
{
	int result = libc_gai_suspend(list, count, limit);
	int (*old)(const struct gaicb *const[], int, const struct timespec *) =
		completion_elsewhere(result, "libanl.so.1", "gai_suspend");

	return old ? old(list, count, limit) : result;
}

EXPORT int aio_suspend(const struct aiocb *const list[], int count, const struct timespec *limit)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = completion_aio(list, count, limit);
	waiting_kind(&w, WAIT_OTHER, "aio");
	return result;
}

EXPORT int gai_suspend(const struct gaicb *const list[], int count, const struct timespec *limit)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = completion_names(list, count, limit);
	waiting_kind(&w, WAIT_DNS, "");
	return result;
}

EXPORT int aio_suspend64(const struct aiocb64 *const[], int, const struct timespec *)
	__attribute__((alias("aio_suspend")));
