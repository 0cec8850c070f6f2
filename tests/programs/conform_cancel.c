/*
 * pthread_cancel: in the middle of each call that waits, before it, and where it is switched off; what
 * the thread's clean-up sees then. See conform.h.
 */
#include "tests/programs/conform.h"

#include <aio.h>
#include <netdb.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/un.h>
#include <termios.h>
#include <threads.h>

/* Nothing comes here: */
static int in, out; /* a connection */
static int full;    /* a socket that is full */
static int listener, epoll;
static pid_t child;
static pthread_t sleeper;
static sem_t semaphore;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int locked_file, other_file;
static int empty[2], clogged[2]; /* pipes */
static int full_queue;
static int caller; /* of a listener whose queue is full */
static struct sockaddr_un busy = { .sun_family = AF_UNIX };
static char buf[65536];

static void *sleeps(void *unused)
{
	pause();
	return unused;
}

/* A name in no directory; one connection fills the queue. */
static void busy_listener(void)
{
	int at = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(busy.sun_path + 1, sizeof(busy.sun_path) - 1, "conform.%d", (int)getpid());
	caller = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(at, (struct sockaddr *)&busy, sizeof(busy)) || listen(at, 0) ||
	    connect(first, (struct sockaddr *)&busy, sizeof(busy)))
		fatal("busy_listener");
}

static struct {
	long type;
	char text[1024];
} letter = { 1, "" };

static void full_things(void)
{
	static char bytes[1 << 16];

	if (pipe2(empty, O_CLOEXEC) || pipe2(clogged, O_CLOEXEC | O_NONBLOCK))
		fatal("pipe");
	while (write(clogged[1], bytes, sizeof(bytes)) > 0)
		;
	fcntl(clogged[1], F_SETFL, 0);
	full_queue = msgget(IPC_PRIVATE, 0600);
	while (msgsnd(full_queue, &letter, sizeof(letter.text), IPC_NOWAIT) == 0)
		;
	busy_listener();
}

static void things_to_wait_for(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct epoll_event event = { .events = EPOLLIN };
	char path[] = "/tmp/conform.XXXXXX";
	int pair[2];

	connection_make(&out, &in);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		fatal("socketpair");
	full = pair[0];
	while (send(full, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1))
		fatal("listen");
	epoll = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(epoll, EPOLL_CTL_ADD, in, &event);
	child = fork();
	if (child == 0) {
		for (;;)
			pause();
	}
	sem_init(&semaphore, 0, 0);
	locked_file = mkostemp(path, O_CLOEXEC);
	other_file = open(path, O_RDWR | O_CLOEXEC);
	unlink(path);
	if (flock(locked_file, LOCK_EX) || pthread_create(&sleeper, NULL, sleeps, NULL))
		fatal("things_to_wait_for");
}

/* ---- one thread for each call */

static volatile int cleaned, mask_in_cleanup, tid;
static volatile bool returned;
static volatile long result;

static void cleans(void *unused)
{
	sigset_t now;

	(void)unused;
	cleaned = 1;
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	mask_in_cleanup = 0;
	for (int number = 1; number <= 64; number++)
		mask_in_cleanup += sigismember(&now, number) == 1;
	burn(1);
}

static void cleans_mutex(void *unused)
{
	(void)unused;
	cleaned = pthread_mutex_trylock(&mutex) == EBUSY ? 2 : 1;
	pthread_mutex_unlock(&mutex);
}

enum when { MEANWHILE, BEFORE };
static enum when when;

/* The thread sleeps in the kernel: its state says so, for some time. */
static void until_it_waits(void)
{
	char path[64], text[400];

	for (int calm = 0; calm < 5;) {
		FILE *stat;
		size_t got = 0;
		const char *state = NULL;

		pause_ms(2);
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
		stat = tid ? fopen(path, "r") : NULL;
		if (stat) {
			got = fread(text, 1, sizeof(text) - 1, stat);
			fclose(stat);
		}
		text[got] = '\0';
		state = strrchr(text, ')');
		calm = state && state[1] == ' ' && state[2] == 'S' ? calm + 1 : 0;
		if (returned)
			return;
	}
}

