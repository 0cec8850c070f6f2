#include "preload/sigsafe/unwind.h"

#include "preload/sigsafe/eh_expression.h"
#include "preload/sigsafe/eh_frame.h"
#include "preload/sigsafe/stack.h"
#include "preload/sigsafe/unwind_code.h"
#include "preload/sigsafe/unwind_rule.h"

/* Registers that a call leaves alone, with rsp and pc: what is known of a caller. */
static const uint32_t preserved = 1U << 3 | 1U << 6 | 1U << 7 | 0xfU << 12 | 1U << STACK_PC;

/* Those that every frame's rule may need; the others are for one in a thousand. */
static const uint32_t followed = 1U << STACK_RBP | 1U << STACK_RSP | 1U << STACK_PC;

/* DWARF numbers of enum eh_column's registers. */
static const uint8_t column_register[EH_COLUMNS] = { 3, 6, 12, 13, 14, 15, STACK_RSP, STACK_PC };

struct walk {
	const struct module_table *table;
	struct stack stack;
	struct stack_registers registers; /* of the frame the walk has come to */
	uintptr_t highest;		  /* no cfa may be above; UINTPTR_MAX: unknown */
	uint64_t generation;
	bool exact;
	bool thorough; /* follow all preserved registers through all frames, not only rbp and rsp */
	bool wanted;   /* a register not followed was asked for */
	/* The guesses, and what becomes the next walk's; NULL without a memo. */
	const struct unwind_memo_entry *guess, *guess_end;
	struct unwind_memo_entry *remember;
	struct eh_rule rule; /* the last one read from a table */
};

_Static_assert(sizeof(struct walk) <= UNWIND_WORK_WORDS * sizeof(uint64_t),
	       "struct walk outgrew the memo");

enum { STEP_ON = UNWIND_ENDS }; /* beside enum unwind_end: the registers are the caller's now */

/*
 * No code is in the first page, which Linux keeps unmapped (vm.mmap_min_addr), nor above what 47 bits
 * reach: with five levels of page tables, too, only a hint to mmap() gets memory there.
 */
#define CODE_LOWEST 4096UL
#define CODE_END (1UL << 47)

static inline bool is_no_code(uintptr_t address)
{
	return address - CODE_LOWEST >= CODE_END - CODE_LOWEST;
}

/* What a return address means: 0 ends a stack; other numbers that are no addresses of code say it is spoilt. */
static inline int walk_on(uintptr_t return_address)
{
	if (!is_no_code(return_address))
		return STEP_ON;
	return return_address == 0 ? UNWIND_COMPLETE : UNWIND_BAD_STACK;
}

static bool cfa_sound(const struct walk *w, uintptr_t cfa)
{
	return cfa > w->registers.r[STACK_RSP] && cfa <= w->highest && cfa % 8 == 0;
}

/* The frame is understood: go on in its caller. */
static int step_to(struct walk *w, uintptr_t cfa, uintptr_t return_address, bool interrupted)
{
	w->registers.r[STACK_RSP] = cfa;
	w->registers.r[STACK_PC] = return_address;
	w->registers.known &= preserved;
	w->exact = interrupted;
	return walk_on(return_address);
}

static int step_packed(struct walk *w, unwind_rule rule, uintptr_t *frame_cfa)
{
	struct stack_registers *registers = &w->registers;
	unsigned base = unwind_rule_base(rule);
	uint32_t saves = (uint32_t)(rule >> UNWIND_RULE_SAVES_SHIFT);
	uintptr_t cfa, origin, return_address;

	if (!stack_knows(registers, base)) {
		w->wanted = true;
		return UNWIND_NO_RULE;
	}
	cfa = registers->r[base] + (uintptr_t)unwind_rule_offset(rule);
	if (unwind_rule_kind(rule) == UNWIND_RULE_DEREF && !stack_word(&w->stack, cfa, &cfa))
		return UNWIND_BAD_STACK;
	if (unwind_rule_outermost(rule)) {
		*frame_cfa = cfa;
		return UNWIND_COMPLETE;
	}
	if (!cfa_sound(w, cfa) || !stack_word(&w->stack, cfa - 8, &return_address))
		return UNWIND_BAD_STACK;
	origin = unwind_rule_origin(rule, cfa, registers->r[STACK_RBP]);
	for (const uint8_t *column = column_register; saves != 0; saves >>= 4, column++) {
		if (!(saves & 15))
			continue;
		if (!stack_word(&w->stack, origin - 8UL * (saves & 15), &registers->r[*column]))
			return UNWIND_BAD_STACK;
		registers->known |= 1U << *column;
	}
	*frame_cfa = cfa;
	return step_to(w, cfa, return_address, unwind_rule_interrupted(rule));
}

