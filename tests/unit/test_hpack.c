/* HPACK: the examples of RFC 7541 Appendix C, and tables against a plain one that keeps everything. */
#include "preload/wire/hpack.h"

#include "preload/wire/facts.h"
#include "tests/unit/guard.h"
#include "tests/unit/hex.h"
#include "tests/unit/tap.h"

enum { ENTRIES = 2048, TEXT = 4096, BLOCK_MAX = 4096 };

static struct hpack_entry entries[ENTRIES];
static char kept[TEXT];
static struct hpack decoder;
static struct wire_facts facts;

static void start(void)
{
	memset(&decoder, 0xa5, sizeof(decoder));
	memset(entries, 0xa5, sizeof(entries));
	memset(kept, 0xa5, sizeof(kept));
	hpack_start(&decoder, entries, ENTRIES, kept, TEXT);
}

static void begin(void)
{
	memset(&facts, 0xa5, sizeof(facts));
	facts_start(&facts);
	hpack_begin(&decoder, &facts);
}

/* A whole block, in pieces of `step` bytes. */
static bool decodes_bytes(const uint8_t *block, size_t len, size_t step)
{
	begin();
	for (size_t at = 0; at < len; at += step) {
		size_t piece = len - at < step ? len - at : step;

		if (!hpack_feed(&decoder, guard_copy(block + at, piece), piece))
			return false;
	}
	return hpack_end(&decoder);
}

static bool decodes_in(const char *digits, size_t step)
{
	uint8_t block[BLOCK_MAX];

	return decodes_bytes(block, hex_bytes(digits, block, sizeof(block)), step);
}

static bool decodes(const char *digits)
{
	return decodes_in(digits, BLOCK_MAX);
}

static bool one_block(const char *digits)
{
	start();
	return decodes(digits);
}

/* ---- Appendix C ---- */

static void single_fields(void)
{
	CHECK(one_block("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572"));
	CHECK_INT(decoder.table.size, 55);
	CHECK(one_block("040c 2f73 616d 706c 652f 7061 7468"));
	CHECK_INT(decoder.table.size, 0);
	CHECK_STR(facts.path, "/sample/path");
	CHECK(one_block("1008 7061 7373 776f 7264 0673 6563 7265 74"));
	CHECK_INT(decoder.table.size, 0);
	CHECK(one_block("82"));
	CHECK_INT(decoder.table.size, 0);
	CHECK_STR(facts.method, "GET");
}

static void check_requests(const char *const blocks[3], size_t step)
{
	start();
	CHECK(decodes_in(blocks[0], step));
	CHECK_STR(facts.method, "GET");
	CHECK_STR(facts.path, "/");
	CHECK_INT(decoder.table.size, 57);
	CHECK(decodes_in(blocks[1], step));
	CHECK_STR(facts.method, "GET");
	CHECK_INT(decoder.table.size, 110);
	CHECK(decodes_in(blocks[2], step));
	CHECK_STR(facts.path, "/index.html");
	CHECK_INT(decoder.table.size, 164);
}

static void check_responses(const char *const blocks[3], size_t step)
{
	start();
	CHECK(hpack_table_resize(&decoder.table, 256));
	CHECK(decodes_in(blocks[0], step));
	CHECK_INT(decoder.status, 302);
	CHECK_INT(decoder.table.size, 222);
	CHECK(decodes_in(blocks[1], step));
	CHECK_INT(decoder.status, 307);
	CHECK_INT(decoder.table.size, 222);
	CHECK(decodes_in(blocks[2], step));
	CHECK_INT(decoder.status, 200);
	CHECK_INT(decoder.table.size, 215);
}

static void requests_without_huffman(void)
{
	static const char *const blocks[3] = {
		"8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
		"8286 84be 5808 6e6f 2d63 6163 6865",
		"8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
	};

	for (size_t step = 1; step < 40; step++)
		check_requests(blocks, step);
}

static void requests_with_huffman(void)
{
	static const char *const blocks[3] = {
		"8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
		"8286 84be 5886 a8eb 1064 9cbf",
		"8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
	};

	for (size_t step = 1; step < 40; step++)
		check_requests(blocks, step);
}

static void responses_without_huffman(void)
{
	static const char *const blocks[3] = {
		"4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133"
		"2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70"
		"6c65 2e63 6f6d",
		"4803 3330 37c1 c0bf",
		"88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d"
		"54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049"
		"5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e"
		"3d31",
	};

	for (size_t step = 1; step < 120; step++)
		check_responses(blocks, step);
}