static void cancelled(void *(*run)(void *))
{
	static const char *const words[] = { "meanwhile", "before" };
	pthread_t thread;
	void *value = NULL;

	cleaned = mask_in_cleanup = tid = 0;
	returned = false;
	if (pthread_create(&thread, NULL, run, NULL))
		fatal("pthread_create");
	if (when == MEANWHILE) {
		until_it_waits();
		pthread_cancel(thread);
	}
	pthread_join(thread, &value);
	say("  %s: %s, cleaned up %d, blocked there %d, returned %d\n", words[when],
	    value == PTHREAD_CANCELED ? "cancelled" : "not cancelled", cleaned, mask_in_cleanup,
	    returned);
}

static void both_ways(void *(*run)(void *))
{
	when = MEANWHILE;
	cancelled(run);
	when = BEFORE;
	cancelled(run);
}

static void thread_begins(void)
{
	int before;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	request_resume();
	burn(1);
	if (when == BEFORE)
		pthread_cancel(pthread_self());
	tid = (int)syscall(SYS_gettid);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
}

#define CANCEL(called, ...) \
	CASE(called)        \
	both_ways(called##_runs);

#define RUNS(called, cleaning, prepare, ...)          \
	static void *called##_runs(void *unused)      \
	{                                             \
		(void)unused;                         \
		pthread_cleanup_push(cleaning, NULL); \
		prepare;                              \
		thread_begins();                      \
		result = (long)(__VA_ARGS__);         \
		returned = true;                      \
		pthread_cleanup_pop(0);               \
		return NULL;                          \
	}

static struct iovec part = { buf, sizeof(buf) };
static struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
static struct mmsghdr messages = { .msg_hdr = { .msg_iov = &part, .msg_iovlen = 1 } };
static struct flock lock_all = { .l_type = F_WRLCK };
static const struct timespec hour = { 3600, 0 };
static fd_set set;

static struct pollfd *polled(void)
{
	static struct pollfd fd;

	fd = (struct pollfd){ in, POLLIN, 0 };
	return &fd;
}

static fd_set *selected(void)
{
	FD_ZERO(&set);
	FD_SET(in, &set);
	return &set;
}

/* What nothing comes to, from a pipe of its own. */
static const struct aiocb **reading(void)
{
	static struct aiocb work = { .aio_buf = buf, .aio_nbytes = 1 };
	static const struct aiocb *list[] = { &work };
	static int ends[2];

	if (!ends[1] && (pipe2(ends, O_CLOEXEC) || (work.aio_fildes = ends[0], aio_read(&work))))
		fatal("aio_read");
	return list;
}

static struct timespec *in_an_hour(clockid_t clock)
{
	static struct timespec at;

	clock_gettime(clock, &at);
	at.tv_sec += 3600;
	return &at;
}

static sigset_t no_signals, usr2;
static int number, queue;
static struct epoll_event event;
static struct sockaddr_in peer;
static socklen_t peer_len;
static void *joined;

#define CALLS(X)                                                                              \
	X(read, cleans, , read(in, buf, 10))                                                  \
	X(readv, cleans, , readv(in, &part, 1))                                               \
	X(preadv2, cleans, , preadv2(in, &part, 1, -1, 0))                                    \
	X(recv, cleans, , recv(in, buf, 10, 0))                                               \
	X(recvfrom, cleans, , recvfrom(in, buf, 10, 0, NULL, NULL))                           \
	X(recvmsg, cleans, , recvmsg(in, &message, 0))                                        \
	X(recvmmsg, cleans, , recvmmsg(in, &messages, 1, 0, NULL))                            \
	X(write, cleans, , write(full, buf, sizeof(buf)))                                     \
	X(writev, cleans, , writev(full, &part, 1))                                           \
	X(pwritev2, cleans, , pwritev2(full, &part, 1, -1, 0))                                \
	X(send, cleans, , send(full, buf, sizeof(buf), 0))                                    \
	X(sendto, cleans, , sendto(full, buf, sizeof(buf), 0, NULL, 0))                       \
	X(sendmsg, cleans, , sendmsg(full, &message, 0))                                      \
	X(sendmmsg, cleans, , sendmmsg(full, &messages, 1, 0))                                \
	X(accept, cleans, , accept(listener, (struct sockaddr *)&peer, &peer_len))            \
	X(accept4, cleans, , accept4(listener, NULL, NULL, SOCK_CLOEXEC))                     \
	X(poll, cleans, , poll(polled(), 1, -1))                                              \
	X(ppoll, cleans, , ppoll(polled(), 1, NULL, NULL))                                    \
	X(select, cleans, , select(in + 1, selected(), NULL, NULL, NULL))                     \
	X(pselect, cleans, , pselect(in + 1, selected(), NULL, NULL, NULL, NULL))             \
	X(epoll_wait, cleans, , epoll_wait(epoll, &event, 1, -1))                             \
	X(epoll_pwait, cleans, , epoll_pwait(epoll, &event, 1, -1, NULL))                     \
	X(epoll_pwait2, cleans, , epoll_pwait2(epoll, &event, 1, NULL, NULL))                 \
	X(pause, cleans, , pause())                                                           \
	X(sigsuspend, cleans, , sigsuspend(&no_signals))                                      \
	X(sigtimedwait, cleans, , sigtimedwait(&usr2, NULL, &hour))                           \
	X(sigwaitinfo, cleans, , sigwaitinfo(&usr2, NULL))                                    \
	X(sigwait, cleans, , sigwait(&usr2, &number))                                         \
	X(msgrcv, cleans, , msgrcv(queue, buf, 10, 0, 0))                                     \
	X(nanosleep, cleans, , nanosleep(&hour, NULL))                                        \
	X(clock_nanosleep, cleans, ,                                                          \
	  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, in_an_hour(CLOCK_MONOTONIC), NULL)) \
	X(usleep, cleans, , usleep(999999999))                                                \
	X(sleep, cleans, , sleep(3600))                                                       \
	X(waitpid, cleans, , waitpid(child, NULL, 0))                                         \
	X(wait, cleans, , wait(NULL))                                                         \
	X(wait3, cleans, , wait3(NULL, 0, NULL))                                              \
	X(wait4, cleans, , wait4(child, NULL, 0, NULL))                                       \
	X(waitid, cleans, , waitid(P_PID, (id_t)child, NULL, WEXITED))                        \
	X(sem_wait, cleans, , sem_wait(&semaphore))                                           \
	X(sem_timedwait, cleans, , sem_timedwait(&semaphore, in_an_hour(CLOCK_REALTIME)))     \
	X(sem_clockwait, cleans, ,                                                            \
	  sem_clockwait(&semaphore, CLOCK_MONOTONIC, in_an_hour(CLOCK_MONOTONIC)))            \
	X(pthread_cond_wait, cleans_mutex, pthread_mutex_lock(&mutex),                        \
	  pthread_cond_wait(&condition, &mutex))                                              \
	X(pthread_cond_timedwait, cleans_mutex, pthread_mutex_lock(&mutex),                   \
	  pthread_cond_timedwait(&condition, &mutex, in_an_hour(CLOCK_REALTIME)))             \
	X(pthread_cond_clockwait, cleans_mutex, pthread_mutex_lock(&mutex),                   \
	  pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC,                         \
				 in_an_hour(CLOCK_MONOTONIC)))                                \
	X(pthread_join, cleans, , pthread_join(sleeper, &joined))                             \
	X(aio_suspend, cleans, , aio_suspend(reading(), 1, &hour))                            \
	X(connect, cleans, , connect(caller, (struct sockaddr *)&busy, sizeof(busy)))         \
	X(splice, cleans, , splice(empty[0], NULL, full, NULL, 10, 0))                        \
	X(tee, cleans, , tee(empty[0], clogged[1], 10, 0))                                    \
	X(vmsplice, cleans, , vmsplice(clogged[1], &part, 1, 0))                              \
	X(msgsnd, cleans, , msgsnd(full_queue, &letter, sizeof(letter.text), 0))              \
	X(sigpause, cleans, , sigpause(SIGUSR2))                                              \
	X(thrd_sleep, cleans, , thrd_sleep(&hour, NULL))                                      \
	X(pread, cleans, , pread(locked_file, buf, 10, 0))                                    \
	X(preadv, cleans, , preadv(locked_file, &part, 1, 0))                                 \
	X(pwrite, cleans, , pwrite(locked_file, buf, 10, 0))                                  \
	X(pwritev, cleans, , pwritev(locked_file, &part, 1, 0))                               \
	X(fsync, cleans, , fsync(locked_file))                                                \
	X(fdatasync, cleans, , fdatasync(locked_file))                                        \
	X(fallocate, cleans, , fallocate(locked_file, 0, 0, 4096))                            \
	X(lockf, cleans, , lockf(locked_file, F_LOCK, 10))                                    \
	X(tcdrain, cleans, , tcdrain(locked_file))                                            \
	X(getrandom, cleans, , getrandom(buf, sizeof(buf), 0))                                \
	X(close, cleans, , close(dup(locked_file)))                                           \
	X(fcntl, cleans, , fcntl(other_file, F_OFD_SETLKW, &lock_all))                        \
	X(system, cleans, , system("exec sleep 3600"))

