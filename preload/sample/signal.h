/*
 * The signal that the clock sends: installed at the process's first request, the host's idea of it
 * kept apart ("shadow"), and kept out of the masks of sampled threads. Also SIGIO, which the kernel
 * sends in its place when the signal queue is full (RLIMIT_SIGPENDING), and whose default action
 * would kill the host.
 */
#ifndef REQPROF_SAMPLE_SIGNAL_H
#define REQPROF_SAMPLE_SIGNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Installs the handler, preferring this number; a number that the host uses is passed over. Once per
 * process (a forked child has inherited it). 0 or -errno: -EBUSY when every real-time signal is taken. */
int signal_arm(int preferred);

/* The number, 0 before signal_arm. */
int signal_number(void);

/* SIGIOs received because the signal queue was full: each a lost sample. */
uint64_t signal_queue_overflows(void);

/* For the hooks. Is the host's action for this number kept in shadow? */
bool signal_shadows(int number);
/* sigaction() on such a number: 0, or -1 with errno. */
int signal_host_action(int number, const struct sigaction *action, struct sigaction *old);

/* Makes the signal deliverable to the calling thread, and remembers whether the host had blocked it. */
void signal_unblock(void);
/* Has that been done on this thread? Then its masks are edited on their way in and out. */
bool signal_mask_watched(void);
bool signal_mask_host_blocks(void);
/* The host changed its mask by `set`, which may contain our signal. */
void signal_mask_edit(int how, const sigset_t *set);

#endif
