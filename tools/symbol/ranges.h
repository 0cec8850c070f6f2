/*
 * Which of many address ranges holds an address: a sorted array, searched by halving. Ranges may
 * nest.
 */
#ifndef REQPROF_SYMBOL_RANGES_H
#define REQPROF_SYMBOL_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t start, end; /* [start, end) */
	uint64_t max_end;    /* internal: the largest end up to here */
	uint64_t item;	     /* the caller's */
	uint32_t rank;	     /* of two ranges with the same start the higher one stays */
};

/* All zero is an empty one. */
struct ranges {
	struct range *all;
	size_t count, room;
};

/* Empty ranges are ignored. */
void ranges_add(struct ranges *r, uint64_t start, uint64_t end, uint64_t item, uint32_t rank);
/* To be called once after the last add. keep_nested: of ranges with the same start all stay. */
void ranges_sort(struct ranges *r, bool keep_nested);
/* The range that holds address and starts last, or NULL. */
const struct range *ranges_find(const struct ranges *r, uint64_t address);
/* Of the ranges that hold address the one with the highest item, or NULL. For ranges sorted with keep_nested. */
const struct range *ranges_find_newest(const struct ranges *r, uint64_t address);
void ranges_free(struct ranges *r);

#endif
