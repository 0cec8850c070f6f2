/*
 * The walk itself: return addresses known otherwise, libunwind's opinion, stacks of all kinds, wild
 * registers.
 */
#include "preload/sigsafe/unwind.h"

#include <alloca.h>
#include <dlfcn.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "preload/sigsafe/raw.h"
#include "preload/sigsafe/unwind_code.h"
#include "tests/unit/tap.h"

enum {
	DEPTH = UNWIND_MAX,
	SAMPLE_SIGNAL = 44,
	SAMPLES = 3000,
	LIBUNWIND_RIP = 16,
	LIBUNWIND_INIT_SIGNAL_FRAME = 1,
	STACK_BYTES = 512 * 1024,
};

/* The registers as they are here, with pc inside the caller: no function call in between. */
#define CAPTURE(registers)                         \
	__asm__ volatile("lea 0(%%rip), %%rax\n\t" \
			 "mov %%rax, 0(%0)\n\t"    \
			 "mov %%rbx, 32(%0)\n\t"   \
			 "mov %%rbp, 56(%0)\n\t"   \
			 "mov %%rsp, 64(%0)\n\t"   \
			 "mov %%r12, 104(%0)\n\t"  \
			 "mov %%r13, 112(%0)\n\t"  \
			 "mov %%r14, 120(%0)\n\t"  \
			 "mov %%r15, 128(%0)\n\t"  \
			 :                         \
			 : "r"(registers)          \
			 : "rax", "memory")

static struct unwind_frame frames[DEPTH];
static size_t frame_count;
static enum unwind_end frame_end;
static uintptr_t return_addresses[8];

__attribute__((noinline)) static void walk_here(const struct unwind_registers *registers)
{
	const struct module_table *table = modules_acquire();

	frame_count =
		unwind_stack(table, registers, registers->r[7] - 128, 0, frames, DEPTH, &frame_end);
	modules_release(table);
}

#define RETURN_ADDRESS() ((uintptr_t)__builtin_return_address(0))

__attribute__((noinline)) static int innermost(int n)
{
	struct unwind_registers registers = { 0 };

	return_addresses[0] = RETURN_ADDRESS();
	CAPTURE(&registers);
	walk_here(&registers);
	return n + (int)frame_count;
}

__attribute__((noinline)) static int with_alloca(int n)
{
	volatile char *space = alloca((size_t)n * 16 + 64);

	space[0] = (char)n;
	return_addresses[1] = RETURN_ADDRESS();
	return innermost(n) + space[0];
}

__attribute__((noinline)) static int realigned(int n)
{
	_Alignas(128) volatile char local[256];

	local[n % 256] = (char)n;
	return_addresses[2] = RETURN_ADDRESS();
	return with_alloca(n) + local[n % 256];
}

__attribute__((noinline)) static int plain(int n)
{
	return_addresses[3] = RETURN_ADDRESS();
	return realigned(n) + n;
}

static void return_addresses_are_found_in_order(void)
{
	for (int n = 0; n < 200; n += 7) {
		plain(n);
		CHECK_INT(frame_end, UNWIND_COMPLETE);
		CHECK(frame_count > 5);
		CHECK(frames[0].exact && !frames[1].exact);
		for (size_t i = 0; i < 4; i++)
			CHECK(frames[i + 1].pc == return_addresses[i]);
		for (size_t i = 1; i < frame_count; i++)
			CHECK(frames[i].cfa > frames[i - 1].cfa);
	}
}

/* ---- libunwind's opinion ---- */

static struct {
	int (*init_local2)(void *cursor, void *context, int flags);
	int (*step)(void *cursor);
	int (*get_reg)(void *cursor, int reg, uintptr_t *value);
	const struct module_table *table;
	struct unwind_memo memo;
	volatile int samples;
	int equal, longer, different, complete, unlike_again;
} oracle;

static void registers_of(const ucontext_t *context, struct unwind_registers *registers)
{
	static const int order[16] = {
		REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP,
		REG_R8,	 REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
	};

	for (int i = 0; i < 16; i++)
		registers->r[i] = (uintptr_t)context->uc_mcontext.gregs[order[i]];
	registers->pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
}

