/* What waits under a mask of its own: for by_number.c, which reaches the kernel another way. */
#ifndef REQPROF_HOOK_SUSPEND_H
#define REQPROF_HOOK_SUSPEND_H

#include <signal.h>

/* `suspend` with this mask, in which our signal is held off where it might end the wait. */
int suspend_under(int (*suspend)(const sigset_t *), const sigset_t *mask);

#endif
