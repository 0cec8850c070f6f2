/*
 * Any bytes as CGI's variables (lines of a key, a tab, a value), in either order of paths, and as the
 * head of a gateway's answer: the same is seen, however they are cut.
 */
#include "preload/wire/cgi_head.h"
#include "preload/wire/cgi_vars.h"

#include "preload/wire/facts.h"
#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The part up to `end` as a key or a value, in pieces; `from` is also what the cuts are made from. */
static void give(struct cgi_vars *v, struct wire_facts *facts, bool key, const uint8_t *from,
		 size_t len, enum pieces_cut cut)
{
	size_t at = 0;

	do {
		size_t piece = at < len ? pieces_next(cut, len, at, len) : 0;
		const char *copy = piece ? pieces_copy(from + at, piece) : "";

		at += piece;
		if (key)
			cgi_vars_key(v, copy, piece, at == len);
		else
			cgi_vars_value(v, facts, copy, piece, at == len);
	} while (at < len);
}

static uint64_t run_vars(enum cgi_path path, const uint8_t *bytes, size_t size, enum pieces_cut cut)
{
	static struct cgi_vars v;
	static struct wire_facts facts;
	const uint8_t *end = bytes + size;

	memset(&v, 0xa5, sizeof(v));
	memset(&facts, 0, sizeof(facts));
	facts_start(&facts);
	cgi_vars_start(&v, &facts, path);
	while (bytes < end) {
		const uint8_t *line = memchr(bytes, '\n', (size_t)(end - bytes)), *tab;

		line = line ? line : end;
		tab = memchr(bytes, '\t', (size_t)(line - bytes));
		tab = tab ? tab : line;
		give(&v, &facts, true, bytes, (size_t)(tab - bytes), cut);
		give(&v, &facts, false, tab < line ? tab + 1 : tab,
		     tab < line ? (size_t)(line - tab - 1) : 0, cut);
		bytes = line < end ? line + 1 : end;
	}
	REQUIRE(v.length_known || v.length == 0);
	return digest_number(digest_facts(v.length, &facts), v.length_known | v.body_unknown << 1);
}

static uint64_t run_head(const uint8_t *bytes, size_t size, enum pieces_cut cut)
{
	static struct cgi_head h;
	uint64_t seed = digest(0, bytes, size);
	size_t at = 0;

	memset(&h, 0xa5, sizeof(h));
	cgi_head_start(&h);
	while (at < size && !h.ended) {
		size_t len = pieces_next(cut, seed, at, size);
		size_t used = cgi_head_feed(&h, pieces_copy(bytes + at, len), len);

		REQUIRE(used > 0 && used <= len);
		REQUIRE(used == len || h.ended);
		at += used;
	}
	REQUIRE(h.reason_len <= CGI_REASON_MAX);
	cgi_head_says(&h, "Continue");
	if (!h.ended)
		return 1;
	return digest(digest_number(at, h.status | h.lines << 16), h.reason, h.reason_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	for (int path = CGI_PATH_INFO_FIRST; path <= CGI_REQUEST_URI_FIRST; path++) {
		uint64_t whole = run_vars((enum cgi_path)path, bytes, size, PIECES_WHOLE);

		REQUIRE(run_vars((enum cgi_path)path, bytes, size, PIECES_BYTES) == whole);
		REQUIRE(run_vars((enum cgi_path)path, bytes, size, PIECES_MIXED) == whole);
	}
	REQUIRE(run_head(bytes, size, PIECES_BYTES) == run_head(bytes, size, PIECES_WHOLE));
	REQUIRE(run_head(bytes, size, PIECES_MIXED) == run_head(bytes, size, PIECES_WHOLE));
	return 0;
}
