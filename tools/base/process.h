/* Other processes, by /proc. */
#ifndef REQPROF_TOOLS_BASE_PROCESS_H
#define REQPROF_TOOLS_BASE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * When it started, in clock ticks since boot: field 22 of /proc/PID/stat. 0 when there is no such
 * process, or it cannot be read.
 */
uint64_t process_start_ticks(uint32_t pid);

/*
 * Is this very process still there? start_ticks 0: unknown, any process of this id will do. A
 * zombie is gone.
 */
bool process_alive(uint32_t pid, uint64_t start_ticks);

#endif
