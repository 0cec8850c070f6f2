/* What a request sets going: child processes and threads. (vfork is in process.c.) */
#include "preload/hook/spawn.h"

#include <errno.h>

#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/hook/waiting.h"
#include "preload/track/children.h"
#include "preload/track/track.h"

/* The request that the calling thread works for, to be written to until hook_leave; NULL: leave alone. */
static struct request *spawn_enter(void)
{
	struct request *r;

	if (!hook_enter())
		return NULL;
	r = track_current();
	if (!r)
		hook_leave();
	return r;
}

void spawn_started(pid_t pid, const char *path)
{
	int saved = errno;
	struct request *r = spawn_enter();

	if (r) {
		children_started(r, pid, path);
		hook_leave();
	}
	errno = saved;
}

void spawn_started_shell(const char *command)
{
	int saved = errno;
	struct request *r = command ? spawn_enter() : NULL;

	if (r) {
		children_started_shell(r, command);
		hook_leave();
	}
	errno = saved;
}

/* What waits for it has not begun: then it may be gone, and its name with it. */
const char *spawn_name(pid_t pid)
{
	int saved = errno;
	struct request *r = pid > 0 && wait_wanted() ? spawn_enter() : NULL;
	const char *name = "";

	if (r) {
		name = children_name(r, pid);
		hook_leave();
	}
	errno = saved;
	return name;
}

EXPORT pid_t fork(void)
{
	pid_t pid = libc_fork();

	if (pid > 0)
		spawn_started(pid, "");
	return pid;
}

/* The thread sleeps until the child has become its program; what did not is no path to read. pid may be
 * NULL, when nobody is to know it. */
static void spawn_done(struct wait *w, int result, const pid_t *pid, const char *path)
{
	waiting_kind(w, WAIT_CHILD, result == 0 ? path : "");
	if (result == 0)
		spawn_started(pid ? *pid : 0, path);
}

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attributes, char *const arguments[],
		       char *const environment[])
{
	struct wait w;
	int result;

	waiting_begin_unheld(&w);
	result = libc_posix_spawn(pid, path, actions, attributes, arguments, environment);
	spawn_done(&w, result, pid, path);
	return result;
}

EXPORT int posix_spawnp(pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attributes, char *const arguments[],
			char *const environment[])
{
	struct wait w;
	int result;

	waiting_begin_unheld(&w);
	result = libc_posix_spawnp(pid, name, actions, attributes, arguments, environment);
	spawn_done(&w, result, pid, name);
	return result;
}

EXPORT FILE *popen(const char *command, const char *mode)
{
	struct wait w;
	FILE *result;

	waiting_begin_unheld(&w);
	result = libc_popen(command, mode);
	waiting_kind(&w, WAIT_CHILD, "");
	if (result)
		spawn_started_shell(command);
	return result;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*start)(void *), void *argument)
{
	int result = libc_pthread_create(thread, attributes, start, argument);
	int saved = errno;
	struct request *r = result == 0 ? spawn_enter() : NULL;

	if (r) {
		children_thread_started(r);
		hook_leave();
	}
	errno = saved;
	return result;
}

EXPORT pid_t __fork(void) __attribute__((alias("fork")));
