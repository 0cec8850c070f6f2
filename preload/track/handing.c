#include "preload/track/handing.h"

#include <stddef.h>
#include <string.h>

#include "preload/sigsafe/monotonic.h"
#include "preload/track/handed.h"
#include "preload/track/self.h"
#include "preload/track/strays.h"
#include "preload/track/track.h"

enum { SEMAPHORES = 64 };

bool track_hands;
/* Those that were released while something was given away, by address; atomic. Who sleeps on one is to take it up. */
static const void *handing_semaphores[SEMAPHORES];

static const void **handing_semaphore(const void *semaphore)
{
	return &handing_semaphores[(uintptr_t)semaphore * UINT64_C(0x9e3779b97f4a7c15) >> 58];
}

static void handing_give_later(uintptr_t item)
{
	struct turn *turn = track_self.turn;
	struct handed_task task = { .at_ns = monotonic_ns() };
	int number;

	track_callbacks->task(&task);
	if (!turn->running || turn->n_handed == TURN_HANDED_MAX || !task.task ||
	    task.task == turn->loop_task) {
		handed_done(item);
		return;
	}
	number = handed_give_later(item, turn, &task);
	if (number >= 0)
		turn->handed[turn->n_handed++] = (uint16_t)number;
}

static void handing_give(uintptr_t item)
{
	struct request *r = track_self.current;

	if (track_self.turn)
		handing_give_later(item);
	else if (!r && track_self.stray)
		handed_share(item, track_callbacks->item(), monotonic_ns());
	else
		handed_give(item, track_self.stray ? NULL : r, monotonic_ns());
}

/* Threads begin with a lock's release: it is said that they have started. One in a pool has been given work by then. */
static void handing_look_at_thread(void)
{
	if (track_self.seen)
		return;
	track_self.seen = true;
	if (!track_self.current && __atomic_load_n(&track_hands, __ATOMIC_RELAXED))
		strays_begin(true);
}

void track_tells(const void *semaphore)
{
	uintptr_t item = 0;
	enum track_hand hand;

	if (!track_callbacks || !track_callbacks->hands)
		return;
	handing_look_at_thread();
	if (track_self.stray)
		track_callbacks->stray_settles(false);
	hand = track_callbacks->hands(&item);
	if (hand == TRACK_GIVES) {
		handing_give(item);
		if (!track_self.current && !track_self.turn)
			return;
		__atomic_store_n(handing_semaphore(semaphore), semaphore, __ATOMIC_RELAXED);
		__atomic_store_n(&track_hands, true, __ATOMIC_RELAXED);
	} else if (hand == TRACK_ENDS) {
		handed_done(item);
	}
}

bool track_told_by(const void *semaphore)
{
	return __atomic_load_n(&track_hands, __ATOMIC_RELAXED) &&
	       __atomic_load_n(handing_semaphore(semaphore), __ATOMIC_RELAXED) == semaphore;
}

void track_takes(void)
{
	if (!track_self.current)
		strays_begin(true);
}

void track_settles(bool sleeps)
{
	if (track_self.stray)
		track_callbacks->stray_settles(sleeps &&
					       !__atomic_load_n(&track_pools, __ATOMIC_RELAXED));
}

void handing_forget(struct turn *turn)
{
	for (unsigned i = 0; i < turn->n_handed; i++) {
		struct handed_work work = handed_told(turn->handed[i], turn, NULL);

		if (work.samples)
			track_callbacks->handed_lost(&work);
	}
	turn->n_handed = 0;
}

void handing_postfork_child(void)
{
	memset(handing_semaphores, 0, sizeof(handing_semaphores));
	__atomic_store_n(&track_hands, false, __ATOMIC_RELAXED);
	handed_postfork_child();
}
