#include "preload/wire/wire.h"

#include "preload/wire/facts.h"
#include "preload/wire/http1.h"
#include "preload/wire/target.h"
#include "preload/wire/uwsgi.h"
#include "tests/unit/guard.h"
#include "tests/unit/tap.h"

/* Checks that the verdict falls with the byte told, and stands whatever follows. */
static void check_sniff(const char *bytes, size_t len, enum wire_protocol verdict, size_t told_at)
{
	char longer[64] = { 0 };

	for (size_t at = 0; at <= len; at++)
		CHECK_INT(wire_sniff(guard_copy(bytes, at), at),
			  at < told_at ? WIRE_UNKNOWN : verdict);
	memcpy(longer, bytes, len);
	CHECK_INT(wire_sniff(guard_copy(longer, sizeof(longer)), sizeof(longer)), verdict);
}

#define SNIFF(bytes, verdict, told_at) check_sniff(bytes, sizeof(bytes) - 1, verdict, told_at)

static void http_is_known_by_the_space_after_its_method(void)
{
	SNIFF("GET / HTTP/1.1\r\n", WIRE_HTTP1, 4);
	SNIFF("OPTIONS * HTTP/1.1\r\n", WIRE_HTTP1, 8);
	SNIFF("\r\nGET / HTTP/1.1\r\n", WIRE_HTTP1, 6);
	SNIFF("\n\nx-y.z!#$%&'*+^_`|~09 /", WIRE_HTTP1, 23);
	SNIFF("ABCDEFGHIJKLMNOPQRSTUVW /", WIRE_HTTP1, 24);
}

static void http_behind_empty_lines_is_decided_in_time(void)
{
	SNIFF("\r\n\r\n\r\n\r\n\r\nABCDEFGHIJKLMN /", WIRE_HTTP1, 24);
	SNIFF("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET /", WIRE_NONE, 24);
	SNIFF("\n\n\n\n\n\n\n\n\n\n\n\n\n\n\nPRI * HTTP/2.0", WIRE_HTTP1, 24);
	SNIFF("\n\n\n\n\n\n\n\n\n\n\n\nPRI * HTTP/2.0", WIRE_NONE, 24);
}

static void other_protocols_are_none(void)
{
	SNIFF("*1\r\n$4\r\nPING\r\n", WIRE_NONE, 4);	 /* Redis */
	SNIFF("HTTP/1.1 200 OK\r\n", WIRE_NONE, 5);	 /* a response */
	SNIFF("PROXY\tTCP4", WIRE_NONE, 6);
	SNIFF(" GET / HTTP/1.1", WIRE_NONE, 4);
	SNIFF("ABCDEFGHIJKLMNOPQRSTUVWX", WIRE_NONE, 24);
}

static void fastcgi_is_known_by_its_role(void)
{
	SNIFF("\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0", WIRE_FASTCGI, 10);
	SNIFF("\1\1\1\0\0\10\7\0\0\3\1\0\0\0\0\0", WIRE_FASTCGI, 10);
	SNIFF("\1\1\0\1\0\10\0\0\0\0", WIRE_NONE, 10);
	SNIFF("\1\1\0\1\0\10\0\0\0\4", WIRE_NONE, 10);
	SNIFF("\1\1\0\1\0\10\0\0\1\1", WIRE_NONE, 9);
	SNIFF("\1\1\0\1\0\11", WIRE_NONE, 6);
	SNIFF("\1\1\0\0\0\10", WIRE_NONE, 6); /* for id 0 */
	SNIFF("\1\4\0\1\0\10", WIRE_NONE, 4);
	SNIFF("\1\0\0\0\0\0\0\0", WIRE_NONE, 8); /* of an eventfd */
}

static void scgi_is_known_by_its_first_key(void)
{
	SNIFF("331:CONTENT_LENGTH\0000\0", WIRE_SCGI, 19);
	SNIFF("12345678:CONTENT_LENGTH\0", WIRE_SCGI, 24);
	SNIFF("123456789:CONTENT_LENGTH", WIRE_NONE, 10);
	SNIFF("331:CONTENT_LENGTHS", WIRE_NONE, 19);
	SNIFF("331:CONTENT_TYPE", WIRE_NONE, 13);
	SNIFF("12:hello world!,", WIRE_NONE, 4); /* another netstring */
	SNIFF("331 /a HTTP/1.1", WIRE_HTTP1, 4);
}