/* What a cell says the caller's register is. False: cannot be had. */
static bool cell_value(struct walk *w, const struct eh_rule *rule, enum eh_column column,
		       uintptr_t cfa, uintptr_t *value)
{
	eh_cell cell = rule->row.cells[column];
	int32_t number = cell >> 3;

	switch ((enum eh_cell_kind)(cell & 7)) {
	case EH_SAME:
		*value = column == EH_RSP ? cfa : w->registers.r[column_register[column]];
		return column == EH_RSP || stack_knows(&w->registers, column_register[column]);
	case EH_OFFSET:
		return stack_word(&w->stack, cfa + (uintptr_t)(intptr_t)number, value);
	case EH_VAL_OFFSET:
		*value = cfa + (uintptr_t)(intptr_t)number;
		return true;
	case EH_EXPRESSION:
		return eh_evaluate(eh_expression(rule, number), &w->registers, &w->stack, &cfa,
				   value) &&
		       stack_word(&w->stack, *value, value);
	case EH_VAL_EXPRESSION:
		return eh_evaluate(eh_expression(rule, number), &w->registers, &w->stack, &cfa,
				   value);
	case EH_REGISTER:
		if (!stack_knows(&w->registers, (unsigned)number))
			return false;
		*value = w->registers.r[number];
		return true;
	default:
		return false;
	}
}

static bool unpacked_cfa(struct walk *w, const struct eh_rule *rule, uintptr_t *cfa)
{
	if (rule->row.cfa_register == EH_CFA_EXPRESSION)
		return eh_evaluate(eh_expression(rule, rule->row.cfa_value), &w->registers,
				   &w->stack, NULL, cfa);
	*cfa = w->registers.r[rule->row.cfa_register] + (uintptr_t)(intptr_t)rule->row.cfa_value;
	return stack_knows(&w->registers, rule->row.cfa_register);
}

/*
 * Is the caller's stack pointer where it can be? That of the interrupted code only, when it has taken its return
 * address off the stack already, may be its own.
 */
static bool caller_sp_sound(const struct walk *w, const struct eh_rule *rule, uintptr_t sp)
{
	return cfa_sound(w, sp) || (w->exact && (rule->row.cells[EH_RA] & 7) == EH_REGISTER &&
				    sp == w->registers.r[STACK_RSP]);
}

/* A rule that does not fit in 64 bits. */
__attribute__((noinline)) static int step_unpacked(struct walk *w, const struct eh_rule *rule,
						   uintptr_t *frame_cfa)
{
	uintptr_t values[EH_COLUMNS], cfa;
	unsigned have = 0;

	w->wanted = true; /* at least, a failure may be for want of a register */
	if (!unpacked_cfa(w, rule, &cfa))
		return UNWIND_NO_RULE;
	*frame_cfa = cfa;
	if ((rule->row.cells[EH_RA] & 7) == EH_UNDEFINED)
		return UNWIND_COMPLETE;
	/* All are computed from this frame's registers: none is replaced before the last. */
	for (int i = 0; i < EH_COLUMNS; i++)
		have |= (unsigned)cell_value(w, rule, (enum eh_column)i, cfa, &values[i]) << i;
	if (!(have >> EH_RA & 1) || !(have >> EH_RSP & 1) ||
	    !caller_sp_sound(w, rule, values[EH_RSP]))
		return UNWIND_BAD_STACK;
	for (int i = 0; i < EH_COLUMNS; i++) {
		w->registers.r[column_register[i]] = values[i];
		if (!(have >> i & 1))
			w->registers.known &= ~(1U << column_register[i]);
	}
	return step_to(w, values[EH_RSP], values[EH_RA], rule->signal_frame);
}

