/* Any bytes as header blocks: the same is seen, however they are cut, and the table stays whole. */
#include "preload/wire/hpack.h"

#include "preload/wire/facts.h"
#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { ENTRIES_MAX = 256, TEXT_MAX = 4096 };

static uint64_t digest_table(uint64_t sum, const struct hpack_table *t)
{
	struct hpack_row row;
	uint64_t used = 0, size = 0;

	REQUIRE(t->count <= t->max_entries && t->size <= t->limit && t->text_used <= t->max_text);
	REQUIRE(!hpack_table_get(t, 0, &row));
	REQUIRE(!hpack_table_get(t, HPACK_STATIC_ROWS + t->count + 1, &row));
	for (uint32_t i = 1; i <= t->count; i++) {
		REQUIRE(hpack_table_get(t, HPACK_STATIC_ROWS + i, &row));
		sum = digest_number(sum, row.name);
		sum = digest_number(sum, row.status);
		for (size_t piece = 0; piece < 2; piece++) {
			sum = digest(sum, row.value[piece], row.value_len[piece]);
			used += row.value_len[piece];
		}
		size += row.name_len + HPACK_ENTRY_OVERHEAD;
	}
	REQUIRE(used == t->text_used);
	REQUIRE(size <= t->size);
	return digest_number(sum, t->size);
}

/* The first byte says how much memory there is; each later block begins behind a byte 0xfe. */
static uint64_t run(const uint8_t *bytes, size_t size, enum pieces_cut cut)
{
	uint32_t max_entries = size ? bytes[0] : 1;
	uint32_t max_text = max_entries * 32 < TEXT_MAX ? max_entries * 32 : TEXT_MAX;
	struct hpack_entry *entries = malloc((max_entries + 1) * sizeof(*entries));
	char *text = malloc(max_text + 1);
	static struct hpack h;
	static struct wire_facts facts;
	uint64_t sum = 0, seed = digest(0, bytes, size);

	memset(&h, 0xa5, sizeof(h));
	memset(&facts, 0xa5, sizeof(facts));
	facts_start(&facts);
	hpack_start(&h, entries, max_entries, max_entries % 2 ? text : NULL,
		    max_entries % 2 ? max_text : 0);
	hpack_begin(&h, &facts);
	for (size_t at = 1; at < size;) {
		const uint8_t *next = memchr(bytes + at, 0xfe, size - at);
		size_t len = pieces_next(cut, seed, at, next ? (size_t)(next - bytes) : size);

		if (next == bytes + at) {
			sum = digest_number(sum, hpack_end(&h) + 2U * h.status);
			facts_start(&facts);
			hpack_begin(&h, at % 3 ? &facts : NULL);
			at++;
			continue;
		}
		if (!hpack_feed(&h, pieces_copy(bytes + at, len), len)) {
			REQUIRE(!hpack_feed(&h, "\x82", 1));
			REQUIRE(!hpack_end(&h));
			sum = 1;
			goto out;
		}
		at += len;
	}
	sum = digest_number(sum, hpack_end(&h));
	sum = digest_facts(sum, &facts);
	sum = digest_number(sum, h.status);
	if (hpack_end(&h))
		sum = digest_table(sum, &h.table);
out:
	free(entries);
	free(text);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint64_t whole = run(bytes, size, PIECES_WHOLE);

	REQUIRE(run(bytes, size, PIECES_BYTES) == whole);
	REQUIRE(run(bytes, size, PIECES_MIXED) == whole);
	return 0;
}
