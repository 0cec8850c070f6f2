#include "tools/base/numbers.h"

#include <stdlib.h>

#include "tools/base/errors.h"

static struct number_slot *slot_for(const struct numbers *n, uint64_t key)
{
	size_t at = (size_t)((key * 0x9e3779b97f4a7c15u) >> 20) & (n->size - 1);

	while (n->slots[at].used && n->slots[at].key != key)
		at = (at + 1) & (n->size - 1);
	return &n->slots[at];
}

static void grow(struct numbers *n)
{
	struct numbers bigger = { .count = n->count, .size = n->size ? n->size * 2 : 256 };

	bigger.slots = errors_alloc(bigger.size, sizeof(*bigger.slots));
	for (size_t i = 0; i < n->size; i++)
		if (n->slots[i].used)
			*slot_for(&bigger, n->slots[i].key) = n->slots[i];
	free(n->slots);
	*n = bigger;
}

uint64_t *numbers_at(struct numbers *n, uint64_t key, bool *fresh)
{
	struct number_slot *slot;

	if (n->count * 2 >= n->size)
		grow(n);
	slot = slot_for(n, key);
	*fresh = !slot->used;
	if (*fresh) {
		*slot = (struct number_slot){ .key = key, .used = true };
		n->count++;
	}
	return &slot->value;
}

bool numbers_has(const struct numbers *n, uint64_t key)
{
	return n->size && slot_for(n, key)->used;
}

void numbers_free(struct numbers *n)
{
	free(n->slots);
	*n = (struct numbers){ 0 };
}
