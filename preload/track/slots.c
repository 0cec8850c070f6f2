#include "preload/track/slots.h"

#include <sys/mman.h>

#include "preload/sigsafe/raw.h"

slot_value slots_first_leaf[SLOTS_LEAF];
slot_value *slots_leaves[SLOTS_LEAVES];

static slot_value *slots_make(int fd)
{
	slot_value *none = 0;
	size_t bytes = SLOTS_LEAF * sizeof(slot_value);
	slot_value *leaf;

	if (fd < 0 || fd >= SLOTS_LEAF * SLOTS_LEAVES)
		return 0;
	if (slots_word(fd))
		return slots_word(fd);
	leaf = raw_mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (raw_failed(leaf))
		return 0;
	if (!__atomic_compare_exchange_n(&slots_leaves[fd / SLOTS_LEAF], &none, leaf, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		raw_munmap(leaf, bytes); /* another thread was first */
	return slots_word(fd);
}

slot_value slots_exchange(int fd, slot_value value, bool *ok)
{
	slot_value *word = value == SLOT_UNKNOWN ? slots_word(fd) : slots_make(fd);

	if (ok)
		*ok = word || value == SLOT_UNKNOWN;
	return word ? __atomic_exchange_n(word, value, __ATOMIC_ACQ_REL) : SLOT_UNKNOWN;
}

bool slots_replace(int fd, slot_value expected, slot_value value)
{
	slot_value *word = slots_make(fd);

	return word && __atomic_compare_exchange_n(word, &expected, value, false, __ATOMIC_ACQ_REL,
						   __ATOMIC_ACQUIRE);
}
