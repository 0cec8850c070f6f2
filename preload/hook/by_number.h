/* Calls that the host makes by syscall() and that mean the same as a hooked function: their halves in other files. */
#ifndef REQPROF_HOOK_BY_NUMBER_H
#define REQPROF_HOOK_BY_NUMBER_H

#include <stddef.h>

struct by_number_call {
	long number, a, b, c, d, e, f;
};

/* rt_sigaction and rt_sigprocmask: as syscall() returns. The structs are the kernel's. */
long signal_action_by_number(int number, const void *action, void *old, size_t size);
long signal_mask_by_number(int how, const void *set, void *old, size_t size);
/* signalfd4, and signalfd with no flags. */
long signal_fd_by_number(int fd, const void *mask, size_t size, int flags);

/* What may wait is held off from our signal, and timed; the others are called. *call may be changed. */
long waits_by_number(struct by_number_call *call);

#endif
