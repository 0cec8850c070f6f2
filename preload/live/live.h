/*
 * This process's live file (format/live.h): made at its first request, removed when it ends with no
 * request open, else left for `reqprof recover`. Where it cannot be had, all of this does nothing,
 * and what would stand in it stands in private memory. Not from the signal handler.
 */
#ifndef REQPROF_LIVE_LIVE_H
#define REQPROF_LIVE_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "format/live.h"

struct live_settings {
	const char *place;     /* directory of the file, "off": none is made. Must stay, as must: */
	const char *directory; /* where profiles go */
};

/* At load: no system call. */
void live_configure(const struct live_settings *settings);
/* At a process's first request. 0, or -errno: there is none (-ECANCELED: none is wanted). Once. */
int live_start(void);
/* The process ends. */
void live_stop(void);
/* In a forked child: its parent's file is let go of; its own first request makes another. */
void live_postfork_child(void);

/* The live file's beginning, NULL when there is none. */
struct live_head *live_head(void);

/* For a request that begins: zeroed but for its texts, which are empty. NULL: no file, or no room. */
struct live_request *live_take_request(void);
void live_put_request(struct live_request *r); /* NULL is fine */
/* What a tree calls it (struct live_tree's request). */
uint32_t live_request_number(const struct live_request *r);

/* STACKS_SHARED_BYTES of the file for a stack tree, of which the first page may be touched; NULL: no file, or no room. */
void *live_take_tree(uint64_t *offset);
void live_put_tree(void *memory); /* NULL is fine */

/* The modules may have changed: what the file says of them follows. */
void live_note_modules(void);

#endif
