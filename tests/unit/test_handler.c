#include "preload/sigsafe/handler.h"

#include <fcntl.h>
#include <time.h>
#include <ucontext.h>

#include "tests/unit/tap.h"

enum { CLOCK_ID = 7 };

static char own_stack[4 * HANDLER_STACK] __attribute__((aligned(16))); /* sanitizers take more */
static struct handler_thread thread = { .every = 1,
					.clock_id = CLOCK_ID,
					.mode = HANDLER_NATIVE,
					.own_stack = own_stack + sizeof(own_stack) };
static int passed_on;

static void foreign(int number, siginfo_t *info, void *context)
{
	passed_on++;
}

static void begin(void)
{
	struct stacks *target = stacks_new(NULL, 0);

	stacks_reset(target, 1);
	thread.target = target;
	thread.ended_ns = 0;
	handler_self = &thread;
	handler_foreign = foreign;
}

static void end(void)
{
	handler_self = NULL;
	stacks_free(thread.target);
	thread.target = NULL;
}

static void tick(int clock_id)
{
	siginfo_t info = { .si_code = POLL_IN };
	ucontext_t context;

	info.si_fd = clock_id;
	getcontext(&context);
	handler_tick(50, &info, &context);
}

/* Longer than any backlog stands: the machine may stop in between, never the other way round. */
static void later(void)
{
	struct timespec wait = { 0, 1000000 };

	nanosleep(&wait, NULL);
}

static void a_tick_is_a_sample(void)
{
	begin();
	for (int i = 0; i < 3; i++) {
		later();
		tick(CLOCK_ID);
	}
	CHECK_INT(thread.target->n_samples, 3);
	CHECK_INT(thread.target->nested, 0);
	end();
}

/* A machine that stops between two ticks makes the second one new; it does not do so every time. */
static void ticks_that_queued_up_meanwhile_are_not_walked(void)
{
	enum { TURNS = 50 };

	begin();
	for (int i = 0; i < TURNS; i++) {
		later();
		tick(CLOCK_ID);
		tick(CLOCK_ID); /* one more is walked */
		tick(CLOCK_ID);
	}
	CHECK_INT(thread.target->n_samples + thread.target->nested, 3 * TURNS);
	CHECK(thread.target->nested > TURNS / 2);
	end();
}

static void a_signal_of_another_clock_is_the_hosts(void)
{
	uint64_t before = thread.foreign;

	begin();
	later();
	tick(CLOCK_ID + 1);
	CHECK_INT(passed_on, 1);
	CHECK_INT(thread.foreign, before + 1);
	CHECK_INT(thread.target->n_samples, 0);
	end();
}

static void a_late_tick_finds_nobody(void)
{
	struct stacks *target;

	begin();
	target = thread.target;
	thread.target = NULL;
	tick(CLOCK_ID);
	CHECK_INT(thread.late, 1);
	thread.target = target;
	end();
}

static int idle_calls;

static void idle(struct handler_thread *self)
{
	idle_calls++;
	self->left_running = false;
}

static void a_clock_left_running_is_stopped_by_idle_ticks(void)
{
	struct stacks *target;
	uint64_t late = thread.late;

	begin();
	handler_idle = idle;
	thread.left_running = true;
	target = thread.target;
	thread.target = NULL;
	for (int i = 0; i < HANDLER_IDLE_MAX - 1; i++)
		tick(CLOCK_ID);
	CHECK_INT(idle_calls, 0);
	thread.target = target;
	later();
	tick(CLOCK_ID); /* a sample: the thread does work for requests */
	thread.target = NULL;
	for (int i = 0; i < HANDLER_IDLE_MAX - 1; i++)
		tick(CLOCK_ID);
	CHECK_INT(idle_calls, 0);
	tick(CLOCK_ID);
	CHECK_INT(idle_calls, 1);
	CHECK_INT(thread.late, late);
	tick(CLOCK_ID); /* one that was on its way */
	CHECK_INT(idle_calls, 1);
	CHECK_INT(thread.late, late + 1);
	thread.target = target;
	CHECK_INT(thread.target->n_samples, 1);
	end();
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(a_tick_is_a_sample),
		TAP_TEST(ticks_that_queued_up_meanwhile_are_not_walked),
		TAP_TEST(a_signal_of_another_clock_is_the_hosts),
		TAP_TEST(a_late_tick_finds_nobody),
		TAP_TEST(a_clock_left_running_is_stopped_by_idle_ticks),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
