/* A hash table from one number to another, for what has been looked up before. */
#ifndef REQPROF_TOOLS_BASE_NUMBERS_H
#define REQPROF_TOOLS_BASE_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty one. */
struct numbers {
	struct number_slot {
		uint64_t key, value;
		bool used;
	} * slots;
	size_t count, size; /* size: a power of two, or 0 */
};

/* The value stored for key: for a new key 0, *fresh telling so. Good until the next call. */
uint64_t *numbers_at(struct numbers *n, uint64_t key, bool *fresh);
/* Whether key is there. */
bool numbers_has(const struct numbers *n, uint64_t key);
void numbers_free(struct numbers *n);

#endif
