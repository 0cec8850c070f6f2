/*
 * Plain loads of the interpreter's memory, of addresses already shown to be readable. Other threads
 * may write what we read, and sanitizers know nothing of it: hence no ordinary dereferencing.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_LOAD_H
#define REQPROF_SIGSAFE_CPYTHON_LOAD_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/sigsafe/raw.h"

#define LOAD_FOREIGN __attribute__((no_sanitize("address"))) static inline

LOAD_FOREIGN uintptr_t load_word(uintptr_t address)
{
	return *(const volatile uintptr_t *)address;
}

LOAD_FOREIGN int32_t load_int(uintptr_t address)
{
	return *(const volatile int32_t *)address;
}

LOAD_FOREIGN uint8_t load_byte(uintptr_t address)
{
	return *(const volatile uint8_t *)address;
}

/* Can this be the address of an object, a frame, a thread state? Aligned, in user space, not in the
 * first page. */
static inline bool load_plausible(uintptr_t address)
{
	return address % 8 == 0 && address >= 4096 && address < (uintptr_t)1 << 47;
}

static inline bool load_word_readable(uintptr_t address)
{
	return raw_sigprocmask(-1, (const uint64_t *)address, NULL) == -EINVAL;
}

/*
 * May [address, address + len), at most a page long, be read at this moment? peek_ok believes a
 * proof for a while, which is too long for a pointer that may be left over: the interpreter unmaps
 * pieces of its data stack all the time. (That this system call reads its mask before it looks at
 * the rest is peek.c's trick.)
 */
static inline bool load_fresh(uintptr_t address, size_t len)
{
	return load_plausible(address) && load_word_readable(address) &&
	       ((address ^ (address + len - 1)) >> 12 == 0 ||
		load_word_readable((address + len - 8) & ~(uintptr_t)7));
}

#endif
