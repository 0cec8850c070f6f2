/*
 * Waits that the host makes by number: futexes of languages with locks of their own, io_uring in
 * libuv, whatever is older than libc's name for it. None that leaves a child with our mask.
 */
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>

#include "preload/hook/by_number.h"
#include "preload/hook/real.h"
#include "preload/hook/suspend.h"
#include "preload/hook/waiting.h"

enum {
	IO_URING_GETEVENTS =
		1,	    /* <linux/io_uring.h> is younger than some systems we are built on */
	KERNEL_MASK_SIZE = 8,
};

static bool waits_futex(int operation)
{
	switch (operation & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_WAIT_REQUEUE_PI:
	case FUTEX_LOCK_PI:
		return true;
	default:
		return false;
	}
}

/* What the call waits for, if it does: a kind, and in words. NULL: it is not looked at. */
static const char *waits_on(const struct by_number_call *call, enum wait_kind *kind)
{
	*kind = WAIT_OTHER;
	switch (call->number) {
	case SYS_futex:
		*kind = WAIT_LOCK;
		return waits_futex((int)call->b) ? "futex" : NULL;
	case SYS_semop:
	case SYS_semtimedop:
		*kind = WAIT_LOCK;
		return "semaphore";
	case SYS_msgsnd:
	case SYS_msgrcv:
		return "message queue";
	case SYS_pause:
		return "signal";
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
		*kind = WAIT_SLEEP;
		return "";
	case SYS_io_getevents:
		return "aio";
	case SYS_io_uring_enter:
		/* One with a mask of its own is left alone. */
		return (call->d & IO_URING_GETEVENTS) && !call->e ? "io_uring" : NULL;
	case SYS_getrandom:
		return waiting_random((size_t)call->b, (unsigned)call->c) ? "random numbers" : NULL;
	case SYS_poll:
	case SYS_select:
	case SYS_epoll_wait:
		*kind = WAIT_POLL;
		return "";
	case SYS_ppoll:
		*kind = WAIT_POLL;
		return call->d ? NULL : "";
	case SYS_epoll_pwait:
		*kind = WAIT_POLL;
		return call->e ? NULL : "";
	default:
		return NULL;
	}
}

static int waits_suspend(const sigset_t *mask)
{
	return (int)libc_syscall(SYS_rt_sigsuspend, mask, (size_t)KERNEL_MASK_SIZE);
}

long waits_by_number(const struct by_number_call *call)
{
	enum wait_kind kind;
	struct wait w;
	const char *on;
	long result;

	if (call->number == SYS_rt_sigsuspend && call->b == KERNEL_MASK_SIZE)
		return suspend_under(waits_suspend, (const sigset_t *)call->a);
	on = waits_on(call, &kind);
	if (!on)
		return libc_syscall(call->number, call->a, call->b, call->c, call->d, call->e,
				    call->f);
	waiting_begin(&w);
	result = libc_syscall(call->number, call->a, call->b, call->c, call->d, call->e, call->f);
	waiting_kind(&w, kind, on);
	return result;
}