static void responses_with_huffman(void)
{
	static const char *const blocks[3] = {
		"4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6"
		"2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
		"4883 640e ffc1 c0bf",
		"88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab"
		"77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f"
		"9587 3160 65c0 03ed 4ee5 b106 3d50 07",
	};

	for (size_t step = 1; step < 90; step++)
		check_responses(blocks, step);
}

/* ---- what is kept ---- */

static void the_fields_that_count_are_found(void)
{
	/* :method PUT and :path added, traceparent and x-request-id by new names, never indexed. */
	CHECK(one_block("4203 505554 440a 2f612f623f783d3123 79"
			"100b 7472616365706172656e74 37"
			"30302d3061663736353139313663643433646438343438656232313163383033313963"
			"2d623761643662373136393230333333312d3031"
			"100c 782d726571756573742d6964 03 616263"));
	CHECK_STR(facts.method, "PUT");
	CHECK_STR(facts.path, "/a/b");
	CHECK_STR(facts.traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	CHECK_STR(facts.request_id, "abc");
	CHECK_INT(decoder.table.size, 7 + 3 + 32 + 5 + 10 + 32);
	/* The query is not kept in the table either, but counts there. */
	CHECK_INT(decoder.table.text_used, 3 + 4);
	/* Both by their index. */
	CHECK(decodes("be bf"));
	CHECK_STR(facts.method, "PUT");
	CHECK_STR(facts.path, "/a/b");
}

static void fields_with_nowhere_to_go_still_enter_the_table(void)
{
	uint8_t block[BLOCK_MAX];
	size_t len = hex_bytes("4203 505554 4402 2f61", block, sizeof(block));

	start();
	hpack_begin(&decoder, NULL);
	CHECK(hpack_feed(&decoder, guard_copy(block, len), len));
	CHECK(decodes("be bf"));
	CHECK_STR(facts.method, "PUT");
	CHECK_STR(facts.path, "/a");
}

static void a_field_may_lose_its_place_in_the_middle(void)
{
	start();
	begin();
	CHECK(hpack_feed(&decoder, "\x44\x04/a", 4));
	decoder.facts = NULL;
	CHECK(hpack_feed(&decoder, "bc", 2));
	CHECK(hpack_end(&decoder));
	CHECK(decodes("be"));
	CHECK_STR(facts.path, "/abc");
}

static void long_values_are_cut_where_facts_ends(void)
{
	uint8_t block[BLOCK_MAX] = { 0x04, 0x7f, 0x81, 0x17 }; /* 127 + 1 + 23 * 128 = 3072 bytes */
	size_t len = 4 + 3072;

	memset(block + 4, 'p', 3072);
	block[4] = '/';
	start();
	CHECK(decodes_bytes(block, len, 7));
	CHECK_INT(facts.path_len, WIRE_PATH_MAX - 1);
	CHECK_INT(facts.path_full_len, 3072);
	/* A method, a status and an id that are too long. */
	CHECK(one_block("0220 4141414141414141414141414141414141414141414141414141414141414141"));
	CHECK_INT(strlen(facts.method), WIRE_METHOD_MAX - 1);
	CHECK(one_block("0804 32303030"));
	CHECK_INT(decoder.status, 0);
	CHECK(one_block("4804 32303030 be"));
	CHECK_INT(decoder.status, 0);
	CHECK(one_block("4803 343034 08 01 31"));
	CHECK_INT(decoder.status, 0);
	CHECK(decodes("be"));
	CHECK_INT(decoder.status, 404);
}

static void a_new_block_has_no_status(void)
{
	CHECK(one_block("88"));
	CHECK_INT(decoder.status, 200);
	CHECK(decodes("82"));
	CHECK_INT(decoder.status, 0);
}

/* ---- what is refused ---- */

static void what_is_no_hpack_is_refused_for_good(void)
{
	static const char *const wrong[] = {
		"80",		    /* index 0 */
		"be",		    /* an index that is not there */
		"7e 00",	    /* the same for a name */
		"ff ffffffffff 0f", /* a number without end */
		"ff 80808080 10",   /* or a large one */
		"3f e1ff03",	    /* a table of 65536: allowed, see below */
		"3f e2ff03",	    /* one more is not */
		"04 81 00",	    /* padding that is not all ones */
		"04 82 f8ff",	    /* eight bits of it: too many */
		"04 84 ffffffff",   /* the end of the string within it */
		"04 85 fffffffffc", /* and as its last character */
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		bool allowed = i == 5;

		CHECK_INT(one_block(wrong[i]), allowed);
		CHECK_INT(decodes("82"), allowed);
	}
}

static void a_block_that_ends_in_a_field_is_noticed(void)
{
	static const char whole[] = "3fe11f 4203505554 448163 400161 0162";
	uint8_t block[BLOCK_MAX];
	size_t len = hex_bytes(whole, block, sizeof(block)), ends = 0;

	for (size_t cut = 0; cut <= len; cut++) {
		start();
		ends += decodes_bytes(block, cut, BLOCK_MAX);
	}
	CHECK_INT(ends, 5); /* nothing, the size, and each of three fields */
}

static void memory_that_does_not_suffice_is_the_end(void)
{
	start();
	hpack_start(&decoder, entries, 2, kept, 4);
	CHECK(decodes("400161 0162 400161 0162"));
	CHECK(!decodes("400161 0162"));
	hpack_start(&decoder, entries, 2, kept, 4);
	CHECK(decodes("4403 2f6162"));
	CHECK(!decodes("4402 2f61"));
	/* With no room for text none is kept: those of a response are not wanted. */
	hpack_start(&decoder, entries, 2, NULL, 0);
	CHECK(decodes("4403 2f6162 4803 323031"));
	CHECK(decodes("be"));
	CHECK_INT(decoder.status, 201);
	CHECK(decodes("bf"));
	CHECK_STR(facts.path, "");
}

/* ---- Huffman ---- */

/* Each byte by itself, from RFC 7541 Appendix B; its padding; and all of them in one string. */
/*
 * The first entry's text and the beginning of the second one do not fit together; that it has to go for the
 * second is known only further on.
 */
static void room_for_a_value_does_not_depend_on_the_pieces(void)
{
	static const char limit_120[] = "3f59";
	static const char path_of_20[] = "4414"
					 "2f616161616161616161616161616161616161"
					 "61";
	static const char path_of_27[] = "441b"
					 "2f616161616161616161616161616161616161"
					 "6161616161616161";

	for (size_t step = 1; step < 40; step++) {
		hpack_start(&decoder, entries, 2, kept, 32);
		CHECK(decodes_in(limit_120, step));
		CHECK(decodes_in(path_of_20, step));
		CHECK(!decodes_in(path_of_27, step));
	}
}

static void every_huffman_code_is_known(void)
{
	static const struct {
		uint8_t symbol;
		uint8_t bits;
		uint32_t code;
	} some[] = {
		{ '0', 5, 0x0 },	{ 'a', 5, 0x3 },	{ 't', 5, 0x9 },
		{ ' ', 6, 0x14 },	{ 'u', 6, 0x2d },	{ ':', 7, 0x5c },
		{ 'z', 7, 0x7b },	{ '&', 8, 0xf8 },	{ 'Z', 8, 0xfd },
		{ '!', 10, 0x3f8 },	{ '?', 10, 0x3fc },	{ '\'', 11, 0x7fa },
		{ '#', 12, 0xffa },	{ 0, 13, 0x1ff8 },	{ '^', 14, 0x3ffc },
		{ '<', 15, 0x7ffc },	{ '\\', 19, 0x7fff0 },	{ 128, 20, 0xfffe6 },
		{ 153, 21, 0x1fffdc },	{ 129, 22, 0x3fffd2 },	{ 1, 23, 0x7fffd8 },
		{ 9, 24, 0xffffea },	{ 199, 25, 0x1ffffec }, { 192, 26, 0x3ffffe0 },
		{ 203, 27, 0x7ffffde }, { 2, 28, 0xfffffe2 },	{ 254, 27, 0x7fffff0 },
		{ 255, 26, 0x3ffffee }, { 10, 30, 0x3ffffffc }, { 13, 30, 0x3ffffffd },
		{ 22, 30, 0x3ffffffe }, { 249, 28, 0xffffffe },
	};

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		struct huffman h = { 0 };
		unsigned len = (some[i].bits + 7U) / 8, pad = len * 8 - some[i].bits;
		uint64_t bits = (uint64_t)some[i].code << pad | ((1U << pad) - 1);
		uint8_t bytes[4];
		const uint8_t *at = bytes;
		char out[4];

		for (unsigned b = 0; b < len; b++)
			bytes[b] = (uint8_t)(bits >> (len - 1 - b) * 8);
		CHECK_INT(huffman_feed(&h, &at, bytes + len, out, sizeof(out)), 1);
		CHECK_INT((uint8_t)out[0], some[i].symbol);
		CHECK(at == bytes + len);
		CHECK(huffman_ended(&h));
	}
}

