/*
 * Actions and masks as the host sets them, reads them back, and feels them. See conform.h. Signal 50 is
 * the one that the library prefers for its own.
 */
#include "tests/programs/conform.h"

#include <setjmp.h>
#include <sys/signalfd.h>
#include <ucontext.h>

enum { OURS = 50 };

sighandler_t bsd_signal(int, sighandler_t);
sighandler_t ssignal(int, sighandler_t);
sighandler_t __sysv_signal(int, sighandler_t);
sighandler_t sysv_signal(int, sighandler_t);
int __sigaction(int, const struct sigaction *, struct sigaction *);

static volatile sig_atomic_t calls;
static volatile long with_value;

static void handler(int number)
{
	(void)number;
	calls++;
}

static void value_handler(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	calls++;
	with_value = info->si_code * 1000 + info->si_value.sival_int;
}

static void say_mask(const char *what, const sigset_t *mask)
{
	say("  %s:", what);
	for (int number = 1; number <= 64; number++)
		if (sigismember(mask, number) == 1)
			say(" %d", number);
	say("\n");
}

static void say_now(const char *what)
{
	sigset_t now;

	burn(1);
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	say_mask(what, &now);
}

static void say_action(int number)
{
	struct sigaction now;
	sigset_t unused;

	sigemptyset(&unused);
	if (sigaction(number, NULL, &now)) {
		say("  %d: %s\n", number, strerror(errno));
		return;
	}
	say("  %d: %s flags %x\n", number,
	    now.sa_handler == SIG_DFL		? "default"
	    : now.sa_handler == SIG_IGN		? "ignored"
	    : now.sa_handler == handler		? "handler"
	    : now.sa_sigaction == value_handler ? "value handler"
						: "strange",
	    (unsigned)now.sa_flags);
	say_mask("its mask", &now.sa_mask);
}

static void mask(int how, int number)
{
	sigset_t set;

	if (number == 0)
		sigfillset(&set);
	else
		sigemptyset(&set);
	if (number > 0)
		sigaddset(&set, number);
	pthread_sigmask(how, &set, NULL);
}
enum { ALL = 0, NONE = -1 };

static void actions(void)
{
	static const int numbers[] = { SIGUSR1, SIGIO, 34, 49, OURS, 51, 64 };
	struct sigaction action, old;

#define SETTING(name, ...)                                                          \
	do {                                                                        \
		CASE(name)                                                          \
		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) { \
			int number = numbers[i];                                    \
                                                                                    \
			show("set", __VA_ARGS__);                                   \
			say_action(number);                                         \
			burn(1);                                                    \
			raise(number);                                              \
			say("  calls %d\n", (int)calls);                            \
			say_action(number);                                         \
			signal(number, SIG_DFL);                                    \
			say_action(number);                                         \
		}                                                                   \
	} while (0)
	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	SETTING(sigaction, sigaction(number, &action, &old));
	action.sa_flags = SA_RESTART | SA_ONSTACK | SA_NODEFER;
	sigaddset(&action.sa_mask, 12);
	SETTING(sigaction, sigaction(number, &action, &old));
	action.sa_flags = SA_SIGINFO | SA_RESETHAND;
	action.sa_sigaction = value_handler;
	sigfillset(&action.sa_mask);
	SETTING(__sigaction, __sigaction(number, &action, &old));
	SETTING(signal, signal(number, handler));
	SETTING(bsd_signal, bsd_signal(number, handler));
	SETTING(ssignal, ssignal(number, handler));
	SETTING(sysv_signal, sysv_signal(number, handler));
	SETTING(__sysv_signal, __sysv_signal(number, handler));
	SETTING(sigset, sigset(number, handler));
	SETTING(sigignore, sigignore(number));
	SETTING(siginterrupt, (signal(number, handler), siginterrupt(number, 1)));
	SETTING(siginterrupt, (siginterrupt(number, 0), signal(number, handler)));
	siginterrupt(OURS, 0);

	CASE(sigaction)
	show("number 0", sigaction(0, &action, NULL));
	show("number 32", sigaction(32, &action, NULL));
	show("number 65", sigaction(65, &action, NULL));
	show("SIGKILL", sigaction(SIGKILL, &action, NULL));
	CASE(signal)
	show("number 0", signal(0, handler) == SIG_ERR);
	show("number 50, SIG_ERR", signal(OURS, SIG_ERR) == SIG_ERR);
	CASE(sigset)
	show("hold", sigset(OURS, SIG_HOLD) == SIG_HOLD);
	say_now("now");
	show("was held", sigset(OURS, SIG_DFL) == SIG_HOLD);
	say_now("now");
	CASE(sighold)
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		show("hold", sighold(numbers[i]));
		say_now("now");
	}
	CASE(sigrelse)
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		show("release", sigrelse(numbers[i]));
		say_now("now");
	}
	CASE(sigignore)
	show("number 0", sigignore(0));
	CASE(siginterrupt)
	show("number 0", siginterrupt(0, 1));
}