static size_t walk_theirs(ucontext_t *context, uintptr_t *pcs)
{
	static unsigned char cursor[8192] __attribute__((aligned(16)));
	size_t n = 0;

	if (oracle.init_local2(cursor, context, LIBUNWIND_INIT_SIGNAL_FRAME) < 0)
		return 0;
	do {
		if (oracle.get_reg(cursor, LIBUNWIND_RIP, &pcs[n]) < 0 || pcs[n] == 0)
			break;
		n++;
	} while (oracle.step(cursor) > 0 && n < DEPTH);
	return n;
}

static void on_sample(int number, siginfo_t *info, void *context)
{
	static struct unwind_frame ours[DEPTH], again[DEPTH];
	static uintptr_t theirs[DEPTH];
	struct unwind_registers registers;
	enum unwind_end end, end_again;
	size_t n, m, same = 0;

	registers_of(context, &registers);
	if (oracle.samples % 200 == 0)
		unwind_forget();
	n = unwind_stack(oracle.table, &registers, registers.r[7] - 128, 0, ours, DEPTH, &end);
	m = unwind_stack_again(&oracle.memo, oracle.table, &registers, registers.r[7] - 128, 0,
			       again, DEPTH, &end_again);
	oracle.unlike_again += n != m || end != end_again;
	for (size_t i = 0; i < n && i < m; i++)
		oracle.unlike_again += ours[i].pc != again[i].pc || ours[i].cfa != again[i].cfa ||
				       ours[i].exact != again[i].exact;
	m = walk_theirs(context, theirs);
	while (same < n && same < m && ours[same].pc == theirs[same])
		same++;
	oracle.equal += same == n && same == m;
	oracle.longer += same == m && n > m;
	oracle.different += same < m;
	oracle.complete += end == UNWIND_COMPLETE;
	oracle.samples++;
}

static volatile uint64_t sum;

static int compare_slowly(const void *a, const void *b)
{
	for (int i = 0; i < 50; i++)
		sum = sum * 31 + *(const unsigned *)a;
	return *(const unsigned *)a < *(const unsigned *)b ? -1 : 1;
}

__attribute__((noinline)) static uint64_t recurse(unsigned depth)
{
	volatile char space[100];

	space[depth % 100] = (char)depth;
	if (depth > 0)
		sum += recurse(depth - 1);
	for (int i = 0; i < 200; i++)
		sum = sum * 33 + (uint64_t)space[depth % 100];
	return sum;
}

static void on_user_signal(int number)
{
	recurse(10);
}

static void work(void)
{
	unsigned values[64];
	char text[300];
	regex_t regex;
	struct timespec now;

	for (unsigned i = 0; i < 64; i++)
		values[i] = i * 7919 % 101;
	qsort(values, 64, sizeof(values[0]), compare_slowly);
	for (unsigned i = 0; i < 20; i++)
		snprintf(text, sizeof(text), "%u %.17g %s %x abcabcabcdabc", i, i / 3.0, "words",
			 values[i]);
	if (regcomp(&regex, "(abc)*d[a-c]+$", REG_EXTENDED) == 0) {
		sum += regexec(&regex, text, 0, NULL, 0) == 0;
		regfree(&regex);
	}
	recurse(60);
	for (int i = 0; i < 100; i++)
		clock_gettime(CLOCK_MONOTONIC, &now);
	raise(SIGUSR1);
	raise(SIGUSR2);
	sum += (uint64_t)with_alloca(3) + (uint64_t)realigned(5);
}

