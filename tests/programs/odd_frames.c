/*
 * Functions whose frames are hard to unwind, run for argv[1] seconds (1 by default) under whatever
 * samples them: alloca, realigned stacks, big frames, tail calls, deep recursion, callbacks from
 * libc, PLT stubs, hand-written assembly with expressions, signal handlers on this and on another
 * stack, longjmp, makecontext, the vdso, and code with no table at all. Prints how often each ran.
 */
#include <alloca.h>
#include <regex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { ODD_SPIN = 300, STACK_BYTES = 256 * 1024 };

volatile uint64_t odd_sum; /* keeps the work from being optimized away */

uint64_t odd_spin(uint64_t seed);

__attribute__((noinline)) uint64_t odd_spin(uint64_t seed)
{
	uint64_t x = seed | 1;

	for (int i = 0; i < ODD_SPIN; i++)
		x = x * 6364136223846793005ULL + (x >> 33);
	odd_sum += x;
	return x;
}

__attribute__((noinline)) static uint64_t with_alloca(unsigned n)
{
	volatile char *space = alloca(16 + n % 4000);

	space[n % 16] = (char)n;
	return odd_spin(n) + (uint64_t)space[n % 16];
}

struct wide {
	uint64_t words[8];
} __attribute__((aligned(64)));

/*
 * GCC realigns through r10 here: alloca makes the frame's size unknown, the struct wants 64 bytes.
 */
__attribute__((noinline)) static uint64_t realigned(unsigned n)
{
	struct wide local;
	volatile char *space = alloca(16 + n % 500);

	memset(&local, (int)n, sizeof(local));
	space[0] = (char)n;
	return odd_spin(local.words[n % 8]) + with_alloca(n) + (uint64_t)space[0];
}

__attribute__((noinline)) static uint64_t realigned_many(uint64_t a, uint64_t b, uint64_t c,
							 uint64_t d, uint64_t e, uint64_t f,
							 uint64_t g, uint64_t h)
{
	struct wide local = { { a, b, c, d, e, f, g, h } };

	for (int i = 0; i < 8; i++)
		local.words[i] += odd_spin(local.words[7 - i]);
	return local.words[a % 8] + realigned((unsigned)h);
}

__attribute__((noinline)) static uint64_t big_frame(unsigned n)
{
	volatile char space[200000];

	space[n % sizeof(space)] = 1;
	return odd_spin(n) + (uint64_t)space[n % sizeof(space)];
}

__attribute__((noinline)) static uint64_t tail_callee(uint64_t n)
{
	return odd_spin(n) ^ 5;
}

__attribute__((noinline)) static uint64_t tail_caller(uint64_t n)
{
	return tail_callee(n + 1); /* a jmp: this frame is gone */
}

__attribute__((noinline)) static uint64_t recursive(unsigned depth)
{
	uint64_t below = depth == 0 ? odd_spin(depth) : recursive(depth - 1);

	return below + odd_spin(below);
}

static int compare_slowly(const void *a, const void *b)
{
	odd_spin(*(const unsigned *)a);
	return *(const unsigned *)a < *(const unsigned *)b ? -1 : 1;
}

static uint64_t callbacks(unsigned n)
{
	unsigned values[16];

	for (unsigned i = 0; i < 16; i++)
		values[i] = (i * 7919 + n) % 101;
	qsort(values, 16, sizeof(values[0]), compare_slowly);
	return values[0];
}

static uint64_t libc_text(unsigned n)
{
	char text[200];
	regex_t regex;
	uint64_t sum = 0;

	snprintf(text, sizeof(text), "%u %.17g %s %x abcabcabcdabc", n, n / 3.0, "words", n);
	if (regcomp(&regex, "(abc)*d[a-c]+$", REG_EXTENDED) == 0) {
		sum = regexec(&regex, text, 0, NULL, 0) == 0;
		regfree(&regex);
	}
	return sum + strlen(text);
}

static uint64_t vdso(void)
{
	struct timespec now;
	uint64_t sum = 0;

	for (int i = 0; i < 20; i++) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		sum += (uint64_t)now.tv_nsec;
	}
	return sum;
}

/*
 * Assembly: cfa and saved registers by DWARF expressions that no compiler writes, rbx as the
 * frame's base, nested remember_state, a saved register or the return address in another register,
 * negative offsets.
 */
