/* What waits under a mask of its own: for by_number.c, which reaches the kernel another way. */
#ifndef REQPROF_HOOK_SUSPEND_H
#define REQPROF_HOOK_SUSPEND_H

#include <signal.h>
#include <time.h>

/* `suspend` with this mask, in which our signal is held off where it might end the wait. */
int suspend_under(int (*suspend)(const sigset_t *), const sigset_t *mask);
/* Waits for a signal of the set by `wait`, whose arguments and results are sigtimedwait's. */
int suspend_until(int (*wait)(const sigset_t *, siginfo_t *, const struct timespec *),
		  const sigset_t *set, siginfo_t *info, const struct timespec *limit);

#endif
