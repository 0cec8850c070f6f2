/*
 * Calls a function on another stack, and comes back. Safe in a signal handler.
 *
 * Nobody else may be on that stack meanwhile. The handler sees to it: all signals are blocked while it
 * runs, so no handler of the host's is ever begun there, nothing jumps out of it, and a fault, which the
 * kernel cannot deliver then, ends the process as it would on the host's stack. Unwinders and debuggers find the way
 * back to the caller, which is on another stack: its rule says "signal frame", for else a debugger that sees
 * the stack pointer go the wrong way takes the stack for damaged.
 */
#ifndef REQPROF_SIGSAFE_APART_H
#define REQPROF_SIGSAFE_APART_H

/* top: the end of the other stack, a multiple of 16. */
void apart_call(void (*function)(void *, const void *), void *a, const void *b, void *top);

#endif
