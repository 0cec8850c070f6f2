/* What a terminal is allowed to see. */
#include "tests/unit/tap.h"

#include "tools/base/escape.h"

static void check(const char *bytes, size_t len, const char *wanted)
{
	char *got = escape_bytes(bytes, len);

	CHECK_STR(got, wanted);
	free(got);
}

static void check_text(const char *text, const char *wanted)
{
	check(text, strlen(text), wanted);
}

static void plain_text_and_utf8_stay(void)
{
	check_text("/users/42?x=~", "/users/42?x=~");
	check_text("caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80",
		   "caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80");
	check_text("", "");
}

static void control_characters_are_spelled_out(void)
{
	check_text("a\nb\tc\rd", "a\\nb\\tc\\rd");
	check_text("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\a");
	check_text("\x7f\\", "\\x7f\\\\");
	check("\0z", 2, "\\x00z");
	/* C1: a one-byte CSI in some terminals */
	check_text("\xc2\x9b"
		   "31m",
		   "\\u009b31m");
}

static void bytes_that_are_not_utf8_are_spelled_out(void)
{
	check_text("\xff\xc3", "\\xff\\xc3");
	check_text("\xed\xa0\x80", "\\xed\\xa0\\x80");
	check_text("\xc0\xaf", "\\xc0\\xaf");
	check_text("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
}

static void invisible_and_turning_characters_are_spelled_out(void)
{
	check_text("a\xe2\x80\xae"
		   "b",
		   "a\\u202eb");
	check_text("\xe2\x80\x8b", "\\u200b");
	check_text("\xef\xbb\xbf", "\\ufeff");
	check_text("\xe2\x81\xa6", "\\u2066");
	check_text("\xf3\xa0\x80\x81", "\\U000e0001");
}

static void every_single_byte_is_printable_afterwards(void)
{
	for (int byte = 0; byte < 256; byte++) {
		char c = (char)byte;
		char *got = escape_bytes(&c, 1);

		for (const char *at = got; *at; at++)
			CHECK(*at >= 0x20 && *at < 0x7f);
		free(got);
	}
}

static void width_counts_columns(void)
{
	CHECK_INT(escape_width("abc"), 3);
	CHECK_INT(escape_width("caf\xc3\xa9"), 4);
	CHECK_INT(escape_width("\xe6\x97\xa5"), 2);
	CHECK_INT(escape_width("e\xcc\x81"), 1);
}

static void json_text_is_always_utf8(void)
{
	char *got = escape_utf8("a\xff\x1b\xc3\xa9", 5);

	CHECK_STR(got, "a\xef\xbf\xbd\x1b\xc3\xa9");
	free(got);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(plain_text_and_utf8_stay),
		TAP_TEST(control_characters_are_spelled_out),
		TAP_TEST(bytes_that_are_not_utf8_are_spelled_out),
		TAP_TEST(invisible_and_turning_characters_are_spelled_out),
		TAP_TEST(every_single_byte_is_printable_afterwards),
		TAP_TEST(width_counts_columns),
		TAP_TEST(json_text_is_always_utf8),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
