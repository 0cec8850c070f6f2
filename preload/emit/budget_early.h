/*
 * Profiles that a process wrote while there was no queue of names that it could enter them in: before the control page
 * was there (somebody held its lock), or when the page's file was another all at once. They are remembered here, and
 * enter the shared queue when there is one.
 */
#ifndef REQPROF_EMIT_BUDGET_EARLY_H
#define REQPROF_EMIT_BUDGET_EARLY_H

#include <stdbool.h>
#include <stdint.h>

#include "format/control.h"

/* Names beyond these are forgotten: the next server that starts finds their files. */
enum { BUDGET_EARLY_MAX = 256 };

/* Any thread. `file`: its name and bytes. `at_ns`: unix, a moment since which it has been in the directory. */
void budget_early_put(const struct control_file *file, uint64_t at_ns);
/* Takes one of them away. False: there is none. Any thread. */
bool budget_early_take(struct control_file *file, uint64_t *at_ns);
/* A child of fork has written none. */
void budget_early_postfork_child(void);

#endif
