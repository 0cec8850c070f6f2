/*
 * Memory that stands in the live file (format/live.h), used from its start on. Touching a page that
 * the file system has no room for kills the process; so each part is made ready before it is
 * touched, and where that fails private memory takes the place of what is left: nothing is lost then
 * but what a killed process leaves behind. Parts of private memory are ready from the start.
 */
#ifndef REQPROF_SIGSAFE_SHARED_H
#define REQPROF_SIGSAFE_SHARED_H

#include <stdbool.h>
#include <stdint.h>

/* Written by whoever may write to the memory; where several do, each field goes forward only. */
struct shared_part {
	char *start;	 /* page-aligned */
	uint64_t offset; /* of start in the file */
	uint32_t size;	 /* a multiple of a page */
	uint32_t ready;	 /* bytes that may be touched */
	uint32_t *kept;	 /* where the reader finds how many of them stand in the file; NULL: no matter */
};

/* The file, for kernels before 5.14: opened by its name each time. path must stay; NULL: none. */
void shared_file(const char *path, uint64_t inode);

/* Makes at least so many bytes from the start ready. Also from the handler. */
void shared_grow(struct shared_part *part, uint32_t bytes);

static inline void shared_need(struct shared_part *part, uint32_t bytes)
{
	if (bytes > __atomic_load_n(&part->ready, __ATOMIC_RELAXED))
		shared_grow(part, bytes);
}

/* Was there no room for all of it? */
static inline bool shared_left(const struct shared_part *part)
{
	return part->kept && part->ready > __atomic_load_n(part->kept, __ATOMIC_RELAXED);
}

/* Gives the memory back: zeros again, and not ready. False: it stays as it is. */
bool shared_empty(struct shared_part *part);

#endif
