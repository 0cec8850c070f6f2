/*
 * .eh_frame bytes to rules: made here byte by byte, damaged, and those of the modules of this
 * process.
 */
#include "preload/sigsafe/eh_frame.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>

#include "preload/sigsafe/eh_expression.h"
#include "preload/sigsafe/modules.h"
#include "preload/sigsafe/unwind_rule.h"
#include "tests/unit/tap.h"

enum { PAGE = 4096, START = 0x400000, LENGTH = 0x1000 };

/* A CIE and an FDE that covers [START, START + LENGTH), with these programs. */
struct image {
	unsigned char bytes[1024];
	size_t len, fde;
};

#define BYTES(...) \
	((const unsigned char[]){ __VA_ARGS__ }), sizeof((const unsigned char[]){ __VA_ARGS__ })

static void put(struct image *image, const void *bytes, size_t len)
{
	memcpy(image->bytes + image->len, bytes, len);
	image->len += len;
}

static void put_length(struct image *image, size_t at)
{
	uint32_t len;

	while (image->len % 8 != 0)
		put(image, "", 1); /* DW_CFA_nop */
	len = (uint32_t)(image->len - at - 4);
	memcpy(image->bytes + at, &len, sizeof(len));
}

/*
 * "zR" with 8-byte absolute pointers; code alignment 1, data alignment -8; cfa = rsp + 8, ra at cfa
 * - 8.
 */
static void image_start(struct image *image)
{
	memset(image, 0, sizeof(*image));
	put(image, BYTES(0, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x00));
	put(image, BYTES(0x0c, 7, 8, 0x90, 1));
	put_length(image, 0);
	image->fde = image->len;
}

static void image_fde(struct image *image, const unsigned char *program, size_t len)
{
	uint64_t start = START, length = LENGTH;
	uint32_t back = (uint32_t)image->fde + 4;

	put(image, "\0\0\0", 4);
	put(image, &back, 4);
	put(image, &start, 8);
	put(image, &length, 8);
	put(image, "", 1); /* no augmentation data */
	put(image, program, len);
	put_length(image, image->fde);
}

static bool image_run(const struct image *image, uintptr_t pc, struct eh_rule *rule)
{
	uintptr_t low = (uintptr_t)image->bytes;
	struct eh_fde fde;

	return eh_parse_fde(low + image->fde, low, low + image->len, &fde) && fde.start == START &&
	       fde.end == START + LENGTH && eh_run(&fde, pc, rule);
}

/* The rule at START + offset of an FDE with this program. */
static bool run(size_t offset, struct eh_rule *rule, const unsigned char *program, size_t len)
{
	static struct image image; /* rules point into it */

	image_start(&image);
	image_fde(&image, program, len);
	return image_run(&image, START + offset, rule);
}

static int kind(const struct eh_rule *rule, enum eh_column column)
{
	return rule->row.cells[column] & 7;
}

static int value(const struct eh_rule *rule, enum eh_column column)
{
	return rule->row.cells[column] >> 3;
}

/* push %rbp; mov %rsp, %rbp; ...; leave; ret */
static void rows_hold_from_their_address_to_the_next(void)
{
	static const struct {
		size_t at, from, to;
		int reg, offset, rbp;
	} rows[] = {
		{ 0, 0, 1, 7, 8, EH_SAME },
		{ 1, 1, 4, 7, 16, EH_OFFSET },
		{ 3, 1, 4, 7, 16, EH_OFFSET },
		{ 4, 4, 304, 6, 16, EH_OFFSET },
		{ 303, 4, 304, 6, 16, EH_OFFSET },
		{ 304, 304, LENGTH, 7, 8, EH_SAME },
		{ LENGTH - 1, 304, LENGTH, 7, 8, EH_SAME },
	};
	struct eh_rule rule;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK(run(rows[i].at, &rule,
			  BYTES(0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x03, 0x2c, 1, 0x0c, 7, 8,
				0xc6)));
		CHECK_INT(rule.from - START, rows[i].from);
		CHECK_INT(rule.to - START, rows[i].to);
		CHECK_INT(rule.row.cfa_register, rows[i].reg);
		CHECK_INT(rule.row.cfa_value, rows[i].offset);
		CHECK_INT(kind(&rule, EH_RBP), rows[i].rbp);
		CHECK_INT(rows[i].rbp == EH_OFFSET ? value(&rule, EH_RBP) : -16, -16);
		CHECK_INT(kind(&rule, EH_RA), EH_OFFSET);
		CHECK_INT(value(&rule, EH_RA), -8);
	}
}