static void samples_agree_with_libunwind(void)
{
	struct sigaction action = { .sa_sigaction = on_sample,
				    .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction user = { .sa_handler = on_user_signal };
	struct itimerspec each = { .it_interval.tv_nsec = 300000, .it_value.tv_nsec = 300000 };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SAMPLE_SIGNAL };
	stack_t other = { .ss_sp = malloc(STACK_BYTES), .ss_size = STACK_BYTES };
	void *libunwind = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
	timer_t timer;

	CHECK(libunwind != NULL); /* Debian: libunwind8 */
	if (!libunwind)
		return;
	*(void **)&oracle.init_local2 = dlsym(libunwind, "_ULx86_64_init_local2");
	*(void **)&oracle.step = dlsym(libunwind, "_ULx86_64_step");
	*(void **)&oracle.get_reg = dlsym(libunwind, "_ULx86_64_get_reg");
	modules_refresh();
	oracle.table = modules_acquire();
	sigfillset(&action.sa_mask);
	sigaction(SAMPLE_SIGNAL, &action, NULL);
	sigaltstack(&other, NULL);
	sigaction(SIGUSR1, &user, NULL);
	user.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR2, &user, NULL);
	CHECK_INT(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	timer_settime(timer, 0, &each, NULL);
	while (oracle.samples < SAMPLES)
		work();
	timer_delete(timer);
	other.ss_flags = SS_DISABLE;
	sigaltstack(&other, NULL);
	free(other.ss_sp);
	modules_release(oracle.table);
	printf("# %d samples: %d equal, %d where libunwind stopped early\n", oracle.samples,
	       oracle.equal, oracle.longer);
	CHECK_INT(oracle.different, 0);
	CHECK_INT(oracle.unlike_again, 0);
	CHECK(oracle.equal * 1000 > oracle.samples * 995);
	CHECK_INT(oracle.complete, oracle.samples);
}

/* ---- stacks of other kinds ---- */

static int exact_frames(void)
{
	int count = 0;

	for (size_t i = 0; i < frame_count; i++)
		count += frames[i].exact;
	return count;
}

static bool has_frame(uintptr_t pc)
{
	for (size_t i = 0; i < frame_count; i++) {
		if (frames[i].pc == pc)
			return true;
	}
	return false;
}

static void walk_in_handler(int number)
{
	plain(2);
}

static void signal_is_crossed(int flags)
{
	struct sigaction action = { .sa_handler = walk_in_handler, .sa_flags = flags };
	struct sigaction before;

	sigaction(SIGUSR1, &action, &before);
	raise(SIGUSR1);
	sigaction(SIGUSR1, &before, NULL);
	CHECK_INT(frame_end, UNWIND_COMPLETE);
	CHECK_INT(exact_frames(), 2); /* where we are, and where the signal came */
	for (size_t i = 0; i < 4; i++)
		CHECK(has_frame(return_addresses[i]));
}

static void a_signal_on_this_stack_is_crossed(void)
{
	signal_is_crossed(0);
}

static void a_signal_on_another_stack_is_crossed(void)
{
	stack_t other = { .ss_sp = malloc(STACK_BYTES), .ss_size = STACK_BYTES };

	CHECK_INT(sigaltstack(&other, NULL), 0);
	signal_is_crossed(SA_ONSTACK);
	CHECK(frames[1].cfa >= (uintptr_t)other.ss_sp &&
	      frames[1].cfa < (uintptr_t)other.ss_sp + STACK_BYTES);
	CHECK(frames[frame_count - 1].cfa > (uintptr_t)&other);
	other.ss_flags = SS_DISABLE;
	sigaltstack(&other, NULL);
	free(other.ss_sp);
}

static ucontext_t coroutine, outside;

static void coroutine_body(void)
{
	return_addresses[4] = RETURN_ADDRESS();
	plain(1);
}

static void a_stack_made_by_makecontext_ends_complete(void)
{
	char *stack = malloc(STACK_BYTES);

	getcontext(&coroutine);
	coroutine.uc_stack.ss_sp = stack;
	coroutine.uc_stack.ss_size = STACK_BYTES;
	coroutine.uc_link = &outside;
	makecontext(&coroutine, coroutine_body, 0);
	swapcontext(&outside, &coroutine);
	CHECK_INT(frame_end, UNWIND_COMPLETE);
	CHECK_INT(frame_count, 6);
	CHECK(frames[5].pc == return_addresses[4]);
	free(stack);
}

static void *thread_body(void *nothing)
{
	plain(1);
	return nothing;
}

static void a_thread_s_stack_ends_complete(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, thread_body, NULL);
	pthread_join(thread, NULL);
	CHECK_INT(frame_end, UNWIND_COMPLETE);
	CHECK(frame_count >= 6);
}

