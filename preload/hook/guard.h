/*
 * Are we free to look at this call? Not when it comes from our own work, nor from a host's signal
 * handler that interrupted it, nor from a vfork child, whose memory is its parent's.
 */
#ifndef REQPROF_HOOK_GUARD_H
#define REQPROF_HOOK_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

/* Zero means off: nothing is watched before init.c says so, nor in a process that must be left alone. */
extern bool hook_active;

/* Initial-exec: no model that might allocate on first touch. One byte each, so that the vfork stub
 * can set it without touching anything else. */
extern __thread volatile uint8_t hook_inside;
extern __thread volatile uint8_t hook_vforked; /* this thread called vfork and has not been seen back */
extern __thread int32_t hook_tid;

/* After a vfork: is this the child? (Slow path: one system call until the parent is back.) */
bool hook_in_vfork_child(void);

static inline bool hook_enter(void)
{
	if (!hook_active || hook_inside || (hook_vforked && hook_in_vfork_child()))
		return false;
	hook_inside = 1;
	__asm__ volatile("" ::: "memory");
	return true;
}

static inline void hook_leave(void)
{
	__asm__ volatile("" ::: "memory");
	hook_inside = 0;
}

#endif
