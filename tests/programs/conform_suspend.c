/* Waiting for signals, in each way and in handlers: what ends it, under which mask. See conform.h. */
#include "tests/programs/conform.h"

int __sigsuspend(const sigset_t *);
int __sigpause(int, int);
int bsd_sigpause(int) __asm__("sigpause");
int __xpg_sigpause(int);

static volatile sig_atomic_t calls, blocked;

static int mask_size(void)
{
	sigset_t now;
	int size = 0;

	pthread_sigmask(SIG_BLOCK, NULL, &now);
	for (int number = 1; number <= 64; number++)
		size += sigismember(&now, number) == 1;
	return size;
}

/* What it computes is not for the wait to be ended by. */
static void handler(int number)
{
	(void)number;
	calls++;
	blocked = mask_size();
	burn(2);
}

/* SIGALRM in a while, in the middle of what follows. */
static void soon(int number)
{
	struct sigaction action = { .sa_handler = handler };
	struct itimerval timer = { .it_value.tv_usec = 20000 };

	sigaction(number, &action, NULL);
	calls = blocked = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void say_calls(void)
{
	say("  calls %d, blocked in the handler %d, after it %d\n", (int)calls, (int)blocked,
	    mask_size());
}

static const sigset_t *mask_of(int all_but)
{
	static sigset_t mask;

	sigfillset(&mask);
	if (all_but)
		sigdelset(&mask, all_but);
	return &mask;
}

static void block(int how, const sigset_t *mask)
{
	if (pthread_sigmask(how, mask, NULL))
		fatal("pthread_sigmask");
}

static void unblock_all(void)
{
	sigset_t none;

	sigemptyset(&none);
	block(SIG_SETMASK, &none);
}

static long by_number(const sigset_t *mask)
{
	return syscall(SYS_rt_sigsuspend, mask, 8);
}

#define SUSPENDING(name, call)                                    \
	do {                                                      \
		sigset_t none, one;                               \
                                                                  \
		CASE(name)                                        \
		sigemptyset(&none);                               \
		sigemptyset(&one);                                \
		sigaddset(&one, SIGUSR1);                         \
		show("bad address", call(BAD_ADDRESS));           \
		soon(SIGALRM);                                    \
		show("no mask", call(&none));                     \
		say_calls();                                      \
		block(SIG_SETMASK, mask_of(0));                   \
		burn(3);                                          \
		soon(SIGALRM);                                    \
		show("all blocked, none meanwhile", call(&none)); \
		say_calls();                                      \
		soon(SIGALRM);                                    \
		show("all but one", call(mask_of(SIGALRM)));      \
		say_calls();                                      \
		soon(SIGALRM);                                    \
		pause_ms(40);                                     \
		show("one that is pending", call(&one));          \
		say_calls();                                      \
		unblock_all();                                    \
	} while (0)

/* ---- in a handler that blocks all, where ticks of a clock cannot be delivered either */

static long (*in_handler)(void);

static void busy_handler(int number)
{
	struct sigaction plain = { .sa_handler = handler };
	struct itimerval timer = { .it_value.tv_usec = 20000 };

	(void)number;
	sigaction(SIGALRM, &plain, NULL);
	burn(3);
	calls = blocked = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
	show("in a handler", in_handler());
	say("  calls %d, blocked %d\n", (int)calls, (int)blocked);
}

static void inside_a_handler(long (*call)(void))
{
	struct sigaction busy = { .sa_handler = busy_handler };

	in_handler = call;
	sigfillset(&busy.sa_mask);
	sigaction(SIGUSR1, &busy, NULL);
	raise(SIGUSR1);
	signal(SIGUSR1, SIG_DFL);
}

static long suspend_open(void)
{
	sigset_t none;

	sigemptyset(&none);
	return sigsuspend(&none);
}

static long suspend_by_number(void)
{
	sigset_t none;

	sigemptyset(&none);
	return by_number(&none);
}

static long wait_for_all(void)
{
	return sigwaitinfo(mask_of(SIGINT), NULL);
}

static void suspending(void)
{
	SUSPENDING(sigsuspend, sigsuspend);
	inside_a_handler(suspend_open);
	SUSPENDING(__sigsuspend, __sigsuspend);
	SUSPENDING(syscall, by_number);
	inside_a_handler(suspend_by_number);
	show("a mask of 4 bytes", syscall(SYS_rt_sigsuspend, mask_of(0), 4));

	CASE(pause)
	soon(SIGALRM);
	show("pause", pause());
	say_calls();
	soon(SIGALRM);
	show("by number", syscall(SYS_pause));
	say_calls();
}

/* A mask as BSD has it: 32 bits; or one signal that is let in. */
static void pausing(void)
{
	CASE(sigpause)
	soon(SIGALRM);
	show("none", bsd_sigpause(0));
	say_calls();
	soon(SIGALRM);
	show("all but one", bsd_sigpause(~(1 << (SIGALRM - 1))));
	say_calls();

	CASE(__xpg_sigpause)
	show("no signal", __xpg_sigpause(0));
	show("no such signal", __xpg_sigpause(65));
	block(SIG_SETMASK, mask_of(0));
	soon(SIGALRM);
	show("that one", __xpg_sigpause(SIGALRM));
	say_calls();
	unblock_all();

	CASE(__sigpause)
	soon(SIGALRM);
	show("a mask", __sigpause(1 << (SIGUSR2 - 1), 0));
	say_calls();
	soon(SIGALRM);
	show("a signal", __sigpause(SIGALRM, 1));
	say_calls();
	show("no such signal", __sigpause(65, 1));
}

/* ---- taking signals */

static void say_info(const siginfo_t *info)
{
	say("  signal %d, code %d, value %d\n", info->si_signo, info->si_code,
	    info->si_value.sival_int);
}

static void timed(void)
{
	struct timespec limit = { 0, 30000000 }, bad = { 0, 1000000000 };
	union sigval value = { .sival_int = 77 };
	siginfo_t info;

	CASE(sigtimedwait)
	block(SIG_SETMASK, mask_of(0));
	burn(3);
	show("nothing", sigtimedwait(mask_of(0), &info, &limit));
	show("nothing, no time", sigtimedwait(mask_of(0), NULL, &(struct timespec){ 0 }));
	show("a bad time", sigtimedwait(mask_of(0), NULL, &bad));
	show("bad address for the set", sigtimedwait(BAD_ADDRESS, NULL, &limit));
	show("bad address for the time", sigtimedwait(mask_of(0), NULL, BAD_ADDRESS));
	sigqueue(getpid(), SIGRTMIN + 3, value);
	show("a queued one", sigtimedwait(mask_of(0), &info, &limit));
	say_info(&info);
	raise(SIGUSR2);
	show("a raised one", sigtimedwait(mask_of(0), &info, &limit));
	say("  code %d\n", info.si_code);
	unblock_all();
	soon(SIGALRM);
	show("a handler's comes",
	     sigtimedwait(mask_of(SIGALRM), &info, &(struct timespec){ 1, 0 }));
	say_calls();
	inside_a_handler(wait_for_all);
}

static void untimed(void)
{
	siginfo_t info;
	int number = -1;

	CASE(sigwaitinfo)
	block(SIG_SETMASK, mask_of(0));
	soon(SIGALRM);
	show("SIGALRM", sigwaitinfo(mask_of(0), &info));
	say("  signal %d, calls %d\n", info.si_signo, (int)calls);
	show("bad address", sigwaitinfo(BAD_ADDRESS, NULL));
	unblock_all();
	soon(SIGALRM);
	show("a handler's comes", sigwaitinfo(mask_of(SIGALRM), NULL));
	say_calls();

	CASE(sigwait)
	block(SIG_SETMASK, mask_of(0));
	soon(SIGALRM);
	show("SIGALRM", sigwait(mask_of(0), &number));
	say("  signal %d, calls %d\n", number, (int)calls);
	raise(50);
	show("the library's own number, sent by us", sigwait(mask_of(0), &number));
	say("  signal %d\n", number);
	show("bad address", sigwait(BAD_ADDRESS, &number));
	unblock_all();
}

int main(void)
{
	request_begin();
	suspending();
	pausing();
	timed();
	untimed(); /* last: a thread that uses the library's number is left alone from then on */
	request_finish();
	return 0;
}
