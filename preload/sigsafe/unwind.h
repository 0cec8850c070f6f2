/*
 * Native stacks in the signal handler, from .eh_frame: a pc is looked up in its module's own sorted
 * table (.eh_frame_hdr, made by the linker), the call-frame program of its function is run up to
 * the pc, and the resulting rule is kept in a direct-mapped cache, so that a warm frame costs one
 * probe. No table has to be built, nothing is allocated, no lock is taken.
 */
#ifndef REQPROF_SIGSAFE_UNWIND_H
#define REQPROF_SIGSAFE_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/sigsafe/modules.h"

enum { UNWIND_MAX = 192 };

struct unwind_frame {
	/* Frame 0 and frames interrupted by a signal: the pc itself; others: return address. */
	uintptr_t pc;
	/* Its canonical frame address: the caller's rsp after the return; 0 in a last frame that
	 * was not understood. */
	uintptr_t cfa;
	bool exact; /* pc is the instruction itself, not a return address */
};

struct unwind_registers {
	/* rip and the registers by DWARF number: 0 rax 1 rdx 2 rcx 3 rbx 4 rsi 5 rdi 6 rbp 7 rsp
	 * 8..15 r8..r15 */
	uintptr_t pc;
	uintptr_t r[16];
};

enum unwind_end {
	UNWIND_COMPLETE,  /* the outermost frame: its return address is undefined, or zero */
	UNWIND_NO_MODULE, /* a pc in no known module (JIT code and not a frame-pointer chain) */
	UNWIND_NO_RULE,	  /* no unwind table for the pc, or an expression not handled */
	UNWIND_BAD_STACK, /* the next frame would lie outside the stack or below the last */
	UNWIND_TOO_DEEP,  /* UNWIND_MAX frames were not enough */
	UNWIND_ENDS
};

/*
 * Fills frames[0..n) leaf first; returns n (at least 1) and why it ended. stack_high is the end of
 * this thread's stack, or 0 when unknown: no cfa may be above it, unless the interrupted rsp is
 * outside [stack_low, stack_high) (sigaltstack, a coroutine). All reads are proven by peek first, a
 * page at a time. A frame whose cfa is not above its callee's ends the walk. Signal frames
 * (augmentation 'S') are crossed by reading the kernel's ucontext: the stack may then change to
 * another one (sigaltstack), which is followed through peek.
 */
size_t unwind_stack(const struct module_table *table, const struct unwind_registers *registers,
		    uintptr_t stack_low, uintptr_t stack_high, struct unwind_frame *frames,
		    size_t max, enum unwind_end *end);

enum { UNWIND_WORK_WORDS = 80 };

/*
 * What a thread remembers of its last walk, and work space that would else be on the stack. Zero
 * means nothing yet. One per thread, handler only; 10 KiB.
 */
struct unwind_memo {
	uint64_t work[UNWIND_WORK_WORDS];
	uint64_t generation;
	uint32_t turn, count; /* walks[turn % 2] holds count entries */
	struct unwind_memo_entry {
		uintptr_t key, sp; /* the pc looked up, and rsp there */
		uint64_t rule;
	} walks[2][UNWIND_MAX];
};

/*
 * The same, faster when this thread's outer frames are those of its last walk: their rules are
 * guessed from the memo, in order, and a guess is used only when the pc is the same. Gives exactly
 * what unwind_stack gives, with 640 bytes less of stack.
 */
size_t unwind_stack_again(struct unwind_memo *memo, const struct module_table *table,
			  const struct unwind_registers *registers, uintptr_t stack_low,
			  uintptr_t stack_high, struct unwind_frame *frames, size_t max,
			  enum unwind_end *end);

/*
 * Forgets cached rules; call when a module has gone (after modules_refresh saw subs change). Safe
 * beside running handlers.
 */
void unwind_forget(void);

#endif