static void ajp_is_known_by_its_code(void)
{
	SNIFF("\x12\x34\0\377\2\2", WIRE_AJP, 5);
	SNIFF("\x12\x34\0\1\12", WIRE_AJP, 5);
	SNIFF("\x12\x34\0\1\11", WIRE_NONE, 5);
	SNIFF("\x12\x35\0\1\12", WIRE_NONE, 4);
}

static void mod_wsgi_is_known_by_its_numbers(void)
{
	SNIFF("\317\5\0\0\0\0\0\0X\0\0\0\0\0\0\0G", WIRE_MODWSGI, 17);
	SNIFF("\0\5\0\0\0\0\0\0X\0\0\0\0\0\0\0G", WIRE_MODWSGI, 17);
	SNIFF("A \0\0\0\0\0\0X\0\0\0\0\0\0\0G", WIRE_MODWSGI, 17);
	SNIFF("AB\0\0\0\0\0\0X\0\0\0\0\0\0\0G", WIRE_MODWSGI, 17);
	SNIFF("AB \0\0\0\0\0X\0\0\0\0\0\0\0G", WIRE_MODWSGI, 17);
	SNIFF("1:\0\0\0\0\0\0X\0\0\0\0\0\0\0G", WIRE_MODWSGI, 17);
	SNIFF("\r\n\0\0\0\0\0\0X\0\0\0\0\0\0\0G", WIRE_MODWSGI, 17);
	SNIFF("\1\1\0\0\0\0\0\0X\0\0\0\0\0\0\0G", WIRE_MODWSGI, 17);
	SNIFF("\x12\x34\0\0\0\0\0\0X\0\0\0\0\0\0\0G", WIRE_MODWSGI, 17);
	SNIFF("\317\5\0\0\0\0\0\0X\0\0\0\0\0\0\0\1", WIRE_NONE, 17);
	SNIFF("\317\5\0\0\0\0\0\0Y\0\0\0\0\0\0\0G", WIRE_NONE, 16);
	SNIFF("\317\5\0\0\0\0\1", WIRE_NONE, 7);
	SNIFF("\7\0\0\0\0\0\0\0", WIRE_NONE, 8);
}

static void proxy_heads_are_known_by_their_words(void)
{
	SNIFF("PROXY TCP4 1.2.3.4", WIRE_PROXY, 11);
	SNIFF("PROXY TCP6 ::1", WIRE_PROXY, 11);
	SNIFF("PROXY UNKNOWN\r\n", WIRE_PROXY, 13);
	SNIFF("\r\n\r\n\0\r\nQUIT\n\x21\x11", WIRE_PROXY, 12);
	SNIFF("PROXY /x HTTP/1.1", WIRE_HTTP1, 7);
	SNIFF("PROXY TCP5 HTTP/1.1", WIRE_HTTP1, 10);
	SNIFF("PROXIES /x HTTP/1.1", WIRE_HTTP1, 8);
	SNIFF("\r\n\r\nGET / HTTP/1.1", WIRE_HTTP1, 8);
	SNIFF("\r\n\r\n\0\r\nQUIT\r", WIRE_NONE, 12);
}

static void http2_is_known_by_its_preface(void)
{
	SNIFF("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", WIRE_HTTP2, 12);
	SNIFF("\r\nPRI * HTTP/2.0", WIRE_NONE, 14);
	SNIFF("PRI * HTTP/1.1\r\n", WIRE_HTTP1, 12);
	SNIFF("PRI /x HTTP/1.1\r\n", WIRE_HTTP1, 5);
	SNIFF("PRINT /x HTTP/1.1\r\n", WIRE_HTTP1, 6);
}

static void uwsgi_is_known_by_its_first_key(void)
{
	SNIFF("\0\x53\1\0\x16\0HTTP_TRANSFER_ENCODING", WIRE_UWSGI, 24);
	SNIFF("\0\x53\1\0\x0c\0QUERY_STRING\3\0", WIRE_UWSGI, 18);
	SNIFF("\0\xe1\1\0\x0e\0REQUEST_METHOD\3\0", WIRE_UWSGI, 20);
	SNIFF("\0\x05\0\xff\1\0K\0\0", WIRE_UWSGI, 7);
}

static void tls_is_known_by_its_client_hello(void)
{
	SNIFF("\x16\x03\x01\x02\x00\x01\0\x01\xfc\x03\x03", WIRE_TLS, 6);
	SNIFF("\x16\x03\x01\x00\x80\x01", WIRE_TLS, 6);
	SNIFF("\x16\x03\x03\x00\x7a\x02", WIRE_NONE, 6); /* the server's hello: we are its client */
	SNIFF("\x16\x02\x01\x02\x00\x01", WIRE_NONE, 4);
	SNIFF("\x15\x03\x01\x02\x00\x01", WIRE_NONE, 4);
}

