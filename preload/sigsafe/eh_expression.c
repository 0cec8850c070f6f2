#include "preload/sigsafe/eh_expression.h"

enum {
	EXPRESSION_STEPS_MAX = 256, /* branches may go back */
	EXPRESSION_DEPTH_MAX = 12,  /* the deepest seen is 4, in PLT entries */
};

enum {
	OP_ADDR = 0x03,
	OP_DEREF = 0x06,
	OP_CONST1U = 0x08, /* 1u 1s 2u 2s 4u 4s 8u 8s in order */
	OP_CONST8S = 0x0f,
	OP_CONSTU = 0x10,
	OP_CONSTS = 0x11,
	OP_DUP = 0x12,
	OP_DROP = 0x13,
	OP_OVER = 0x14,
	OP_PICK = 0x15,
	OP_SWAP = 0x16,
	OP_ROT = 0x17,
	OP_ABS = 0x19,
	OP_AND = 0x1a,
	OP_DIV = 0x1b,
	OP_MINUS = 0x1c,
	OP_MOD = 0x1d,
	OP_MUL = 0x1e,
	OP_NEG = 0x1f,
	OP_NOT = 0x20,
	OP_OR = 0x21,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_SHR = 0x25,
	OP_SHRA = 0x26,
	OP_XOR = 0x27,
	OP_BRA = 0x28,
	OP_EQ = 0x29,
	OP_GE = 0x2a,
	OP_GT = 0x2b,
	OP_LE = 0x2c,
	OP_LT = 0x2d,
	OP_NE = 0x2e,
	OP_SKIP = 0x2f,
	OP_LIT0 = 0x30,
	OP_LIT31 = 0x4f,
	OP_BREG0 = 0x70,
	OP_BREG31 = 0x8f,
	OP_BREGX = 0x92,
	OP_DEREF_SIZE = 0x94,
	OP_NOP = 0x96,
};

struct machine {
	struct eh_cursor code;
	const uint8_t *code_start;
	const struct stack_registers *registers;
	struct stack *memory;
	bool bad;
	unsigned depth;
	uint64_t stack[EXPRESSION_DEPTH_MAX];
};

static void push(struct machine *m, uint64_t value)
{
	if (m->depth == EXPRESSION_DEPTH_MAX)
		m->bad = true;
	else
		m->stack[m->depth++] = value;
}

static uint64_t pop(struct machine *m)
{
	if (m->depth == 0) {
		m->bad = true;
		return 0;
	}
	return m->stack[--m->depth];
}

/* A copy of the entry `down` below the top. */
static void pick(struct machine *m, unsigned down)
{
	if (down >= m->depth)
		m->bad = true;
	else
		push(m, m->stack[m->depth - 1 - down]);
}

static void push_register(struct machine *m, uint64_t reg)
{
	uint64_t offset = (uint64_t)eh_sleb(&m->code);

	if (reg >= STACK_REGISTERS || !stack_knows(m->registers, (unsigned)reg))
		m->bad = true;
	else
		push(m, m->registers->r[reg] + offset);
}

/* size bytes (1, 2, 4 or 8) of memory, which need not be aligned but must not cross a word. */
static void deref(struct machine *m, unsigned size)
{
	uint64_t address = pop(m);
	unsigned inside = address % 8;
	uintptr_t word;

	if (m->bad || (size != 1 && size != 2 && size != 4 && size != 8) || inside + size > 8 ||
	    !stack_word(m->memory, address - inside, &word)) {
		m->bad = true;
		return;
	}
	word >>= 8 * inside;
	push(m, size == 8 ? word : word & ((1ULL << (8 * size)) - 1));
}

static void jump(struct machine *m, int64_t offset)
{
	int64_t at = m->code.at - m->code_start, end = m->code.end - m->code_start;

	if (m->code.failed || at + offset < 0 || at + offset > end)
		m->bad = true;
	else
		m->code.at = m->code_start + at + offset;
}

