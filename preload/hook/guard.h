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
/* This thread called vfork and has not been seen back; or it has made a child that shares its thread-locals for good. */
enum hook_vforked { HOOK_VFORKED = 1, HOOK_SHARED = 2 };
extern __thread volatile uint8_t hook_vforked; /* enum hook_vforked, or'ed */
extern __thread int32_t hook_tid;

/* After a vfork: is this the child? (Slow path: one system call until the parent is back.) */
bool hook_in_vfork_child(void);
/* Before the thread makes a child that shares its memory and its thread-locals, and does not wait for it. */
void hook_shares(void);

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
