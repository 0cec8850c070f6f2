/* System V's semaphores and messages, pipes' pages, room in files, random numbers: what a signal cuts short. See conform.h. */
#include "tests/programs/conform.h"

#include <linux/futex.h>
#include <poll.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <termios.h>

static int set, queue;

static void raise_semaphore(void *unused)
{
	struct sembuf up = { 0, 1, 0 };

	(void)unused;
	if (semop(set, &up, 1))
		fatal("semop");
}

static void semaphores(void)
{
	struct sembuf down = { 0, -1, 0 }, up = { 0, 1, 0 }, down_now = { 0, -1, IPC_NOWAIT };
	struct timespec limit = { 0, 20000000 }, bad = { 0, 1000000000 };

	set = semget(IPC_PRIVATE, 1, 0600);
	CASE(semop)
	show("no such set", semop(-1, &up, 1));
	show("bad address", semop(set, BAD_ADDRESS, 1));
	show("nothing to do", semop(set, &up, 0));
	show("up", semop(set, &up, 1));
	show("down", semop(set, &down, 1));
	show("down, without waiting", semop(set, &down_now, 1));
	show_interrupted("down", raise_semaphore, NULL, semop(set, &down, 1));
	show("the value", semctl(set, 0, GETVAL));
	semctl(set, 0, SETVAL, 0);

	CASE(semtimedop)
	show("no time left", semtimedop(set, &down, 1, &limit));
	show("a bad time", semtimedop(set, &down, 1, &bad));
	show("bad address", semtimedop(set, &down, 1, BAD_ADDRESS));
	show("up", semtimedop(set, &up, 1, NULL));
	show("down", semtimedop(set, &down, 1, &limit));
	show_interrupted("down", raise_semaphore, NULL, semtimedop(set, &down, 1, NULL));
	semctl(set, 0, SETVAL, 0);
	show("by number", syscall(SYS_semtimedop, set, &down, 1, &limit));
	semctl(set, 0, IPC_RMID);
	show("removed", semop(set, &down, 1));
}

static struct {
	long type;
	char text[16];
} message = { 1, "a message" };

static void send_message(void *unused)
{
	(void)unused;
	if (msgsnd(queue, &message, sizeof(message.text), 0))
		fatal("msgsnd");
}

static void take_message(void *unused)
{
	char taken[8192 + sizeof(long)];

	(void)unused;
	if (msgrcv(queue, taken, 8192, 0, 0) < 0)
		fatal("msgrcv");
}

static void messages(void)
{
	struct msqid_ds limits;

	queue = msgget(IPC_PRIVATE, 0600);
	CASE(msgrcv)
	show("no such queue", msgrcv(-1, &message, 16, 0, 0));
	show("empty, without waiting", msgrcv(queue, &message, 16, 0, IPC_NOWAIT));
	show_interrupted("empty", send_message, NULL, msgrcv(queue, &message, 16, 0, 0));
	while (msgrcv(queue, &message, 16, 0, IPC_NOWAIT) >= 0)
		;
	memcpy(message.text, "sixteen letters", 16);
	message.type = 1;
	send_message(NULL);
	show("too long", msgrcv(queue, &message, 8, 0, 0));
	show("cut", msgrcv(queue, &message, 8, 0, MSG_NOERROR));
	say("  got %.8s\n", message.text);

	CASE(msgsnd)
	message.type = 1;
	show("no such queue", msgsnd(-1, &message, 16, 0));
	show("bad address", msgsnd(queue, BAD_ADDRESS, 16, 0));
	message.type = 0;
	show("no type", msgsnd(queue, &message, 16, 0));
	message.type = 1;
	msgctl(queue, IPC_STAT, &limits);
	limits.msg_qbytes = 32;
	msgctl(queue, IPC_SET, &limits);
	show("one", msgsnd(queue, &message, 16, 0));
	show("two", msgsnd(queue, &message, 16, 0));
	show("full, without waiting", msgsnd(queue, &message, 16, IPC_NOWAIT));
	show_interrupted("full", take_message, NULL, msgsnd(queue, &message, 16, 0));
	msgctl(queue, IPC_RMID, NULL);
	show("removed", msgsnd(queue, &message, 16, 0));
}