static void huffman_needs_no_more_room_than_it_is_given(void)
{
	/* "www.example.com" */
	static const uint8_t coded[] = { 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a,
					 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff };

	for (size_t room = 1; room < 17; room++) {
		struct huffman h = { 0 };
		const uint8_t *at = coded;
		char text[32], *out = text;
		ssize_t got;

		do {
			got = huffman_feed(&h, &at, coded + sizeof(coded), out, room);
			out += got;
		} while ((size_t)got == room);
		*out = '\0';
		CHECK_STR(text, "www.example.com");
		CHECK(huffman_ended(&h));
	}
}

/* ---- tables against a plain one ---- */

struct field {
	char name[20], value[60];
};
enum { PLAIN_MAX = 2048 };
static struct field plain[PLAIN_MAX]; /* newest first */
static size_t plain_count, plain_size, plain_limit;

static size_t field_size(const struct field *f)
{
	return strlen(f->name) + strlen(f->value) + 32;
}

static void plain_shrink(size_t needed)
{
	while (plain_count && plain_size + needed > plain_limit)
		plain_size -= field_size(&plain[--plain_count]);
}

static void plain_add(const struct field *f)
{
	plain_shrink(field_size(f));
	if (field_size(f) > plain_limit)
		return;
	memmove(plain + 1, plain, plain_count * sizeof(plain[0]));
	plain[0] = *f;
	plain_count++;
	plain_size += field_size(f);
}

