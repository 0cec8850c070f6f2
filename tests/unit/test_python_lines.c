/* Line tables written out by hand from each version's description. What real compilers write is
 * compared in tests/oracle/python_lines.py. */
#include "format/code_lines.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/tap.h"

static const uint8_t lnotab[] = { 0, 1, 8, 1, 6, 0xff, 255, 0, 45, 100, 2, 127, 0, 73 };

static void lnotab_adds_up_to_the_instruction(void)
{
	/* starts: 0 +1, 8 +1, 14 -1, 269 +0, 314 +100, 316 +127 +73 */
	static const struct {
		int32_t lasti;
		int line;
	} cases[] = { { 0, 11 },    { 7, 11 },	  { 8, 12 },	{ 13, 12 },
		      { 14, 11 },   { 268, 11 },  { 313, 11 },	{ 314, 111 },
		      { 315, 111 }, { 316, 311 }, { 9999, 311 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_INT(lines_at(LINES_LNOTAB, lnotab, sizeof(lnotab), 10, cases[i].lasti),
			  cases[i].line);
}

static const uint8_t ranges[] = { 4, 0, 6, 1, 2, 0x80, 0, 127, 4, 3, 2, 0xfd, 254, 1, 10, 0 };

static void ranges_have_the_line_of_their_end(void)
{
	/* [0,4) 10  [4,10) 11  [10,12) none  [12,16) 141  [16,18) 138  [18,272) 139  [272,282) 139 */
	static const struct {
		int32_t lasti;
		int line;
	} cases[] = { { 0, 10 },   { 2, 10 },	 { 4, 11 },    { 8, 11 },
		      { 10, 10 },  { 12, 141 },	 { 14, 141 },  { 16, 138 },
		      { 18, 139 }, { 270, 139 }, { 280, 139 }, { 282, 10 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_INT(lines_at(LINES_RANGES, ranges, sizeof(ranges), 10, cases[i].lasti),
			  cases[i].line);
}

enum { FIRST = 0x80 };

static const uint8_t locations[] = {
	FIRST | 0 << 3 | 1,  0x21,	       /* 2 units, short form, same line: [0,4) 10 */
	FIRST | 11 << 3 | 0, 4,	   9,	       /* 1 unit, next line: [4,6) 11 */
	FIRST | 12 << 3 | 7, 0,	   127,	       /* 8 units, two lines on: [6,22) 13 */
	FIRST | 15 << 3 | 1,		       /* no line: [22,26) */
	FIRST | 13 << 3 | 0, 0x48, 0x04,       /* 1 unit, signed varint 264 is +132: [26,28) 145 */
	FIRST | 14 << 3 | 2, 0x03, 0,	 1, 2, /* 3 units, long form, -1: [28,34) 144 */
	FIRST | 10 << 3 | 0, 1,	   2,	       /* [34,36) 144 */
};

static void locations_are_found_in_all_their_forms(void)
{
	static const struct {
		int32_t lasti;
		int line;
	} cases[] = { { 0, 10 },   { 2, 10 },  { 4, 11 },    { 6, 13 },	  { 20, 13 },
		      { 22, 10 },  { 24, 10 }, { 26, 145 },  { 28, 144 }, { 32, 144 },
		      { 34, 144 }, { 36, 10 }, { 99999, 10 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_INT(
			lines_at(LINES_LOCATIONS, locations, sizeof(locations), 10, cases[i].lasti),
			cases[i].line);
}

static void before_the_first_instruction_is_the_first_line(void)
{
	CHECK_INT(lines_at(LINES_LNOTAB, lnotab, sizeof(lnotab), 10, -1), 10);
	CHECK_INT(lines_at(LINES_RANGES, ranges, sizeof(ranges), 10, -2), 10);
	CHECK_INT(lines_at(LINES_LOCATIONS, locations, sizeof(locations), 10, INT32_MIN), 10);
	CHECK_INT(lines_at(LINES_NONE, NULL, 0, 10, 4), 10);
}

static void an_empty_table_has_the_first_line_only(void)
{
	for (int format = LINES_NONE; format <= LINES_LOCATIONS; format++)
		CHECK_INT(lines_at((enum code_line_format)format, (const uint8_t *)"", 0, 7, 0), 7);
}

/* Every table, cut at every byte, in front of a page that cannot be read. */
static void a_cut_table_is_not_read_past_its_end(void)
{
	static const struct {
		enum code_line_format format;
		const uint8_t *table;
		size_t len;
	} tables[] = { { LINES_LNOTAB, lnotab, sizeof(lnotab) },
		       { LINES_RANGES, ranges, sizeof(ranges) },
		       { LINES_LOCATIONS, locations, sizeof(locations) } };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(pages != MAP_FAILED);
	mprotect(pages + page, page, PROT_NONE);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (size_t len = 0; len <= tables[i].len; len++) {
			uint8_t *at = pages + page - len;

			memcpy(at, tables[i].table, len);
			for (int32_t lasti = -2; lasti < 400; lasti++) {
				int line = lines_at(tables[i].format, at, len, 10, lasti);

				CHECK(line >= 9 && line <= 311);
			}
		}
	}
	munmap(pages, 2 * page);
}

static void lines_of_a_damaged_table_wrap(void)
{
	static const uint8_t far[] = { FIRST | 13 << 3, 0x7e, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x3f,
				       FIRST | 13 << 3, 0x7e, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x3f };

	/* Twice 2^31 - 1 more than that. */
	CHECK_INT(lines_at(LINES_LOCATIONS, far, sizeof(far), INT32_MAX, 2), INT32_MAX - 2);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(lnotab_adds_up_to_the_instruction),
		TAP_TEST(ranges_have_the_line_of_their_end),
		TAP_TEST(locations_are_found_in_all_their_forms),
		TAP_TEST(before_the_first_instruction_is_the_first_line),
		TAP_TEST(an_empty_table_has_the_first_line_only),
		TAP_TEST(a_cut_table_is_not_read_past_its_end),
		TAP_TEST(lines_of_a_damaged_table_wrap),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
