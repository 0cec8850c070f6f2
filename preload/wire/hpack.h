/*
 * HPACK, RFC 7541: the header blocks of one direction of an HTTP/2 connection. Every field must be
 * decoded, for the table that both ends keep; the few that facts has room for are kept. Fed cut
 * anywhere, with memory of a fixed size, whatever the fields' lengths.
 */
#ifndef REQPROF_WIRE_HPACK_H
#define REQPROF_WIRE_HPACK_H

#include "preload/wire/hpack_huffman.h"
#include "preload/wire/hpack_table.h"
#include "preload/wire/target.h"
#include "preload/wire/wire.h"

struct hpack {
	/* Where the fields of this block go that a request has; NULL: nowhere. May be set to NULL
	 * at any time. The method is final when the block ends, as is the path. */
	struct wire_facts *facts;
	uint16_t status; /* :status of this block, 0 while there is none */
	/* internal to hpack.c */
	uint8_t state;
	uint8_t representation;
	uint8_t shift; /* of the number at hand */
	uint32_t number;
	bool coded;   /* the string at hand is in the Huffman code */
	bool query;   /* of the path: its query has begun */
	uint8_t name; /* enum hpack_name */
	uint8_t value_kept;
	uint32_t string_left;
	uint32_t name_len;
	uint64_t value_len;
	struct huffman huffman;
	struct target target;
	char text[16];		 /* the beginning of the name */
	char value[WIRE_ID_MAX]; /* the beginning of the value, unless it is the path's */
	struct hpack_table table;
};

/* A new connection. The memory is the caller's and stays with the decoder, as hpack_table.h says. */
void hpack_start(struct hpack *h, struct hpack_entry *entries, uint32_t max_entries, char *text,
		 uint32_t max_text);

/* A header block begins. */
void hpack_begin(struct hpack *h, struct wire_facts *facts);

/*
 * Feeds all of the next bytes of the block. False: they are no HPACK, or the table is larger than
 * there is memory for. Then no later block of this direction can be decoded either.
 */
bool hpack_feed(struct hpack *h, const void *bytes, size_t len);

/* The block ends here. False when that is in the middle of a field. */
bool hpack_end(const struct hpack *h);

#endif