CALLS(RUNS)

/* ---- where cancelling does nothing, or at once */

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void *no_point_runs(void *unused)
{
	(void)unused;
	pthread_cleanup_push(cleans, NULL);
	thread_begins();
	pthread_mutex_lock(&held);
	returned = true;
	pthread_mutex_unlock(&held);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *off_runs(void *unused)
{
	char byte;
	int before;

	(void)unused;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	request_resume();
	pthread_cancel(pthread_self());
	show("read, with cancelling switched off", read(in, &byte, 1));
	show("poll", poll(NULL, 0, 5));
	returned = true;
	return NULL;
}

static void *asynchronous_runs(void *unused)
{
	int before;

	(void)unused;
	pthread_cleanup_push(cleans, NULL);
	request_resume();
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
	tid = 1;
	for (;;)
		burnt++;
	pthread_cleanup_pop(0);
	return NULL;
}

/* Data that is there is not taken by a read that is cancelled. */
static void *pending_runs(void *unused)
{
	(void)unused;
	thread_begins();
	result = read(in, buf, 4);
	returned = true;
	return NULL;
}

static void special(void)
{
	pthread_t thread;
	void *value = NULL;

	CASE(pthread_mutex_lock)
	when = MEANWHILE;
	returned = false;
	tid = cleaned = 0;
	pthread_mutex_lock(&held);
	pthread_create(&thread, NULL, no_point_runs, NULL);
	until_it_waits();
	pthread_cancel(thread);
	pthread_mutex_unlock(&held);
	pthread_join(thread, &value);
	say("  locked all the same: %d, cleaned up %d\n", returned, cleaned);

	CASE(read)
	later_write(&out);
	when = BEFORE;
	returned = false;
	pthread_create(&thread, NULL, pending_runs, NULL);
	pthread_join(thread, &value);
	say("  cancelled before: returned %d\n", returned);
	pthread_create(&thread, NULL, off_runs, NULL);
	pthread_join(thread, &value);
	say("  returned %d\n", returned);
	show("what is left", recv(in, buf, 10, MSG_DONTWAIT));
	tid = cleaned = 0;
	pthread_create(&thread, NULL, asynchronous_runs, NULL);
	while (!tid)
		pause_ms(1);
	pause_ms(20);
	pthread_cancel(thread);
	pthread_join(thread, &value);
	say("  at once: %d, cleaned up %d\n", value == PTHREAD_CANCELED, cleaned);
}

int main(void)
{
	request_begin();
	things_to_wait_for();
	full_things();
	sigaddset(&usr2, SIGUSR2);
	queue = msgget(IPC_PRIVATE, 0600);
	CALLS(CANCEL)
	special();
	msgctl(queue, IPC_RMID, NULL);
	msgctl(full_queue, IPC_RMID, NULL);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	request_resume();
	request_finish();
	return 0;
}
