/* Call-frame programs (DWARF 5, 6.4.2, and the GNU extras that x86-64 uses), up to one pc. */
#include "preload/sigsafe/eh_frame.h"

enum {
	PROGRAM_OPS_MAX = 20000, /* each advances the cursor, so the entry's length bounds it too */
	CELL_VALUE_MAX = 1 << 28, /* what fits above the three bits of kind */
};

enum {
	CFA_ADVANCE_LOC = 0x40, /* these three carry their operand in the low six bits */
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,

	CFA_NOP = 0x00,
	CFA_SET_LOC = 0x01,
	CFA_ADVANCE_LOC1 = 0x02,
	CFA_ADVANCE_LOC2 = 0x03,
	CFA_ADVANCE_LOC4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REGISTER = 0x09,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_REGISTER = 0x0d,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_DEF_CFA_EXPRESSION = 0x0f,
	CFA_EXPRESSION = 0x10,
	CFA_OFFSET_EXTENDED_SF = 0x11,
	CFA_DEF_CFA_SF = 0x12,
	CFA_DEF_CFA_OFFSET_SF = 0x13,
	CFA_VAL_OFFSET = 0x14,
	CFA_VAL_OFFSET_SF = 0x15,
	CFA_VAL_EXPRESSION = 0x16,
	CFA_MIPS_ADVANCE_LOC8 = 0x1d,
	CFA_GNU_ARGS_SIZE = 0x2e,
	CFA_GNU_NEGATIVE_OFFSET_EXTENDED = 0x2f,
};

struct program {
	const struct eh_fde *fde;
	struct eh_rule *rule;
	struct eh_row *row; /* the rule's, as of loc */
	unsigned remembered_count;
	uintptr_t loc, pc;
	bool bad;
};

/* Which column follows this DWARF register? EH_COLUMNS: none. */
static enum eh_column column_of(uint64_t reg)
{
	/* One more than the column, for those that have one. */
	static const uint8_t columns[17] = {
		[3] = EH_RBX + 1,  [6] = EH_RBP + 1,  [7] = EH_RSP + 1,	 [12] = EH_R12 + 1,
		[13] = EH_R13 + 1, [14] = EH_R14 + 1, [15] = EH_R15 + 1, [16] = EH_RA + 1,
	};

	return reg < sizeof(columns) && columns[reg] ? (enum eh_column)(columns[reg] - 1)
						     : EH_COLUMNS;
}

static void set_cell(struct program *p, uint64_t reg, enum eh_cell_kind kind, int64_t value)
{
	enum eh_column column = column_of(reg);

	if (column == EH_COLUMNS)
		return;
	if (value >= CELL_VALUE_MAX || value < -CELL_VALUE_MAX)
		p->bad = true;
	else
		p->row->cells[column] = (eh_cell)(value * 8) | (eh_cell)kind;
}

static void set_cfa(struct program *p, uint64_t reg, int64_t offset)
{
	if (reg > 15 || offset > INT32_MAX || offset < INT32_MIN) {
		p->bad = true;
		return;
	}
	p->row->cfa_register = (uint8_t)reg;
	p->row->cfa_value = (int32_t)offset;
}

/* Offset of an expression's length field from the FDE, its bytes skipped. */
static int64_t take_expression(struct program *p, struct eh_cursor *c)
{
	int64_t at = (int64_t)((uintptr_t)c->at - p->fde->address);

	eh_skip(c, eh_uleb(c));
	return at;
}

static void restore_cell(struct program *p, uint64_t reg)
{
	enum eh_column column = column_of(reg);

	if (column != EH_COLUMNS)
		p->row->cells[column] = p->rule->work.initial.cells[column];
}

static void restore_state(struct program *p)
{
	if (p->remembered_count == 0)
		p->bad = true;
	else
		*p->row = p->rule->work.remembered[--p->remembered_count];
}

static void remember_state(struct program *p)
{
	if (p->remembered_count == EH_REMEMBER_MAX)
		p->bad = true;
	else
		p->rule->work.remembered[p->remembered_count++] = *p->row;
}