static void each_instruction_means_what_dwarf_says(void)
{
	struct eh_rule rule;

	CHECK(run(0, &rule, BYTES(0x05, 3, 4)));
	CHECK(kind(&rule, EH_RBX) == EH_OFFSET && value(&rule, EH_RBX) == -32);
	CHECK(run(0, &rule, BYTES(0x11, 3, 0x7c))); /* sleb -4 * -8 */
	CHECK(kind(&rule, EH_RBX) == EH_OFFSET && value(&rule, EH_RBX) == 32);
	CHECK(run(0, &rule, BYTES(0x2f, 12, 2)));
	CHECK(kind(&rule, EH_R12) == EH_OFFSET && value(&rule, EH_R12) == 16);
	CHECK(run(0, &rule, BYTES(0x14, 13, 2)));
	CHECK(kind(&rule, EH_R13) == EH_VAL_OFFSET && value(&rule, EH_R13) == -16);
	CHECK(run(0, &rule, BYTES(0x15, 13, 0x7e)));
	CHECK(kind(&rule, EH_R13) == EH_VAL_OFFSET && value(&rule, EH_R13) == 16);
	CHECK(run(0, &rule, BYTES(0x09, 14, 1)));
	CHECK(kind(&rule, EH_R14) == EH_REGISTER && value(&rule, EH_R14) == 1);
	CHECK(run(0, &rule, BYTES(0x07, 16)));
	CHECK(kind(&rule, EH_RA) == EH_UNDEFINED);
	CHECK(run(0, &rule, BYTES(0x07, 16, 0x06, 16)));
	CHECK(kind(&rule, EH_RA) == EH_OFFSET && value(&rule, EH_RA) == -8);
	CHECK(run(0, &rule, BYTES(0x83, 2, 0x08, 3)));
	CHECK(kind(&rule, EH_RBX) == EH_SAME);
	CHECK(run(0, &rule, BYTES(0x12, 10, 0x7f))); /* cfa = r10 + -1 * -8 */
	CHECK(rule.row.cfa_register == 10 && rule.row.cfa_value == 8);
	CHECK(run(0, &rule, BYTES(0x13, 0x7d)));
	CHECK(rule.row.cfa_register == 7 && rule.row.cfa_value == 24);
	CHECK(run(0, &rule, BYTES(0x2e, 0x80, 1, 0x0e, 40)));
	CHECK_INT(rule.row.cfa_value, 40);
	CHECK(run(0, &rule, BYTES(0x81, 2, 0x09, 0, 3, 0x0e, 48))); /* registers nobody follows */
	CHECK_INT(rule.row.cfa_value, 48);
	CHECK(run(0x300, &rule,
		  BYTES(0x02, 0xff, 0x0e, 16, 0x04, 1, 2, 0, 0, 0x0e, 24, 0x42, 0x0e, 32)));
	CHECK_INT(rule.row.cfa_value, 24);
	CHECK(run(0x302, &rule,
		  BYTES(0x02, 0xff, 0x0e, 16, 0x04, 1, 2, 0, 0, 0x0e, 24, 0x42, 0x0e, 32)));
	CHECK_INT(rule.row.cfa_value, 32);
	CHECK(run(8, &rule, BYTES(0x01, 8, 0, 0x40, 0, 0, 0, 0, 0, 0x0e, 56))); /* DW_CFA_set_loc */
	CHECK_INT(rule.row.cfa_value, 56);
	CHECK(run(7, &rule, BYTES(0x01, 8, 0, 0x40, 0, 0, 0, 0, 0, 0x0e, 56)));
	CHECK_INT(rule.row.cfa_value, 8);
}

static void remembered_states_nest(void)
{
	static const unsigned char program[] = { 0x0a, 0x0e, 16,   0x0a, 0x0e, 24,   0x83, 3,
						 0x41, 0x0b, 0x41, 0x0b, 0x41, 0x0e, 99 };
	static const int offsets[] = { 24, 16, 8, 99 };
	struct eh_rule rule;

	for (size_t i = 0; i < 4; i++) {
		CHECK(run(i, &rule, program, sizeof(program)));
		CHECK_INT(rule.row.cfa_value, offsets[i]);
		CHECK_INT(kind(&rule, EH_RBX), i == 0 ? EH_OFFSET : EH_SAME);
	}
	CHECK(run(0, &rule, BYTES(0x0a, 0x0a, 0x0a, 0x0b, 0x0b, 0x0b)));
	CHECK(!run(0, &rule, BYTES(0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a)));
	CHECK(!run(0, &rule, BYTES(0x0b)));
	CHECK(!run(0, &rule, BYTES(0x0a, 0x0b, 0x0b)));
}

