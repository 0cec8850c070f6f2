/* Live files that killed processes left, and nobody recovered: memory that somebody must give back. */
#ifndef REQPROF_LIVE_LEFTOVERS_H
#define REQPROF_LIVE_LEFTOVERS_H

#include <stdint.h>

enum { LEFTOVERS_MAX = 16 };

/*
 * Removes those of this user's dead processes in the directory `place` (open at dir) that no request
 * stands in; and when there are more than LEFTOVERS_MAX others, the oldest of them. This process
 * (pid) has none yet: one of its name was left behind by exec.
 */
void leftovers_remove(int dir, uint32_t pid, uint64_t pid_namespace);

#endif