static uint64_t random_state;
static unsigned draw(unsigned below)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 33) % below;
}

static void random_field(struct field *f)
{
	static const char *const names[] = { ":method", ":path",     ":status", "x-request-id",
					     "cookie",	"x-nothing", "x",	"" };
	const char *name = names[draw(8)];
	size_t len = draw(4) ? draw(8) : draw(sizeof(f->value) - 1);

	memset(f, 0, sizeof(*f));
	strcpy(f->name, name);
	for (size_t i = 0; i < len; i++)
		f->value[i] = (char)('a' + draw(26));
	if (strcmp(name, ":status") == 0)
		snprintf(f->value, sizeof(f->value), "%u", 100 + draw(500));
}

static uint8_t *put_number(uint8_t *at, uint8_t first, unsigned bits, unsigned number)
{
	unsigned mask = (1U << bits) - 1;

	if (number < mask) {
		*at++ = (uint8_t)(first | number);
		return at;
	}
	*at++ = (uint8_t)(first | mask);
	for (number -= mask; number > 127; number >>= 7)
		*at++ = (uint8_t)(number | 0x80);
	*at++ = (uint8_t)number;
	return at;
}

static uint8_t *put_string(uint8_t *at, const char *text)
{
	at = put_number(at, 0, 7, (unsigned)strlen(text));
	memcpy(at, text, strlen(text));
	return at + strlen(text);
}

/* What the decoder should say of a field, and what it said. */
static void check_field(const struct field *f)
{
	if (strcmp(f->name, ":method") == 0)
		CHECK(strncmp(facts.method, f->value, WIRE_METHOD_MAX - 1) == 0);
	if (strcmp(f->name, ":path") == 0)
		CHECK_STR(facts.path, f->value);
	if (strcmp(f->name, "x-request-id") == 0)
		CHECK_STR(facts.request_id, f->value);
	if (strcmp(f->name, ":status") == 0)
		CHECK_INT(decoder.status, atoi(f->value));
}

/* One field in one of the ways there are; false when they disagree about it. */
static void random_step(void)
{
	uint8_t block[256], *end = block;
	unsigned way = draw(4), index = plain_count ? draw((unsigned)plain_count) : 0;
	struct field f;

	random_field(&f);
	if (way == 0 && plain_count) {
		f = plain[index];
		end = put_number(end, 0x80, 7, index + 62);
	} else if (way == 1 && plain_count) {
		strcpy(f.name, plain[index].name);
		if (strcmp(f.name, ":status") == 0)
			strcpy(f.value, "599");
		end = put_string(put_number(end, 0x40, 6, index + 62), f.value);
		plain_add(&f);
	} else if (way == 2) {
		*end++ = draw(2) ? 0x10 : 0;
		end = put_string(put_string(end, f.name), f.value);
	} else {
		*end++ = 0x40;
		end = put_string(put_string(end, f.name), f.value);
		plain_add(&f);
	}
	CHECK(decodes_bytes(block, (size_t)(end - block), 1 + draw(20)));
	check_field(&f);
	CHECK_INT(decoder.table.size, plain_size);
	CHECK_INT(decoder.table.count, plain_count);
}

