#include "preload/sigsafe/unwind_rule.h"

#include <stdatomic.h>

enum {
	BLOCK_BITS = 6,
	CACHE_BITS = 12, /* 4096 blocks and as many pcs, 32 KiB each */
	CACHE_SLOTS = 1 << CACHE_BITS,
	ADDRESS_BITS = 47,
	NUMBER_BITS = 16,
	TAG_BITS = ADDRESS_BITS - CACHE_BITS,
	GENERATION_SHIFT = NUMBER_BITS + TAG_BITS, /* 13 bits left for it */
	RULES_MAX = 8192, /* all of CPython, OpenSSL, libxml2, ICU and LLVM together have 2,106 */
	INDEX_SLOTS = 2 * RULES_MAX,
	INDEX_PROBES_MAX = 16,
	OFFSET_MAX = 1 << 27,
};

static struct {
	/* number | tag << 16 | generation << 51; by any handler, unguarded */
	_Atomic uint64_t blocks[CACHE_SLOTS], pcs[CACHE_SLOTS];
	_Atomic uint64_t generation; /* by unwind_rule_forget */
	/*
	 * Rules in the order they were first seen, so that the common ones lie together. rules[0]
	 * stays empty. A number gets its rule before it is put anywhere, and keeps it.
	 */
	_Atomic unwind_rule rules[RULES_MAX];
	_Atomic uint32_t rules_count;
	_Atomic uint16_t index[INDEX_SLOTS]; /* open addressing by the rule's hash; 0: free */
} cache;

/* ---- packing ---- */

static enum eh_cell_kind cell_kind(eh_cell cell)
{
	return (enum eh_cell_kind)(cell & 7);
}

/* "register + offset", with nothing behind it unless deref: then a DW_OP_deref. */
static bool is_register_offset(struct eh_cursor c, bool deref, unsigned *reg, int64_t *offset)
{
	uint8_t op = eh_byte(&c);

	if (op < 0x70 || op > 0x7f) /* DW_OP_breg0 .. DW_OP_breg15 */
		return false;
	*reg = op - 0x70;
	*offset = eh_sleb(&c);
	if (deref && eh_byte(&c) != 0x06)
		return false;
	return !c.failed && eh_left(&c) == 0;
}

/*
 * What linkers write for a PLT entry: cfa = rsp + 8 + ((rip & 15) >= N) * 8, as
 * breg7 8, breg16 0, lit15, and, litN, ge, lit3, shl, plus. N is where the entry's push ends.
 */
static bool is_plt(struct eh_cursor c, uintptr_t pc, int64_t *offset)
{
	static const uint8_t head[] = { 0x77, 8, 0x80, 0, 0x3f, 0x1a },
			     tail[] = { 0x2a, 0x33, 0x24, 0x22 };
	uint8_t lit;

	if (eh_left(&c) != sizeof(head) + 1 + sizeof(tail))
		return false;
	if (__builtin_memcmp(c.at, head, sizeof(head)) != 0 ||
	    __builtin_memcmp(c.at + sizeof(head) + 1, tail, sizeof(tail)) != 0)
		return false;
	lit = c.at[sizeof(head)];
	if (lit < 0x30 || lit > 0x3f)
		return false;
	*offset = (pc & 15) >= (uintptr_t)(lit - 0x30) ? 16 : 8;
	return true;
}

static bool pack_cfa(struct eh_rule *rule, uintptr_t pc, unwind_rule *packed)
{
	enum unwind_rule_kind kind = UNWIND_RULE_PLAIN;
	unsigned reg = rule->row.cfa_register;
	int64_t offset = rule->row.cfa_value;

	if (reg == EH_CFA_EXPRESSION) {
		struct eh_cursor c = eh_expression(rule, rule->row.cfa_value);

		if (is_register_offset(c, true, &reg, &offset)) {
			kind = UNWIND_RULE_DEREF;
		} else if (is_plt(c, pc, &offset)) {
			reg = STACK_RSP;
			rule->from = pc;
			rule->to = pc + 1;
		} else if (!is_register_offset(c, false, &reg, &offset)) {
			return false;
		}
	}
	if (offset >= OFFSET_MAX || offset < -OFFSET_MAX)
		return false;
	*packed |= ((uint64_t)offset & 0xfffffff) | (uint64_t)reg << 28 | (uint64_t)kind << 32;
	return true;
}

/* One saved register as a number of words below the origin (from_rbp says which); 0: not saved. */
static bool pack_save(const struct eh_rule *rule, eh_cell cell, int *from_rbp, uint64_t *words)
{
	int64_t below;
	unsigned reg;

	*words = 0;
	switch (cell_kind(cell)) {
	case EH_SAME:
	case EH_UNDEFINED: /* rbp in _start: nobody asks for it there */
		return true;
	case EH_OFFSET:
		below = -8 - (int64_t)(cell >> 3);
		if (*from_rbp == 1)
			return false;
		*from_rbp = 0;
		break;
	case EH_EXPRESSION:
		if (!is_register_offset(eh_expression(rule, cell >> 3), false, &reg, &below) ||
		    reg != STACK_RBP || *from_rbp == 0)
			return false;
		below = 8 - below;
		*from_rbp = 1;
		break;
	default:
		return false;
	}
	if (below <= 0 || below > (int64_t)15 * 8 || below % 8 != 0)
		return false;
	*words = (uint64_t)below / 8;
	return true;
}

