#include "format/profile_sum.h"

#include <string.h>

static uint64_t step(uint64_t sum, uint64_t word)
{
	/* Any odd factor would do; this one has its bits well spread. */
	sum = (sum ^ word) * 0x9fb21c651e98df25u;
	return sum ^ sum >> 32;
}

uint64_t profile_sum_add(uint64_t sum, const uint8_t *bytes, size_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); bytes += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum = step(sum, word);
	}
	if (len) {
		word = 0;
		memcpy(&word, bytes, len);
		sum = step(sum, word);
	}
	return sum;
}

uint64_t profile_sum_end(uint64_t sum, uint64_t total_len)
{
	return step(sum, total_len);
}

void profile_sum_hex(uint64_t sum, char hex[PROFILE_SUM_HEX])
{
	for (int i = 0; i < PROFILE_SUM_HEX; i++)
		hex[i] = "0123456789abcdef"[sum >> (60 - 4 * i) & 15];
}