/* Products of wild factors must not overflow as signed numbers; what is kept is range-checked. */
static int64_t scaled(const struct program *p, uint64_t factor)
{
	return (int64_t)(factor * (uint64_t)p->fde->cie.data_align);
}

/* The instructions that say where the frame is. False: not one of them. */
static bool run_cfa(struct program *p, struct eh_cursor *c, uint8_t op)
{
	uint64_t reg;
	int64_t at;

	switch (op) {
	case CFA_DEF_CFA:
		reg = eh_uleb(c);
		set_cfa(p, reg, (int64_t)eh_uleb(c));
		return true;
	case CFA_DEF_CFA_SF:
		reg = eh_uleb(c);
		set_cfa(p, reg, scaled(p, (uint64_t)eh_sleb(c)));
		return true;
	case CFA_DEF_CFA_REGISTER:
		reg = eh_uleb(c);
		p->bad |= p->row->cfa_register == EH_CFA_EXPRESSION;
		set_cfa(p, reg, p->row->cfa_value);
		return true;
	case CFA_DEF_CFA_OFFSET:
		set_cfa(p, p->row->cfa_register, (int64_t)eh_uleb(c));
		return true;
	case CFA_DEF_CFA_OFFSET_SF:
		set_cfa(p, p->row->cfa_register, scaled(p, (uint64_t)eh_sleb(c)));
		return true;
	case CFA_DEF_CFA_EXPRESSION:
		at = take_expression(p, c);
		p->bad |= at > INT32_MAX || at < INT32_MIN;
		p->row->cfa_value = (int32_t)at;
		p->row->cfa_register = EH_CFA_EXPRESSION;
		return true;
	default:
		return false;
	}
}

/* Does the instruction begin with the register that it is about? */
static bool has_register(uint8_t op)
{
	return (op >= CFA_OFFSET_EXTENDED && op <= CFA_REGISTER) ||
	       (op >= CFA_EXPRESSION && op <= CFA_VAL_EXPRESSION && op != CFA_DEF_CFA_SF &&
		op != CFA_DEF_CFA_OFFSET_SF) ||
	       op == CFA_GNU_NEGATIVE_OFFSET_EXTENDED;
}

/* The instructions that say where a register is. False: not one of them. */
static bool run_register(struct program *p, struct eh_cursor *c, uint8_t op)
{
	uint64_t reg;

	if (!has_register(op))
		return false;
	reg = eh_uleb(c);
	switch (op) {
	case CFA_OFFSET_EXTENDED:
		set_cell(p, reg, EH_OFFSET, scaled(p, eh_uleb(c)));
		return true;
	case CFA_OFFSET_EXTENDED_SF:
		set_cell(p, reg, EH_OFFSET, scaled(p, (uint64_t)eh_sleb(c)));
		return true;
	case CFA_GNU_NEGATIVE_OFFSET_EXTENDED:
		set_cell(p, reg, EH_OFFSET, (int64_t)(0 - (uint64_t)scaled(p, eh_uleb(c))));
		return true;
	case CFA_VAL_OFFSET:
		set_cell(p, reg, EH_VAL_OFFSET, scaled(p, eh_uleb(c)));
		return true;
	case CFA_VAL_OFFSET_SF:
		set_cell(p, reg, EH_VAL_OFFSET, scaled(p, (uint64_t)eh_sleb(c)));
		return true;
	case CFA_EXPRESSION:
		set_cell(p, reg, EH_EXPRESSION, take_expression(p, c));
		return true;
	case CFA_VAL_EXPRESSION:
		set_cell(p, reg, EH_VAL_EXPRESSION, take_expression(p, c));
		return true;
	case CFA_REGISTER:
		set_cell(p, reg, EH_REGISTER, (int64_t)(eh_uleb(c) & 0xff));
		return true;
	case CFA_RESTORE_EXTENDED:
		restore_cell(p, reg);
		return true;
	case CFA_UNDEFINED:
		set_cell(p, reg, EH_UNDEFINED, 0);
		return true;
	default: /* CFA_SAME_VALUE */
		set_cell(p, reg, EH_SAME, 0);
		return true;
	}
}

