#include "preload/sigsafe/unwind_code.h"

enum { CALL_BYTES_MAX = 7, NO_FRAME_BYTES = 7 };

/* modrm byte of an indirect near call: FF /2. */
static bool is_call_modrm(uint8_t modrm, uint8_t mod)
{
	return (modrm & 0x38) == 0x10 && modrm >> 6 == mod;
}

bool unwind_code_after_call(uintptr_t address)
{
	uint8_t call_rel32;

	return (peek_copy(&call_rel32, address - 5, 1) && call_rel32 == 0xe8) ||
	       unwind_code_after_indirect_call(address);
}

bool unwind_code_after_indirect_call(uintptr_t address)
{
	uint8_t b[CALL_BYTES_MAX]; /* b[7 - n] is n bytes before the address */

	if (!peek_copy(b, address - sizeof(b), sizeof(b)))
		return false;
	if (b[5] == 0xff &&
	    (is_call_modrm(b[6], 3) || is_call_modrm(b[6], 0))) /* call *%rax, *(%rax) */
		return true;
	if (b[4] == 0xff && (is_call_modrm(b[5], 1) || b[5] == 0x14)) /* *8(%rax), *(%rax,%rbx) */
		return true;
	if (b[3] == 0xff && b[4] == 0x54) /* *8(%rsp) */
		return true;
	if (b[1] == 0xff && (is_call_modrm(b[2], 2) || b[2] == 0x15)) /* *800(%rax), *800(%rip) */
		return true;
	return b[0] == 0xff && (b[1] == 0x94 || b[1] == 0x14); /* *800(%rsp), *800(,%rax,8) */
}

bool unwind_code_is_sigreturn(uintptr_t pc)
{
	static const uint8_t rax[] = { 0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05 };
	static const uint8_t eax[] = { 0xb8, 15, 0, 0, 0, 0x0f, 0x05 };
	uint8_t b[sizeof(rax)];

	if (!peek_copy(b, pc, sizeof(b)))
		return false;
	return __builtin_memcmp(b, rax, sizeof(rax)) == 0 ||
	       __builtin_memcmp(b, eax, sizeof(eax)) == 0;
}

int unwind_code_return_address(uintptr_t pc)
{
	static const uint8_t endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	static const uint8_t set_rbp[] = { 0x48, 0x89, 0xe5 }, set_rbp_too[] = { 0x48, 0x8b, 0xec };
	static const uint8_t make_room[] = { 0x48, 0x83, 0xec }, make_much_room[] = { 0x48, 0x81, 0xec };
	uint8_t b[NO_FRAME_BYTES], *at = b, before;

	if (!peek_copy(b, pc, sizeof(b)))
		return -1;
	if (peek_copy(&before, pc - 1, 1) && before == 0x55 &&
	    (__builtin_memcmp(b, set_rbp, 3) == 0 || __builtin_memcmp(b, set_rbp_too, 3) == 0))
		return 8; /* between push %rbp and mov %rsp, %rbp */
	if (__builtin_memcmp(b, endbr, sizeof(endbr)) == 0)
		at += sizeof(endbr);
	if (at[0] == 0xf3 || at[0] == 0xf2) /* rep ret, bnd jmp */
		at++;
	if (at[0] == 0xc3 || at[0] == 0xc2 || at[0] == 0x55) /* ret, ret n, push %rbp */
		return 0;
	if (at + 3 <= b + sizeof(b) &&
	    (__builtin_memcmp(at, make_room, 3) == 0 || __builtin_memcmp(at, make_much_room, 3) == 0))
		return 0; /* sub $8, %rsp: so begins .init, which no table describes */
	/* A jump through a table entry: linkage stubs have no frame. */
	return at + 1 < b + sizeof(b) && at[0] == 0xff && at[1] == 0x25 ? 0 : -1;
}