/* struct ucontext's gregs, 40 bytes into it, in the kernel's order. */
static int step_signal(struct walk *w, uintptr_t *frame_cfa)
{
	enum { GREGS = 40 };
	static const uint8_t order[STACK_REGISTERS] = {
		8, 9,	      10,	 11, 12, 13, 14,	15,	  5,
		4, STACK_RBP, STACK_RBX, 1,  0,	 2,  STACK_RSP, STACK_PC,
	};
	uintptr_t at = w->registers.r[STACK_RSP] + GREGS, sp;

	for (unsigned i = 0; i < STACK_REGISTERS; i++, at += 8) {
		if (!stack_word(&w->stack, at, &w->registers.r[order[i]]))
			return UNWIND_BAD_STACK;
	}
	w->registers.known = (1U << STACK_REGISTERS) - 1;
	w->exact = true;
	sp = w->registers.r[STACK_RSP];
	*frame_cfa = sp;
	/*
	 * The handler may have run on sigaltstack's stack: then what we knew is about the wrong
	 * one.
	 */
	if (sp < w->stack.low || sp >= w->stack.high) {
		stack_start(&w->stack, sp);
		if (sp > w->highest)
			w->highest = UINTPTR_MAX;
	}
	return walk_on(w->registers.r[STACK_PC]);
}

/*
 * Code made at run time that keeps no frame pointer, as PCRE's is, was entered by an indirect call from
 * some module. The nearest word up the stack that follows such a call is where it returns to; which
 * registers it saved is not known.
 */
static int step_generated(struct walk *w, int reason, uintptr_t *frame_cfa)
{
	enum { WORDS_MAX = 96 };
	uintptr_t at = w->registers.r[STACK_RSP], word;

	for (unsigned i = 0; i < WORDS_MAX && stack_word(&w->stack, at, &word); i++, at += 8) {
		if (!modules_find(w->table, word) || !unwind_code_after_indirect_call(word))
			continue;
		w->registers.known = 1U << STACK_RSP | 1U << STACK_PC;
		*frame_cfa = at + 8;
		return cfa_sound(w, at + 8) ? step_to(w, at + 8, word, false) : reason;
	}
	return reason;
}

/*
 * No table. A signal's return code shows what it is; a function with no frame yet has its return
 * address on top; else believe rbp, if it points up the stack at something that was called.
 */
static int step_no_table(struct walk *w, int reason, uintptr_t *frame_cfa)
{
	struct stack_registers *registers = &w->registers;
	uintptr_t sp = registers->r[STACK_RSP], rbp = registers->r[STACK_RBP], return_address,
		  saved;
	int bare = w->exact ? unwind_code_return_address(registers->r[STACK_PC]) : -1;

	if (unwind_code_is_sigreturn(registers->r[STACK_PC]))
		return step_signal(w, frame_cfa);
	if (bare >= 0 && stack_word(&w->stack, sp + (uintptr_t)bare, &return_address) &&
	    unwind_code_after_call(return_address)) {
		if (bare == 8)
			stack_word(&w->stack, sp, &registers->r[STACK_RBP]);
		*frame_cfa = sp + (uintptr_t)bare + 8;
		return step_to(w, *frame_cfa, return_address, false);
	}
	if (!stack_knows(registers, STACK_RBP) || rbp < sp || !cfa_sound(w, rbp + 16) ||
	    !stack_word(&w->stack, rbp, &saved) ||
	    !stack_word(&w->stack, rbp + 8, &return_address) ||
	    (return_address != 0 && !unwind_code_after_call(return_address)))
		return w->exact && reason == UNWIND_NO_MODULE ? step_generated(w, reason, frame_cfa)
							       : reason;
	/* Other registers may have been saved by code that says nothing about it. */
	registers->known = followed;
	registers->r[STACK_RBP] = saved;
	*frame_cfa = rbp + 16;
	return step_to(w, rbp + 16, return_address, false);
}

static int step_by_rule(struct walk *w, unwind_rule rule, uintptr_t *frame_cfa)
{
	switch (unwind_rule_kind(rule)) {
	case UNWIND_RULE_SIGNAL:
		return step_signal(w, frame_cfa);
	case UNWIND_RULE_NO_TABLE:
		return step_no_table(w, UNWIND_NO_RULE, frame_cfa);
	case UNWIND_RULE_OUTERMOST:
		*frame_cfa = w->registers.r[STACK_RSP] + 8;
		return UNWIND_COMPLETE;
	default:
		return step_packed(w, rule, frame_cfa);
	}
}