static void what_cannot_be_right_gives_no_rule(void)
{
	struct eh_rule rule;

	CHECK(!run(0, &rule, BYTES(0x0d, 16)));				  /* cfa on no register */
	CHECK(!run(0, &rule, BYTES(0x0c, 0x80, 2, 8)));			  /* register 256 */
	CHECK(!run(0, &rule, BYTES(0x0e, 0xff, 0xff, 0xff, 0xff, 0x7f))); /* offset past 2^31 */
	CHECK(!run(0, &rule, BYTES(0x83, 0xff, 0xff, 0xff, 0xff, 0x7f)));
	CHECK(!run(0, &rule, BYTES(0x17)));
	CHECK(!run(0, &rule, BYTES(0x2d)));
	CHECK(!run(0, &rule, BYTES(0x3f)));
	CHECK(!run(0, &rule, BYTES(0x10, 3, 100, 0x77)));	  /* longer than the entry */
	CHECK(!run(0, &rule, BYTES(0x0f, 2, 0x77, 8, 0x0e, 16))); /* an offset to an expression */
	CHECK(!run(0, &rule, BYTES(0x0f, 2, 0x77, 8, 0x0d, 6)));
	CHECK(run(0, &rule, BYTES(0x41, 0x3f))); /* wrong only behind pc */
	CHECK(!run(1, &rule, BYTES(0x41, 0x3f)));
}

static void expressions_are_found_where_they_are(void)
{
	struct eh_rule rule;
	struct eh_cursor c;

	CHECK(run(0, &rule,
		  BYTES(0x0f, 3, 0x76, 0x58, 0x06, 0x10, 6, 2, 0x76, 0, 0x16, 3, 1, 0x31)));
	CHECK_INT(rule.row.cfa_register, EH_CFA_EXPRESSION);
	c = eh_expression(&rule, rule.row.cfa_value);
	CHECK(c.end - c.at == 3 && memcmp(c.at, "\x76\x58\x06", 3) == 0);
	CHECK_INT(kind(&rule, EH_RBP), EH_EXPRESSION);
	c = eh_expression(&rule, value(&rule, EH_RBP));
	CHECK(c.end - c.at == 2 && memcmp(c.at, "\x76", 2) == 0);
	CHECK_INT(kind(&rule, EH_RBX), EH_VAL_EXPRESSION);
	c = eh_expression(&rule, value(&rule, EH_RBX));
	CHECK(c.end - c.at == 1 && c.at[0] == 0x31);
}

/* Each length that an image can be cut to, at the end of readable memory. */
static void a_cut_entry_is_not_read_past_its_end(void)
{
	unsigned char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct image image;
	struct eh_fde fde;
	struct eh_rule rule;

	mprotect(pages + PAGE, PAGE, PROT_NONE);
	image_start(&image);
	image_fde(&image, BYTES(0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x0f, 3, 0x76, 0x58, 0x06,
				0x10, 6, 2, 0x76, 0));
	for (size_t len = 0; len <= image.len; len++) {
		uintptr_t low = (uintptr_t)pages + PAGE - len;
		bool parsed;

		memcpy((void *)low, image.bytes, len);
		parsed = eh_parse_fde(low + image.fde, low, low + len, &fde);
		CHECK(parsed == (len == image.len));
		/* And with bounds that promise more than there is: peek finds out. */
		parsed = eh_parse_fde(low + image.fde, low, low + image.len, &fde);
		CHECK(parsed == (len == image.len));
		/* A damaged length must not reach further than the bounds. */
		for (size_t i = 0; len == image.len && i < len; i++) {
			unsigned char kept = ((unsigned char *)low)[i];

			((unsigned char *)low)[i] = (unsigned char)(kept + 0x55);
			if (eh_parse_fde(low + image.fde, low, low + len, &fde))
				eh_run(&fde, fde.start, &rule);
			((unsigned char *)low)[i] = 0xff;
			if (eh_parse_fde(low + image.fde, low, low + len, &fde))
				eh_run(&fde, fde.start, &rule);
			((unsigned char *)low)[i] = kept;
		}
	}
	munmap(pages, 2 * PAGE);
}

