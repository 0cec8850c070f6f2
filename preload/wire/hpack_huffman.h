/* HPACK's Huffman code for strings, RFC 7541 5.2 and Appendix B, decoded as the bytes come. */
#ifndef REQPROF_WIRE_HPACK_HUFFMAN_H
#define REQPROF_WIRE_HPACK_HUFFMAN_H

#include "preload/wire/wire.h"

/* Zero before a string. Internal to hpack_huffman.c. */
struct huffman {
	uint64_t
		bits; /* those of a code that is not whole yet, right-aligned, under them nothing */
	uint8_t count;
};

/*
 * Decodes bytes from *at on, which moves forward, into out: what it returns has been stored, at
 * most room characters. When it returns less than room all bytes have been used. WIRE_NOT: the
 * code for the end of the string is among them, which is an error there.
 */
ssize_t huffman_feed(struct huffman *h, const uint8_t **at, const uint8_t *end, char *out,
		     size_t room);

/* The string is whole: is what is left its padding (under eight bits, all set)? */
bool huffman_ended(const struct huffman *h);

#endif