/* push %rbp; mov %rsp, %rbp; mov $target, %rax; call *%rax; leave; ret */
static void code_without_a_table_is_crossed_by_frame_pointers(void)
{
	static const unsigned char code[] = {
		0x55, 0x48, 0x89, 0xe5, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xd0, 0xc9, 0xc3
	};
	unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int (*target)(int) = plain, (*made)(int);
	uintptr_t after_call = (uintptr_t)page + 16;

	memcpy(page, code, sizeof(code));
	memcpy(page + 6, &target, sizeof(target));
	memcpy(&made, &page, sizeof(made));
	made(4);
	CHECK_INT(frame_end, UNWIND_COMPLETE);
	CHECK(has_frame(after_call));
	CHECK(frame_count > 7);
	munmap(page, 4096);
	unwind_forget();
}

static void walk_from_trap(int number, siginfo_t *info, void *context)
{
	struct unwind_registers registers;

	registers_of(context, &registers);
	walk_here(&registers);
}

/* push %rbp; push %rbx; mov $1, %ebp; sub $24, %rsp; int3; add $24, %rsp; pop %rbx; pop %rbp; ret */
static void generated_code_without_frame_pointers_is_crossed_by_its_indirect_call(void)
{
	static const unsigned char code[] = { 0x55, 0x53, 0xbd, 1,    0,    0,	  0,
					      0x48, 0x83, 0xec, 0x18, 0xcc, 0x48, 0x83,
					      0xc4, 0x18, 0x5b, 0x5d, 0xc3 };
	struct sigaction action = { .sa_sigaction = walk_from_trap, .sa_flags = SA_SIGINFO };
	struct sigaction before;
	unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t here =
		(uintptr_t)generated_code_without_frame_pointers_is_crossed_by_its_indirect_call;
	void (*volatile made)(void);

	memcpy(page, code, sizeof(code));
	made = (void (*)(void))(uintptr_t)page;
	sigaction(SIGTRAP, &action, &before);
	made();
	sigaction(SIGTRAP, &before, NULL);
	/* (Here, compiled with frame pointers, nothing tells where the caller's was saved.) */
	CHECK(frames[0].pc == (uintptr_t)page + 12);
	CHECK(frame_count > 1 && frames[1].pc - here < 1024);
	munmap(page, 4096);
	unwind_forget();
}

__attribute__((noinline)) static int deep(int n)
{
	return n == 0 ? innermost(n) : deep(n - 1) + 1;
}

static void a_deep_stack_is_cut_and_says_so(void)
{
	deep(DEPTH + 10);
	CHECK_INT(frame_end, UNWIND_TOO_DEEP);
	CHECK_INT(frame_count, DEPTH);
	deep(DEPTH - 30);
	CHECK_INT(frame_end, UNWIND_COMPLETE);
}

__attribute__((noinline)) static void check_limits(void)
{
	struct unwind_registers registers = { 0 };
	const struct module_table *table = modules_acquire();
	uintptr_t sp;
	size_t n;

	CAPTURE(&registers);
	sp = registers.r[7];
	n = unwind_stack(NULL, &registers, sp, 0, frames, DEPTH, &frame_end);
	CHECK_INT(n, 1);
	CHECK_INT(frame_end, UNWIND_NO_MODULE);
	CHECK(frames[0].pc == registers.pc && frames[0].cfa == 0);
	n = unwind_stack(table, &registers, sp, 0, frames, 2, &frame_end);
	CHECK_INT(n, 2);
	CHECK_INT(frame_end, UNWIND_TOO_DEEP);
	CHECK(frames[0].cfa > sp);
	/* The second frame would lie above what we say is the stack's end. */
	n = unwind_stack(table, &registers, sp, frames[0].cfa, frames, DEPTH, &frame_end);
	CHECK_INT(n, 2);
	CHECK_INT(frame_end, UNWIND_BAD_STACK);
	CHECK(frames[1].cfa == 0);
	/* A stack that is not where we are: its end does not matter. */
	unwind_stack(table, &registers, 4096, 8192, frames, DEPTH, &frame_end);
	CHECK_INT(frame_end, UNWIND_COMPLETE);
	modules_release(table);
}