/* ---- expressions ---- */

static void expressions_compute(void)
{
	static uintptr_t memory[4] = { 0x1122334455667788, 42, 0, 7 };
	static const struct {
		unsigned char code[16];
		size_t len;
		bool good;
		uintptr_t result;
	} cases[] = {
		{ { 0x31 }, 1, true, 1 },
		{ { 0x08, 200 }, 2, true, 200 },
		{ { 0x09, 0xff }, 2, true, UINTPTR_MAX },
		{ { 0x0a, 0x34, 0x12 }, 3, true, 0x1234 },
		{ { 0x0d, 0xfe, 0xff, 0xff, 0xff }, 5, true, UINTPTR_MAX - 1 },
		{ { 0x10, 0x80, 0x01 }, 3, true, 128 },
		{ { 0x11, 0x7f }, 2, true, UINTPTR_MAX },
		{ { 0x73, 8, 0x06 }, 3, true, 42 }, /* rbx = memory: deref of its second word */
		{ { 0x73, 0, 0x94, 2 }, 4, true, 0x7788 },
		{ { 0x73, 3, 0x94, 1 }, 4, true, 0x55 },
		{ { 0x73, 3, 0x94, 8 }, 4, false, 0 }, /* crosses a word */
		{ { 0x73, 0, 0x94, 3 }, 4, false, 0 },
		{ { 0x92, 3, 8, 0x06 }, 4, true, 42 },
		{ { 0x92, 17, 8 }, 3, false, 0 },
		{ { 0x70, 0 }, 2, false, 0 },	      /* rax is not known */
		{ { 0x80, 5 }, 2, true, 0x1000 + 5 }, /* rip */
		{ { 0x38, 0x33, 0x1c }, 3, true, 5 }, /* 8 - 3 */
		{ { 0x38, 0x33, 0x1b }, 3, true, 2 },
		{ { 0x38, 0x30, 0x1b }, 3, false, 0 },
		{ { 0x38, 0x33, 0x1d }, 3, true, 2 },
		{ { 0x38, 0x30, 0x1d }, 3, false, 0 },
		{ { 0x38, 0x33, 0x1e }, 3, true, 24 },
		{ { 0x31, 0x1f, 0x19 }, 3, true, 1 }, /* abs(-1) */
		{ { 0x31, 0x20, 0x20 }, 3, true, 1 },
		{ { 0x3c, 0x3a, 0x1a }, 3, true, 8 },
		{ { 0x3c, 0x3a, 0x21 }, 3, true, 14 },
		{ { 0x3c, 0x3a, 0x27 }, 3, true, 6 },
		{ { 0x31, 0x3f, 0x24 }, 3, true, 0x8000 },
		{ { 0x31, 0x08, 64, 0x24 }, 4, true, 0 },
		{ { 0x09, 0xf0, 0x32, 0x26 }, 4, true, (uintptr_t)-4 },
		{ { 0x3f, 0x32, 0x25 }, 3, true, 3 },
		{ { 0x31, 0x23, 0x80, 0x01 }, 4, true, 129 },
		{ { 0x31, 0x32, 0x16, 0x1c }, 4, true, 1 }, /* swap: 2 - 1 */
		{ { 0x31, 0x32, 0x33, 0x17 }, 4, true, 2 }, /* rot: 3 1 2 */
		{ { 0x31, 0x32, 0x14 }, 3, true, 1 },
		{ { 0x31, 0x32, 0x33, 0x15, 2 }, 5, true, 1 },
		{ { 0x31, 0x15, 1 }, 3, false, 0 },
		{ { 0x31, 0x32, 0x13 }, 3, true, 1 },
		{ { 0x31, 0x12, 0x22 }, 3, true, 2 },
		{ { 0x09, 0xff, 0x31, 0x2d }, 4, true, 1 }, /* signed: -1 < 1 */
		{ { 0x31, 0x31, 0x2a }, 3, true, 1 },
		{ { 0x31, 0x31, 0x2b }, 3, true, 0 },
		{ { 0x31, 0x31, 0x29 }, 3, true, 1 },
		{ { 0x31, 0x31, 0x2e }, 3, true, 0 },
		{ { 0x31, 0x32, 0x2c }, 3, true, 1 },
		{ { 0x35, 0x2f, 1, 0, 0x36, 0x96 }, 6, true, 5 }, /* skip over lit6 */
		{ { 0x35, 0x31, 0x28, 1, 0, 0x36, 0x96 }, 7, true, 5 },
		{ { 0x35, 0x30, 0x28, 1, 0, 0x36, 0x96 }, 7, true, 6 },
		{ { 0x2f, 0xfd, 0xff }, 3, false, 0 }, /* for ever */
		{ { 0x2f, 0xfc, 0xff }, 3, false, 0 },
		{ { 0x2f, 1, 0 }, 3, false, 0 },
		{ { 0x30, 0x06 }, 2, false, 0 },
		{ { 0x22 }, 1, false, 0 },
		{ { 0x08 }, 1, false, 0 },
		{ { 0xe0 }, 1, false, 0 },
		{ { 0 }, 0, false, 0 },
		/* a PLT entry's, before and after its push */
		{ { 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x30, 0x2a, 0x33, 0x24, 0x22 },
		  11,
		  true,
		  0x2000 + 16 },
		{ { 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22 },
		  11,
		  true,
		  0x2000 + 8 },
	};
	struct stack_registers registers = { .known = 1U << 3 | 1U << 7 | 1U << 16 };
	struct stack stack;

	registers.r[3] = (uintptr_t)memory;
	registers.r[7] = 0x2000;
	registers.r[16] = 0x1000;
	stack_start(&stack, (uintptr_t)memory);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uintptr_t code = (uintptr_t)cases[i].code, got = 0;
		bool good = eh_evaluate(eh_cursor_over(code, code + cases[i].len), &registers,
					&stack, NULL, &got);

		if (good != cases[i].good || (good && got != cases[i].result)) {
			printf("# case %zu: %d %#lx\n", i, good, got);
			CHECK(!"an expression has another result");
		}
	}
}

