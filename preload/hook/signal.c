/*
 * Our signal's action and mask bit. The host must be unable to reset our signal to its default
 * action, which would kill it, and to block it, which would blind us in silence (uwsgi --threads
 * and apache's MPMs block every signal in the threads that serve). What it reads back is what it set.
 */
#include <errno.h>
#include <string.h>

#include "preload/hook/by_number.h"
#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/sample/mask.h"
#include "preload/sample/signal.h"
#include "preload/sample/signal_fds.h"
#include "preload/sigsafe/peek.h"
#include "preload/sigsafe/raw.h"

/* Signals whose handlers, set by signal(), are to interrupt: glibc has such a set, too, out of our reach. */
static uint64_t interrupting; /* atomic */

/* A vfork child's actions are its own, but its memory is its parent's. */
static bool signal_in_vfork_child(void)
{
	return hook_vforked && hook_in_vfork_child();
}

static int signal_vfork_child_action(int number, const struct sigaction *action,
				     struct sigaction *old)
{
	struct sigaction before;
	int result;

	if (!signal_shadows(number))
		return libc_sigaction(number, action, old);
	signal_read_shadow(number, &before);
	result = action ? libc_sigaction(number, action, NULL) : 0;
	if (result == 0 && old)
		*old = before;
	return result;
}

EXPORT int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
	if (!signal_number())
		return libc_sigaction(number, action, old);
	if (signal_in_vfork_child())
		return signal_vfork_child_action(number, action, old);
	return signal_host_action(number, action, old);
}

/* signal() and its kin, for a signal whose action we shadow. BSD's signal() also masks the signal itself, as can be read back. */
static sighandler_t signal_host_handler(int number, sighandler_t handler, int flags,
					bool masks_itself)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	struct sigaction old;

	if (handler == SIG_ERR) {
		errno = EINVAL;
		return SIG_ERR;
	}
	sigemptyset(&action.sa_mask);
	if (masks_itself)
		sigaddset(&action.sa_mask, number);
	if (sigaction(number, &action, &old) < 0)
		return SIG_ERR;
	return old.sa_handler;
}

EXPORT sighandler_t signal(int number, sighandler_t handler)
{
	bool interrupts;

	if (!signal_shadows(number))
		return libc_signal(number, handler);
	interrupts = __atomic_load_n(&interrupting, __ATOMIC_RELAXED) >> (number - 1) & 1;
	return signal_host_handler(number, handler, interrupts ? 0 : SA_RESTART, true);
}

EXPORT sighandler_t sysv_signal(int number, sighandler_t handler)
{
	if (!signal_shadows(number))
		return libc_sysv_signal(number, handler);
	return signal_host_handler(number, handler, (int)(SA_RESETHAND | SA_NODEFER), false);
}

/* One signal's bit in the mask: blocked before? */
static int signal_bit(int how, int number)
{
	sigset_t set, old;

	sigemptyset(&set);
	if (sigaddset(&set, number) < 0 || sigprocmask(how, &set, &old) < 0)
		return -1;
	return sigismember(&old, number);
}

EXPORT sighandler_t sigset(int number, sighandler_t handler)
{
	struct sigaction old;
	sighandler_t before;
	int blocked;

	if (!signal_shadows(number))
		return libc_sigset(number, handler);
	if (handler == SIG_HOLD) {
		blocked = signal_bit(SIG_BLOCK, number);
		if (blocked < 0 || (!blocked && sigaction(number, NULL, &old) < 0))
			return SIG_ERR;
		return blocked ? SIG_HOLD : old.sa_handler;
	}
	before = signal_host_handler(number, handler, 0, false);
	if (before == SIG_ERR)
		return SIG_ERR;
	blocked = signal_bit(SIG_UNBLOCK, number);
	return blocked < 0 ? SIG_ERR : blocked ? SIG_HOLD : before;
}

EXPORT int sigignore(int number)
{
	if (!signal_shadows(number))
		return libc_sigignore(number);
	return signal_host_handler(number, SIG_IGN, 0, false) == SIG_ERR ? -1 : 0;
}

EXPORT int siginterrupt(int number, int interrupt)
{
	struct sigaction action;

	if (number >= 1 && number <= 64) {
		uint64_t bit = UINT64_C(1) << (number - 1);

		if (interrupt)
			__atomic_fetch_or(&interrupting, bit, __ATOMIC_RELAXED);
		else
			__atomic_fetch_and(&interrupting, ~bit, __ATOMIC_RELAXED);
	}
	if (!signal_shadows(number))
		return libc_siginterrupt(number, interrupt);
	sigaction(number, NULL, &action);
	if (interrupt)
		action.sa_flags &= ~SA_RESTART;
	else
		action.sa_flags |= SA_RESTART;
	return sigaction(number, &action, NULL);
}

EXPORT int sighold(int number)
{
	if (!signal_number())
		return libc_sighold(number);
	return signal_bit(SIG_BLOCK, number) < 0 ? -1 : 0;
}

EXPORT int sigrelse(int number)
{
	if (!signal_number())
		return libc_sigrelse(number);
	return signal_bit(SIG_UNBLOCK, number) < 0 ? -1 : 0;
}