static void run_other(struct program *p, struct eh_cursor *c, uint8_t op)
{
	uint64_t align = p->fde->cie.code_align;

	switch (op) {
	case CFA_NOP:
		break;
	case CFA_SET_LOC:
		p->loc = eh_pointer(c, p->fde->cie.pointer_encoding, 0);
		break;
	case CFA_ADVANCE_LOC1:
		p->loc += eh_unsigned(c, 1) * align;
		break;
	case CFA_ADVANCE_LOC2:
		p->loc += eh_unsigned(c, 2) * align;
		break;
	case CFA_ADVANCE_LOC4:
		p->loc += eh_unsigned(c, 4) * align;
		break;
	case CFA_MIPS_ADVANCE_LOC8:
		p->loc += eh_unsigned(c, 8) * align;
		break;
	case CFA_REMEMBER_STATE:
		remember_state(p);
		break;
	case CFA_RESTORE_STATE:
		restore_state(p);
		break;
	case CFA_GNU_ARGS_SIZE:
		eh_uleb(c); /* matters to landing pads only */
		break;
	default:
		p->bad = true;
	}
}

static bool run_program(struct program *p, struct eh_cursor c)
{
	for (int ops = 0; eh_left(&c) > 0; ops++) {
		uint8_t op = eh_byte(&c), low = op & 0x3f;

		switch (op & 0xc0) {
		case CFA_ADVANCE_LOC:
			p->loc += low * p->fde->cie.code_align;
			break;
		case CFA_OFFSET:
			set_cell(p, low, EH_OFFSET, scaled(p, eh_uleb(&c)));
			break;
		case CFA_RESTORE:
			restore_cell(p, low);
			break;
		default:
			if (!run_cfa(p, &c, op) && !run_register(p, &c, op))
				run_other(p, &c, op);
		}
		if (p->bad || c.failed || ops == PROGRAM_OPS_MAX)
			return false;
		/* What follows holds from loc on. Damaged programs go backwards, too. */
		if (p->loc > p->pc) {
			p->rule->to = p->loc < p->rule->to ? p->loc : p->rule->to;
			return true;
		}
		p->rule->from = p->loc > p->rule->from ? p->loc : p->rule->from;
	}
	return !c.failed;
}

bool eh_run(const struct eh_fde *fde, uintptr_t pc, struct eh_rule *rule)
{
	struct program p;

	p.fde = fde;
	p.rule = rule;
	p.row = &rule->row;
	p.remembered_count = 0;
	p.bad = false;
	p.pc = pc;
	rule->origin = fde->address;
	rule->signal_frame = fde->cie.signal_frame;
	rule->row = (struct eh_row){ 0 };
	rule->row.cells[EH_RA] = EH_UNDEFINED;
	rule->row.cfa_register =
		EH_CFA_EXPRESSION; /* until the program says: an expression of nothing */

	/* The CIE's part holds everywhere, so it may not move. */
	p.loc = 0;
	rule->work.initial = rule->row;
	if (!run_program(&p, fde->cie.program) || p.loc != 0)
		return false;
	rule->work.initial = rule->row;
	p.loc = fde->start;
	rule->from = fde->from;
	rule->to = fde->to;
	if (!run_program(&p, fde->program))
		return false;
	return rule->row.cfa_register != EH_CFA_EXPRESSION || rule->row.cfa_value != 0;
}

struct eh_cursor eh_expression(const struct eh_rule *rule, int32_t value)
{
	enum { LEB_BYTES_MAX = 10 };
	uintptr_t at = rule->origin + (uintptr_t)(intptr_t)value;
	struct eh_cursor c = eh_cursor_over(at, at + LEB_BYTES_MAX);
	uint64_t len = eh_uleb(&c);

	c.end = c.at + len; /* take_expression has seen all of it inside the entry */
	return c;
}