static void a_deep_expression_is_refused(void)
{
	unsigned char code[64];
	struct stack_registers registers = { 0 };
	struct stack stack = { 0 };
	uintptr_t got, start = 3;

	memset(code, 0x31, sizeof(code));
	CHECK(!eh_evaluate(eh_cursor_over((uintptr_t)code, (uintptr_t)code + 64), &registers,
			   &stack, NULL, &got));
	CHECK(eh_evaluate(eh_cursor_over((uintptr_t)code, (uintptr_t)code + 8), &registers, &stack,
			  &start, &got));
	CHECK_INT(got, 1);
	CHECK(eh_evaluate(eh_cursor_over((uintptr_t)code, (uintptr_t)code), &registers, &stack,
			  &start, &got));
	CHECK_INT(got, 3);
}

/* ---- 64-bit rules ---- */

static void common_rules_fit_in_64_bits(void)
{
	struct eh_rule rule;
	unwind_rule packed;

	CHECK(run(0, &rule, BYTES(0x0c, 6, 16, 0x86, 2, 0x83, 7, 0x8f, 3)));
	packed = unwind_rule_pack(&rule, START);
	CHECK_INT(unwind_rule_kind(packed), UNWIND_RULE_PLAIN);
	CHECK(unwind_rule_is_simple(packed));
	CHECK_INT(unwind_rule_base(packed), 6);
	CHECK_INT(unwind_rule_offset(packed), 16);
	CHECK_INT(unwind_rule_simple_cfa(packed, 1000, 2000), 2016);
	CHECK_INT(unwind_rule_rbp_words(packed), 1);
	CHECK_INT(packed >> UNWIND_RULE_SAVES_SHIFT, 6 | 1 << 4 | 2 << 20);
	CHECK_INT(unwind_rule_origin(packed, 5000, 1), 4992);

	CHECK(run(0, &rule, BYTES(0x0e, 0xb8, 0x80, 0x20, 0x07, 6)));
	packed = unwind_rule_pack(&rule, START);
	CHECK_INT(unwind_rule_simple_cfa(packed, 1000, 2000), 1000 + 0x80038);
	CHECK_INT(unwind_rule_rbp_words(packed), 0);

	/* A realigned function: cfa = *(rbp - 40), registers below rbp. */
	CHECK(run(0, &rule,
		  BYTES(0x0f, 3, 0x76, 0x58, 0x06, 0x10, 6, 2, 0x76, 0, 0x10, 3, 2, 0x76, 0x50)));
	packed = unwind_rule_pack(&rule, START);
	CHECK_INT(unwind_rule_kind(packed), UNWIND_RULE_DEREF);
	CHECK(!unwind_rule_is_simple(packed));
	CHECK_INT(unwind_rule_offset(packed), -40);
	CHECK_INT(unwind_rule_base(packed), 6);
	CHECK_INT(unwind_rule_origin(packed, 1, 5000) - 8 * unwind_rule_rbp_words(packed), 5000);
	CHECK_INT(unwind_rule_origin(packed, 1, 5000) -
			  8 * (packed >> UNWIND_RULE_SAVES_SHIFT & 15),
		  5000 - 48);

	CHECK(run(0, &rule, BYTES(0x07, 16)));
	CHECK(unwind_rule_outermost(unwind_rule_pack(&rule, START)));
	CHECK(!unwind_rule_is_simple(unwind_rule_pack(&rule, START)));
}

