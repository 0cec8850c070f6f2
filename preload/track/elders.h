/*
 * Tasks of an event loop that are known from earlier turns: those that have read or sent something for a request, and
 * those that ran before. What such a task does is not for a request just because no other one is open: it may have
 * answered and go on (a background task), or have been begun for somebody before.
 *
 * One is known by its number and its coroutine, as long as that waits at the begin of each turn: the task of another
 * that has both cannot have begun and come to wait within one turn.
 */
#ifndef REQPROF_TRACK_ELDERS_H
#define REQPROF_TRACK_ELDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/track/request.h"

enum { ELDERS_MAX = 64 };

struct elder {
	uint64_t task; /* 0: free */
	uintptr_t coroutine;
	uint64_t since_ns, worked_ns; /* when it was first and last known to run */
	struct request *request; /* that it last read or sent something for; with a reference. NULL: none */
	bool followed; /* that one's connection has turned to another request */
	bool serves;   /* it has done so for several requests of one connection: it goes on with the next one */
};

/* Zero: none. */
struct elders {
	unsigned next;
	struct elder known[ELDERS_MAX];
};

/* NULL: it is not known from before. */
const struct elder *elders_find(const struct elders *elders, uint64_t task);
/* It ran at that time. */
void elders_worked(struct elders *elders, uint64_t task, uintptr_t coroutine, uint64_t at_ns);
/* It read or sent something for the request. coroutine 0: only if it is known. */
void elders_did(struct elders *elders, uint64_t task, uintptr_t coroutine, uint64_t at_ns, struct request *r);
/* Something happened to this request: tasks that answered an earlier one of its connection may go on with it. */
void elders_follow(struct elders *elders, const struct request *r);
/* Forgets those whose coroutines do not wait. At the begin of a turn. */
void elders_check(struct elders *elders, bool (*waits)(uintptr_t coroutine));
/* Forgets all. */
void elders_forget(struct elders *elders);

/* No other request is open: may the task's work be for this one? task 0: that is not known. */
bool elders_allow(const struct elders *elders, uint64_t task, const struct request *r);
/* May it tell later for whom it works, by reading or sending? */
bool elders_may_tell(const struct elders *elders, uint64_t task);

#endif