/* ---- pipes */

static void drain(void *fd)
{
	static char bytes[1 << 17];

	if (read(*(int *)fd, bytes, sizeof(bytes)) < 0)
		fatal("drain");
}

static void pages(void)
{
	static char bytes[4096];
	struct iovec part = { bytes, sizeof(bytes) };
	int a[2], b[2];

	if (pipe2(a, O_CLOEXEC) || pipe2(b, O_CLOEXEC))
		fatal("pipe");
	CASE(vmsplice)
	show("bad descriptor", vmsplice(-1, &part, 1, 0));
	show("no pipe", vmsplice(request_server, &part, 1, 0));
	show("bad address", vmsplice(a[1], BAD_ADDRESS, 1, 0));
	while (vmsplice(a[1], &part, 1, SPLICE_F_NONBLOCK) > 0)
		;
	show("full, without waiting", vmsplice(a[1], &part, 1, SPLICE_F_NONBLOCK));
	show_interrupted("full", drain, &a[0], vmsplice(a[1], &part, 1, 0));

	CASE(tee)
	show("bad descriptor", tee(-1, b[1], 10, 0));
	show("no pipe", tee(request_server, b[1], 10, 0));
	show("10", tee(a[0], b[1], 10, 0));
	drain(&a[0]);
	show("empty, without waiting", tee(a[0], b[1], 10, SPLICE_F_NONBLOCK));
	show_interrupted("empty", later_write, &a[1], tee(a[0], b[1], 10, 0));
	close(a[0]);
	close(a[1]);
	close(b[0]);
	close(b[1]);
}

/* ---- room in files: a memory file system's is made page by page, which any signal ends */

#define ROOM(name, ...)                                    \
	do {                                               \
		off64_t at = 0, len = 4096;                \
		int fd = -1;                               \
                                                           \
		CASE(name)                                 \
		show("bad descriptor", name(__VA_ARGS__)); \
		fd = memfd_create("room", MFD_CLOEXEC);    \
		show("a page", name(__VA_ARGS__));         \
		len = 0;                                   \
		show("nothing", name(__VA_ARGS__));        \
		len = 8 << 20;                             \
		burn(1);                                   \
		show("8 MiB", name(__VA_ARGS__));          \
		show("is there", lseek(fd, 0, SEEK_END));  \
		at = -1;                                   \
		show("at -1", name(__VA_ARGS__));          \
		close(fd);                                 \
		fd = request_server;                       \
		at = 0;                                    \
		show("a socket", name(__VA_ARGS__));       \
	} while (0)

static void room(void)
{
	ROOM(fallocate, fd, 0, at, len);
	ROOM(fallocate64, fd, 0, at, len);
	ROOM(posix_fallocate, fd, at, len);
	ROOM(posix_fallocate64, fd, at, len);
}