/*
 * A return address that begins a function, behind no call: nobody called it, makecontext or the
 * like put it there. glibc's table does not say that the stack ends here, and below lies what is no
 * address.
 */
static bool is_planted(const struct walk *w, const struct module *m, uintptr_t key,
		       struct eh_rule *rule)
{
	return !w->exact && eh_find(m, key + 1, rule) == EH_FOUND &&
	       !unwind_code_after_call(key + 1);
}

/* The table has to be read: rare once the cache is warm. */
__attribute__((noinline)) static int step_cold(struct walk *w, uintptr_t key, uintptr_t *frame_cfa)
{
	const struct module *m = modules_find(w->table, key);
	struct eh_rule *rule = &w->rule;
	enum eh_result result;
	unwind_rule packed;

	if (!m)
		return step_no_table(w, UNWIND_NO_MODULE, frame_cfa);
	result = eh_find(m, key, rule);
	if (result == EH_NONE && is_planted(w, m, key, rule))
		packed = unwind_rule_of(UNWIND_RULE_OUTERMOST);
	else if (result != EH_FOUND)
		packed = unwind_rule_of(UNWIND_RULE_NO_TABLE);
	else if (rule->signal_frame && unwind_code_is_sigreturn(w->registers.r[STACK_PC]))
		packed = unwind_rule_of(UNWIND_RULE_SIGNAL);
	else
		packed = unwind_rule_pack(rule, key);
	if (packed == UNWIND_RULE_NONE)
		return step_unpacked(w, rule, frame_cfa);
	if (unwind_rule_kind(packed) > UNWIND_RULE_DEREF || unwind_rule_interrupted(packed)) {
		/* The code at pc had its say, and pc is key or the next byte. */
		packed = unwind_rule_for(packed, w->exact);
		rule->from = key;
		rule->to = key + 1;
	}
	unwind_rule_remember(key, rule->from, rule->to, packed, w->generation);
	return step_by_rule(w, packed, frame_cfa);
}

static int step(struct walk *w, uintptr_t *frame_cfa)
{
	uintptr_t key = w->registers.r[STACK_PC] - !w->exact;
	unwind_rule rule = unwind_rule_cached(key, w->generation);

	return unwind_rule_fits(rule, w->exact) ? step_by_rule(w, rule, frame_cfa)
						: step_cold(w, key, frame_cfa);
}

/* The rule that the last walk had for this pc, if it was at this depth of the stack. */
static inline unwind_rule guess_rule(struct walk *w, uintptr_t key, uintptr_t sp)
{
	while (w->guess < w->guess_end && w->guess->sp < sp)
		w->guess++;
	if (w->guess < w->guess_end && w->guess->key == key)
		return (w->guess++)->rule;
	return UNWIND_RULE_NONE;
}

/*
 * Steps as long as rules are simple; returns how many frames it gave. Reads what step_packed would
 * read, but keeps to three registers: the loop is most of the time spent in a walk. *ended is set
 * to STEP_ON when the next frame is for step.
 */
static size_t step_simple(struct walk *w, struct unwind_frame *frames, size_t max, int *ended)
{
	uintptr_t pc = w->registers.r[STACK_PC];
	uintptr_t rsp = w->registers.r[STACK_RSP], rbp = w->registers.r[STACK_RBP];
	bool exact = w->exact;
	size_t n = 0;

	*ended = STEP_ON;
	while (n < max) {
		uintptr_t key = pc - !exact, cfa, saved, return_address;
		unwind_rule rule = guess_rule(w, key, rsp);
		unsigned words;

		if (rule == UNWIND_RULE_NONE)
			rule = unwind_rule_cached(key, w->generation);
		if (!unwind_rule_is_simple(rule))
			break;
		if (w->remember)
			*w->remember++ =
				(struct unwind_memo_entry){ .key = key, .sp = rsp, .rule = rule };
		cfa = unwind_rule_simple_cfa(rule, rsp, rbp);
		words = unwind_rule_rbp_words(rule);
		frames[n++] = (struct unwind_frame){ .pc = pc, .cfa = 0, .exact = exact };
		if (cfa <= rsp || cfa > w->highest ||
		    !stack_word(&w->stack, cfa - 8, &return_address) ||
		    !stack_word(&w->stack, cfa - 8 - 8UL * words, &saved)) {
			*ended = UNWIND_BAD_STACK;
			break;
		}
		frames[n - 1].cfa = cfa;
		rbp = words ? saved : rbp;
		rsp = cfa;
		pc = return_address;
		exact = false;
		if (is_no_code(pc)) {
			*ended = walk_on(pc);
			break;
		}
	}
	if (n > 0) {
		w->registers.r[STACK_PC] = pc;
		w->registers.r[STACK_RSP] = rsp;
		w->registers.r[STACK_RBP] = rbp;
		w->registers.known &= followed;
		w->exact = exact;
	}
	return n;
}