static void limits_are_kept(void)
{
	check_limits();
}

static uint64_t random_state = 88172645463325252ULL;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/*
 * Registers of no program: pcs anywhere in the modules, stack pointers at stacks, at code, at
 * nothing.
 */
static void wild_registers_are_survived(void)
{
	const struct module_table *table = modules_acquire();
	struct unwind_registers registers;
	char local[4096];
	unsigned ends[UNWIND_ENDS] = { 0 };

	memset(local, 0x41, sizeof(local));
	for (int i = 0; i < 200000; i++) {
		const struct module *m = &table->modules[random_next() % table->count];

		registers.pc = m->start + random_next() % (m->end - m->start);
		for (int j = 0; j < 16; j++) {
			switch (random_next() % 4) {
			case 0:
				registers.r[j] = (uintptr_t)local + random_next() % 8192;
				break;
			case 1:
				registers.r[j] =
					((uintptr_t)local + random_next() % 8192) & ~(uintptr_t)7;
				break;
			case 2:
				registers.r[j] = m->start + random_next() % (m->end - m->start);
				break;
			default:
				registers.r[j] = random_next() >> random_next() % 64;
			}
		}
		frame_count = unwind_stack(table, &registers, registers.r[7] - 128,
					   random_next() % 2 ? (uintptr_t)local + 8192 : 0, frames,
					   DEPTH, &frame_end);
		if (frame_count < 1 || frame_count > DEPTH || frame_end >= UNWIND_ENDS) {
			CHECK(!"an impossible result");
			break;
		}
		ends[frame_end]++;
	}
	printf("# complete %u, no module %u, no rule %u, bad stack %u, too deep %u\n", ends[0],
	       ends[1], ends[2], ends[3], ends[4]);
	modules_release(table);
}

/* At a function's first instruction, with `word` where its return address should be. */
static void walk_from_entry(uintptr_t word)
{
	uintptr_t stack[64] = { word };
	struct unwind_registers registers = { .pc = (uintptr_t)wild_registers_are_survived };

	registers.r[7] = (uintptr_t)stack;
	walk_here(&registers);
}

/* What a coroutine's library leaves there, and what is left of a stack that was cut or overwritten. */
static void no_frame_is_where_no_code_can_be(void)
{
	static const uintptr_t spoilt[] = { 1UL << 47, 1UL << 57, 0x2020202020202020, UINT64_MAX };

	unwind_forget();
	for (size_t i = 0; i < sizeof(spoilt) / sizeof(*spoilt); i++) {
		walk_from_entry(spoilt[i]);
		CHECK_INT(frame_count, 1);
		CHECK_INT(frame_end, UNWIND_BAD_STACK);
	}
	for (uintptr_t word = 0; word < 4096; word += word < 3 ? 1 : 1000) {
		walk_from_entry(word);
		CHECK_INT(frame_count, 1);
		CHECK_INT(frame_end, word == 0 ? UNWIND_COMPLETE : UNWIND_BAD_STACK);
	}
}

