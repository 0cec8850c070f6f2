/* Bytes of a text as words in the machine's order, wherever they stand. Signal-safe. */
#ifndef REQPROF_FORMAT_WORDS_H
#define REQPROF_FORMAT_WORDS_H

#include <stdint.h>
#include <string.h>

/* The caller has so many bytes there. */
static inline uint32_t load4(const char *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static inline uint64_t load8(const char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

#endif
