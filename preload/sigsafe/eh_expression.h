/*
 * DWARF expressions as unwind tables use them: PLT entries, realigned stacks, signal frames.
 * Bounded in steps and depth; reads memory only through stack_word. Callable from the signal
 * handler.
 */
#ifndef REQPROF_SIGSAFE_EH_EXPRESSION_H
#define REQPROF_SIGSAFE_EH_EXPRESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/sigsafe/eh_cursor.h"
#include "preload/sigsafe/stack.h"

/*
 * Evaluates code with *start as the only thing on its stack (NULL: nothing). False: not understood,
 * needs an unknown register, or reads what may not be read.
 */
bool eh_evaluate(struct eh_cursor code, const struct stack_registers *registers,
		 struct stack *stack, const uintptr_t *start, uintptr_t *value);

#endif