/* Operations that take two and give one; a is the lower. False: not one of them. */
static bool run_binary(struct machine *m, uint8_t op)
{
	uint64_t b, a, value;

	if (op < OP_AND || op > OP_NE || op == OP_NEG || op == OP_NOT || op == OP_PLUS_UCONST ||
	    op == OP_BRA)
		return false;
	b = pop(m);
	a = pop(m);
	switch (op) {
	case OP_AND:
		value = a & b;
		break;
	case OP_DIV:
		/* Signed; INT64_MIN / -1 would trap like a division by zero. */
		if (b == 0 || (b == UINT64_MAX && a == 1ULL << 63)) {
			m->bad = true;
			return true;
		}
		value = (uint64_t)((int64_t)a / (int64_t)b);
		break;
	case OP_MINUS:
		value = a - b;
		break;
	case OP_MOD:
		if (b == 0) {
			m->bad = true;
			return true;
		}
		value = a % b;
		break;
	case OP_MUL:
		value = a * b;
		break;
	case OP_OR:
		value = a | b;
		break;
	case OP_PLUS:
		value = a + b;
		break;
	case OP_SHL:
		value = b < 64 ? a << b : 0;
		break;
	case OP_SHR:
		value = b < 64 ? a >> b : 0;
		break;
	case OP_SHRA:
		value = (uint64_t)((int64_t)a >> (b < 64 ? b : 63));
		break;
	case OP_XOR:
		value = a ^ b;
		break;
	case OP_EQ:
		value = a == b;
		break;
	case OP_GE:
		value = (int64_t)a >= (int64_t)b;
		break;
	case OP_GT:
		value = (int64_t)a > (int64_t)b;
		break;
	case OP_LE:
		value = (int64_t)a <= (int64_t)b;
		break;
	case OP_LT:
		value = (int64_t)a < (int64_t)b;
		break;
	default:
		value = a != b;
	}
	push(m, value);
	return true;
}

static bool run_shuffle(struct machine *m, uint8_t op)
{
	uint64_t top;

	switch (op) {
	case OP_DUP:
		pick(m, 0);
		return true;
	case OP_DROP:
		pop(m);
		return true;
	case OP_OVER:
		pick(m, 1);
		return true;
	case OP_PICK:
		pick(m, eh_byte(&m->code));
		return true;
	case OP_SWAP:
	case OP_ROT: {
		unsigned count = op == OP_SWAP ? 2 : 3;

		if (m->depth < count) {
			m->bad = true;
			return true;
		}
		/* The top goes below the others. */
		top = m->stack[m->depth - 1];
		for (unsigned i = 1; i < count; i++)
			m->stack[m->depth - i] = m->stack[m->depth - i - 1];
		m->stack[m->depth - count] = top;
		return true;
	}
	default:
		return false;
	}
}

static bool run_constant(struct machine *m, uint8_t op)
{
	if (op >= OP_LIT0 && op <= OP_LIT31) {
		push(m, op - OP_LIT0);
	} else if (op >= OP_CONST1U && op <= OP_CONST8S) {
		size_t size = (size_t)1 << ((op - OP_CONST1U) / 2);

		push(m, (op - OP_CONST1U) % 2 ? (uint64_t)eh_signed(&m->code, size)
					      : eh_unsigned(&m->code, size));
	} else if (op == OP_ADDR) {
		push(m, eh_unsigned(&m->code, 8));
	} else if (op == OP_CONSTU) {
		push(m, eh_uleb(&m->code));
	} else if (op == OP_CONSTS) {
		push(m, (uint64_t)eh_sleb(&m->code));
	} else {
		return false;
	}
	return true;
}

static void run_other(struct machine *m, uint8_t op)
{
	uint64_t value;
	int64_t offset;

	if (op >= OP_BREG0 && op <= OP_BREG31) {
		push_register(m, op - OP_BREG0);
		return;
	}
	switch (op) {
	case OP_BREGX:
		push_register(m, eh_uleb(&m->code));
		break;
	case OP_DEREF:
		deref(m, 8);
		break;
	case OP_DEREF_SIZE:
		deref(m, eh_byte(&m->code));
		break;
	case OP_ABS:
		value = pop(m);
		push(m, (int64_t)value < 0 ? 0 - value : value);
		break;
	case OP_NEG:
		push(m, 0 - pop(m));
		break;
	case OP_NOT:
		push(m, ~pop(m));
		break;
	case OP_PLUS_UCONST:
		value = pop(m);
		push(m, value + eh_uleb(&m->code));
		break;
	case OP_SKIP:
		jump(m, eh_signed(&m->code, 2));
		break;
	case OP_BRA:
		offset = eh_signed(&m->code, 2);
		if (pop(m) != 0)
			jump(m, offset);
		break;
	case OP_NOP:
		break;
	default:
		m->bad = true;
	}
}

bool eh_evaluate(struct eh_cursor code, const struct stack_registers *registers,
		 struct stack *stack, const uintptr_t *start, uintptr_t *value)
{
	struct machine m;

	m.code = code;
	m.code_start = code.at;
	m.registers = registers;
	m.memory = stack;
	m.bad = false;
	m.depth = 0;
	if (start)
		push(&m, *start);
	for (int steps = 0; eh_left(&m.code) > 0; steps++) {
		uint8_t op = eh_byte(&m.code);

		if (!run_constant(&m, op) && !run_binary(&m, op) && !run_shuffle(&m, op))
			run_other(&m, op);
		if (m.bad || m.code.failed || steps == EXPRESSION_STEPS_MAX)
			return false;
	}
	if (m.code.failed || m.depth == 0)
		return false;
	*value = m.stack[m.depth - 1];
	return true;
}
