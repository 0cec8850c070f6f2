/*
 * Any bytes as a module's .eh_frame_hdr and .eh_frame, any registers, any stack: nothing outside
 * the module's bytes is believed or read, and the cache gives what the table gave.
 */
#include "preload/sigsafe/unwind.h"

#include "preload/sigsafe/eh_expression.h"
#include "preload/sigsafe/eh_frame.h"
#include "preload/sigsafe/unwind_rule.h"

#include "tests/fuzz/pieces.h"

enum { STACK_WORDS = 64, PADDING_WORDS = 8192, FRAMES = 32 };

/* How an input begins; the module's bytes follow. Offsets count from those. */
struct head {
	uint16_t hdr_offset, hdr_len;
	int32_t pc_offset;
	uint64_t seed;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return *seed >> 16;
}

/*
 * Numbers that look like what is on a stack: pcs near pc, addresses of the stack, small ones, wild
 * ones.
 */
static uintptr_t word(uint64_t *seed, uintptr_t pc, const uintptr_t *stack)
{
	uint64_t r = next(seed);

	switch (r % 5) {
	case 0:
		return pc + r / 5 % 256;
	case 1:
	case 2:
		return (uintptr_t)&stack[r / 5 % STACK_WORDS];
	case 3:
		return r / 5 % 64;
	default:
		return next(seed);
	}
}

/* What holds from rule->from to rule->to is what the module's table says there. */
static void check_ends(const struct module *m, const struct eh_rule *rule)
{
	uintptr_t ends[] = { rule->from, rule->to - 1 };

	for (int i = 0; i < 2; i++) {
		struct eh_rule there;

		REQUIRE(eh_find(m, ends[i], &there) == EH_FOUND);
		REQUIRE(there.work.fde.address == rule->work.fde.address);
		REQUIRE(there.from == rule->from && there.to == rule->to);
		REQUIRE(memcmp(there.row.cells, rule->row.cells, sizeof(there.row.cells)) == 0);
	}
}

static void check_rule(const struct module *m, uintptr_t pc,
		       const struct unwind_registers *registers)
{
	struct stack_registers all = { .known = UINT32_MAX };
	struct stack stack;
	struct eh_rule rule;
	uintptr_t value;

	if (eh_find(m, pc, &rule) != EH_FOUND)
		return;
	REQUIRE(rule.from <= pc && pc < rule.to);
	check_ends(m, &rule);
	memcpy(all.r, registers->r, sizeof(registers->r));
	all.r[STACK_PC] = pc;
	stack_start(&stack, registers->r[STACK_RSP]);
	if (rule.row.cfa_register == EH_CFA_EXPRESSION) {
		struct eh_cursor c = eh_expression(&rule, rule.row.cfa_value);

		REQUIRE((uintptr_t)c.at >= m->load_start && (uintptr_t)c.end <= m->load_end);
		eh_evaluate(c, &all, &stack, NULL, &value);
	} else {
		REQUIRE(rule.row.cfa_register < 16);
	}
	for (int i = 0; i < EH_COLUMNS; i++) {
		enum eh_cell_kind kind = (enum eh_cell_kind)(rule.row.cells[i] & 7);
		struct eh_cursor c;

		REQUIRE(kind <= EH_UNDEFINED);
		if (kind != EH_EXPRESSION && kind != EH_VAL_EXPRESSION)
			continue;
		c = eh_expression(&rule, rule.row.cells[i] >> 3);
		REQUIRE((uintptr_t)c.at >= m->load_start && (uintptr_t)c.end <= m->load_end);
		eh_evaluate(c, &all, &stack, &all.r[STACK_RSP], &value);
	}
	unwind_rule_pack(&rule, pc);
	REQUIRE(rule.from <= pc && pc < rule.to);
}

static void check_walk(const struct module_table *table, const struct unwind_registers *registers,
		       const uintptr_t *stack)
{
	static struct unwind_memo memo;
	struct unwind_frame frames[3][FRAMES];
	enum unwind_end ends[3];
	uintptr_t low = registers->r[STACK_RSP], high = (uintptr_t)(stack + STACK_WORDS);
	size_t n;

	memset(frames, 0, sizeof(frames));
	unwind_forget();
	n = unwind_stack(table, registers, low, high, frames[0], FRAMES, &ends[0]);
	REQUIRE(n >= 1 && n <= FRAMES);
	REQUIRE(unwind_stack_again(&memo, table, registers, low, high, frames[1], FRAMES,
				   &ends[1]) == n);
	REQUIRE(unwind_stack_again(&memo, table, registers, low, high, frames[2], FRAMES,
				   &ends[2]) == n);
	for (int i = 1; i < 3; i++) {
		REQUIRE(ends[i] == ends[0]);
		for (size_t j = 0; j < n; j++)
			REQUIRE(frames[i][j].pc == frames[0][j].pc &&
				frames[i][j].cfa == frames[0][j].cfa &&
				frames[i][j].exact == frames[0][j].exact);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static _Alignas(struct module_table) char
		space[sizeof(struct module_table) + sizeof(struct module)];
	struct module_table *table = (struct module_table *)space;
	struct module *m = &table->modules[0];
	struct unwind_registers registers;
	/* What is around the stack must not change between two walks over it. */
	static uintptr_t around[PADDING_WORDS + STACK_WORDS + PADDING_WORDS];
	uintptr_t *stack = around + PADDING_WORDS;
	struct head head;
	uint8_t *image;
	uint64_t seed;

	if (size < sizeof(head))
		return 0;
	memcpy(&head, bytes, sizeof(head));
	size -= sizeof(head);
	/* Memory of its own size, so that one byte too far is noticed. */
	image = malloc(size);
	if (!image)
		return 0;
	memcpy(image, bytes + sizeof(head), size);
	seed = head.seed;
	table->count = 1;
	m->end = UINTPTR_MAX;
	m->load_start = (uintptr_t)image;
	m->load_end = (uintptr_t)image + size;
	m->eh_frame_hdr = (uintptr_t)image + head.hdr_offset;
	m->eh_frame_hdr_len = head.hdr_len;
	registers.pc = (uintptr_t)image + (uintptr_t)(intptr_t)head.pc_offset;
	for (int i = 0; i < STACK_WORDS; i++)
		stack[i] = word(&seed, registers.pc, stack);
	for (int i = 0; i < 16; i++)
		registers.r[i] = word(&seed, registers.pc, stack);
	registers.r[STACK_RSP] = (uintptr_t)&stack[seed % 8];
	check_rule(m, registers.pc, &registers);
	check_walk(table, &registers, stack);
	free(image);
	return 0;
}