unwind_rule unwind_rule_pack(struct eh_rule *rule, uintptr_t pc)
{
	eh_cell ra = rule->row.cells[EH_RA];
	unwind_rule packed = 0;
	int from_rbp = -1; /* not yet known */

	if (!pack_cfa(rule, pc, &packed) || rule->row.cells[EH_RSP] != EH_SAME)
		return UNWIND_RULE_NONE;
	if (cell_kind(ra) == EH_UNDEFINED)
		packed |= (uint64_t)1 << 35;
	else if (cell_kind(ra) != EH_OFFSET || ra >> 3 != -8)
		return UNWIND_RULE_NONE;
	if (rule->signal_frame)
		packed |= (uint64_t)1 << 37;
	for (int i = 0; i < UNWIND_RULE_SAVES; i++) {
		uint64_t words;

		if (!pack_save(rule, rule->row.cells[i], &from_rbp, &words))
			return UNWIND_RULE_NONE;
		packed |= words << (UNWIND_RULE_SAVES_SHIFT + 4 * i);
	}
	if (from_rbp == 1)
		packed |= (uint64_t)1 << 36;
	return packed;
}

unwind_rule unwind_rule_of(enum unwind_rule_kind kind)
{
	return (uint64_t)kind << 32;
}

/* ---- the cache ---- */

static uint32_t slot_of(uintptr_t address)
{
	return (uint32_t)(address ^ address >> CACHE_BITS ^ address >> 2 * CACHE_BITS) %
	       CACHE_SLOTS;
}

/*
 * With the slot's index the tag gives the whole address back, so equal words mean equal addresses.
 */
static uint64_t entry_of(uintptr_t address, uint64_t generation)
{
	return address >> CACHE_BITS << NUMBER_BITS | generation << GENERATION_SHIFT;
}

/* The rule's number, or something else of RULES_MAX and more. */
static uint64_t look(const _Atomic uint64_t *slots, uintptr_t address, uint64_t generation)
{
	return atomic_load_explicit(&slots[slot_of(address)], memory_order_acquire) ^
	       entry_of(address, generation);
}

uint64_t unwind_rule_generation(void)
{
	return atomic_load_explicit(&cache.generation, memory_order_acquire);
}

unwind_rule unwind_rule_cached(uintptr_t pc, uint64_t generation)
{
	uint64_t number = look(cache.blocks, pc >> BLOCK_BITS, generation);

	if (number == 0 || number >= RULES_MAX)
		number = look(cache.pcs, pc, generation);
	if (number >= RULES_MAX || pc >> ADDRESS_BITS != 0)
		return UNWIND_RULE_NONE;
	return atomic_load_explicit(&cache.rules[number], memory_order_relaxed);
}

static uint32_t rule_hash(unwind_rule rule)
{
	return (uint32_t)((rule * 0x9e3779b97f4a7c15) >> 40);
}

/* The number of this rule, a new one if need be; 0 when there is no room. */
static uint16_t rule_number(unwind_rule rule)
{
	uint32_t at = rule_hash(rule);
	uint16_t mine = 0;

	for (int probe = 0; probe < INDEX_PROBES_MAX; probe++, at++) {
		_Atomic uint16_t *slot = &cache.index[at % INDEX_SLOTS];
		uint16_t number = atomic_load_explicit(slot, memory_order_acquire);

		if (number == 0) {
			if (mine == 0) {
				uint32_t next = atomic_load_explicit(&cache.rules_count,
								     memory_order_relaxed);

				do {
					if (next >= RULES_MAX - 1)
						return 0;
				} while (!atomic_compare_exchange_weak_explicit(
					&cache.rules_count, &next, next + 1, memory_order_relaxed,
					memory_order_relaxed));
				mine = (uint16_t)(next + 1);
				atomic_store_explicit(&cache.rules[mine], rule,
						      memory_order_relaxed);
			}
			/*
			 * Lost to another thread: its rule may be ours, and then `mine` is left
			 * unused.
			 */
			if (atomic_compare_exchange_strong_explicit(slot, &number, mine,
								    memory_order_acq_rel,
								    memory_order_acquire))
				return mine;
		}
		if (atomic_load_explicit(&cache.rules[number], memory_order_relaxed) == rule)
			return number;
	}
	return mine;
}

void unwind_rule_remember(uintptr_t pc, uintptr_t from, uintptr_t to, unwind_rule rule,
			  uint64_t generation)
{
	uint16_t number = pc >> ADDRESS_BITS ? 0 : rule_number(rule);
	uintptr_t block = pc >> BLOCK_BITS;

	if (number == 0)
		return;
	if (from <= block << BLOCK_BITS && to >= (block + 1) << BLOCK_BITS)
		atomic_store_explicit(&cache.blocks[slot_of(block)],
				      entry_of(block, generation) | number, memory_order_release);
	else
		atomic_store_explicit(&cache.pcs[slot_of(pc)], entry_of(pc, generation) | number,
				      memory_order_release);
}

void unwind_rule_forget(void)
{
	uint64_t next = atomic_load_explicit(&cache.generation, memory_order_acquire) + 1;

	/*
	 * After 8,192 times the number repeats, and what is left of its first use would look new.
	 */
	if (next << GENERATION_SHIFT == 0) {
		for (uint32_t i = 0; i < CACHE_SLOTS; i++) {
			atomic_store_explicit(&cache.blocks[i], 0, memory_order_relaxed);
			atomic_store_explicit(&cache.pcs[i], 0, memory_order_relaxed);
		}
	}
	atomic_fetch_add_explicit(&cache.generation, 1, memory_order_acq_rel);
}