static void what_does_not_fit_is_not_packed(void)
{
	struct eh_rule rule;

	CHECK(run(0, &rule, BYTES(0x83, 17))); /* 128 bytes below the return address */
	CHECK_INT(unwind_rule_pack(&rule, START), UNWIND_RULE_NONE);
	CHECK(run(0, &rule, BYTES(0x83, 16)));
	CHECK(unwind_rule_pack(&rule, START) != UNWIND_RULE_NONE);
	CHECK(run(0, &rule, BYTES(0x83, 1)));
	CHECK_INT(unwind_rule_pack(&rule, START), UNWIND_RULE_NONE);
	CHECK(run(0, &rule, BYTES(0x83, 3, 0x10, 6, 2, 0x76, 0))); /* from the cfa and from rbp */
	CHECK_INT(unwind_rule_pack(&rule, START), UNWIND_RULE_NONE);
	CHECK(run(0, &rule, BYTES(0x09, 6, 13)));
	CHECK_INT(unwind_rule_pack(&rule, START), UNWIND_RULE_NONE);
	CHECK(run(0, &rule, BYTES(0x90, 2)));
	CHECK_INT(unwind_rule_pack(&rule, START), UNWIND_RULE_NONE);
	CHECK(run(0, &rule, BYTES(0x14, 7, 2)));
	CHECK_INT(unwind_rule_pack(&rule, START), UNWIND_RULE_NONE);
	CHECK(run(0, &rule, BYTES(0x0e, 0x80, 0x80, 0x80, 0x40)));
	CHECK_INT(unwind_rule_pack(&rule, START), UNWIND_RULE_NONE);
	CHECK(run(0, &rule, BYTES(0x0f, 3, 0x77, 8, 0x12)));
	CHECK_INT(unwind_rule_pack(&rule, START), UNWIND_RULE_NONE);
}

static void a_plt_entry_s_rule_is_for_one_pc(void)
{
	for (uintptr_t pc = START; pc < START + 32; pc++) {
		struct eh_rule rule;
		unwind_rule packed;

		CHECK(run(pc - START, &rule,
			  BYTES(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24,
				0x22)));
		CHECK_INT(rule.to - rule.from, LENGTH);
		packed = unwind_rule_pack(&rule, pc);
		CHECK(unwind_rule_is_simple(packed));
		CHECK_INT(unwind_rule_simple_cfa(packed, 1000, 0), pc % 16 >= 11 ? 1016 : 1008);
		CHECK(rule.from == pc && rule.to == pc + 1);
	}
}

/* ---- the cache ---- */

static void rules_are_remembered_for_their_range(void)
{
	uint64_t generation = unwind_rule_generation();
	uintptr_t block = 0x7f0012345640;
	unwind_rule rule = (unwind_rule)UNWIND_RULE_PLAIN << 32 | 7ULL << 28 | 64;

	for (uintptr_t pc = block - 70; pc < block + 140; pc++)
		CHECK_INT(unwind_rule_cached(pc, generation), 0);
	unwind_rule_remember(block + 5, block - 3, block + 70, rule, generation);
	for (uintptr_t pc = block - 70; pc < block + 140; pc++)
		CHECK(unwind_rule_cached(pc, generation) ==
		      (pc >= block && pc < block + 64 ? rule : 0));
	unwind_rule_remember(block + 66, block - 3, block + 70, rule, generation);
	for (uintptr_t pc = block + 64; pc < block + 140; pc++)
		CHECK(unwind_rule_cached(pc, generation) == (pc == block + 66 ? rule : 0));
	CHECK_INT(unwind_rule_cached(block | 1ULL << 47, generation), 0);
	CHECK_INT(unwind_rule_cached(block ^ 1ULL << 46, generation), 0);
}

