/*
 * Names of the running kernel's functions, its modules' too, from a list as /proc/kallsyms is. They
 * hold until the machine is booted again: then the same functions lie elsewhere.
 */
#ifndef REQPROF_SYMBOL_KERNEL_NAMES_H
#define REQPROF_SYMBOL_KERNEL_NAMES_H

#include <stdint.h>

#define KERNEL_NAMES_LIST "/proc/kallsyms"
#define KERNEL_NAMES_BOOT "/proc/sys/kernel/random/boot_id"

struct kernel_names;

/*
 * boot_id_hex: of which boot names are wanted, as a profile has it (no dashes). NULL, and *why in a
 * few words, when boot_file tells of another one, or the list tells nothing: a user without rights
 * reads only zeroes there (kernel.kptr_restrict, perf_event_paranoid).
 */
struct kernel_names *kernel_names_open(const char *list, const char *boot_file,
				       const char *boot_id_hex, const char **why);
/* The function that begins at or before the address, NULL when none does. */
const char *kernel_names_find(const struct kernel_names *names, uint64_t address);
/* NULL is fine. */
void kernel_names_close(struct kernel_names *names);

#endif
