/*
 * The few functions of libc that this room needs in the form that the hooks found them; the hook
 * room owns the pointers (hook/real.h), this room must not see its table.
 */
#ifndef REQPROF_SAMPLE_LIBC_H
#define REQPROF_SAMPLE_LIBC_H

#include <signal.h>

extern int (*libc_sigaction)(int number, const struct sigaction *action, struct sigaction *old);

#endif
