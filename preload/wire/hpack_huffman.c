#include "preload/wire/hpack_huffman.h"

/*
 * The code is canonical: codes of one length follow each other in the order of their symbols, and
 * begin where those of the shorter lengths end. So all there is to know is how many there are of
 * each length and the order of the symbols.
 */
enum { SHORTEST = 5, LONGEST = 30, END_OF_STRING = 256 };

/* Of each length: the code behind its last one, and how far its codes are from their rank. */
static const struct {
	uint32_t limit; /* aligned as if it had LONGEST bits */
	uint32_t offset;
} lengths[LONGEST + 1] = {
	[5] = { 0x14000000, 0x00000000 },  [6] = { 0x2e000000, 0x0000000a },
	[7] = { 0x3e000000, 0x00000038 },  [8] = { 0x3f800000, 0x000000b4 },
	[9] = { 0x3f800000, 0x000001b2 },  [10] = { 0x3fd00000, 0x000003ae },
	[11] = { 0x3fe80000, 0x000007ab }, [12] = { 0x3ff00000, 0x00000fa8 },
	[13] = { 0x3ffc0000, 0x00001fa4 }, [14] = { 0x3ffe0000, 0x00003fa2 },
	[15] = { 0x3fff8000, 0x00007fa0 }, [16] = { 0x3fff8000, 0x0000ff9f },
	[17] = { 0x3fff8000, 0x0001ff9d }, [18] = { 0x3fff8000, 0x0003ff99 },
	[19] = { 0x3fff9800, 0x0007ff91 }, [20] = { 0x3fffb800, 0x000fff84 },
	[21] = { 0x3fffd200, 0x001fff72 }, [22] = { 0x3fffec00, 0x003fff5b },
	[23] = { 0x3ffffa80, 0x007fff47 }, [24] = { 0x3ffffd80, 0x00ffff3c },
	[25] = { 0x3ffffe00, 0x01ffff32 }, [26] = { 0x3ffffef0, 0x03ffff22 },
	[27] = { 0x3fffff88, 0x07ffff11 }, [28] = { 0x3ffffffc, 0x0fffff02 },
	[29] = { 0x3ffffffc, 0x1fffff01 }, [30] = { 0x40000000, 0x3ffffeff },
};

/* By rank. The last code of all, of rank 256, is the end of the string. */
static const uint8_t symbols[END_OF_STRING] = {
	48,  49,  50,  97,  99,	 101, 105, 111, 115, 116, 32,  37,  45,	 46,  47,  51,	52,  53,
	54,  55,  56,  57,  61,	 65,  95,  98,	100, 102, 103, 104, 108, 109, 110, 112, 114, 117,
	58,  66,  67,  68,  69,	 70,  71,  72,	73,  74,  75,  76,  77,	 78,  79,  80,	81,  82,
	83,  84,  85,  86,  87,	 89,  106, 107, 113, 118, 119, 120, 121, 122, 38,  42,	44,  59,
	88,  90,  33,  34,  40,	 41,  63,  39,	43,  124, 35,  62,  0,	 36,  64,  91,	93,  126,
	94,  125, 60,  96,  123, 92,  195, 208, 128, 130, 131, 162, 184, 194, 224, 226, 153, 161,
	167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230, 129, 132, 133, 134, 136, 146, 154,
	156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189, 190, 196, 198, 228, 232,
	233, 1,	  135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165,
	166, 168, 174, 175, 180, 182, 183, 188, 191, 197, 231, 239, 9,	 142, 144, 145, 148, 159,
	171, 206, 215, 225, 236, 237, 199, 207, 234, 235, 192, 193, 200, 201, 202, 205, 210, 213,
	218, 219, 238, 240, 242, 243, 255, 203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245,
	246, 247, 248, 250, 251, 252, 253, 254, 2,   3,	  4,   5,   6,	 7,   8,   11,	12,  14,
	15,  16,  17,  18,  19,	 20,  21,  23,	24,  25,  26,  27,  28,	 29,  30,  31,	127, 220,
	249, 10,  13,  22,
};

ssize_t huffman_feed(struct huffman *h, const uint8_t **at, const uint8_t *end, char *out,
		     size_t room)
{
	uint64_t bits = h->bits;
	unsigned count = h->count;
	size_t stored = 0;

	while (stored < room) {
		uint32_t aligned, rank;
		unsigned length = SHORTEST;

		while (count < LONGEST && *at < end) {
			bits = bits << 8 | *(*at)++;
			count += 8;
		}
		/* Bits that have not come yet are taken as zeros, and no length that needs them is believed. */
		aligned = (uint32_t)(count < LONGEST ? bits << (LONGEST - count)
						     : bits >> (count - LONGEST));
		while (aligned >= lengths[length].limit)
			length++;
		if (length > count)
			break;
		rank = (aligned >> (LONGEST - length)) - lengths[length].offset;
		if (rank == END_OF_STRING)
			return WIRE_NOT;
		out[stored++] = (char)symbols[rank];
		count -= length;
		bits &= ((uint64_t)1 << count) - 1;
	}
	h->bits = bits;
	h->count = (uint8_t)count;
	return (ssize_t)stored;
}

bool huffman_ended(const struct huffman *h)
{
	return h->count < 8 && h->bits == ((uint64_t)1 << h->count) - 1;
}