static int signal_mask(int (*set_mask)(int, const sigset_t *, sigset_t *), int how,
		       const sigset_t *set, sigset_t *old)
{
	int number = signal_number(), result;
	uint64_t now = 0, word = 0;
	bool before, wanted = false, in_child;
	sigset_t edited;

	if (!number)
		return set_mask(how, set, old);
	in_child = signal_in_vfork_child();
	raw_sigprocmask(SIG_BLOCK, NULL, &now);
	before = mask_host_blocks(now);
	/* `set` and `old` may be the same, and either may be bad: then the fault is the host's. */
	if (set) {
		edited = *set;
		memcpy(&word, set, sizeof(word));
		if (!in_child)
			wanted = mask_wanted(how, now, &word);
		memcpy(&edited, &word, sizeof(word));
	}
	result = set_mask(how, set ? &edited : NULL, old);
	if (result != 0)
		return result;
	if (set && !in_child)
		mask_changed(how, now, word, wanted);
	if (old && before)
		sigaddset(old, number);
	else if (old)
		sigdelset(old, number);
	return 0;
}

EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	return signal_mask(libc_sigprocmask, how, set, old);
}

EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	return signal_mask(libc_pthread_sigmask, how, set, old);
}

/* ---- signals out of a descriptor */

static long signal_fd(long (*make)(int, const void *, int), int fd, const void *mask, int flags)
{
	uint64_t wanted;
	sigset_t edited;
	long result;

	/* A bad address is the kernel's to refuse, and our memory is not a vfork child's. */
	if (!hook_active || signal_in_vfork_child() || !peek_ok((uintptr_t)mask, sizeof(wanted)))
		return make(fd, mask, flags);
	memcpy(&wanted, mask, sizeof(wanted));
	sigemptyset(&edited);
	memcpy(&edited, &(uint64_t){ signal_fds_mask(wanted) }, sizeof(wanted));
	result = make(fd, &edited, flags);
	if (result >= 0)
		signal_fds_made((int)result, wanted);
	return result;
}

static long signal_fd_by_name(int fd, const void *mask, int flags)
{
	return libc_signalfd(fd, mask, flags);
}

static long signal_fd_make(int fd, const void *mask, int flags)
{
	return libc_syscall(SYS_signalfd4, fd, mask, sizeof(uint64_t), flags);
}

EXPORT int signalfd(int fd, const sigset_t *mask, int flags)
{
	return (int)signal_fd(signal_fd_by_name, fd, mask, flags);
}

/* ---- by number */

/* struct sigaction as the kernel has it. */
struct kernel_action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static void signal_from_kernel(struct sigaction *to, const struct kernel_action *from)
{
	memset(to, 0, sizeof(*to));
	to->sa_handler = from->handler;
	to->sa_flags = (int)from->flags;
	to->sa_restorer = from->restorer;
	memcpy(&to->sa_mask, &from->mask, sizeof(from->mask));
}

static bool signal_readable(const void *address, size_t size)
{
	return !address || peek_ok((uintptr_t)address, size);
}

long signal_action_by_number(int number, const void *action, void *old, size_t size)
{
	struct kernel_action wanted, before = { .handler = NULL };
	struct sigaction set, was;

	if (size != sizeof(uint64_t) || !signal_shadows(number) ||
	    !signal_readable(action, sizeof(wanted)) || !signal_readable(old, sizeof(before)))
		return libc_syscall(SYS_rt_sigaction, number, action, old, size);
	if (action) {
		memcpy(&wanted, action, sizeof(wanted));
		signal_from_kernel(&set, &wanted);
	}
	if (sigaction(number, action ? &set : NULL, &was) < 0)
		return -1;
	before.handler = was.sa_handler;
	before.flags = (unsigned long)(unsigned)was.sa_flags;
	before.restorer = was.sa_restorer;
	memcpy(&before.mask, &was.sa_mask, sizeof(before.mask));
	if (old)
		memcpy(old, &before, sizeof(before));
	return 0;
}

/* libc's leaves out 32 and 33. */
static int signal_set_mask_by_number(int how, const sigset_t *set, sigset_t *old)
{
	return (int)libc_syscall(SYS_rt_sigprocmask, how, set, old, sizeof(uint64_t));
}

long signal_mask_by_number(int how, const void *set, void *old, size_t size)
{
	sigset_t wide, before;

	if (size != sizeof(uint64_t) || !signal_number() || !signal_readable(set, size) ||
	    !signal_readable(old, size))
		return libc_syscall(SYS_rt_sigprocmask, how, set, old, size);
	sigemptyset(&wide);
	if (set)
		memcpy(&wide, set, size);
	if (signal_mask(signal_set_mask_by_number, how, set ? &wide : NULL, &before) < 0)
		return -1;
	if (old)
		memcpy(old, &before, size);
	return 0;
}

long signal_fd_by_number(int fd, const void *mask, size_t size, int flags)
{
	if (size != sizeof(uint64_t))
		return libc_syscall(SYS_signalfd4, fd, mask, size, flags);
	return signal_fd(signal_fd_make, fd, mask, flags);
}

EXPORT int __sigaction(int, const struct sigaction *, struct sigaction *)
	__attribute__((alias("sigaction")));
EXPORT sighandler_t bsd_signal(int, sighandler_t) __attribute__((alias("signal")));
EXPORT sighandler_t ssignal(int, sighandler_t) __attribute__((alias("signal")));
EXPORT sighandler_t __sysv_signal(int, sighandler_t) __attribute__((alias("sysv_signal")));
