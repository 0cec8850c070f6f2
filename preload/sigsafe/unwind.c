#include "preload/sigsafe/unwind.h"

#include "preload/sigsafe/eh_expression.h"
#include "preload/sigsafe/eh_frame.h"
#include "preload/sigsafe/stack.h"
#include "preload/sigsafe/unwind_code.h"
#include "preload/sigsafe/unwind_rule.h"

/* Registers that a call leaves alone, with rsp and pc: what is known of a caller. */
static const uint32_t preserved = 1U << 3 | 1U << 6 | 1U << 7 | 0xfU << 12 | 1U << STACK_PC;

/* DWARF numbers of enum eh_column's registers. */
static const uint8_t column_register[EH_COLUMNS] = { 3, 6, 12, 13, 14, 15, STACK_RSP, STACK_PC };

struct walk {
	const struct module_table *table;
	struct stack stack;
	struct stack_registers registers; /* of the frame the walk has come to */
	uintptr_t highest;                /* no cfa may be above; UINTPTR_MAX: unknown */
	uint64_t generation;
	bool exact;
};

enum { STEP_ON = UNWIND_ENDS }; /* beside enum unwind_end: the registers are the caller's now */

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
	return return_address == 0 ? UNWIND_COMPLETE : STEP_ON;
}

static int step_packed(struct walk *w, unwind_rule rule, uintptr_t *frame_cfa)
{
	struct stack_registers *registers = &w->registers;
	unsigned base = unwind_rule_base(rule);
	uint32_t saves = (uint32_t)(rule >> UNWIND_RULE_SAVES_SHIFT);
	uintptr_t cfa, origin, return_address;

	if (!stack_knows(registers, base))
		return UNWIND_NO_RULE;
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
		if ((saves & 15) && !stack_word(&w->stack, origin - 8 * (saves & 15), &registers->r[*column]))
			return UNWIND_BAD_STACK;
	}
	*frame_cfa = cfa;
	return step_to(w, cfa, return_address, unwind_rule_interrupted(rule));
}

/* What a cell says the caller's register is. False: cannot be had. */
static bool cell_value(struct walk *w, const struct eh_rule *rule, enum eh_column column, uintptr_t cfa,
		       uintptr_t *value)
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
		return eh_evaluate(eh_expression(rule, number), &w->registers, &w->stack, &cfa, value) &&
		       stack_word(&w->stack, *value, value);
	case EH_VAL_EXPRESSION:
		return eh_evaluate(eh_expression(rule, number), &w->registers, &w->stack, &cfa, value);
	case EH_REGISTER:
		if (!stack_knows(&w->registers, (unsigned)number))
			return false;
		*value = w->registers.r[number];
		return true;
	default:
		return false;
	}
}

/* A rule that does not fit in 64 bits. */
static int step_unpacked(struct walk *w, const struct eh_rule *rule, uintptr_t *frame_cfa)
{
	uintptr_t values[EH_COLUMNS], cfa;
	bool have[EH_COLUMNS];

	if (rule->row.cfa_register == EH_CFA_EXPRESSION) {
		if (!eh_evaluate(eh_expression(rule, rule->row.cfa_value), &w->registers, &w->stack, NULL,
				 &cfa))
			return UNWIND_NO_RULE;
	} else if (stack_knows(&w->registers, rule->row.cfa_register)) {
		cfa = w->registers.r[rule->row.cfa_register] + (uintptr_t)(intptr_t)rule->row.cfa_value;
	} else {
		return UNWIND_NO_RULE;
	}
	*frame_cfa = cfa;
	if ((rule->row.cells[EH_RA] & 7) == EH_UNDEFINED)
		return UNWIND_COMPLETE;
	/* All are computed from this frame's registers, so none is replaced before the last is known. */
	for (int i = 0; i < EH_COLUMNS; i++)
		have[i] = cell_value(w, rule, (enum eh_column)i, cfa, &values[i]);
	if (!have[EH_RA] || !have[EH_RSP] || values[EH_RSP] <= w->registers.r[STACK_RSP] ||
	    values[EH_RSP] > w->highest || values[EH_RSP] % 8 != 0)
		return UNWIND_BAD_STACK;
	for (int i = 0; i < EH_COLUMNS; i++) {
		w->registers.r[column_register[i]] = values[i];
		if (!have[i])
			w->registers.known &= ~(1U << column_register[i]);
	}
	return step_to(w, values[EH_RSP], values[EH_RA], rule->signal_frame);
}

