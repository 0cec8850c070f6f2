/*
 * Reading memory that may not be there, without a SIGSEGV handler (uwsgi's threads block SIGSEGV:
 * a fault there kills). An address is proven readable once per page by a system call
 * and remembered; after that it is a plain load.
 * Callable from the signal handler. Takes no lock; the page memory is shared by all threads.
 */
#ifndef REQPROF_SIGSAFE_PEEK_H
#define REQPROF_SIGSAFE_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* May [address, address + len) be read now? len at most 64 KiB. False for the null page, for
 * non-canonical addresses and when the kernel says no. */
bool peek_ok(uintptr_t address, size_t len);

/* Copies len bytes if they may be read. */
bool peek_copy(void *to, uintptr_t address, size_t len);

/* An aligned 8-byte word; false for an address that is not aligned. */
bool peek_word(uintptr_t address, uintptr_t *word);

/*
 * Forgets all proofs: call outside the handler when mappings may have gone (dlclose, once a
 * second).
 */
void peek_forget(void);

#endif
