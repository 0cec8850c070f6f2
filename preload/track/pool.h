/*
 * Memory for tracking: objects of one size that are never returned to the system and never change
 * their type, so that a thread may still look at (and lock) an object that another has just given
 * back. No malloc: hosts call read() and close() in signal handlers, where malloc may be held.
 */
#ifndef REQPROF_TRACK_POOL_H
#define REQPROF_TRACK_POOL_H

#include <stddef.h>
#include <stdint.h>

enum { POOL_SHELVES = 16, POOL_APART = 64 }; /* a cache line each */

/*
 * Free objects lie on shelves, each thread's own first, so that threads do not wait for each other: one goes on to the
 * next shelf when another is at its own.
 */
struct pool_shelf {
	uint32_t lock; /* guards free_list; held for a few instructions */
	void *free_list; /* the first word of a free object links it; everything behind it is left as it was */
} __attribute__((aligned(POOL_APART)));

struct pool {
	size_t object_size; /* at least 16, a multiple of 16 */
	uint64_t objects;   /* atomic: made so far, for tests */
	struct pool_shelf shelves[POOL_SHELVES];
};

/* A zeroed object, or an old one as its last owner left it (first word apart); NULL when the system has no memory. */
void *pool_get(struct pool *pool);
void pool_put(struct pool *pool, void *object);

/* In a forked child: another thread may have held a lock. */
void pool_postfork_child(struct pool *pool);

#endif
