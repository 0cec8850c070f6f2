#include "preload/emit/budget_early.h"

enum early_state { EARLY_FREE, EARLY_BUSY, EARLY_WRITTEN };

static struct early {
	uint32_t state; /* enum early_state; atomic */
	uint64_t at_ns;
	struct control_file file;
} early[BUDGET_EARLY_MAX];
static uint32_t early_written; /* atomic */
static bool early_used;	       /* atomic: memory that nobody has needed is not touched */

static bool early_goes(struct early *e, uint32_t from)
{
	return __atomic_compare_exchange_n(&e->state, &from, EARLY_BUSY, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

void budget_early_put(const struct control_file *file, uint64_t at_ns)
{
	__atomic_store_n(&early_used, true, __ATOMIC_RELAXED);
	for (int i = 0; i < BUDGET_EARLY_MAX; i++) {
		if (!early_goes(&early[i], EARLY_FREE))
			continue;
		early[i].file = *file;
		early[i].at_ns = at_ns;
		__atomic_store_n(&early[i].state, EARLY_WRITTEN, __ATOMIC_RELEASE);
		__atomic_fetch_add(&early_written, 1, __ATOMIC_RELEASE);
		return;
	}
}

bool budget_early_take(struct control_file *file, uint64_t *at_ns)
{
	if (!__atomic_load_n(&early_written, __ATOMIC_ACQUIRE))
		return false;
	for (int i = 0; i < BUDGET_EARLY_MAX; i++) {
		if (!early_goes(&early[i], EARLY_WRITTEN))
			continue;
		*file = early[i].file;
		*at_ns = early[i].at_ns;
		__atomic_store_n(&early[i].state, EARLY_FREE, __ATOMIC_RELEASE);
		__atomic_fetch_sub(&early_written, 1, __ATOMIC_RELEASE);
		return true;
	}
	return false;
}

void budget_early_postfork_child(void)
{
	/* Those of threads that were in the middle of it, too. */
	for (int i = 0; early_used && i < BUDGET_EARLY_MAX; i++)
		early[i].state = EARLY_FREE;
	early_written = 0;
	early_used = false;
}