static void zero_bytes_that_are_no_uwsgi_are_none(void)
{
	SNIFF("\0\0\0\0\0\0\0\0", WIRE_NONE, 8);
	SNIFF("\0\x53\1\0\0\0QUERY", WIRE_NONE, 7);
	SNIFF("\0\x53\1\0\1\1QUERY", WIRE_NONE, 6); /* a key of 257 bytes */
	SNIFF("\0\x04\0\0\1\0K", WIRE_NONE, 6);	    /* longer than the packet */
	SNIFF("\0\x53\1\0\x0c\0\x01", WIRE_NONE, 7);
	SNIFF("\0\x53\1\0\x0c\0QUERY_STRIN\xff", WIRE_NONE, 18);
}

static void no_more_than_the_promised_bytes_are_looked_at(void)
{
	/* A key that goes wrong behind WIRE_SNIFF_MAX. */
	static const char bytes[] = "\0\x53\1\0\x20\0ABCDEFGHIJKLMNOPQR\xff\xff";

	CHECK_INT(wire_sniff(bytes, sizeof(bytes) - 1), WIRE_UWSGI);
}

static void what_is_sniffed_is_what_the_parser_takes(void)
{
	/* All two-byte beginnings: none may be refused by the sniffer that the parser would follow. */
	for (int c = 0; c < 1 << 16; c++) {
		char bytes[] = { (char)c, (char)(c >> 8), ' ', '/', ' ' };
		static struct http1_request request;
		bool taken;

		http1_request_start(&request);
		taken = http1_request_feed(&request, bytes, sizeof(bytes)) != WIRE_NOT &&
			request.facts.path[0] == '/';
		if (!taken)
			continue;
		if (wire_sniff(bytes, sizeof(bytes)) != WIRE_HTTP1) {
			CHECK_INT(c, -1);
			return;
		}
	}
}

static bool parses(const char *text, uint64_t want)
{
	uint64_t value = ~want;

	return facts_parse_length(guard_copy(text, strlen(text)), strlen(text), &value) &&
	       value == want;
}

static void lengths_are_digits_and_nothing_else(void)
{
	uint64_t value = 7;
	static const char *const wrong[] = { "",
					     "-1",
					     "+1",
					     "1 ",
					     " 1",
					     "0x1",
					     "1e3",
					     "9223372036854775808",
					     "18446744073709551616",
					     "92233720368547758070" };

	CHECK(parses("0", 0));
	CHECK(parses("000000000000000000000000042", 42));
	CHECK(parses("9223372036854775807", INT64_MAX));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CHECK(!facts_parse_length(wrong[i], strlen(wrong[i]), &value));
		CHECK_INT(value, 7);
	}
}

static bool same(const char *text, const char *word)
{
	return facts_same_word(guard_copy(text, strlen(text)), strlen(text), word);
}

static void words_are_compared_without_case_in_ascii_only(void)
{
	/* One byte of an eight-byte word at a time, then of a shorter one. */
	for (int c = 0; c < 256; c++) {
		char text[] = { 'k', 'e', 'e', 'p', (char)c, 'a', 'l', 'i', (char)c, 'e' };
		bool dash = c == '-', letter = c == 'v' || c == 'V';

		CHECK_INT(facts_same_word(text, 8, "keep-ali"), dash);
		text[4] = '-';
		CHECK_INT(facts_same_word(text, 10, "keep-alive"), letter);
		CHECK_INT(facts_same_word(&text[8], 1, "v"), letter);
	}
	CHECK(same("TRANSFER-ENCODING", "transfer-encoding"));
	CHECK(same("azAZ@[`{", "azaz@[`{"));
	CHECK(!same("@zAZ@[`{", "`zaz@[`{"));
	CHECK(!same("close", "closed"));
	CHECK(!same("closed", "close"));
	CHECK(!same("", "close"));
	CHECK(same("", ""));
}

static void path_length_does_not_come_round(void)
{
	static struct wire_facts facts;

	facts_start(&facts);
	facts_add_path(&facts, "/a", 2);
	facts.path_full_len = UINT32_MAX - 1;
	facts_add_path(&facts, "bcd", 3);
	CHECK_INT(facts.path_full_len, UINT32_MAX);
	CHECK_STR(facts.path, "/abcd");
}

