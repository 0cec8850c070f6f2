#include "preload/sigsafe/apart.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unwind.h>

#include "tests/unit/tap.h"

enum { STACK = 256 << 10 };

static char *stack;
static uintptr_t at, seen_below, seen_above;
static const void *got_a, *got_b;
static bool back;

static void map_stack(void)
{
	stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void remember(void *a, const void *b)
{
	got_a = a;
	got_b = b;
	at = (uintptr_t)__builtin_frame_address(0);
}

static void the_function_runs_on_the_other_stack(void)
{
	int x, y;

	map_stack();
	apart_call(remember, &x, &y, stack + STACK);
	CHECK(got_a == &x && got_b == &y);
	CHECK(at > (uintptr_t)stack && at < (uintptr_t)stack + STACK);
	CHECK(at % 16 == 0);
	munmap(stack, STACK);
}

static _Unwind_Reason_Code look(struct _Unwind_Context *context, void *unused)
{
	uintptr_t cfa = _Unwind_GetCFA(context);

	if (cfa > (uintptr_t)stack && cfa <= (uintptr_t)stack + STACK)
		seen_below++;
	else if (cfa > (uintptr_t)unused)
		seen_above++;
	return _URC_NO_REASON;
}

static void walk(void *a, const void *b)
{
	_Unwind_Backtrace(look, a);
}

/* libgcc's way, which exceptions and pthread_cancel go, too. */
static void an_unwinder_finds_the_way_back(void)
{
	map_stack();
	seen_below = seen_above = 0;
	apart_call(walk, __builtin_frame_address(0), NULL, stack + STACK);
	CHECK(seen_below >= 1);
	CHECK(seen_above >= 2); /* this function's caller, and main */
	munmap(stack, STACK);
}

static void tick(int number, siginfo_t *info, void *context)
{
	apart_call(remember, NULL, NULL, stack + STACK);
	back = true;
}

/* The kernel looks at the stack pointer when it begins a handler, and when one returns. */
static void a_handler_on_an_alternate_stack_goes_there_and_back(void)
{
	static char alternate[64 << 10];
	stack_t own = { .ss_sp = alternate, .ss_size = sizeof(alternate) }, before, after;
	struct sigaction action = { .sa_sigaction = tick, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	map_stack();
	sigfillset(&action.sa_mask);
	sigaltstack(&own, &before);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	CHECK(back);
	CHECK(at > (uintptr_t)stack && at < (uintptr_t)stack + STACK);
	CHECK_INT(sigaltstack(&before, &after), 0);
	CHECK(after.ss_sp == alternate && !(after.ss_flags & SS_ONSTACK));
	munmap(stack, STACK);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(the_function_runs_on_the_other_stack),
		TAP_TEST(an_unwinder_finds_the_way_back),
		TAP_TEST(a_handler_on_an_alternate_stack_goes_there_and_back),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