static void forgotten_rules_stay_forgotten(void)
{
	unwind_rule rule = (unwind_rule)UNWIND_RULE_PLAIN << 32 | 7ULL << 28 | 64;
	uint64_t before;

	/* Past the point where a generation's number repeats. */
	for (int i = 0; i < 20000; i++) {
		before = unwind_rule_generation();
		unwind_rule_remember(0x5000, 0x5000, 0x5001, rule, before);
		CHECK(unwind_rule_cached(0x5000, before) == rule);
		unwind_rule_forget();
		CHECK_INT(unwind_rule_cached(0x5000, unwind_rule_generation()), 0);
		if (i % 100 == 0) {
			/* Learned from a table that was there before. */
			unwind_rule_remember(0x5000, 0x5000, 0x5001, rule, before);
			CHECK_INT(unwind_rule_cached(0x5000, unwind_rule_generation()), 0);
		}
	}
}

static unwind_rule rule_for(uintptr_t pc)
{
	return (unwind_rule)UNWIND_RULE_PLAIN << 32 | 7ULL << 28 | (pc * 8 & 0xffff8);
}

static void *use_cache(void *seed)
{
	uint64_t state = (uintptr_t)seed, generation;
	uintptr_t wrong = 0;

	for (int i = 0; i < 300000; i++) {
		uintptr_t pc;
		unwind_rule rule;

		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		pc = 0x7f0000000000 + (state >> 40) * 61;
		generation = unwind_rule_generation();
		rule = unwind_rule_cached(pc, generation);
		wrong += rule != 0 && rule != rule_for(pc);
		unwind_rule_remember(pc, pc, pc + 1, rule_for(pc), generation);
		if (i % 1000 == 0)
			unwind_rule_forget();
	}
	return (void *)wrong;
}

/*
 * More rules than there is room for, pcs that share slots, four threads: never another pc's rule.
 */
static void threads_never_get_another_pc_s_rule(void)
{
	pthread_t threads[4];

	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, use_cache, (void *)(i / 2 + 1));
	for (int i = 0; i < 4; i++) {
		void *wrong;

		pthread_join(threads[i], &wrong);
		CHECK_INT((uintptr_t)wrong, 0);
	}
}

/* ---- real modules ---- */

static size_t table_entries(const struct module *m, const int32_t **entries)
{
	const unsigned char *hdr = (const unsigned char *)m->eh_frame_hdr;
	uint32_t count;

	if (m->eh_frame_hdr == 0 || memcmp(hdr, "\x01\x1b\x03\x3b", 4) != 0)
		return 0;
	memcpy(&count, hdr + 8, sizeof(count));
	*entries = (const int32_t *)(hdr + 12);
	return count;
}

static void every_function_of_this_process_has_rules(void)
{
	const struct module_table *table;
	size_t functions = 0, rules = 0, packed = 0, simple = 0, bad = 0;

	modules_refresh();
	table = modules_acquire();
	for (size_t i = 0; i < table->count; i++) {
		const struct module *m = &table->modules[i];
		const int32_t *entries = NULL;
		size_t count = table_entries(m, &entries);

		functions += count;
		for (size_t j = 0; j < count; j++) {
			uintptr_t pc = m->eh_frame_hdr + (uintptr_t)(intptr_t)entries[2 * j];
			struct eh_rule rule;

			/* Row by row to the function's end. */
			while (eh_find(m, pc, &rule) == EH_FOUND) {
				unwind_rule got = unwind_rule_pack(&rule, pc);

				bad += rule.from > pc || rule.to <= pc;
				rules++;
				packed += got != UNWIND_RULE_NONE;
				simple += unwind_rule_is_simple(got);
				pc = rule.to;
				if (j + 1 < count &&
				    pc >= m->eh_frame_hdr + (uintptr_t)(intptr_t)entries[2 * j + 2])
					break;
			}
			bad += pc == m->eh_frame_hdr + (uintptr_t)(intptr_t)entries[2 * j];
		}
	}
	printf("# %zu functions, %zu rows, %zu packed, %zu simple\n", functions, rules, packed,
	       simple);
	CHECK(functions > 5000);
	CHECK(rules > 3 * functions);
	CHECK_INT(bad, 0);
	CHECK(packed * 1000 > rules * 995);
	modules_release(table);
}