static void walk_start(struct walk *w, const struct unwind_registers *registers)
{
	for (unsigned i = 0; i < STACK_PC; i++)
		w->registers.r[i] = registers->r[i];
	w->registers.r[STACK_PC] = registers->pc;
	w->registers.known = (1U << STACK_REGISTERS) - 1;
	w->exact = true;
	w->wanted = false;
	stack_start(&w->stack, w->registers.r[STACK_RSP]);
}

static size_t walk(struct walk *w, struct unwind_frame *frames, size_t max, int *ended)
{
	size_t n = 0;

	*ended = w->table ? STEP_ON : UNWIND_NO_MODULE;
	do {
		if (*ended == STEP_ON && !w->thorough && stack_knows(&w->registers, STACK_RBP))
			n += step_simple(w, frames + n, max - n, ended);
		if (*ended != STEP_ON && n > 0)
			return n;
		if (n == max) {
			*ended = UNWIND_TOO_DEEP;
			return n;
		}
		frames[n] =
			(struct unwind_frame){ .pc = w->registers.r[STACK_PC], .exact = w->exact };
		if (*ended == STEP_ON)
			*ended = step(w, &frames[n].cfa);
		n++;
	} while (*ended == STEP_ON);
	return n;
}

/* In w: the guesses and what to remember. */
static size_t walk_twice(struct walk *w, const struct module_table *table,
			 const struct unwind_registers *registers, uintptr_t stack_low,
			 uintptr_t stack_high, struct unwind_frame *frames, size_t max,
			 enum unwind_end *end)
{
	uintptr_t sp = registers->r[STACK_RSP];
	bool known_stack = stack_high != 0 && sp >= stack_low && sp < stack_high;
	size_t n;
	int ended;

	w->table = table;
	w->highest = known_stack ? stack_high : UINTPTR_MAX;
	w->thorough = false;
	walk_start(w, registers);
	n = walk(w, frames, max, &ended);
	/* A frame that stands on rbx, as the dynamic linker's resolver does: now follow all. */
	if (w->wanted && ended != UNWIND_COMPLETE && ended != UNWIND_TOO_DEEP) {
		w->thorough = true;
		walk_start(w, registers);
		n = walk(w, frames, max, &ended);
	}
	*end = (enum unwind_end)ended;
	return n;
}

size_t unwind_stack_again(struct unwind_memo *memo, const struct module_table *table,
			  const struct unwind_registers *registers, uintptr_t stack_low,
			  uintptr_t stack_high, struct unwind_frame *frames, size_t max,
			  enum unwind_end *end)
{
	struct unwind_memo_entry *fresh = memo->walks[(memo->turn + 1) % 2];
	struct walk *w = (struct walk *)memo->work;
	size_t n;

	w->generation = unwind_rule_generation();
	w->guess = memo->walks[memo->turn % 2];
	w->guess_end = w->guess + (memo->generation == w->generation ? memo->count : 0);
	w->remember = fresh;
	n = walk_twice(w, table, registers, stack_low, stack_high, frames,
		       max < UNWIND_MAX ? max : UNWIND_MAX, end);
	memo->generation = w->generation;
	memo->count = (uint32_t)(w->remember - fresh);
	memo->turn++;
	return n;
}

size_t unwind_stack(const struct module_table *table, const struct unwind_registers *registers,
		    uintptr_t stack_low, uintptr_t stack_high, struct unwind_frame *frames,
		    size_t max, enum unwind_end *end)
{
	struct walk w;

	w.generation = unwind_rule_generation();
	w.guess = w.guess_end = NULL;
	w.remember = NULL;
	return walk_twice(&w, table, registers, stack_low, stack_high, frames, max, end);
}

void unwind_forget(void)
{
	unwind_rule_forget();
}
