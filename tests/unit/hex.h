/* Bytes written as hexadecimal digits, as RFCs print them; anything between them is ignored. */
#ifndef REQPROF_TESTS_UNIT_HEX_H
#define REQPROF_TESTS_UNIT_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Stores them; how many. */
static inline size_t hex_bytes(const char *digits, uint8_t *bytes, size_t room)
{
	static const char alphabet[] = "0123456789abcdef";
	size_t nibbles = 0;

	for (; *digits; digits++) {
		const char *digit = strchr(alphabet, *digits);

		if (!digit)
			continue;
		if (nibbles / 2 == room) {
			printf("Bail out! more than %zu bytes of hexadecimal digits\n", room);
			exit(1);
		}
		bytes[nibbles / 2] = (uint8_t)(nibbles % 2 ? bytes[nibbles / 2] << 4 : 0);
		bytes[nibbles / 2] |= (uint8_t)(digit - alphabet);
		nibbles++;
	}
	return nibbles / 2;
}

#endif