/* struct ucontext's gregs, 40 bytes into it, in the kernel's order. */
static int step_signal(struct walk *w, uintptr_t *frame_cfa)
{
	enum { GREGS = 40 };
	static const uint8_t order[STACK_REGISTERS] = {
		8, 9, 10, 11, 12, 13, 14, 15, 5, 4, STACK_RBP, STACK_RBX, 1, 0, 2, STACK_RSP, STACK_PC,
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
	/* The handler may have run on sigaltstack's stack: then what we knew is about the wrong one. */
	if (sp < w->stack.low || sp >= w->stack.high) {
		stack_start(&w->stack, sp);
		if (sp > w->highest)
			w->highest = UINTPTR_MAX;
	}
	return w->registers.r[STACK_PC] == 0 ? UNWIND_COMPLETE : STEP_ON;
}

/*
 * No table. A signal's return code shows what it is; a function with no frame yet has its return
 * address on top; else believe rbp, if it points up the stack at something that was called.
 */
static int step_no_table(struct walk *w, int reason, uintptr_t *frame_cfa)
{
	struct stack_registers *registers = &w->registers;
	uintptr_t sp = registers->r[STACK_RSP], rbp = registers->r[STACK_RBP], return_address, saved;
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
	    !stack_word(&w->stack, rbp, &saved) || !stack_word(&w->stack, rbp + 8, &return_address))
		return reason;
	if (return_address != 0 && !unwind_code_after_call(return_address))
		return reason;
	/* Other registers may have been saved by code that says nothing about it. */
	registers->known = 1U << STACK_RBP | 1U << STACK_RSP | 1U << STACK_PC;
	registers->r[STACK_RBP] = saved;
	*frame_cfa = rbp + 16;
	return step_to(w, rbp + 16, return_address, false);
}

/* The table has to be read: rare once the cache is warm, and apart to keep its big locals off the other path. */
__attribute__((noinline)) static int step_cold(struct walk *w, uintptr_t key, uintptr_t *frame_cfa)
{
	const struct module *m = modules_find(w->table, key);
	struct eh_rule rule;
	unwind_rule packed;

	if (!m)
		return step_no_table(w, UNWIND_NO_MODULE, frame_cfa);
	if (eh_find(m, key, &rule) != EH_FOUND) {
		unwind_rule_remember(key, unwind_rule_of(UNWIND_RULE_NO_TABLE), w->generation);
		return step_no_table(w, UNWIND_NO_RULE, frame_cfa);
	}
	if (rule.signal_frame && unwind_code_is_sigreturn(w->registers.r[STACK_PC])) {
		unwind_rule_remember(key, unwind_rule_of(UNWIND_RULE_SIGNAL), w->generation);
		return step_signal(w, frame_cfa);
	}
	packed = unwind_rule_pack(&rule, key);
	if (packed == UNWIND_RULE_NONE)
		return step_unpacked(w, &rule, frame_cfa);
	unwind_rule_remember(key, packed, w->generation);
	return step_packed(w, packed, frame_cfa);
}

static int step(struct walk *w, uintptr_t *frame_cfa)
{
	uintptr_t key = w->registers.r[STACK_PC] - !w->exact;
	unwind_rule rule = unwind_rule_cached(key, w->generation);

	switch (unwind_rule_kind(rule)) {
	case UNWIND_RULE_PLAIN:
	case UNWIND_RULE_DEREF:
		return step_packed(w, rule, frame_cfa);
	case UNWIND_RULE_SIGNAL:
		return step_signal(w, frame_cfa);
	case UNWIND_RULE_NO_TABLE:
		return step_no_table(w, UNWIND_NO_RULE, frame_cfa);
	default:
		return step_cold(w, key, frame_cfa);
	}
}

size_t unwind_stack(const struct module_table *table, const struct unwind_registers *registers,
		    uintptr_t stack_low, uintptr_t stack_high, struct unwind_frame *frames,
		    size_t max, enum unwind_end *end)
{
	uintptr_t sp = registers->r[STACK_RSP];
	bool known_stack = stack_high != 0 && sp >= stack_low && sp < stack_high;
	struct walk w = {
		.table = table,
		.highest = known_stack ? stack_high : UINTPTR_MAX,
		.generation = unwind_rule_generation(),
		.exact = true,
	};
	int result = table ? STEP_ON : UNWIND_NO_MODULE;
	size_t n = 0;

	for (unsigned i = 0; i < STACK_PC; i++)
		w.registers.r[i] = registers->r[i];
	w.registers.r[STACK_PC] = registers->pc;
	w.registers.known = (1U << STACK_REGISTERS) - 1;
	stack_start(&w.stack, sp);
	do {
		if (n == max) {
			result = UNWIND_TOO_DEEP;
			break;
		}
		frames[n] = (struct unwind_frame){ .pc = w.registers.r[STACK_PC], .exact = w.exact };
		if (result == STEP_ON)
			result = step(&w, &frames[n].cfa);
		n++;
	} while (result == STEP_ON);
	*end = (enum unwind_end)result;
	return n;
}

void unwind_forget(void)
{
	unwind_rule_forget();
}
