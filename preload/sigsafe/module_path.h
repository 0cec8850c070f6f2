/*
 * Names of module files, kept for the life of the process: one copy of each string, in memory of
 * our own mapping. Not from a handler; one caller at a time (modules.c's turn is the lock).
 */
#ifndef REQPROF_SIGSAFE_MODULE_PATH_H
#define REQPROF_SIGSAFE_MODULE_PATH_H

#include <stddef.h>
#include <stdint.h>

/* The kept copy of these len bytes, NUL-terminated; "" when memory is refused. */
const char *module_path_intern(const char *bytes, size_t len);

/*
 * The kept name of the file mapped at this address, as /proc/self/maps says it (absolute), or NULL.
 */
const char *module_path_at(uintptr_t address);

/* The kept name of the file that this process runs, by /proc/self/exe, or NULL. */
const char *module_path_exe(void);

#endif
