/*
 * Descriptors of our own in the host's process: perf events, a profile while it is written. The
 * host must neither see them nor close them: servers close "all" descriptors when they daemonize,
 * and a number that was closed and handed out again would make us touch the host's file.
 * Lock-free on the query; any thread.
 */
#ifndef REQPROF_PRELOAD_OURS_H
#define REQPROF_PRELOAD_OURS_H

#include <stdbool.h>
#include <stdint.h>

enum { OURS_BITS = 65536, OURS_MAX = 4096 };

extern uint64_t ours_bits[OURS_BITS / 64];

static inline bool ours_has(int fd)
{
	return (unsigned)fd < OURS_BITS &&
	       (__atomic_load_n(&ours_bits[fd / 64], __ATOMIC_RELAXED) >> (fd % 64) & 1);
}

/* Moves a fresh descriptor out of the host's way (a high number, close-on-exec) and registers it.
 * *holder is where its owner keeps it: set here, and changed when the host wants the number. 0 or -errno
 * (then fd has been closed and *holder is -1). */
int ours_take(int fd, int *holder);
/* The same without moving it: for descriptors that live for microseconds. */
int ours_take_here(int fd, int *holder);
/* Closes *holder and sets it to -1. */
void ours_close(int *holder);
/* The host is about to dup onto this number of ours: moves ours elsewhere, or, where there is no such
 * place, lets it go: *holder is -1 then. */
void ours_make_way(int fd);
/* The first of ours in [first, last], or -1. */
int ours_next(unsigned first, unsigned last);
/* A forked child has copies of all of them that it does not need: closes them. Owners' holders are set to -1. */
void ours_postfork_child(void);

#endif
