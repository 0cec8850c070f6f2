#include "preload/wire/proxy_head.h"

#include "tests/unit/guard.h"
#include "tests/unit/tap.h"

static struct proxy_head head;

/* Whole, and byte by byte; with bytes behind it that are not its own. */
static void feed(const char *bytes, size_t len)
{
	char longer[512];

	proxy_head_start(&head);
	for (size_t at = 0; at < len; at++) {
		CHECK(!head.ended);
		CHECK_INT(proxy_head_feed(&head, guard_copy(bytes + at, 1), 1), 1);
	}
	CHECK(head.ended);
	memcpy(longer, bytes, len);
	memcpy(longer + len, "GET /", 5);
	memset(&head, 0xff, sizeof(head));
	proxy_head_start(&head);
	CHECK_INT(proxy_head_feed(&head, guard_copy(longer, len + 5), len + 5), len);
	CHECK(head.ended);
	CHECK_INT(proxy_head_feed(&head, "GET", 3), 0);
}

#define FEED(text) feed(text, sizeof(text) - 1)
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static void a_line_tells_address_and_port(void)
{
	FEED("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n");
	CHECK_INT(head.family, 4);
	CHECK_INT(head.port, 56324);
	CHECK(!memcmp(head.address, "\300\0\2\7", 4));
	FEED("PROXY TCP6 2001:db8::7 ::1 1 65535\r\n");
	CHECK_INT(head.family, 6);
	CHECK_INT(head.port, 1);
	CHECK(!memcmp(head.address, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7", 16));
}

static void ipv6_is_written_in_many_ways(void)
{
	static const struct {
		const char *text;
		const char address[17];
	} cases[] = {
		{ "::", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" },
		{ "::1", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1" },
		{ "fe80::", "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0" },
		{ "1:2:3:4:5:6:7:8", "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\x8" },
		{ "1::3:4:5:6:7:8", "\0\1\0\0\0\3\0\4\0\5\0\6\0\7\0\x8" },
		{ "FfFf:aB::C", "\xff\xff\0\xab\0\0\0\0\0\0\0\0\0\0\0\x0c" },
	};
	static const char *const wrong[] = { "1:2:3:4:5:6:7",
					     "1:2:3:4:5:6:7:8:9",
					     "1::2::3",
					     "12345::",
					     "g::",
					     "::ffff:1.2.3.4",
					     "",
					     "1:",
					     "1:2:3:4::5:6:7:8" };
	char line[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(line, sizeof(line), "PROXY TCP6 %s ::1 80 81\r\n", cases[i].text);
		feed(line, strlen(line));
		CHECK_INT(head.family, 6);
		CHECK(!memcmp(head.address, cases[i].address, 16));
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(line, sizeof(line), "PROXY TCP6 %s ::1 80 81\r\n", wrong[i]);
		feed(line, strlen(line));
		CHECK_INT(head.family, 0);
	}
}

static void addresses_that_are_none_are_not_told(void)
{
	FEED("PROXY UNKNOWN\r\n");
	CHECK_INT(head.family, 0);
	FEED("PROXY UNKNOWN ffff:: ffff:: 1 2\r\n");
	CHECK_INT(head.family, 0);
	FEED("PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n");
	CHECK_INT(head.family, 0);
	FEED("PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n");
	CHECK_INT(head.family, 0);
	FEED("PROXY TCP4 1.2.3.4.5 1.2.3.4 1 2\r\n");
	CHECK_INT(head.family, 0);
	FEED("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n");
	CHECK_INT(head.family, 0);
	FEED("PROXY TCP4 1.2.3.4\r\n");
	CHECK_INT(head.family, 0);
	FEED("PROXY TCP4 \r\n");
	CHECK_INT(head.family, 0);
}

static void version_2_tells_them_in_binary(void)
{
	FEED(SIGNATURE "\x21\x11\0\14\300\0\2\7\1\2\3\4\xdc\x04\1\273");
	CHECK_INT(head.family, 4);
	CHECK_INT(head.port, 56324);
	CHECK(!memcmp(head.address, "\300\0\2\7", 4));
	FEED(SIGNATURE "\x21\x21\0\44"
		       "0123456789abcdefFEDCBA98765432100123");
	CHECK_INT(head.family, 6);
	CHECK_INT(head.port, 0x3031);
	CHECK(!memcmp(head.address, "0123456789abcdef", 16));
}

static void version_2_may_tell_more_or_nothing(void)
{
	static char big[16 + 300] = SIGNATURE "\x21\x11\1\54\300\0\2\7\1\2\3\4\0\5\1\273";

	feed(big, sizeof(big));
	CHECK_INT(head.family, 4);
	CHECK_INT(head.port, 5);
	FEED(SIGNATURE "\x20\0\0\0");
	CHECK_INT(head.family, 0);
	FEED(SIGNATURE "\x20\x11\0\14\300\0\2\7\1\2\3\4\xdc\x04\1\273"); /* LOCAL */
	CHECK_INT(head.family, 0);
	FEED(SIGNATURE "\x21\x11\0\4\300\0\2\7"); /* too short */
	CHECK_INT(head.family, 0);
	FEED(SIGNATURE "\x21\x31\0\2ab"); /* a socket in the file system */
	CHECK_INT(head.family, 0);
}

static void what_is_no_head_is_refused(void)
{
	static const char *const wrong[] = { "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "PROXY TCP5 \r\n",
					     "PROXYTCP4 \r\n", "\r\n\r\n\r" };
	char longest[PROXY_LINE_MAX + 1];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		proxy_head_start(&head);
		CHECK_INT(proxy_head_feed(&head, wrong[i], strlen(wrong[i])), WIRE_NOT);
	}
	proxy_head_start(&head);
	CHECK_INT(proxy_head_feed(&head, SIGNATURE "\x11\x11\0\0", 16), WIRE_NOT);
	memset(longest, 'P', sizeof(longest));
	proxy_head_start(&head);
	CHECK_INT(proxy_head_feed(&head, longest, PROXY_LINE_MAX - 1), PROXY_LINE_MAX - 1);
	CHECK_INT(proxy_head_feed(&head, longest, 1), WIRE_NOT);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(a_line_tells_address_and_port),
		TAP_TEST(ipv6_is_written_in_many_ways),
		TAP_TEST(addresses_that_are_none_are_not_told),
		TAP_TEST(version_2_tells_them_in_binary),
		TAP_TEST(version_2_may_tell_more_or_nothing),
		TAP_TEST(what_is_no_head_is_refused),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
