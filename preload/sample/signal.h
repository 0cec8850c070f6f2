/*
 * The signal that the clock sends: installed at the process's first request, and the host's idea of
 * its action kept apart ("shadow"). Also SIGIO, which the kernel sends in its place when the signal
 * queue is full (RLIMIT_SIGPENDING), and whose default action would kill the host. When the host uses
 * our number for itself, it gets what it would have got. Its masks are mask.h's.
 */
#ifndef REQPROF_SAMPLE_SIGNAL_H
#define REQPROF_SAMPLE_SIGNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Installs the handler, preferring this number; a number that the host uses is passed over. Once per
 * process. 0 or -errno: -EBUSY when every real-time signal is taken. */
int signal_arm(int preferred);
/* In a forked child: the host's actions for real, until its first request. */
void signal_postfork_child(void);

/* The number, 0 before signal_arm. */
int signal_number(void);

/* SIGIOs received because the signal queue was full: each a lost sample. */
uint64_t signal_queue_overflows(void);

/* For the hooks. Is the host's action for this number kept in shadow? */
bool signal_shadows(int number);
/* sigaction(), for every number once armed: 0, or -1 with errno. */
int signal_host_action(int number, const struct sigaction *action, struct sigaction *old);
/* What the host believes is this number's action, with no lock: for vfork children. */
void signal_read_shadow(int number, struct sigaction *action);

#endif