/* Every signal to one action and back, as libraries do between fork and exec, but here and now. */
static void all_actions(void)
{
	static struct sigaction before[65];
	static sighandler_t const to[] = { SIG_DFL, SIG_IGN, handler, SIG_DFL };
	int wrong;

	CASE(sigaction)
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		struct sigaction action = { .sa_handler = to[i] }, old;

		wrong = 0;
		for (int number = 1; number <= 64; number++)
			if (number != SIGINT && number != SIGTERM && number != SIGKILL &&
			    number != SIGSTOP && number != 32 && number != 33)
				wrong += sigaction(number, &action, i ? &old : &before[number]) !=
						 0 ||
					 (i && old.sa_handler != to[i - 1]);
		burn(5);
		say("  wrong: %d\n", wrong);
	}
	for (int number = 1; number <= 64; number++)
		if (before[number].sa_handler != SIG_DFL)
			sigaction(number, &before[number], NULL);
}

static void masks(void)
{
	sigset_t set, old;

#define MASKING(name)                                                     \
	do {                                                              \
		CASE(name)                                                \
		sigfillset(&set);                                         \
		show("all", name(SIG_SETMASK, &set, &old));               \
		say_mask("before", &old);                                 \
		say_now("now");                                           \
		sigemptyset(&set);                                        \
		sigaddset(&set, OURS);                                    \
		sigaddset(&set, 12);                                      \
		show("unblock 12 and 50", name(SIG_UNBLOCK, &set, &old)); \
		say_mask("before", &old);                                 \
		say_now("now");                                           \
		show("block 12 and 50", name(SIG_BLOCK, &set, &old));     \
		say_now("now");                                           \
		show("only 12 and 50", name(SIG_SETMASK, &set, &old));    \
		say_mask("before", &old);                                 \
		say_now("now");                                           \
		show("bad how", name(17, &set, &old));                    \
		show("bad how without a set", name(17, NULL, NULL));      \
		say_now("now");                                           \
		sigemptyset(&set);                                        \
		show("none", name(SIG_SETMASK, &set, &set));              \
		say_mask("before, in the same place", &set);              \
		say_now("now");                                           \
	} while (0)
	MASKING(sigprocmask);
	MASKING(pthread_sigmask);
}

static void *thread_says(void *arg)
{
	say_now("a new thread's, before a request");
	request_resume();
	say_now("a new thread's, in one");
	if (arg) {
		mask(SIG_UNBLOCK, OURS);
		say_now("without 50");
		mask(SIG_BLOCK, OURS);
		say_now("with 50");
		mask(SIG_SETMASK, NONE);
		say_now("none");
	}
	return NULL;
}

static void *thread_sets(void *arg)
{
	(void)arg;
	mask(SIG_UNBLOCK, OURS);
	say_now("all but 50, before a request");
	request_resume();
	say_now("all but 50, in one");
	mask(SIG_SETMASK, OURS);
	say_now("only 50");
	return NULL;
}

static void in_thread(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, arg))
		fatal("pthread_create");
	pthread_join(thread, NULL);
}

static void masks_of_threads(void)
{
	CASE(pthread_sigmask)
	mask(SIG_SETMASK, ALL);
	in_thread(thread_says, NULL);
	in_thread(thread_says, &request_server);
	in_thread(thread_sets, NULL);
	mask(SIG_SETMASK, NONE);
	in_thread(thread_says, &request_server);
	mask(SIG_SETMASK, OURS);
	say_now("only 50");
	mask(SIG_SETMASK, NONE);
}

/* ---- masks that change without a call: in handlers, after them, by jumps */

static sigjmp_buf jump;
static int in_handler_sets;

static void handler_with_masks(int number, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;
	sigset_t from = interrupted->uc_sigmask;

	(void)number;
	(void)info;
	if (sigismember(&from, 12) == 1)
		say("  12 was blocked outside\n");
	say_now("in the handler");
	if (in_handler_sets) {
		mask(SIG_SETMASK, ALL);
		say_now("all, in the handler");
		mask(SIG_SETMASK, NONE);
		say_now("none, in the handler");
		mask(SIG_BLOCK, ALL);
	}
	if (in_handler_sets == 2)
		siglongjmp(jump, 1);
}

