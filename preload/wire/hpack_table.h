/*
 * HPACK's two tables, RFC 7541 2.3: the static one of its Appendix A, and the dynamic one, which
 * must be followed entry for entry. Of an entry only what we could ever want is kept: its size, and
 * for the few fields that go into facts the value. So a table of 64 KiB, which browsers offer to
 * servers, costs a fraction of that.
 */
#ifndef REQPROF_WIRE_HPACK_TABLE_H
#define REQPROF_WIRE_HPACK_TABLE_H

#include "preload/wire/wire.h"

enum {
	HPACK_TABLE_DEFAULT = 4096, /* what encoder and decoder begin with */
	HPACK_TABLE_MAX = 65536,    /* the largest that we follow */
	HPACK_ENTRY_OVERHEAD = 32,  /* what each entry counts beside its name and value */
	HPACK_STATIC_ROWS = 61,
};

/* The fields whose values are wanted. */
enum hpack_name {
	HPACK_OTHER,
	HPACK_METHOD,
	HPACK_PATH,
	HPACK_STATUS,
	HPACK_TRACEPARENT,
	HPACK_X_REQUEST_ID,
};

struct hpack_entry {
	uint16_t name_len;
	uint16_t len;	   /* of name and value */
	uint16_t name : 3; /* enum hpack_name */
	uint16_t
		kept : 13; /* bytes of the value that stand in `text`; the status itself for HPACK_STATUS */
};

struct hpack_table {
	/* Rings, given by the owner. */
	struct hpack_entry *entries;
	char *text; /* values of wanted fields but the status; NULL: none is kept */
	uint32_t max_entries, max_text; /* max_text at most 8191 */
	/* internal to hpack_table.c */
	uint32_t newest, count; /* of entries */
	uint32_t size, limit;	/* as RFC 7541 4.1 counts: what is in it, and may be */
	uint32_t text_end, text_used;
	/* the entry that is being made */
	uint32_t made_len, made_text;
	bool made_fits;
};

/* What an index stands for. The value is in up to two pieces; NULL where there is none to be had. */
struct hpack_row {
	enum hpack_name name;
	uint16_t name_len;
	uint16_t status; /* of HPACK_STATUS: then there are no pieces */
	const char *value[2];
	size_t value_len[2];
};

void hpack_table_start(struct hpack_table *t, struct hpack_entry *entries, uint32_t max_entries,
		       char *text, uint32_t max_text);

/* The encoder says how large its table may be from now on. False: larger than we follow. */
bool hpack_table_resize(struct hpack_table *t, uint32_t limit);

/* False: there is no such index. Good until the table changes. */
bool hpack_table_get(const struct hpack_table *t, uint32_t index, struct hpack_row *row);

/*
 * Adding an entry, as its parts become known: grow by the length of each part, keep the bytes of a
 * wanted value, add. What it pushes out is gone from the first part on; nothing is looked up
 * meanwhile. False: it is more than there is memory for, and the table is lost.
 */
void hpack_table_make(struct hpack_table *t);
void hpack_table_grow(struct hpack_table *t, size_t len);
bool hpack_table_keep(struct hpack_table *t, const char *bytes, size_t len);
bool hpack_table_add(struct hpack_table *t, enum hpack_name name, uint32_t name_len,
		     uint16_t status);

#endif
