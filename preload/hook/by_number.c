/*
 * System calls that the host makes by number. Those are looked at that programs are known to make so:
 * libuv closes its sockets by syscall(SYS_close); close_range is called so by whatever was built
 * against an older libc; signal numbers are reset so by launchers that want real-time ones, too; children are
 * made so to have them in namespaces.
 */
#include "preload/hook/by_number.h"

#include <sched.h>
#include <stdarg.h>
#include <unistd.h>

#include "preload/hook/bare_fork.h"
#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/hook/waiting.h"
#include "preload/sigsafe/raw.h"

/* clone3's words, which the kernel has read: flags, ..., stack. */
static bool by_number_forks(const uint64_t *words)
{
	enum { STACK = 5 };

	return !(words[0] & CLONE_VM) && !words[STACK];
}

EXPORT long syscall(long number, ...)
{
	long a, b, c, d, e, f;
	va_list list;

	va_start(list, number);
	a = va_arg(list, long);
	b = va_arg(list, long);
	c = va_arg(list, long);
	d = va_arg(list, long);
	e = va_arg(list, long);
	f = va_arg(list, long);
	va_end(list);
	switch (number) {
	case SYS_close:
		return close((int)a);
	case SYS_close_range:
		return close_range((unsigned)a, (unsigned)b, (int)c);
	case SYS_dup2:
		return dup2((int)a, (int)b);
	case SYS_dup3:
		return dup3((int)a, (int)b, (int)c);
	case SYS_rt_sigaction:
		return signal_action_by_number((int)a, (const void *)b, (void *)c, (size_t)d);
	case SYS_rt_sigprocmask:
		return signal_mask_by_number((int)a, (const void *)b, (void *)c, (size_t)d);
	case SYS_signalfd:
		return signal_fd_by_number((int)a, (const void *)b, (size_t)c, 0);
	case SYS_signalfd4:
		return signal_fd_by_number((int)a, (const void *)b, (size_t)c, (int)d);
	case SYS_fork:
		return bare_fork_done(libc_syscall(number));
	case SYS_clone:
		/* (With a stack of its own the child would not come back here.) */
		d = libc_syscall(number, a, b, c, d, e, f);
		return (a & CLONE_VM) || b ? d : bare_fork_done(d);
	case SYS_clone3:
		d = libc_syscall(number, a, b, c, d, e, f);
		return d >= 0 && by_number_forks((const uint64_t *)a) ? bare_fork_done(d) : d;
	default:
		/* In line for those that never wait: what costs is a look at a thread-local. */
		if (!waiting_wanted())
			return libc_syscall(number, a, b, c, d, e, f);
		return waits_by_number(&(struct by_number_call){ number, a, b, c, d, e, f });
	}
}
