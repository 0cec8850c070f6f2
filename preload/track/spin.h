/*
 * A lock for a few instructions of memory work. The holder never makes a call of the host's, never
 * blocks and cannot be interrupted by a nested hook that would want it (hook_enter refuses those),
 * so a waiter spins briefly and then yields to a holder that was preempted.
 */
#ifndef REQPROF_TRACK_SPIN_H
#define REQPROF_TRACK_SPIN_H

#include <stdint.h>

#include "preload/sigsafe/raw.h"

static inline void spin_lock(uint32_t *lock)
{
	for (unsigned tries = 1; __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE); tries++) {
		if (tries % 64 == 0)
			raw_sched_yield();
		else
			__builtin_ia32_pause();
	}
}

static inline void spin_unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

#endif
