/*
 * Profiles that a process wrote before it had joined the control page (somebody held its lock), or after the page was
 * lost: a private page has no queue of names. They are remembered here, and enter the shared queue when there is one.
 */
#ifndef REQPROF_EMIT_BUDGET_EARLY_H
#define REQPROF_EMIT_BUDGET_EARLY_H

#include <stdbool.h>

#include "format/control.h"

/* Names beyond these are forgotten: the next server that starts finds their files. */
enum { BUDGET_EARLY_MAX = 256 };

/* Any thread. `file`: its name and bytes. */
void budget_early_put(const struct control_file *file);
/* Takes one of them away. False: there is none. Any thread. */
bool budget_early_take(struct control_file *file);
/* A child of fork has written none. */
void budget_early_postfork_child(void);

#endif
