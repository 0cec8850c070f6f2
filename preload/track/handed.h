/*
 * Work that was handed to threads of pools, by the object that stands for it (an item): whose is it? For a
 * thread that serves one request at a time that is known at once; for an event loop's (turn.h) later, when
 * its task has shown for whom it works, and what was done until then is kept with the item.
 *
 * An item is known from the moment it is given away until its work is done; others may have its address then.
 * Any thread, outside the signal handler.
 */
#ifndef REQPROF_TRACK_HANDED_H
#define REQPROF_TRACK_HANDED_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/track/request.h"

enum { HANDED_MAX = 1024 };

/* What was done for an item while its request was not known. */
struct handed_work {
	void *samples; /* a list, of those behind the callbacks; NULL: none */
	uint32_t count;
	uint64_t cpu_ns, wall_ns;
};

enum handed_whose { HANDED_NOBODYS, HANDED_KNOWN, HANDED_LATER };
struct handed_answer {
	enum handed_whose whose;
	struct request *request; /* HANDED_KNOWN: with a hold and a reference, for handed_let_go */
	uint64_t since_ns;	 /* what was done before was another item's, of the same address */
};

/* The item is r's work from now on; r NULL: nobody's. */
void handed_give(uintptr_t item, struct request *r, uint64_t now_ns);
/* The same one's as that other item. */
void handed_share(uintptr_t item, uintptr_t other, uint64_t now_ns);
/* Its work is done. */
void handed_done(uintptr_t item);

bool handed_is(uintptr_t item); /* not nobody's, for all that is known */
struct handed_answer handed_whose(uintptr_t item);
void handed_let_go(const struct handed_answer *answer);

/*
 * For event loops: it is the work of whom this task works for, and `owner` (any address of the thread's) will ask
 * and tell. The number that it is asked by, which is its own until it is told; -1: no room, it is nobody's.
 */
struct handed_task {
	uint64_t at_ns, task;
	uintptr_t coroutine;
};
int handed_give_later(uintptr_t item, const void *owner, const struct handed_task *task);
/* False: it is not the owner's any more. */
bool handed_later(unsigned number, const void *owner, struct handed_task *task);
/* r, or NULL: nobody's. What was done for it so far is the caller's. */
struct handed_work handed_told(unsigned number, const void *owner, struct request *r);
/*
 * Something was done for it. Until the owner has told, it is kept there (`join` puts the second list's on the
 * first: a few instructions), else the answer says whose it is, and the work is still the caller's.
 */
struct handed_answer handed_worked(uintptr_t item, struct handed_work *work,
				   void (*join)(void **to, void *from));

void handed_postfork_child(void);

#endif
