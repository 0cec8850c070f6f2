/*
 * Bytes whose end is the end of readable memory: a parser that looks one byte too far dies here.
 * AddressSanitizer would not notice it in a string constant's padding.
 */
#ifndef REQPROF_TESTS_UNIT_GUARD_H
#define REQPROF_TESTS_UNIT_GUARD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { GUARD_ROOM = 256 << 10 };

/* A copy of at most GUARD_ROOM bytes, good until the next call. */
static inline const char *guard_copy(const void *bytes, size_t len)
{
	static char *end;
	static size_t dirty;

	if (!end) {
		size_t page = (size_t)sysconf(_SC_PAGESIZE);
		char *room = mmap(NULL, GUARD_ROOM + page, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (room == MAP_FAILED || mprotect(room + GUARD_ROOM, page, PROT_NONE) != 0) {
			printf("Bail out! no guard page\n");
			exit(1);
		}
		end = room + GUARD_ROOM;
	}
	if (len > GUARD_ROOM) {
		printf("Bail out! %zu bytes do not fit before the guard page\n", len);
		exit(1);
	}
	/* What was there before must not stand in for bytes that are missing now. */
	memset(end - dirty, 0xaa, dirty);
	dirty = len;
	memcpy(end - len, bytes, len);
	return end - len;
}

#endif
