/*
 * The stack being walked and the registers as they were in the frame that the walk has come to.
 * Shared by the unwinder's parts; handler only, one struct a walk.
 */
#ifndef REQPROF_SIGSAFE_STACK_H
#define REQPROF_SIGSAFE_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/sigsafe/peek.h"

enum { STACK_PAGE = 4096, STACK_STRIDE_MAX = 65536 };

/*
 * [low, high): pages proven readable in this walk, upwards from the stack pointer. A word in them
 * is a plain load; the range grows as the walk climbs; what is elsewhere goes through peek. So no
 * belief about where the thread's stack ends is needed, and sigaltstack and coroutines just work.
 */
struct stack {
	uintptr_t low, high;
};

enum { STACK_RBX = 3, STACK_RBP = 6, STACK_RSP = 7, STACK_PC = 16, STACK_REGISTERS };

struct stack_registers {
	uintptr_t r[STACK_REGISTERS]; /* by DWARF number, then the pc */
	uint32_t known;		      /* bit n: r[n] is right */
};

static inline bool stack_knows(const struct stack_registers *registers, unsigned reg)
{
	return reg < STACK_REGISTERS && (registers->known & 1U << reg) != 0;
}

/* Nothing proven yet, from sp's page on. */
static inline void stack_start(struct stack *stack, uintptr_t sp)
{
	stack->low = sp & ~(uintptr_t)(STACK_PAGE - 1);
	stack->high = stack->low;
}

/* stack_word for an aligned address outside [low, high). */
bool stack_word_beyond(struct stack *stack, uintptr_t address, uintptr_t *word);

/*
 * The aligned word at address. Apart from the sanitizer, which would see other functions' red
 * zones.
 */
__attribute__((no_sanitize("address"))) static inline bool
stack_word(struct stack *stack, uintptr_t address, uintptr_t *word)
{
	if (address % sizeof(*word) != 0)
		return false;
	if (address < stack->low || address >= stack->high)
		return stack_word_beyond(stack, address, word);
	*word = *(const volatile uintptr_t *)address;
	return true;
}

#endif
