/* Does a request that has ended leave a file? The rules of format/keep.h. */
#ifndef REQPROF_EMIT_KEPT_H
#define REQPROF_EMIT_KEPT_H

#include "format/control.h"
#include "format/keep.h"
#include "preload/track/request.h"

/* Is it certain that none will? False also when that cannot be told without counting it (first, every, worst). */
bool kept_by_none(const struct keep_rules *rules, const struct request *r);

/*
 * The rules that keep the request (enum keep_rule), 0: none does. *shared is what all processes
 * know together; `first` and `worst` find no room in it when *full is set. No system call.
 */
uint32_t kept_by(const struct keep_rules *rules, struct control_keep *shared,
		 const struct request *r, bool *full);

/* Is method and path whole, so that a filter can be asked? */
bool kept_head_known(const struct request *r);

/* The words of these rules with commas between, for the file. Returns the length. */
size_t kept_names(uint32_t rules, char text[KEEP_TEXT_MAX]);

#endif
