/*
 * Work in functions that the compiler inlines into each other, for tests of names and lines: the
 * calls below are written so that one address can stand for four frames. Prints one number.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALWAYS inline __attribute__((always_inline))
/* clang knows no clones */
#ifdef __clang__
#define NEVER __attribute__((noinline))
#else
#define NEVER __attribute__((noinline, noclone))
#endif

static ALWAYS uint32_t rotate(uint32_t value, unsigned by)
{
	return value << by | value >> (32 - by);
}

static ALWAYS uint32_t stir(uint32_t state, uint32_t byte)
{
	state ^= byte;
	state = rotate(state, 5);
	return state * 0x9e3779b1u;
}

static ALWAYS uint32_t digest(const unsigned char *bytes, size_t len)
{
	uint32_t state = 1;

	for (size_t i = 0; i < len; i++)
		state = stir(state, bytes[i]);
	return state;
}

static NEVER uint32_t digest_line(const char *line)
{
	size_t len = strlen(line);

	if (len > 3)
		return digest((const unsigned char *)line, len);
	return rotate(7, 3);
}

uint32_t descend(int depth, uint32_t state);

/* Recursion, with an inlined call on the way; visible also in what was stripped. */
NEVER uint32_t descend(int depth, uint32_t state)
{
	if (depth == 0)
		return stir(state, 255);
	return descend(depth - 1, stir(state, (uint32_t)depth)) + 1;
}

/* A cold path, which gcc may move to a section of its own. */
static NEVER double root(double of)
{
	if (__builtin_expect(of < 0, 0)) {
		fprintf(stderr, "no root of %f\n", of);
		abort();
	}
	return sqrt(of) + cbrt(of);
}

/* An entry in assembly: no size, no type. */
__asm__(".text\n"
	".globl bare_entry\n"
	"bare_entry:\n"
	"	lea 1(%rdi), %rax\n"
	"	ret\n");
long bare_entry(long value);

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	uint32_t sum = 0;
	char line[64];

	for (int i = 0; i < rounds; i++) {
		snprintf(line, sizeof(line), "round %d of %d", i, rounds);
		sum += digest_line(line);
		sum += descend(8, sum);
		sum += (uint32_t)root(i);
		sum += (uint32_t)bare_entry(i);
	}
	printf("%u\n", sum);
	return 0;
}