static void masks_of_handlers(void)
{
	struct sigaction action = { .sa_sigaction = handler_with_masks, .sa_flags = SA_SIGINFO };

	CASE(sigaction)
	for (int full = 0; full < 2; full++) {
		if (full)
			sigfillset(&action.sa_mask);
		for (in_handler_sets = 0; in_handler_sets < 3; in_handler_sets++) {
			sigaction(SIGUSR1, &action, NULL);
			say("  full mask %d, sets %d\n", full, in_handler_sets);
			if (sigsetjmp(jump, 1) == 0)
				raise(SIGUSR1);
			say_now("after the handler");
			mask(SIG_BLOCK, 12);
			say_now("12");
			mask(SIG_SETMASK, NONE);
			say_now("none");
		}
	}
	CASE(sigprocmask)
	if (sigsetjmp(jump, 1) == 0) {
		mask(SIG_SETMASK, ALL);
		say_now("all");
		siglongjmp(jump, 1);
	}
	say_now("after a jump out of all");
	mask(SIG_SETMASK, ALL);
	if (sigsetjmp(jump, 1) == 0) {
		mask(SIG_SETMASK, NONE);
		say_now("none");
		siglongjmp(jump, 1);
	}
	say_now("after a jump back to all");
	mask(SIG_SETMASK, NONE);
	signal(SIGUSR1, SIG_DFL);
}

/* ---- our number in use by the host */

static void number_in_use(void)
{
	struct sigaction action = { .sa_sigaction = value_handler, .sa_flags = SA_SIGINFO };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = OURS,
				  .sigev_value.sival_int = 78 };
	struct itimerspec once = { .it_value.tv_nsec = 3000000 };
	timer_t timer;
	int status, pipes[2];
	pid_t child;

	CASE(sigaction)
	child = fork();
	if (child == 0) {
		burn(1);
		raise(OURS);
		_exit(3);
	}
	waitpid(child, &status, 0);
	say("  50 by default ends a child: signal %d\n",
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	child = fork();
	if (child == 0) {
		request_begin();
		burn(1);
		kill(getpid(), OURS);
		_exit(3);
	}
	waitpid(child, &status, 0);
	say("  in a request, too: signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	child = fork();
	if (child == 0) {
		request_begin();
		signal(OURS, SIG_IGN);
		kill(getpid(), OURS);
		burn(1);
		_exit(3);
	}
	waitpid(child, &status, 0);
	say("  not when ignored: status %d\n", WEXITSTATUS(status));

	calls = 0;
	sigaction(OURS, &action, NULL);
	sigqueue(getpid(), OURS, (union sigval){ .sival_int = 77 });
	say("  sigqueue: calls %d, value %ld\n", (int)calls, with_value);
	pthread_kill(pthread_self(), OURS);
	say("  pthread_kill: calls %d\n", (int)calls);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer))
		fatal("timer_create");
	timer_settime(timer, 0, &once, NULL);
	burn(8);
	say("  timer: calls %d, value %ld\n", (int)calls, with_value);
	timer_delete(timer);
	if (pipe2(pipes, O_CLOEXEC))
		fatal("pipe");
	fcntl(pipes[0], F_SETOWN, getpid());
	fcntl(pipes[0], F_SETSIG, OURS);
	fcntl(pipes[0], F_SETFL, O_ASYNC);
	if (write(pipes[1], "x", 1) != 1)
		fatal("write");
	burn(5);
	say("  F_SETSIG: calls %d\n", (int)calls);
	close(pipes[0]);
	close(pipes[1]);
	mask(SIG_BLOCK, OURS);
	raise(OURS);
	burn(2);
	say("  blocked: calls %d\n", (int)calls);
	mask(SIG_UNBLOCK, OURS);
	burn(2);
	say("  unblocked: calls %d\n", (int)calls);
	signal(OURS, SIG_DFL);
}

/* ---- waiting for signals */

static void *wait_for_signals(void *arg)
{
	struct timespec limit = { 0, 30000000 };
	struct signalfd_siginfo info;
	sigset_t all, none, pending, but_ours;
	ssize_t got = 0;
	int number = 0, fd;

	mask(SIG_SETMASK, ALL);
	request_resume();
	sigfillset(&all);
	sigemptyset(&none);
	burn(3);
	sigpending(&pending);
	say_mask("pending", &pending);
	show("sigtimedwait for all", sigtimedwait(&all, NULL, &limit));
	burn(3);
	pthread_kill(pthread_self(), SIGUSR2);
	sigpending(&pending);
	say_mask("pending", &pending);
	show("sigwait", sigwait(&all, &number));
	say("  number %d\n", number);
	pthread_kill(pthread_self(), SIGUSR2);
	show("sigwaitinfo", sigwaitinfo(&all, NULL));
	fd = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
	for (int i = 0; i < 50; i++) {
		burn(1);
		got = read(fd, &info, sizeof(info));
		if (got > 0)
			break;
	}
	show("signalfd", got);
	pthread_kill(pthread_self(), SIGUSR2);
	show("signalfd", read(fd, &info, sizeof(info)));
	say("  signal %d\n", (int)info.ssi_signo);
	close(fd);
	but_ours = none;
	alarm_soon(0);
	(void)arg;
	sigaddset(&but_ours, SIGUSR2);
	show("sigsuspend", sigsuspend(&but_ours));
	say("  signals %d\n", (int)alarms);
	say_now("after sigsuspend");
	return NULL;
}