static bool same_rule(const struct eh_rule *a, const struct eh_rule *b)
{
	return memcmp(a->row.cells, b->row.cells, sizeof(a->row.cells)) == 0 &&
	       a->from == b->from && a->to == b->to && a->origin == b->origin &&
	       a->row.cfa_value == b->row.cfa_value && a->row.cfa_register == b->row.cfa_register &&
	       a->signal_frame == b->signal_frame;
}

/* The same module, its header replaced by one that has no table. */
static void a_module_without_a_sorted_table_is_searched(void)
{
	static unsigned char hdr[16] = { 1, 0x00, 0xff, 0xff };
	const struct module_table *table = modules_acquire();
	const struct module *ld = NULL;
	struct module bare;
	const int32_t *entries = NULL, *section_at;
	size_t count;
	uintptr_t section;

	for (size_t i = 0; i < table->count; i++) {
		if (strstr(table->modules[i].path, "/ld-linux"))
			ld = &table->modules[i];
	}
	CHECK(ld != NULL);
	if (!ld)
		return;
	section_at = (const int32_t *)(ld->eh_frame_hdr + 4);
	section = (uintptr_t)section_at + (uintptr_t)(intptr_t)*section_at;
	memcpy(hdr + 4, &section, sizeof(section));
	bare = *ld;
	bare.eh_frame_hdr = (uintptr_t)hdr;
	bare.eh_frame_hdr_len = sizeof(hdr);
	if (bare.load_start > bare.eh_frame_hdr)
		bare.load_start = bare.eh_frame_hdr;
	if (bare.load_end < bare.eh_frame_hdr + sizeof(hdr))
		bare.load_end = bare.eh_frame_hdr + sizeof(hdr);
	count = table_entries(ld, &entries);
	CHECK(count > 100);
	for (size_t i = 0; i < count; i += 7) {
		uintptr_t pc = ld->eh_frame_hdr + (uintptr_t)(intptr_t)entries[2 * i] + 3;
		struct eh_rule a, b;
		enum eh_result sorted = eh_find(ld, pc, &a), searched = eh_find(&bare, pc, &b);

		CHECK_INT(searched, sorted);
		CHECK(sorted != EH_FOUND || same_rule(&a, &b));
	}
	modules_release(table);
}

static void pcs_between_functions_have_no_rule(void)
{
	const struct module_table *table = modules_acquire();
	const struct module *m = &table->modules[0];
	struct module odd = *m;
	struct eh_rule rule;

	CHECK(eh_find(m, m->start - 4096, &rule) != EH_FOUND);
	CHECK(eh_find(m, 0, &rule) != EH_FOUND);
	CHECK(eh_find(m, UINTPTR_MAX, &rule) != EH_FOUND);
	odd.eh_frame_hdr = 0;
	CHECK_INT(eh_find(&odd, m->start, &rule), EH_NONE);
	odd.eh_frame_hdr = m->load_end;
	CHECK_INT(eh_find(&odd, m->start, &rule), EH_BAD);
	odd.eh_frame_hdr = m->eh_frame_hdr;
	odd.eh_frame_hdr_len = 3;
	CHECK_INT(eh_find(&odd, m->start, &rule), EH_BAD);
	odd.eh_frame_hdr_len = SIZE_MAX;
	CHECK_INT(eh_find(&odd, m->start, &rule), EH_BAD);
	modules_release(table);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(rows_hold_from_their_address_to_the_next),
		TAP_TEST(each_instruction_means_what_dwarf_says),
		TAP_TEST(remembered_states_nest),
		TAP_TEST(what_cannot_be_right_gives_no_rule),
		TAP_TEST(expressions_are_found_where_they_are),
		TAP_TEST(a_cut_entry_is_not_read_past_its_end),
		TAP_TEST(expressions_compute),
		TAP_TEST(a_deep_expression_is_refused),
		TAP_TEST(common_rules_fit_in_64_bits),
		TAP_TEST(what_does_not_fit_is_not_packed),
		TAP_TEST(a_plt_entry_s_rule_is_for_one_pc),
		TAP_TEST(rules_are_remembered_for_their_range),
		TAP_TEST(forgotten_rules_stay_forgotten),
		TAP_TEST(every_function_of_this_process_has_rules),
		TAP_TEST(a_module_without_a_sorted_table_is_searched),
		TAP_TEST(pcs_between_functions_have_no_rule),
		/* Last: it leaves no room for other rules. */
		TAP_TEST(threads_never_get_another_pc_s_rule),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