static void calls_are_told_from_other_code(void)
{
	static const struct {
		unsigned char bytes[8];
		bool is_call;
	} cases[] = {
		{ { 0x90, 0x90, 0xe8, 1, 2, 3, 4 }, true },		 /* call rel32 */
		{ { 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xd0 }, true },	 /* call *%rax */
		{ { 0x90, 0x90, 0x90, 0x90, 0x41, 0xff, 0xd2 }, true },	 /* call *%r10 */
		{ { 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0x13 }, true },	 /* call *(%rbx) */
		{ { 0x90, 0x90, 0x90, 0x90, 0xff, 0x50, 0x20 }, true },	 /* call *32(%rax) */
		{ { 0x90, 0x90, 0x90, 0xff, 0x54, 0x24, 0x08 }, true },	 /* call *8(%rsp) */
		{ { 0x90, 0xff, 0x15, 1, 2, 3, 0x01 }, true },		 /* call *x(%rip) */
		{ { 0x90, 0xff, 0x93, 1, 2, 3, 0x01 }, true },		 /* call *x(%rbx) */
		{ { 0xff, 0x94, 0x24, 1, 2, 3, 0x01 }, true },		 /* call *x(%rsp) */
		{ { 0x90, 0x90, 0xe9, 1, 2, 3, 4 }, false },		 /* jmp */
		{ { 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xe0 }, false }, /* jmp *%rax */
		{ { 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xf0 }, false }, /* push %rax */
		{ { 0x90, 0xff, 0x25, 1, 2, 3, 0x01 }, false },		 /* jmp *x(%rip) */
		{ { 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90 }, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uintptr_t end = (uintptr_t)cases[i].bytes + 7;

		CHECK(unwind_code_after_call(end) == cases[i].is_call);
		CHECK(unwind_code_after_indirect_call(end) == (cases[i].is_call && i > 0));
	}
	CHECK(!unwind_code_after_call(3));
	CHECK(!unwind_code_after_call(0x100));
	CHECK(!unwind_code_after_call(UINTPTR_MAX));
}

static void the_first_and_last_instructions_of_a_function_are_known(void)
{
	static const struct {
		unsigned char bytes[8]; /* the pc is at the second */
		int at;
	} cases[] = {
		{ { 0x90, 0xc3 }, 0 },					/* ret */
		{ { 0x90, 0xf3, 0xc3 }, 0 },				/* rep ret */
		{ { 0x90, 0xc2, 8, 0 }, 0 },				/* ret $8 */
		{ { 0x90, 0x55 }, 0 },					/* push %rbp */
		{ { 0x90, 0xf3, 0x0f, 0x1e, 0xfa, 0x55 }, 0 },		/* endbr64; push %rbp */
		{ { 0x55, 0x48, 0x89, 0xe5 }, 8 },			/* behind it: mov %rsp, %rbp */
		{ { 0x90, 0x48, 0x83, 0xec, 0x08 }, 0 },		/* sub $8, %rsp */
		{ { 0x90, 0x48, 0x81, 0xec, 0x00, 0x01, 0, 0 }, 0 },	/* sub $256, %rsp */
		{ { 0x90, 0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x83, 0xec }, 0 }, /* endbr64; sub $x, %rsp */
		{ { 0x90, 0xff, 0x25, 1, 2, 3, 4 }, 0 },		/* jmp *x(%rip) */
		{ { 0x90, 0xf3, 0x0f, 0x1e, 0xfa, 0xf2, 0xff, 0x25 }, 0 }, /* endbr64; bnd jmp *x(%rip) */
		{ { 0x90, 0x48, 0x83, 0xc4, 0x08 }, -1 },		/* add $8, %rsp */
		{ { 0x90, 0x48, 0x89, 0xe5 }, -1 },			/* mov %rsp, %rbp, behind anything */
		{ { 0x90, 0xff, 0xe0 }, -1 },				/* jmp *%rax */
		{ { 0x90, 0x90 }, -1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_INT(unwind_code_return_address((uintptr_t)cases[i].bytes + 1), cases[i].at);
	CHECK_INT(unwind_code_return_address(0x100), -1);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(return_addresses_are_found_in_order),
		TAP_TEST(a_signal_on_this_stack_is_crossed),
		TAP_TEST(a_signal_on_another_stack_is_crossed),
		TAP_TEST(a_stack_made_by_makecontext_ends_complete),
		TAP_TEST(a_thread_s_stack_ends_complete),
		TAP_TEST(code_without_a_table_is_crossed_by_frame_pointers),
		TAP_TEST(generated_code_without_frame_pointers_is_crossed_by_its_indirect_call),
		TAP_TEST(a_deep_stack_is_cut_and_says_so),
		TAP_TEST(limits_are_kept),
		TAP_TEST(wild_registers_are_survived),
		TAP_TEST(no_frame_is_where_no_code_can_be),
		TAP_TEST(calls_are_told_from_other_code),
		TAP_TEST(the_first_and_last_instructions_of_a_function_are_known),
		TAP_TEST(samples_agree_with_libunwind),
	};

	modules_refresh();
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
