/*
 * What is known of each descriptor: one word, looked up by number on every hooked call.
 * Lock-free. Descriptors 0..1023 need no allocation, so that a process that serves nothing
 * allocates nothing; the others get a leaf when the first of its 1024 is tracked.
 */
#ifndef REQPROF_TRACK_SLOTS_H
#define REQPROF_TRACK_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	SLOT_UNKNOWN = 0, /* never judged: zero, so that fresh memory says it */
	SLOT_NOT = 1,     /* none of our business until its number is handed out again */
	SLOT_LISTENER = 2,
	SLOT_OUTBOUND = 3, /* connected by this process, for no request */
	SLOT_EPOLL_SERVING = 4, /* an epoll set with a client's connection in it */
	SLOT_ACCEPTED = 5,       /* a client's, no byte read yet */
	SLOT_EPOLL_LISTENING = 6, /* an epoll set with a listener in it, and no client's connection */
	SLOT_POINTER_MIN = 4096, /* values from here are pointers to struct endpoint */

	SLOTS_LEAF = 1024,
	SLOTS_LEAVES = 1024, /* 1,048,576 descriptors: the kernel's default ceiling (fs.nr_open) */
};

typedef uint64_t slot_value; /* one of the above, or a pointer */

extern slot_value slots_first_leaf[SLOTS_LEAF];
extern slot_value *slots_leaves[SLOTS_LEAVES];

/* The word of fd, or NULL when it is out of range or its leaf does not exist. */
static inline slot_value *slots_word(int fd)
{
	if ((unsigned)fd < SLOTS_LEAF)
		return &slots_first_leaf[fd];
	if ((unsigned)fd >= SLOTS_LEAF * SLOTS_LEAVES)
		return 0;
	slot_value *leaf = __atomic_load_n(&slots_leaves[fd / SLOTS_LEAF], __ATOMIC_ACQUIRE);
	return leaf ? &leaf[fd % SLOTS_LEAF] : 0;
}

static inline slot_value slots_get(int fd)
{
	slot_value *word = slots_word(fd);

	return word ? __atomic_load_n(word, __ATOMIC_ACQUIRE) : SLOT_UNKNOWN;
}

/* Sets fd's word, making its leaf if needed; the previous value. False in *ok when there was no memory or fd is out of range. */
slot_value slots_exchange(int fd, slot_value value, bool *ok);

/* Sets it only if it still is `expected`. */
bool slots_replace(int fd, slot_value expected, slot_value value);

#endif
