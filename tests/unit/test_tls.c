/* TLS records: the ClientHello's random, and whether the client sent more than a handshake. */
#include "preload/wire/tls.h"

#include <string.h>

#include "tests/unit/guard.h"
#include "tests/unit/tap.h"

enum { HELLO_BYTES = 80, STREAM_MAX = 8192 };
static uint8_t stream[STREAM_MAX];
static size_t stream_len;

static void record(uint8_t type, size_t size)
{
	stream[stream_len++] = type;
	stream[stream_len++] = 3;
	stream[stream_len++] = 3;
	stream[stream_len++] = (uint8_t)(size >> 8);
	stream[stream_len++] = (uint8_t)size;
	for (size_t i = 0; i < size; i++)
		stream[stream_len++] = 22; /* as if every byte were a handshake's */
}

static void hello(void)
{
	stream_len = 0;
	record(TLS_HANDSHAKE, HELLO_BYTES);
	stream[5] = TLS_CLIENT_HELLO;
	for (int i = 0; i < TLS_RANDOM; i++)
		stream[11 + i] = (uint8_t)(100 + i);
}

static struct tls_records fed(size_t piece)
{
	struct tls_records t;

	memset(&t, 0xa5, sizeof(t));
	tls_start(&t);
	for (size_t at = 0; at < stream_len; at += piece) {
		size_t len = stream_len - at < piece ? stream_len - at : piece;

		tls_feed(&t, guard_copy((const char *)stream + at, len), len);
	}
	return t;
}

static void the_random_is_taken_however_the_bytes_are_cut(void)
{
	hello();
	record(TLS_APPLICATION_DATA, 30);
	for (size_t piece = 1; piece <= stream_len; piece++) {
		struct tls_records t = fed(piece);

		CHECK(t.hello);
		CHECK(memcmp(t.random, stream + 11, TLS_RANDOM) == 0);
		CHECK_INT(t.handshakes, 1);
		CHECK_INT(t.data, 1);
	}
}

static void a_hello_without_its_random_is_none(void)
{
	hello();
	stream_len = 11 + TLS_RANDOM - 1;
	CHECK(!fed(7).hello);
	/* A record that ends before it: what follows is another record's. */
	stream_len = 0;
	record(TLS_HANDSHAKE, 20);
	record(TLS_HANDSHAKE, 60);
	CHECK(!fed(9).hello);
}

static void a_handshake_alone_carries_no_data(void)
{
	struct tls_records t;

	/* TLS 1.2: hello; key exchange, change of cipher, finished; then data. */
	hello();
	record(TLS_HANDSHAKE, 70);
	record(20, 1);
	record(TLS_HANDSHAKE, 40);
	t = fed(1);
	CHECK(!tls_carries_data(&t));
	record(TLS_APPLICATION_DATA, 60);
	t = fed(1);
	CHECK(tls_carries_data(&t));
	/* TLS 1.3: hello; change of cipher, finished that looks like data; then data. */
	hello();
	record(20, 1);
	record(TLS_APPLICATION_DATA, 53);
	t = fed(3);
	CHECK(!tls_carries_data(&t));
	/* The alert at the end looks like data too. */
	record(TLS_APPLICATION_DATA, 19);
	t = fed(3);
	CHECK(!tls_carries_data(&t));
	record(TLS_APPLICATION_DATA, 60);
	t = fed(3);
	CHECK(tls_carries_data(&t));
}

static void empty_records_and_counts_beyond_a_byte_are_survived(void)
{
	hello();
	record(TLS_APPLICATION_DATA, 0);
	for (int i = 0; i < 300; i++)
		record(TLS_APPLICATION_DATA, 20);
	CHECK_INT(fed(4).data, 255);
}

static void unseen_bytes_are_counted_off_a_record_and_end_it_elsewhere(void)
{
	struct tls_records t;

	hello();
	stream_len = 5;
	t = fed(5);
	tls_feed(&t, NULL, HELLO_BYTES);
	CHECK(!t.hello);
	tls_feed(&t, "\x17\x03\x03\0\x20", 5);
	CHECK_INT(t.data, 1);
	tls_feed(&t, NULL, (size_t)1 << 40); /* at once, and not byte by byte */
	tls_feed(&t, "\x17\x03\x03\0\x20", 5);
	CHECK_INT(t.data, 1);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(the_random_is_taken_however_the_bytes_are_cut),
		TAP_TEST(a_hello_without_its_random_is_none),
		TAP_TEST(a_handshake_alone_carries_no_data),
		TAP_TEST(empty_records_and_counts_beyond_a_byte_are_survived),
		TAP_TEST(unseen_bytes_are_counted_off_a_record_and_end_it_elsewhere),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
