/* Signals out of descriptors, made before and in a request, in each way. See conform.h. Signal 50 is the one that the library prefers for its own. */
#include "tests/programs/conform.h"

#include <poll.h>
#include <sys/signalfd.h>

enum { OURS = 50, EARLY, NAMED, NUMBERED, OLD_NUMBER, CHANGED, COUNT };

static int fds[COUNT];

static void make(const sigset_t *all)
{
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, SIGUSR2);
	fds[NAMED] = signalfd(-1, all, SFD_NONBLOCK | SFD_CLOEXEC);
	fds[NUMBERED] = (int)syscall(SYS_signalfd4, -1, all, 8, SFD_NONBLOCK | SFD_CLOEXEC);
	fds[OLD_NUMBER] = (int)syscall(SYS_signalfd, -1, all, 8);
	fcntl(fds[OLD_NUMBER], F_SETFL, O_NONBLOCK);
	fds[CHANGED] = signalfd(-1, &one, SFD_NONBLOCK | SFD_CLOEXEC);
	show("changed", signalfd(fds[CHANGED], all, 0) == fds[CHANGED]);
}

static void say_signal(int fd)
{
	struct signalfd_siginfo info = { .ssi_signo = 0 };

	show("read", read(fd, &info, sizeof(info)));
	say("  signal %d, from itself: %d\n", (int)info.ssi_signo, (pid_t)info.ssi_pid == getpid());
}

static long used_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

/* Nobody sends a signal meanwhile, and most of the time is spent in these calls. */
static void nothing_comes(void)
{
	struct signalfd_siginfo info;
	long end = used_ms() + 2000, readable = 0, read_some = 0, signal = 0;

	while (used_ms() < end) {
		for (int i = EARLY; i < COUNT; i++) {
			struct pollfd one = { .fd = fds[i], .events = POLLIN };

			readable += poll(&one, 1, 0) != 0;
			if (read(fds[i], &info, sizeof(info)) > 0) {
				read_some++;
				signal = (long)info.ssi_signo;
			}
		}
	}
	say("  readable %ld, read %ld, signal %ld\n", readable, read_some, signal);
}

static void wrong_ones(const sigset_t *all)
{
	show("no signalfd", signalfd(0, all, 0));
	show("no descriptor", signalfd(999, all, 0));
	show("bad flags", signalfd(-1, all, 1));
	show("bad address", signalfd(-1, BAD_ADDRESS, 0));
	show("by number, bad address", syscall(SYS_signalfd4, -1, BAD_ADDRESS, 8, 0));
	show("by number, bad size", syscall(SYS_signalfd4, -1, all, 4, 0));
}

int main(void)
{
	sigset_t all;

	/* With 32 and 33, which sigfillset leaves out. */
	memset(&all, 0xff, sizeof(all));
	fds[EARLY] = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
	request_begin();
	CASE(signalfd)
	sigfillset(&all);
	make(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	request_resume();
	burn(20);
	nothing_comes();
	for (int i = EARLY; i < COUNT; i++) {
		raise(SIGUSR2);
		say_signal(fds[i]);
	}
	wrong_ones(&all);
	/* The host's own use of that number; last, a thread that does so is left alone from then on. */
	for (int i = EARLY; i < COUNT; i++) {
		raise(OURS);
		say_signal(fds[i]);
	}
	show("made afterwards", (fds[NAMED] = signalfd(-1, &all, SFD_NONBLOCK)) >= 0);
	kill(getpid(), OURS);
	say_signal(fds[NAMED]);
	request_finish();
	return 0;
}
