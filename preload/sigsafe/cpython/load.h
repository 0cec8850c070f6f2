/*
 * Plain loads of the interpreter's memory, of addresses already shown to be readable. Other threads
 * may write what we read, and sanitizers know nothing of it: hence no ordinary dereferencing.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_LOAD_H
#define REQPROF_SIGSAFE_CPYTHON_LOAD_H

#include <stdbool.h>
#include <stdint.h>

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

#endif
