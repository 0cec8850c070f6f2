/*
 * What one thread waited for, for one request: a record for each long wait, with its stack, and one
 * for all short ones of the same kind, thing and stack together. Lives in a request's stack tree
 * (stacks.h), is written by the thread that waited (never by the handler, though at the same time
 * as it runs), and read when that has stopped. Its memory is reserved with the tree's and touched
 * as it fills; resetting costs nothing.
 */
#ifndef REQPROF_SIGSAFE_WAITS_H
#define REQPROF_SIGSAFE_WAITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/sigsafe/shared.h"

enum {
	WAITS_MAX = 8192,
	WAITS_SLOTS = 2 * WAITS_MAX, /* of the index of summed records */
	WAITS_TEXT_BYTES = 28672,
	WAITS_TEXT_SLOTS = 4096,
	WAITS_TEXT_MAX = 255,
};

/* In the order of PROFILE_WAIT_KINDS (format/profile.h), which emit checks. */
enum wait_kind {
	WAIT_SOCKET,
	WAIT_CONNECT,
	WAIT_BODY,
	WAIT_SEND,
	WAIT_DNS,
	WAIT_FILE,
	WAIT_LOCK,
	WAIT_GIL,
	WAIT_SLEEP,
	WAIT_CHILD,
	WAIT_THREAD,
	WAIT_POLL,
	WAIT_QUEUE,
	WAIT_OTHER,
	WAIT_KINDS
};

struct wait_record {
	uint64_t at_ns;	 /* CLOCK_MONOTONIC, when the first began */
	uint64_t end_ns; /* when the last ended */
	uint64_t ns;	 /* off the CPU */
	uint32_t node;	 /* of the stack tree; STACKS_ROOT: no stack */
	uint32_t on;	 /* what for: a text of waits_text; 0: nothing to tell */
	uint32_t holder; /* who held the GIL meanwhile: a text; 0: not known */
	uint32_t count;	 /* waits in it */
	uint32_t trips;	 /* round trips that ended in it */
	uint32_t slot;	 /* of the index, when summed */
	uint8_t kind;	 /* enum wait_kind */
	bool summed;	 /* at_ns is only the first one's */
	uint8_t flags;	 /* enum stack_flags of the stack */
};

struct waits {
	uint32_t count, texts_used;
	uint32_t lost; /* waits that found no room; none of their time is in a record */
	uint32_t last; /* number + 1 of the record added or extended last */
	bool apart;    /* no two waits are added up */
	bool goes_on;  /* that wait timed out, and is waited on by the next call: set by who records it */
	struct wait_record *records;
	uint32_t *index; /* WAITS_SLOTS */
	char *texts;	 /* a length byte, the text, and NUL, one behind the other; from offset 1 */
	uint32_t *text_index; /* WAITS_TEXT_SLOTS */
	struct shared_part records_part, texts_part;
};

enum {
	WAITS_RECORDS_BYTES = WAITS_MAX * sizeof(struct wait_record),
	WAITS_SHARED_BYTES = WAITS_RECORDS_BYTES + WAITS_TEXT_BYTES,
	WAITS_OWN_BYTES = (WAITS_SLOTS + WAITS_TEXT_SLOTS) * sizeof(uint32_t),
};

/*
 * shared: WAITS_SHARED_BYTES, 8-aligned, ready to be touched (whoever knows better says so in the
 * parts afterwards); own: WAITS_OWN_BYTES. Zero or as they were left.
 */
void waits_place(struct waits *w, void *shared, void *own);
void waits_reset(struct waits *w);

/* The number of this text (at most WAITS_TEXT_MAX bytes count), the same for equal ones; 0 for an empty one or no room. */
uint32_t waits_intern(struct waits *w, const char *bytes, size_t len);
/* NUL-terminated; "" for 0. */
const char *waits_text(const struct waits *w, uint32_t text);

/*
 * A GIL is waited for in slices of some milliseconds: when the last record goes on, and this slice
 * is of the same kind and holder, that is extended, and true.
 */
bool waits_extend(struct waits *w, enum wait_kind kind, uint32_t holder, uint64_t at_ns,
		  uint64_t end_ns, uint64_t ns);

/* Adds one; summed: to the record of the same kind, on, holder and node. False, and counted, when there is no room. */
bool waits_add(struct waits *w, const struct wait_record *wait);
/* A record of another's, whose node is `node` here. */
bool waits_take(struct waits *w, const struct waits *from, const struct wait_record *wait,
		uint32_t node, uint8_t flags);

#endif