static void waiting(void)
{
	struct sigaction action = { .sa_handler = alarm_handler };
	sigset_t old;

	CASE(pthread_sigmask)
	sigaction(SIGUSR2, &action, NULL);
	mask(SIG_SETMASK, NONE);
	pthread_sigmask(SIG_BLOCK, NULL, &old);
	mask(SIG_BLOCK, SIGALRM);
	in_thread(wait_for_signals, NULL);
	mask(SIG_SETMASK, NONE);
	alarm_waiting(SA_RESTART);
	show("pause", pause());
	say("  signals %d\n", (int)alarms);
}

/* ---- small stacks */

static volatile sig_atomic_t on_small;
static char *small_top;
static volatile size_t small_used; /* by the kernel's frame and the handler's own */

static void burns_on_small_stack(int number)
{
	stack_t stack;

	(void)number;
	small_used = (size_t)(small_top - (char *)__builtin_frame_address(0));
	sigaltstack(NULL, &stack);
	on_small = (stack.ss_flags & SS_ONSTACK) != 0;
	burn(10);
}

/* First on a stack that is large enough for anything, to measure; then with room for one handler and no other. */
static void small_stacks(void)
{
	enum { LARGE = 65536, OWN = 1536 };
	struct sigaction action = { .sa_handler = burns_on_small_stack, .sa_flags = SA_ONSTACK };
	char *memory =
		mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_sp = memory, .ss_size = LARGE }, old;

	CASE(sigaction)
	if (memory == MAP_FAILED)
		fatal("mmap");
	small_top = memory + LARGE;
	sigaction(SIGUSR1, &action, NULL);
	show("sigaltstack", sigaltstack(&stack, &old));
	raise(SIGUSR1);
	stack.ss_size = (small_used + OWN + 63) / 64 * 64;
	stack.ss_sp = small_top - stack.ss_size;
	show("sigaltstack", sigaltstack(&stack, NULL));
	for (int i = 0; i < 5; i++) {
		on_small = 0;
		request_resume();
		raise(SIGUSR1);
		say("  on the small stack: %d\n", (int)on_small);
	}
	say_action(SIGUSR1);
	sigaltstack(&old, NULL);
	signal(SIGUSR1, SIG_DFL);
}

/* ---- by number, past libc */

struct kernel_action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static void by_number(void)
{
	struct kernel_action action = { .handler = SIG_DFL }, old = { .handler = handler };
	uint64_t bits = ~UINT64_C(0), before = 77;
	int wrong = 0;

	CASE(syscall)
	for (int number = 1; number <= 64; number++) {
		if (number == SIGKILL || number == SIGSTOP || number == 32 || number == 33)
			continue;
		memset(&old, 0xff, sizeof(old));
		wrong += syscall(SYS_rt_sigaction, number, &action, &old, 8) != 0;
		if (number == OURS || number == SIGIO)
			say("  %d was %s\n", number, old.handler == SIG_DFL ? "default" : "else");
		burn(1);
	}
	say("  wrong: %d\n", wrong);
	show("rt_sigaction, bad size", syscall(SYS_rt_sigaction, OURS, &action, &old, 7));
	show("rt_sigprocmask, all", syscall(SYS_rt_sigprocmask, SIG_SETMASK, &bits, &before, 8));
	say("  before %llx\n", (unsigned long long)before);
	say_now("now");
	show("rt_sigprocmask, ask", syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &before, 8));
	say("  now %llx\n", (unsigned long long)before);
	bits = 0;
	show("rt_sigprocmask, none", syscall(SYS_rt_sigprocmask, SIG_SETMASK, &bits, &before, 8));
	say("  before %llx\n", (unsigned long long)before);
	say_now("now");
	show("rt_sigprocmask, bad size",
	     syscall(SYS_rt_sigprocmask, SIG_SETMASK, &bits, &before, 4));
	show("a number that is none", syscall(5000));
}

int main(void)
{
	request_begin();
	actions();
	all_actions();
	masks();
	masks_of_threads();
	masks_of_handlers();
	waiting();
	small_stacks();
	by_number();
	number_in_use(); /* last: a thread that uses our number is left alone from then on */
	request_finish();
	return 0;
}
