/*
 * Our signal's action and mask bit. The host must be unable to reset our signal to its default
 * action, which would kill it, and to block it, which would blind us in silence (uwsgi --threads
 * and apache's MPMs block every signal in the threads that serve). What it reads back is what it set.
 */
#include <errno.h>

#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/sample/signal.h"

EXPORT int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
	if (!signal_shadows(number))
		return libc_sigaction(number, action, old);
	return signal_host_action(number, action, old);
}

/* signal() and its kin, for a signal whose action we shadow. BSD's signal() also masks the signal itself, as can be read back. */
static sighandler_t signal_host_handler(int number, sighandler_t handler, int flags, bool masks_itself)
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
	if (signal_host_action(number, &action, &old) < 0)
		return SIG_ERR;
	return old.sa_handler;
}

EXPORT sighandler_t signal(int number, sighandler_t handler)
{
	if (!signal_shadows(number))
		return libc_signal(number, handler);
	return signal_host_handler(number, handler, SA_RESTART, true);
}

EXPORT sighandler_t sysv_signal(int number, sighandler_t handler)
{
	if (!signal_shadows(number))
		return libc_sysv_signal(number, handler);
	return signal_host_handler(number, handler, (int)(SA_RESETHAND | SA_NODEFER), false);
}

EXPORT sighandler_t sigset(int number, sighandler_t handler)
{
	if (!signal_shadows(number))
		return libc_sigset(number, handler);
	return handler == SIG_HOLD ? SIG_DFL : signal_host_handler(number, handler, 0, false);
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

	if (!signal_shadows(number))
		return libc_siginterrupt(number, interrupt);
	signal_host_action(number, NULL, &action);
	if (interrupt)
		action.sa_flags &= ~SA_RESTART;
	else
		action.sa_flags |= SA_RESTART;
	return signal_host_action(number, &action, NULL);
}

EXPORT int sighold(int number)
{
	sigset_t set;

	if (!signal_mask_watched() || number != signal_number())
		return libc_sighold(number);
	sigemptyset(&set);
	sigaddset(&set, number);
	signal_mask_edit(SIG_BLOCK, &set);
	return 0;
}

static int signal_mask(int (*set_mask)(int, const sigset_t *, sigset_t *), int how,
		       const sigset_t *set, sigset_t *old)
{
	bool blocked = signal_mask_host_blocks();
	sigset_t edited;
	int result;

	if (!signal_mask_watched())
		return set_mask(how, set, old);
	if (set) {
		edited = *set;
		sigdelset(&edited, signal_number());
	}
	result = set_mask(how, set ? &edited : NULL, old);
	if (result != 0)
		return result;
	if (set)
		signal_mask_edit(how, set);
	if (old && blocked)
		sigaddset(old, signal_number());
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

EXPORT int __sigaction(int, const struct sigaction *, struct sigaction *)
	__attribute__((alias("sigaction")));
EXPORT sighandler_t bsd_signal(int, sighandler_t) __attribute__((alias("signal")));
EXPORT sighandler_t ssignal(int, sighandler_t) __attribute__((alias("signal")));
EXPORT sighandler_t __sysv_signal(int, sighandler_t) __attribute__((alias("sysv_signal")));