static void facts_start_forgets_everything(void)
{
	static struct wire_facts facts;

	memset(&facts, 0xff, sizeof(facts));
	facts_start(&facts);
	CHECK_STR(facts.method, "");
	CHECK_STR(facts.path, "");
	CHECK_STR(facts.traceparent, "");
	CHECK_STR(facts.request_id, "");
	CHECK_INT(facts.path_len, 0);
	CHECK_INT(facts.path_full_len, 0);
	CHECK_INT(facts.http_minor, 1);
	CHECK_INT(facts.keep_alive, 0);
	CHECK_INT(facts.expect_continue, 0);
	CHECK_INT(facts.upgrade, 0);
	CHECK_INT(facts.is_head, 0);
	CHECK_INT(facts.is_connect, 0);
}

/* Bytes of a target that ends where target_feed stops; one at a time, and all at once. */
static void check_target(const char *text, const char *path)
{
	static struct wire_facts facts;
	struct target target;
	size_t len = strlen(text);

	target_start(&target, &facts);
	CHECK_INT(target_feed(&target, &facts, guard_copy(text, len), len), len);
	target_end(&target, &facts);
	CHECK_STR(facts.path, path);
	target_start(&target, &facts);
	for (size_t i = 0; i < len; i++)
		CHECK_INT(target_feed(&target, &facts, guard_copy(text + i, 1), 1), 1);
	target_end(&target, &facts);
	CHECK_STR(facts.path, path);
}

static void target_forms_give_their_path(void)
{
	check_target("/", "/");
	check_target("/a/b?c", "/a/b");
	check_target("/0123456?c", "/0123456");
	check_target("/01234567#c?d", "/01234567");
	check_target("http://h/p", "/p");
	check_target("http://h", "/");
	check_target("http://h#f", "/");
	check_target("http:///p", "/p");
	check_target("h2+x-y.z://h/p?q", "/p");
	check_target("zaZA09://h/p", "/p");
	check_target("http:/p", "http:/p");
	check_target("http:?q", "http:");
	check_target("http:/?q", "http:/");
	check_target("h:443", "h:443");
	check_target("[::1]:443", "[::1]:443");
	check_target("*", "*");
	check_target("*?q", "*");
	check_target("?q", "");
}

static void target_stops_at_every_byte_that_cannot_be_in_one(void)
{
	static struct wire_facts facts;
	struct target target;
	static const char *const starts[] = { "",     "h",	  "h:",	       "h:/",
					      "h://", "/",	  "/123456",   "/1234567",
					      "?",    "?1234567", "http://h/?" };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		for (int c = 0; c < 256; c++) {
			char text[32];
			size_t len = strlen(starts[i]);

			memcpy(text, starts[i], len);
			text[len] = (char)c;
			memset(text + len + 1, 'x', sizeof(text) - len - 1);
			target_start(&target, &facts);
			CHECK_INT(target_feed(&target, &facts, guard_copy(text, sizeof(text)),
					      sizeof(text)),
				  c <= ' ' ? len : sizeof(text));
		}
	}
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(http_is_known_by_the_space_after_its_method),
		TAP_TEST(http_behind_empty_lines_is_decided_in_time),
		TAP_TEST(other_protocols_are_none),
		TAP_TEST(http2_is_known_by_its_preface),
		TAP_TEST(fastcgi_is_known_by_its_role),
		TAP_TEST(scgi_is_known_by_its_first_key),
		TAP_TEST(ajp_is_known_by_its_code),
		TAP_TEST(mod_wsgi_is_known_by_its_numbers),
		TAP_TEST(proxy_heads_are_known_by_their_words),
		TAP_TEST(uwsgi_is_known_by_its_first_key),
		TAP_TEST(zero_bytes_that_are_no_uwsgi_are_none),
		TAP_TEST(no_more_than_the_promised_bytes_are_looked_at),
		TAP_TEST(tls_is_known_by_its_client_hello),
		TAP_TEST(what_is_sniffed_is_what_the_parser_takes),
		TAP_TEST(lengths_are_digits_and_nothing_else),
		TAP_TEST(words_are_compared_without_case_in_ascii_only),
		TAP_TEST(path_length_does_not_come_round),
		TAP_TEST(facts_start_forgets_everything),
		TAP_TEST(target_forms_give_their_path),
		TAP_TEST(target_stops_at_every_byte_that_cannot_be_in_one),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
