/*
 * Reading numbers from a range of memory that may hold anything. A read past the end sets `failed`,
 * gives zero and stays failed: callers check once, after a group of reads. Pure; any thread.
 */
#ifndef REQPROF_SIGSAFE_EH_CURSOR_H
#define REQPROF_SIGSAFE_EH_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct eh_cursor {
	const uint8_t *at, *end;
	bool failed;
};

static inline struct eh_cursor eh_cursor_over(uintptr_t start, uintptr_t end)
{
	return (struct eh_cursor){ (const uint8_t *)start, (const uint8_t *)end, end < start };
}

static inline size_t eh_left(const struct eh_cursor *c)
{
	return c->failed ? 0 : (size_t)(c->end - c->at);
}

/* The next size bytes (1, 2, 4 or 8) as a little-endian number. */
static inline uint64_t eh_unsigned(struct eh_cursor *c, size_t size)
{
	uint64_t value = 0;

	if (eh_left(c) < size) {
		c->failed = true;
		return 0;
	}
	__builtin_memcpy(&value, c->at, size);
	c->at += size;
	return value;
}

static inline int64_t eh_signed(struct eh_cursor *c, size_t size)
{
	unsigned unused = (64 - 8 * (unsigned)size) & 63;

	return (int64_t)(eh_unsigned(c, size) << unused) >> unused;
}

static inline uint8_t eh_byte(struct eh_cursor *c)
{
	return (uint8_t)eh_unsigned(c, 1);
}

void eh_skip(struct eh_cursor *c, uint64_t bytes);

/* LEB128 numbers; bits above the 64th are dropped, more than 10 bytes fail. */
uint64_t eh_uleb(struct eh_cursor *c);
int64_t eh_sleb(struct eh_cursor *c);

enum {
	EH_PE_ABSPTR = 0x00,
	EH_PE_UDATA4 = 0x03,
	EH_PE_SDATA4 = 0x0b,
	EH_PE_PCREL = 0x10,
	EH_PE_DATAREL = 0x30,
	EH_PE_INDIRECT = 0x80,
	EH_PE_OMIT = 0xff,
};

/*
 * A pointer by its DW_EH_PE_* encoding. data is what DW_EH_PE_datarel counts from (0: none, fails).
 * Indirect, textrel and funcrel pointers fail.
 */
uintptr_t eh_pointer(struct eh_cursor *c, uint8_t encoding, uintptr_t data);

#endif
