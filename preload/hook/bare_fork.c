/*
 * Children that libc's handlers (pthread_atfork) hear nothing of: _Fork, clone with memory of its own, and the
 * system calls by number. In each child what those handlers would have done is done.
 */
#include "preload/hook/bare_fork.h"

#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/hook/spawn.h"

static void (*bare_fork_child)(void);

void bare_fork_configure(void (*child)(void))
{
	bare_fork_child = child;
}

long bare_fork_done(long pid)
{
	if (pid > 0)
		spawn_started((pid_t)pid, "");
	else if (pid == 0 && bare_fork_child)
		bare_fork_child();
	return pid;
}

EXPORT pid_t _Fork(void)
{
	return (pid_t)bare_fork_done(libc__Fork());
}

/* On the parent's stack, of which the child has a copy. */
struct bare_fork_start {
	int (*run)(void *);
	void *argument;
};

static int bare_fork_run(void *argument)
{
	const struct bare_fork_start *start = argument;

	bare_fork_done(0);
	return start->run(start->argument);
}

/*
 * A child in our memory with thread-locals of its own, and no thread of this process: it may have other descriptors
 * under the same numbers, so we look at none of its calls.
 */
static int bare_fork_run_apart(void *argument)
{
	const struct bare_fork_start *start = argument;

	hook_inside = 1;
	return start->run(start->argument);
}

/* On the child's stack: the parent does not wait. */
static struct bare_fork_start *bare_fork_put(void *stack, int (*run)(void *), void *argument)
{
	struct bare_fork_start *start = (struct bare_fork_start *)((uintptr_t)stack & ~(uintptr_t)15) - 1;

	*start = (struct bare_fork_start){ run, argument };
	return start;
}

static bool bare_fork_is_apart(int flags)
{
	return (flags & (CLONE_VM | CLONE_SETTLS | CLONE_THREAD)) == (CLONE_VM | CLONE_SETTLS);
}

EXPORT int clone(int (*run)(void *), void *stack, int flags, void *argument, ...)
{
	struct bare_fork_start start = { run, argument };
	va_list list;
	void *parent_tid, *tls, *child_tid;
	int pid;

	/* Those that the flags do not ask for are registers that libc does not look at. */
	va_start(list, argument);
	parent_tid = va_arg(list, void *);
	tls = va_arg(list, void *);
	child_tid = va_arg(list, void *);
	va_end(list);
	if ((flags & (CLONE_VM | CLONE_VFORK | CLONE_SETTLS)) == (CLONE_VM | CLONE_VFORK))
		process_before_vfork();
	else if ((flags & (CLONE_VM | CLONE_SETTLS)) == CLONE_VM && run && stack)
		hook_shares();
	/* (Without a function or a stack it fails, as libc says.) */
	if (run && stack && bare_fork_is_apart(flags)) {
		stack = bare_fork_put(stack, run, argument);
		return libc_clone(bare_fork_run_apart, stack, flags, stack, parent_tid, tls, child_tid);
	}
	if ((flags & CLONE_VM) || !run || !stack)
		return libc_clone(run, stack, flags, argument, parent_tid, tls, child_tid);
	pid = libc_clone(bare_fork_run, stack, flags, &start, parent_tid, tls, child_tid);
	if (pid > 0)
		bare_fork_done(pid);
	return pid;
}

EXPORT int __clone(int (*)(void *), void *, int, void *, ...) __attribute__((alias("clone")));
