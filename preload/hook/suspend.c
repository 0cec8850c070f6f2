/* Waiting for signals. Our own is none of them: it neither ends such a wait nor is given out by one. */
#include "preload/hook/suspend.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "format/nanoseconds.h"
#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/hook/waiting.h"
#include "preload/sample/signal.h"
#include "preload/sigsafe/monotonic.h"
#include "preload/sigsafe/peek.h"

static const uint64_t SECOND_NS = 1000000000;
static const char ON[] = "signal";

/* <signal.h> gives sigpause, the BSD one in the library, X/Open's as its other name. */
EXPORT int suspend_sigpause(int mask) __asm__("sigpause");
EXPORT int __xpg_sigpause(int number);
EXPORT int __sigpause(int number_or_mask, int is_number);

EXPORT int pause(void)
{
	struct wait w;
	int result;

	waiting_begin_lasting(&w, WAIT_OTHER, true);
	result = libc_pause();
	waiting_kind(&w, WAIT_OTHER, ON);
	return result;
}

int suspend_under(int (*suspend)(const sigset_t *), const sigset_t *mask)
{
	sigset_t storage;
	const sigset_t *during;
	struct wait w;
	int result;

	during = waiting_begin_masked(&w, mask, &storage);
	result = suspend(during);
	waiting_kind(&w, WAIT_OTHER, ON);
	return result;
}

EXPORT int sigsuspend(const sigset_t *mask)
{
	return suspend_under(libc_sigsuspend, mask);
}

/* libc's own would call its sigsuspend, not ours. */
EXPORT int suspend_sigpause(int mask)
{
	sigset_t set;

	if (!waiting_wanted())
		return libc_sigpause(mask);
	sigemptyset(&set);
	memcpy(&set, &mask, sizeof(mask)); /* one of them sigaddset would refuse */
	return suspend_under(libc_sigsuspend, &set);
}

EXPORT int __xpg_sigpause(int number)
{
	sigset_t set;

	if (!waiting_wanted())
		return libc___xpg_sigpause(number);
	if (sigprocmask(SIG_BLOCK, NULL, &set) < 0 || sigdelset(&set, number) < 0)
		return -1;
	return suspend_under(libc_sigsuspend, &set);
}

EXPORT int __sigpause(int number_or_mask, int is_number)
{
	if (!waiting_wanted())
		return libc___sigpause(number_or_mask, is_number);
	return is_number ? __xpg_sigpause(number_or_mask) : suspend_sigpause(number_or_mask);
}

/*
 * The set may have our signal in it, and a tick may be pending while it is held off: it would be
 * given to the host. *info is the host's to be bad: the kernel writes it.
 */
static int suspend_for(int (*wait)(const sigset_t *, siginfo_t *, const struct timespec *),
		       const sigset_t *set, siginfo_t *info, const struct timespec *limit)
{
	uint64_t now, end = 0;
	struct timespec left;
	siginfo_t own;
	int got;

	if (limit && peek_ok((uintptr_t)limit, sizeof(*limit)))
		end = monotonic_ns() + nanoseconds(limit);
	if (!info)
		info = &own;
	for (;;) {
		got = wait(set, info, limit);
		if (got <= 0 || got != signal_number() || !handler_ticked(handler_self, info))
			return got;
		if (!limit)
			continue;
		now = monotonic_ns();
		now = now < end ? end - now : 0;
		left = (struct timespec){ (time_t)(now / SECOND_NS), (long)(now % SECOND_NS) };
		limit = &left;
	}
}

int suspend_until(int (*wait)(const sigset_t *, siginfo_t *, const struct timespec *),
		  const sigset_t *set, siginfo_t *info, const struct timespec *limit)
{
	struct wait w;
	int got;

	if (!waiting_wanted())
		return wait(set, info, limit);
	waiting_begin_lasting(&w, WAIT_OTHER, !limit || waiting_sleeps(limit, false));
	got = suspend_for(wait, set, info, limit);
	waiting_kind(&w, WAIT_OTHER, ON);
	return got;
}

EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *limit)
{
	return suspend_until(libc_sigtimedwait, set, info, limit);
}

EXPORT int sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
	struct wait w;
	int got;

	if (!waiting_wanted())
		return libc_sigwaitinfo(set, info);
	waiting_begin_lasting(&w, WAIT_OTHER, true);
	got = suspend_for(libc_sigtimedwait, set, info, NULL);
	waiting_kind(&w, WAIT_OTHER, ON);
	return got;
}

/* Unlike its kin it returns the error, and is not ended by a handler. */
EXPORT int sigwait(const sigset_t *set, int *number)
{
	struct wait w;
	int got;

	if (!waiting_wanted())
		return libc_sigwait(set, number);
	waiting_begin_lasting(&w, WAIT_OTHER, true);
	do
		got = suspend_for(libc_sigtimedwait, set, NULL, NULL);
	while (got < 0 && errno == EINTR);
	waiting_kind(&w, WAIT_OTHER, ON);
	if (got < 0)
		return errno;
	*number = got;
	return 0;
}

EXPORT int __sigsuspend(const sigset_t *) __attribute__((alias("sigsuspend")));