uint64_t odd_by_expression(uint64_t n);
uint64_t odd_by_rbx(uint64_t n);
uint64_t odd_in_register(uint64_t n);
uint64_t odd_return_popped(uint64_t n);
uint64_t odd_no_table(uint64_t n);
__asm__(".text\n"
	".type odd_by_expression, @function\n"
	".globl odd_by_expression\n"
	"odd_by_expression:\n"
	"	.cfi_startproc\n"
	"	push %rbp\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset %rbp, -16\n"
	"	push %r12\n"
	"	.cfi_def_cfa_offset 24\n"
	"	.cfi_offset %r12, -24\n"
	"	lea 24(%rsp), %r12\n"
	"	.cfi_def_cfa %r12, 0\n"
	"	and $-256, %rsp\n"
	"	sub $256, %rsp\n"
	"	mov %r12, 8(%rsp)\n"
	/* cfa: breg7 8, deref, lit0, plus, nop; rbp: lit16, minus (the cfa is on the stack) */
	"	.cfi_escape 0x0f, 6, 0x77, 8, 0x06, 0x30, 0x22, 0x96\n"
	"	.cfi_escape 0x10, 6, 2, 0x40, 0x1c\n"
	/* r12: val_expression of nothing but a look at where it is: lit24, minus, deref */
	"	.cfi_escape 0x16, 12, 3, 0x48, 0x1c, 0x06\n"
	"	call odd_spin\n"
	"	mov 8(%rsp), %r12\n"
	"	lea -24(%r12), %rsp\n"
	"	.cfi_def_cfa %rsp, 24\n"
	"	.cfi_offset %rbp, -16\n"
	"	.cfi_offset %r12, -24\n"
	"	pop %r12\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_restore %r12\n"
	"	pop %rbp\n"
	"	.cfi_def_cfa_offset 8\n"
	"	.cfi_restore %rbp\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size odd_by_expression, .-odd_by_expression\n"

	".type odd_by_rbx, @function\n"
	".globl odd_by_rbx\n"
	"odd_by_rbx:\n"
	"	.cfi_startproc\n"
	"	push %rbx\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset %rbx, -16\n"
	"	mov %rsp, %rbx\n"
	"	.cfi_def_cfa_register %rbx\n"
	"	.cfi_remember_state\n"
	"	.cfi_remember_state\n"
	"	and $-64, %rsp\n"
	"	sub $64, %rsp\n"
	"	call odd_spin\n"
	"	.cfi_restore_state\n"
	"	mov %rax, %rdi\n"
	"	call odd_spin\n"
	"	.cfi_restore_state\n"
	"	mov %rbx, %rsp\n"
	"	.cfi_def_cfa_register %rsp\n"
	"	pop %rbx\n"
	"	.cfi_def_cfa_offset 8\n"
	"	.cfi_restore %rbx\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size odd_by_rbx, .-odd_by_rbx\n"

	".type odd_in_register, @function\n"
	".globl odd_in_register\n"
	"odd_in_register:\n"
	"	.cfi_startproc\n"
	"	push %r13\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset %r13, -16\n"
	"	mov %rbp, %r13\n"
	"	.cfi_register %rbp, %r13\n"
	"	mov $1, %ebp\n" /* looks like no frame pointer at all */
	"	call odd_spin\n"
	"	add %rbp, %rax\n"
	"	mov %r13, %rbp\n"
	"	.cfi_same_value %rbp\n"
	"	pop %r13\n"
	"	.cfi_def_cfa_offset 8\n"
	"	.cfi_restore %r13\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size odd_in_register, .-odd_in_register\n"

	/* As _Unwind_Resume ends: the caller's stack pointer is ours, rcx says where it goes on. */
	".type odd_return_popped, @function\n"
	".globl odd_return_popped\n"
	"odd_return_popped:\n"
	"	.cfi_startproc\n"
	"	pop %rcx\n"
	"	.cfi_def_cfa_offset 0\n"
	"	.cfi_register %rip, %rcx\n"
	"	mov %rdi, %rax\n"
	"	mov $400, %edx\n"
	"1:	imul $3, %rax\n"
	"	dec %edx\n"
	"	jnz 1b\n"
	"	jmp *%rcx\n"
	"	.cfi_endproc\n"
	".size odd_return_popped, .-odd_return_popped\n"

	/* Frame pointers, and not a word in .eh_frame. */
	".type odd_no_table, @function\n"
	".globl odd_no_table\n"
	"odd_no_table:\n"
	"	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	sub $32, %rsp\n"
	"	call odd_spin\n"
	"	mov $400, %ecx\n"
	"1:	imul $3, %rax\n"
	"	dec %ecx\n"
	"	jnz 1b\n"
	"	leave\n"
	"	ret\n"
	".size odd_no_table, .-odd_no_table\n");

