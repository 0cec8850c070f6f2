#include "preload/sigsafe/stack.h"

bool stack_word_beyond(struct stack *stack, uintptr_t address, uintptr_t *word)
{
	uintptr_t end = (address & ~(uintptr_t)(STACK_PAGE - 1)) + STACK_PAGE;

	if (address >= stack->high && end - stack->high <= STACK_STRIDE_MAX &&
	    peek_ok(stack->high, end - stack->high))
		stack->high = end;
	return peek_word(address, word);
}