/* What takes a mask, or a pair of one and its size. SIGALRM is blocked but for the call. */
static void masked_by_number(void)
{
	struct pollfd fd = { .fd = -1 };
	struct timespec bad = { 0, 1000000000 }, limit = { 0, 5000000 };
	uint64_t alarm_bit = UINT64_C(1) << (SIGALRM - 1), nothing = 0, *mask = &nothing;
	struct {
		void *mask;
		size_t size;
	} pair = { &nothing, 8 };
	siginfo_t info;
	sigset_t all;
	int polled = epoll_create1(0);
	struct epoll_event event;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	alarm_soon(0);
	show("ppoll, a signal", syscall(SYS_ppoll, &fd, 1, NULL, mask, (size_t)8));
	show("ppoll, a mask of 4 bytes", syscall(SYS_ppoll, &fd, 1, &limit, mask, (size_t)4));
	show("ppoll, bad address for the mask", syscall(SYS_ppoll, &fd, 1, &limit, BAD_ADDRESS, (size_t)8));
	alarm_soon(0);
	show("pselect6, a signal", syscall(SYS_pselect6, 0, NULL, NULL, NULL, NULL, &pair));
	say("  the pair: %d %zu\n", pair.mask == mask, pair.size);
	show("pselect6, bad address for the pair",
	     syscall(SYS_pselect6, 0, NULL, NULL, NULL, &limit, BAD_ADDRESS));
	pair.size = 4;
	show("pselect6, a mask of 4 bytes", syscall(SYS_pselect6, 0, NULL, NULL, NULL, &limit, &pair));
	alarm_soon(0);
	show("epoll_pwait, a signal", syscall(SYS_epoll_pwait, polled, &event, 1, -1, mask, (size_t)8));
	alarm_soon(0);
	show("epoll_pwait2, a signal", syscall(SYS_epoll_pwait2, polled, &event, 1, NULL, mask, (size_t)8));
	show("epoll_pwait2, a bad time", syscall(SYS_epoll_pwait2, polled, &event, 1, &bad, mask, (size_t)8));
	close(polled);
	show("io_pgetevents, no context", syscall(SYS_io_pgetevents, 0, 1, 1, &event, &limit, &pair));
	alarm_soon(0);
	show("rt_sigtimedwait", syscall(SYS_rt_sigtimedwait, &alarm_bit, &info, NULL, (size_t)8));
	say("  signal %d\n", info.si_signo);
	show("rt_sigtimedwait, nothing comes", syscall(SYS_rt_sigtimedwait, &alarm_bit, NULL, &limit, (size_t)8));
	show("rt_sigtimedwait, bad address", syscall(SYS_rt_sigtimedwait, BAD_ADDRESS, NULL, &limit, (size_t)8));
	show("rt_sigtimedwait, a set of 4 bytes",
	     syscall(SYS_rt_sigtimedwait, &alarm_bit, NULL, &limit, (size_t)4));
	sigemptyset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
}

static void others(void)
{
	static char bytes[1 << 20];
	struct timespec limit = { 0, 20000000 };
	uint32_t word = 0;
	struct pollfd none = { -1, 0, 0 };
	int terminal, other;

	CASE(getrandom)
	show("16", getrandom(bytes, 16, 0));
	show("1 MiB", getrandom(bytes, sizeof(bytes), 0));
	show("1 MiB by number", syscall(SYS_getrandom, bytes, sizeof(bytes), 0));
	show("bad flags", getrandom(bytes, 16, 0x1000));
	show("bad address", getrandom(BAD_ADDRESS, 1000, 0));

	CASE(tcdrain)
	show("bad descriptor", tcdrain(-1));
	show("no terminal", tcdrain(request_server));
	if (openpty(&terminal, &other, NULL, NULL, NULL))
		fatal("openpty");
	show("a terminal", tcdrain(other));
	close(terminal);
	close(other);

	CASE(syscall)
	show("futex, no time left", syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &limit));
	show("futex, another value", syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, &limit));
	show("futex, bad address", syscall(SYS_futex, 8, FUTEX_WAIT_PRIVATE, 1, &limit));
	show("futex, nobody to wake", syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1));
	show("poll", syscall(SYS_poll, &none, 1, 20));
	show("nanosleep", syscall(SYS_nanosleep, &limit, NULL));
	alarm_waiting(0);
	show("poll, a signal", syscall(SYS_poll, &none, 1, 2000));
	say("  signals %d\n", (int)alarms);
	masked_by_number();
}

int main(void)
{
	request_begin();
	semaphores();
	messages();
	pages();
	room();
	others();
	request_finish();
	return 0;
}
