/* Is a process still the one that it was? Raw system calls; any thread. */
#ifndef REQPROF_PRELOAD_ALIVE_H
#define REQPROF_PRELOAD_ALIVE_H

#include <stdbool.h>
#include <stdint.h>

/* Field 22 of /proc/PID/stat: when it started, in ticks. 0 when it cannot be read. */
uint64_t alive_start_ticks(uint32_t pid);

/* start_ticks 0: unknown, any process of this id will do. */
bool alive(uint32_t pid, uint64_t start_ticks);

#endif
