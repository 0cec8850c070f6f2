/*
 * What the machine code itself tells where no table does: JIT code, hand-written assembly, signal
 * returns. Reads through peek; callable from the signal handler.
 */
#ifndef REQPROF_SIGSAFE_UNWIND_CODE_H
#define REQPROF_SIGSAFE_UNWIND_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/sigsafe/stack.h"

/* Is there a call instruction right before address? Wrong guesses of a return address fail this. */
bool unwind_code_after_call(uintptr_t address);
/* ... and does it call through a register or memory, as all code must that runs code made at run time? */
bool unwind_code_after_indirect_call(uintptr_t address);

/* Is this the system call that returns from a signal handler: mov $15, %eax (or %rax); syscall? */
bool unwind_code_is_sigreturn(uintptr_t pc);

/*
 * Where the return address of the interrupted function is, when the instruction at pc shows that
 * it has no frame yet or none any more: a distance from rsp (0 or 8), or -1 when it does not show.
 */
int unwind_code_return_address(uintptr_t pc);

#endif
