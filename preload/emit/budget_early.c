#include "preload/emit/budget_early.h"

enum early_state { EARLY_FREE, EARLY_BUSY, EARLY_WRITTEN };

static struct early {
	uint32_t state; /* enum early_state; atomic */
	struct control_file file;
} early[BUDGET_EARLY_MAX];
static uint32_t early_written; /* atomic */

static bool early_goes(struct early *e, uint32_t from)
{
	return __atomic_compare_exchange_n(&e->state, &from, EARLY_BUSY, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

void budget_early_put(const struct control_file *file)
{
	for (int i = 0; i < BUDGET_EARLY_MAX; i++) {
		if (!early_goes(&early[i], EARLY_FREE))
			continue;
		early[i].file = *file;
		__atomic_store_n(&early[i].state, EARLY_WRITTEN, __ATOMIC_RELEASE);
		__atomic_fetch_add(&early_written, 1, __ATOMIC_RELEASE);
		return;
	}
}

bool budget_early_take(struct control_file *file)
{
	if (!__atomic_load_n(&early_written, __ATOMIC_ACQUIRE))
		return false;
	for (int i = 0; i < BUDGET_EARLY_MAX; i++) {
		if (!early_goes(&early[i], EARLY_WRITTEN))
			continue;
		*file = early[i].file;
		__atomic_store_n(&early[i].state, EARLY_FREE, __ATOMIC_RELEASE);
		__atomic_fetch_sub(&early_written, 1, __ATOMIC_RELEASE);
		return true;
	}
	return false;
}

void budget_early_postfork_child(void)
{
	for (int i = 0; i < BUDGET_EARLY_MAX && early_written; i++)
		early[i].state = EARLY_FREE;
	early_written = 0;
}