/* The same in memory that belongs to no file, as a JIT compiler would have it. */
static uint64_t jit(unsigned n)
{
	static const unsigned char code[] = {
		0x55,				       /* push %rbp */
		0x48, 0x89, 0xe5,		       /* mov %rsp, %rbp */
		0x48, 0xb8, 0,	  0, 0, 0, 0, 0, 0, 0, /* mov $odd_spin, %rax */
		0xff, 0xd0,			       /* call *%rax */
		0xc9,				       /* leave */
		0xc3,				       /* ret */
	};
	static uint64_t (*made)(uint64_t);

	if (!made) {
		uint64_t (*target)(uint64_t) = odd_spin;
		unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (page == MAP_FAILED)
			return 0;
		memcpy(page, code, sizeof(code));
		memcpy(page + 6, &target, sizeof(target));
		memcpy(&made, &page, sizeof(made));
	}
	return made(n);
}

static void on_signal(int number)
{
	odd_spin((uint64_t)number);
	recursive(3);
}

static uint64_t signals(void)
{
	raise(SIGUSR1); /* on this stack */
	raise(SIGUSR2); /* on sigaltstack's */
	return 2;
}

static jmp_buf back;

__attribute__((noinline)) static void jump_out(unsigned depth)
{
	odd_spin(depth);
	if (depth > 0)
		jump_out(depth - 1);
	else if (odd_sum != 0)
		longjmp(back, 1);
	odd_spin(depth);
}

static uint64_t jumps(void)
{
	if (setjmp(back) == 0)
		jump_out(10);
	return odd_spin(1);
}

static ucontext_t coroutine, outside;

static void coroutine_body(void)
{
	for (;;) {
		recursive(5);
		swapcontext(&coroutine, &outside);
	}
}

static uint64_t coroutines(void)
{
	static char *stack;

	if (!stack) {
		stack = malloc(STACK_BYTES);
		if (!stack || getcontext(&coroutine) != 0)
			exit(1);
		coroutine.uc_stack.ss_sp = stack;
		coroutine.uc_stack.ss_size = STACK_BYTES;
		coroutine.uc_link = &outside;
		makecontext(&coroutine, coroutine_body, 0);
	}
	swapcontext(&outside, &coroutine);
	return 1;
}

/* The dynamic linker's resolver runs at the first call of each function bound lazily. */
static uint64_t plt(unsigned n)
{
	return (uint64_t)abs((int)n) + (uint64_t)labs((long)n) + (uint64_t)strtol("12", NULL, 10) +
	       (uint64_t)atoi("34") + (uint64_t)getppid();
}

static void prepare(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	stack_t other = { .ss_sp = malloc(STACK_BYTES), .ss_size = STACK_BYTES };

	if (!other.ss_sp || sigaltstack(&other, NULL) != 0)
		exit(1);
	sigaction(SIGUSR1, &action, NULL);
	action.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR2, &action, NULL);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
	struct timespec now, end;
	unsigned rounds = 0;

	prepare();
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)seconds;
	end.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
	do {
		odd_sum += with_alloca(rounds) + realigned(rounds) + big_frame(rounds) +
			   tail_caller(rounds);
		odd_sum += realigned_many(rounds, 1, 2, 3, 4, 5, 6, rounds);
		odd_sum += recursive(40) + callbacks(rounds) + libc_text(rounds) + vdso() +
			   plt(rounds);
		for (unsigned i = 0; i < 20; i++)
			odd_sum += odd_by_expression(i) + odd_by_rbx(i) + odd_in_register(i) +
				   odd_return_popped(i) + odd_no_table(i) + jit(i);
		odd_sum += signals() + jumps() + coroutines();
		rounds++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec ||
		 (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
	printf("rounds %u\n", rounds);
	return 0;
}
