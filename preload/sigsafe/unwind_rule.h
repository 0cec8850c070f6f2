/*
 * What an unwind table says about one pc, in 64 bits, and the cache of it. Nearly all code needs no
 * more: cfa = register + offset, the return address below it, callee-saved registers in its first
 * 16 words. PLT entries and realigned stacks (expressions) fit too; what does not is evaluated from
 * the table at each visit.
 *
 * The cache is direct-mapped, first by 64-byte block of code, for rules that hold in all of a block
 * (few pcs of a big function are sampled twice, its blocks are), then by pc. An entry is one word:
 * the rest of the address, the number of a rule and the generation it was learned in, so it is
 * never torn and a whole address is compared. Rules are kept once each; they say nothing about
 * addresses, so they outlive modules. All functions: any thread, handlers included, at the same
 * time.
 */
#ifndef REQPROF_SIGSAFE_UNWIND_RULE_H
#define REQPROF_SIGSAFE_UNWIND_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/sigsafe/eh_frame.h"
#include "preload/sigsafe/stack.h"

enum unwind_rule_kind {
	UNWIND_RULE_NONE,  /* not a rule: nothing cached, or it does not fit */
	UNWIND_RULE_PLAIN, /* cfa = base + offset */
	UNWIND_RULE_DEREF, /* cfa = word at base + offset */
	/* From here on nothing but the kind is in the rule: */
	UNWIND_RULE_SIGNAL,    /* the kernel's frame: all registers in the ucontext at rsp */
	UNWIND_RULE_NO_TABLE,  /* no table knows it: frame pointers, perhaps */
	UNWIND_RULE_OUTERMOST, /* a stack made by hand begins here */
};

/*
 * bits 0..27 offset, signed · 28..31 base register · 32..34 kind · 35 outermost frame ·
 * 36 saves are counted from rbp, not from the cfa · 37 the caller was interrupted ·
 * 38, 39 not for return addresses, only for them ·
 * 40..63 saves: four bits for each of RBX RBP R12 R13 R14 R15 in enum eh_column's order, 0 for
 * "still in the register", else saved at unwind_rule_origin - 8 * bits
 */
typedef uint64_t unwind_rule;

enum { UNWIND_RULE_SAVES = 6, UNWIND_RULE_SAVES_SHIFT = 40 };

static inline enum unwind_rule_kind unwind_rule_kind(unwind_rule rule)
{
	return (enum unwind_rule_kind)(rule >> 32 & 7);
}

static inline int64_t unwind_rule_offset(unwind_rule rule)
{
	return (int64_t)(rule << 36) >> 36;
}

static inline unsigned unwind_rule_base(unwind_rule rule)
{
	return rule >> 28 & 15;
}

static inline bool unwind_rule_outermost(unwind_rule rule)
{
	return rule >> 35 & 1;
}

static inline bool unwind_rule_interrupted(unwind_rule rule)
{
	return rule >> 37 & 1;
}

/*
 * Nothing but cfa = rsp or rbp + offset, and a caller that called: what nearly all frames are. Then
 * the two inlines below, without a branch, are the whole step.
 */
static inline bool unwind_rule_is_simple(unwind_rule rule)
{
	enum { FROM = 29, BITS = 9 }; /* base without its last bit, kind, and the three flags */

	return (rule >> FROM & ((1 << BITS) - 1)) == (STACK_RBP >> 1 | UNWIND_RULE_PLAIN << 3);
}

static inline uintptr_t unwind_rule_simple_cfa(unwind_rule rule, uintptr_t rsp, uintptr_t rbp)
{
	return (rule >> 28 & 1 ? rsp : rbp) + (uintptr_t)unwind_rule_offset(rule);
}

/* Words below the return address where the caller's rbp is; 0: in rbp. */
static inline unsigned unwind_rule_rbp_words(unwind_rule rule)
{
	return rule >> (UNWIND_RULE_SAVES_SHIFT + 4 * EH_RBP) & 15;
}

/* The return address is at cfa - 8, so the first save below it is at origin - 8. */
static inline uintptr_t unwind_rule_origin(unwind_rule rule, uintptr_t cfa, uintptr_t rbp)
{
	return rule >> 36 & 1 ? rbp + 8 : cfa - 8;
}

/*
 * The table's rule at pc in 64 bits, or UNWIND_RULE_NONE when it does not fit. Narrows from and to
 * to pc when the rule is about this pc only (PLT entries ask where they are).
 */
unwind_rule unwind_rule_pack(struct eh_rule *rule, uintptr_t pc);

/* The rule, good only for pcs that are exact (or for those that are not). */
static inline unwind_rule unwind_rule_for(unwind_rule rule, bool exact)
{
	return rule | (uint64_t)1 << (exact ? 38 : 39);
}

/* Is there a rule, and is it good for such a pc? */
static inline bool unwind_rule_fits(unwind_rule rule, bool exact)
{
	return rule != UNWIND_RULE_NONE && !(rule >> (exact ? 39 : 38) & 1);
}

/* A rule of this kind and nothing else. */
unwind_rule unwind_rule_of(enum unwind_rule_kind kind);

/* The generation to pass below: taken before the table that a rule is read from is looked at. */
uint64_t unwind_rule_generation(void);

/* The rule for pc, or UNWIND_RULE_NONE. */
unwind_rule unwind_rule_cached(uintptr_t pc, uint64_t generation);

/* For pc, and for other pcs in [from, to). */
void unwind_rule_remember(uintptr_t pc, uintptr_t from, uintptr_t to, unwind_rule rule,
			  uint64_t generation);

/* Starts a new generation. */
void unwind_rule_forget(void);

#endif
