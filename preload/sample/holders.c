#include "preload/sample/holders.h"

#include <stdbool.h>
#include <stddef.h>

static struct holder holders[HOLDERS_MAX];
static uint32_t high; /* atomic: entries from here on were never taken */

struct holder *holders_claim(void)
{
	for (uint32_t i = 0; i < HOLDERS_MAX; i++) {
		uint32_t seen;

		if (__atomic_load_n(&holders[i].taken, __ATOMIC_RELAXED) ||
		    __atomic_exchange_n(&holders[i].taken, 1, __ATOMIC_ACQ_REL))
			continue;
		seen = __atomic_load_n(&high, __ATOMIC_RELAXED);
		while (seen <= i &&
		       !__atomic_compare_exchange_n(&high, &seen, i + 1, false, __ATOMIC_RELEASE,
						    __ATOMIC_RELAXED))
			;
		return &holders[i];
	}
	return NULL;
}

static void holder_clear(struct holder *holder)
{
	__atomic_store_n(&holder->request, NULL, __ATOMIC_RELAXED);
	__atomic_store_n(&holder->state, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&holder->taken, 0, __ATOMIC_RELEASE);
}

void holders_release(struct holder *holder)
{
	if (holder)
		holder_clear(holder);
}

void *holders_find(uintptr_t state)
{
	uint32_t n = __atomic_load_n(&high, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; state && i < n; i++)
		if (__atomic_load_n(&holders[i].state, __ATOMIC_RELAXED) == state)
			return __atomic_load_n(&holders[i].request, __ATOMIC_ACQUIRE);
	return NULL;
}

void holders_postfork_child(struct holder *own)
{
	for (uint32_t i = 0; i < HOLDERS_MAX; i++)
		if (&holders[i] != own)
			holder_clear(&holders[i]);
	if (own)
		__atomic_store_n(&own->request, NULL, __ATOMIC_RELAXED);
}
