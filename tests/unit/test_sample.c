#include "preload/sample/sample.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/sample/libc.h"
#include "tests/unit/tap.h"

int (*libc_sigaction)(int number, const struct sigaction *action,
		      struct sigaction *old) = sigaction;

/* What ends a process that writes so far below the end of the stack that samples are taken on. 0: nothing does. */
static int writing_below(size_t bytes)
{
	const struct sample_settings settings = { .rate = 997, .signal = 50 };
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		struct sample_thread *thread;
		bool made;

		/* No sanitizer's report: the fault itself is what is looked for. */
		signal(SIGSEGV, SIG_DFL);
		thread = sample_thread_get(&settings, &made);
		if (!thread || !made)
			_exit(1);
		*((volatile char *)thread->handler.own_stack - bytes) = 1;
		_exit(0);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? WTERMSIG(status) : status;
}

static void the_stack_of_samples_can_be_used_to_its_last_byte(void)
{
	CHECK_INT(writing_below(1), 0);
	CHECK_INT(writing_below(HANDLER_STACK), 0);
}

static void growing_out_of_the_stack_of_samples_is_stopped(void)
{
	CHECK_INT(writing_below(HANDLER_STACK + 1), SIGSEGV);
	CHECK_INT(writing_below(HANDLER_STACK + 4096), SIGSEGV);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(the_stack_of_samples_can_be_used_to_its_last_byte),
		TAP_TEST(growing_out_of_the_stack_of_samples_is_stopped),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
