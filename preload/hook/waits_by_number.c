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
#include "preload/sigsafe/peek.h"

enum {
	IO_URING_GETEVENTS =
		1,	    /* <linux/io_uring.h> is younger than some systems we are built on */
	KERNEL_MASK_SIZE = 8,
	EPOLL_PWAIT2 = 441, /* the same */
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
	case SYS_io_pgetevents:
		return "aio";
	case SYS_io_uring_enter:
		/* One with a mask of its own is left alone. */
		return (call->d & IO_URING_GETEVENTS) && !call->e ? "io_uring" : NULL;
	case SYS_getrandom:
		return waiting_random((size_t)call->b, (unsigned)call->c) ? "random numbers" : NULL;
	case SYS_poll:
	case SYS_select:
	case SYS_epoll_wait:
	case SYS_ppoll:
	case SYS_pselect6:
	case SYS_epoll_pwait:
	case EPOLL_PWAIT2:
		*kind = WAIT_POLL;
		return "";
	default:
		return NULL;
	}
}

/* As pselect6 and io_pgetevents take their mask. */
struct waits_pair {
	long mask; /* a pointer */
	size_t size;
};

/*
 * Where a call says what mask is set while it waits: a pointer. NULL: it takes none, or one that the kernel will
 * refuse. A pair is copied, so that it can name another mask.
 */
static long *waits_mask(struct by_number_call *call, struct waits_pair *pair)
{
	long *at;
	size_t size;

	switch (call->number) {
	case SYS_ppoll:
		at = &call->d;
		size = (size_t)call->e;
		break;
	case SYS_epoll_pwait:
	case EPOLL_PWAIT2:
		at = &call->e;
		size = (size_t)call->f;
		break;
	case SYS_pselect6:
	case SYS_io_pgetevents:
		if (!call->f || !peek_ok((uintptr_t)call->f, sizeof(*pair)))
			return NULL;
		memcpy(pair, (const void *)call->f, sizeof(*pair));
		call->f = (long)pair;
		at = &pair->mask;
		size = pair->size;
		break;
	default:
		return NULL;
	}
	return size == KERNEL_MASK_SIZE ? at : NULL;
}

static int waits_suspend(const sigset_t *mask)
{
	return (int)libc_syscall(SYS_rt_sigsuspend, mask, (size_t)KERNEL_MASK_SIZE);
}

static int waits_until(const sigset_t *set, siginfo_t *info, const struct timespec *limit)
{
	return (int)libc_syscall(SYS_rt_sigtimedwait, set, info, limit, (size_t)KERNEL_MASK_SIZE);
}

long waits_by_number(struct by_number_call *call)
{
	const sigset_t *mask;
	struct waits_pair pair;
	enum wait_kind kind;
	sigset_t storage;
	struct wait w;
	const char *on;
	long result, *at;

	if (call->number == SYS_rt_sigsuspend && call->b == KERNEL_MASK_SIZE)
		return suspend_under(waits_suspend, (const sigset_t *)call->a);
	if (call->number == SYS_rt_sigtimedwait && call->d == KERNEL_MASK_SIZE)
		return suspend_until(waits_until, (const sigset_t *)call->a, (siginfo_t *)call->b,
				     (const struct timespec *)call->c);
	on = waits_on(call, &kind);
	if (!on)
		return libc_syscall(call->number, call->a, call->b, call->c, call->d, call->e,
				    call->f);
	at = waits_mask(call, &pair);
	mask = waiting_begin_masked(&w, at ? (const sigset_t *)*at : NULL, &storage);
	if (at)
		*at = (long)mask;
	result = libc_syscall(call->number, call->a, call->b, call->c, call->d, call->e, call->f);
	waiting_kind(&w, kind, on);
	return result;
}