static void random_resize(size_t limit)
{
	uint8_t block[8];

	plain_limit = limit;
	plain_shrink(0);
	CHECK(decodes_bytes(block, (size_t)(put_number(block, 0x20, 5, (unsigned)limit) - block),
			    8));
}

static void check_against_plain(size_t largest, int steps)
{
	start();
	plain_count = plain_size = 0;
	plain_limit = HPACK_TABLE_DEFAULT;
	for (int i = 0; i < steps && !tap_failed_checks; i++) {
		if (draw(300) == 0)
			random_resize(draw((unsigned)largest + 1));
		else
			random_step();
	}
}

static void the_table_is_followed_entry_for_entry(void)
{
	for (random_state = 1; random_state < 20; random_state++) {
		uint64_t seed = random_state;

		check_against_plain(100, 2000);
		check_against_plain(HPACK_TABLE_DEFAULT, 4000);
		random_state = seed;
	}
}

static void the_largest_table_is_followed_without_text(void)
{
	struct field f = { "x-count", "" };
	uint8_t block[64], *end;

	start();
	hpack_start(&decoder, entries, ENTRIES, NULL, 0);
	CHECK(decodes("3f e1ff03"));
	plain_count = plain_size = 0;
	plain_limit = HPACK_TABLE_MAX;
	for (int i = 0; i < 4000 && !tap_failed_checks; i++) {
		snprintf(f.value, sizeof(f.value), "%d", i);
		plain_add(&f);
		block[0] = 0x40;
		end = put_string(put_string(block + 1, f.name), f.value);
		CHECK(decodes_bytes(block, (size_t)(end - block), 64));
		CHECK_INT(decoder.table.size, plain_size);
	}
	CHECK(plain_count > 1300);
}

static void a_full_table_of_default_size_fits_its_memory(void)
{
	/* Whatever the encoder does, 128 entries and 4096 bytes are enough. */
	start();
	hpack_start(&decoder, entries, HPACK_TABLE_DEFAULT / HPACK_ENTRY_OVERHEAD, kept, TEXT);
	for (int i = 0; i < 300; i++)
		CHECK(decodes("40 00 00"));
	CHECK_INT(decoder.table.count, 128);
	for (int i = 0; i < 300; i++)
		CHECK(decodes("42 01 41"));
	for (int i = 0; i < 20; i++) {
		uint8_t block[BLOCK_MAX] = { 0x44, 0x7f, 0x80 + 0x51, 0x1e };

		/* 127 + 0x51 + 30 * 128 = 4048 bytes, of 4059 that fit with the name */
		memset(block + 4, '/', 4048);
		CHECK(decodes_bytes(block, 4 + 4048, 1000));
		CHECK_INT(decoder.table.count, 1);
	}
	CHECK(decodes("be"));
	CHECK_INT(facts.path_full_len, 4048);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(single_fields),
		TAP_TEST(requests_without_huffman),
		TAP_TEST(requests_with_huffman),
		TAP_TEST(responses_without_huffman),
		TAP_TEST(responses_with_huffman),
		TAP_TEST(the_fields_that_count_are_found),
		TAP_TEST(fields_with_nowhere_to_go_still_enter_the_table),
		TAP_TEST(a_field_may_lose_its_place_in_the_middle),
		TAP_TEST(long_values_are_cut_where_facts_ends),
		TAP_TEST(a_new_block_has_no_status),
		TAP_TEST(what_is_no_hpack_is_refused_for_good),
		TAP_TEST(a_block_that_ends_in_a_field_is_noticed),
		TAP_TEST(memory_that_does_not_suffice_is_the_end),
		TAP_TEST(room_for_a_value_does_not_depend_on_the_pieces),
		TAP_TEST(every_huffman_code_is_known),
		TAP_TEST(huffman_needs_no_more_room_than_it_is_given),
		TAP_TEST(the_table_is_followed_entry_for_entry),
		TAP_TEST(the_largest_table_is_followed_without_text),
		TAP_TEST(a_full_table_of_default_size_fits_its_memory),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
