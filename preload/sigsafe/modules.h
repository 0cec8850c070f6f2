/*
 * Which file's code is at this address? An immutable, sorted snapshot of the loaded modules, made
 * outside the handler and published by one pointer; a replaced snapshot is freed when no handler
 * uses it any more.
 */
#ifndef REQPROF_SIGSAFE_MODULES_H
#define REQPROF_SIGSAFE_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODULES_BUILD_ID_MAX = 20 };

struct module {
	uintptr_t start, end;      /* of its executable segment(s), [start, end): first to last */
	uintptr_t bias;            /* run-time address - address in the file's program headers */
	uint64_t file_offset;      /* of start in the file */
	uintptr_t eh_frame_hdr;    /* run-time address, 0 when it has none */
	size_t eh_frame_hdr_len;
	/* All its PT_LOAD segments: reads of .eh_frame stay inside. */
	uintptr_t load_start, load_end;
	/* Absolute; "[vdso]" for the vdso; main program by /proc/self/exe. Lives as long as the
	 * process (interned). */
	const char *path;
	uint8_t build_id[MODULES_BUILD_ID_MAX];
	uint8_t build_id_len;
	bool is_main;
};

struct module_table {
	size_t count;
	unsigned long long adds, subs; /* dlpi_adds and dlpi_subs it was made at */
	struct module modules[];       /* sorted by start; ranges do not overlap */
};

/*
 * Makes and publishes a new snapshot if the loader's counters changed since the last (or there is
 * none). Not from a handler. One caller at a time gets to work, others return at once. While a
 * thread is between modules_withdraw and its own modules_refresh, the others' refresh changes
 * nothing. 0 or -errno.
 */
int modules_refresh(void);

/* For the handler and for emission: the current table (NULL before the first refresh), which stays
 * valid until modules_release by the same thread. Wait-free, nests. */
const struct module_table *modules_acquire(void);
void modules_release(const struct module_table *table); /* takes NULL */

/* Binary search; NULL when no module has this pc. */
const struct module *modules_find(const struct module_table *table, uintptr_t pc);

/*
 * Before the host's dlclose: unpublishes the table and waits (bounded) until no handler uses it, so
 * that nothing reads unwind tables that are about to be unmapped. modules_refresh, by the same
 * thread after dlclose returned, brings it back; if subs changed it has also called peek_forget and
 * unwind_forget.
 */
void modules_withdraw(void);

/*
 * In a forked child, where no other thread runs: counts of users in flight start again from zero.
 */
void modules_postfork_child(void);

#endif
