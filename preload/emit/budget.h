/*
 * The disk budget: how many profiles, and how many bytes of them, a directory holds. When one more
 * would be too many the oldest goes, so that the newest are there when somebody looks. All
 * processes of the server count together, in the control page; no directory is read but once, when
 * a server starts.
 */
#ifndef REQPROF_EMIT_BUDGET_H
#define REQPROF_EMIT_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/control.h"

/* One file's way through the budget. */
struct budget {
	struct control_budget *shared;
	uint64_t queue_inode; /* of the control file, 0: there is none, so nothing can be removed */
	const char *directory;		       /* must stay */
	uint64_t bytes;			       /* taken for this file, in blocks */
	uint64_t evicted_files, evicted_bytes; /* out: removed for want of one or the other */
	unsigned passed_over;		       /* entries that were not whole */
	bool taken;
	bool lost; /* out: the control file is not there any more, or another */
	bool refused; /* out: there was no room */
};

/* Room for one more file; the first caller also counts what is there. 0, or -EDQUOT: no room, and
 * none can be made. */
int budget_take_file(struct budget *b);
/* Its size is at least this. 0 or -EDQUOT. */
int budget_take_bytes(struct budget *b, uint64_t size);
/* It is there, under this name: it can be removed when its time has come. */
void budget_written(struct budget *b, const char *name);
/* It is not, after all. */
void budget_give_back(struct budget *b);

/* Is this the name of a profile as file_name_make makes them? Nothing else is ever removed. */
bool budget_is_profile_name(const char *name, size_t len);

#endif
