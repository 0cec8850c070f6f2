/*
 * Each way of waiting that a signal could end early, on one thread that works for an HTTP request. What waits for a
 * signal sends itself one, TICK, by a timer. For programs of one file; see conform.h.
 */
#ifndef REQPROF_TESTS_WAITS_H
#define REQPROF_TESTS_WAITS_H

#include "tests/programs/conform.h"

#include <aio.h>
#include <netdb.h>
#include <poll.h>
#include <semaphore.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/stat.h>

enum { WAITERS_MAX = 3, TICK = SIGUSR2 };

/* How long each lasts; set before the first. */
static struct timespec wait_time;

static inline unsigned wait_us(void)
{
	return (unsigned)wait_time.tv_nsec / 1000;
}

/* Rounded up, as poll takes it. */
static inline int wait_ms(void)
{
	return (int)(wait_us() + 999) / 1000;
}

/* One thread's things to wait on. */
struct waits {
	int client, server; /* its request */
	int pipe[2], pair[2], full[2], epoll, listener, set;
	sem_t semaphore;
	pthread_mutex_t mutex;
	pthread_cond_t condition;
	int queue;
	uint32_t word;
	char byte;
	struct aiocb reading; /* of the pipe */
	struct gaicb *asking; /* a name that nobody knows for long */
	timer_t timer; /* sends its thread TICK */
};

static uint64_t now_ns(int clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct timespec deadline(int clock)
{
	uint64_t at = now_ns(clock) + (uint64_t)wait_time.tv_nsec;

	return (struct timespec){ (time_t)(at / 1000000000u), (long)(at % 1000000000u) };
}

/* Each returns as its call does: -1 and errno, or an error number. */
static int by_poll(struct waits *w)
{
	struct pollfd fd = { .fd = w->pipe[0], .events = POLLIN };

	return poll(&fd, 1, wait_ms());
}

static int by_ppoll(struct waits *w)
{
	struct pollfd fd = { .fd = w->pipe[0], .events = POLLIN };

	return ppoll(&fd, 1, &wait_time, NULL);
}

static int by_ppoll_mask(struct waits *w)
{
	struct pollfd fd = { .fd = w->pipe[0], .events = POLLIN };
	sigset_t none;

	sigemptyset(&none);
	return ppoll(&fd, 1, &wait_time, &none);
}

static int by_select(struct waits *w)
{
	struct timeval limit = { 0, wait_us() };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(w->pipe[0], &set);
	return select(w->pipe[0] + 1, &set, NULL, NULL, &limit);
}

static int by_select_alone(struct waits *w)
{
	struct timeval limit = { 0, wait_us() };

	(void)w;
	return select(0, NULL, NULL, NULL, &limit);
}

static int by_pselect(struct waits *w)
{
	sigset_t none;
	fd_set set;

	sigemptyset(&none);
	FD_ZERO(&set);
	FD_SET(w->pipe[0], &set);
	return pselect(w->pipe[0] + 1, &set, NULL, NULL, &wait_time, &none);
}

static int by_epoll(struct waits *w)
{
	struct epoll_event event;

	return epoll_wait(w->epoll, &event, 1, wait_ms());
}

static int by_epoll_mask(struct waits *w)
{
	struct epoll_event event;
	sigset_t none;

	sigemptyset(&none);
	return epoll_pwait(w->epoll, &event, 1, wait_ms(), &none);
}

static int by_nanosleep(struct waits *w)
{
	struct timespec left = { 0, 0 };

	(void)w;
	return nanosleep(&wait_time, &left);
}

static int by_clock_nanosleep(struct waits *w)
{
	(void)w;
	return clock_nanosleep(CLOCK_MONOTONIC, 0, &wait_time, NULL);
}

static int by_clock_nanosleep_until(struct waits *w)
{
	struct timespec at = deadline(CLOCK_MONOTONIC);

	(void)w;
	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static int by_usleep(struct waits *w)
{
	(void)w;
	return usleep(wait_us());
}

static int by_sem_timedwait(struct waits *w)
{
	struct timespec at = deadline(CLOCK_REALTIME);

	return sem_timedwait(&w->semaphore, &at);
}

static int by_condition(struct waits *w)
{
	struct timespec at = deadline(CLOCK_REALTIME);
	int result;

	pthread_mutex_lock(&w->mutex);
	result = pthread_cond_timedwait(&w->condition, &w->mutex, &at);
	pthread_mutex_unlock(&w->mutex);
	return result;
}

static int by_recv_limit(struct waits *w)
{
	char byte;

	return (int)recv(w->pair[0], &byte, 1, 0);
}

static int by_read_limit(struct waits *w)
{
	char byte;

	return (int)read(w->pair[0], &byte, 1);
}

static int by_send_limit(struct waits *w)
{
	char bytes[65536] = "";

	return (int)send(w->full[0], bytes, sizeof(bytes), MSG_NOSIGNAL);
}

static int by_write_limit(struct waits *w)
{
	char bytes[65536] = "";

	return (int)write(w->full[0], bytes, sizeof(bytes));
}

static int by_semtimedop(struct waits *w)
{
	struct sembuf take = { .sem_num = 0, .sem_op = -1 };

	return semtimedop(w->set, &take, 1, &wait_time);
}

/* All signals but those that end the program. */
static sigset_t all_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGINT);
	sigdelset(&all, SIGTERM);
	return all;
}

static int by_sigtimedwait(struct waits *w)
{
	sigset_t all = all_signals();

	(void)w;
	return sigtimedwait(&all, NULL, &wait_time);
}

static int by_waitpid(struct waits *w)
{
	pid_t child = vfork();
	int status;

	(void)w;
	if (child == 0) {
		syscall(SYS_nanosleep, &wait_time, NULL);
		_exit(7);
	}
	if (waitpid(child, &status, 0) != child)
		return -1;
	return WEXITSTATUS(status) == 7 ? 0 : -1;
}

/* ---- what waits for a signal: the thread's own timer sends it, and goes on, for one might be missed */

static void timer_run(struct waits *w, bool runs)
{
	struct itimerspec time = { .it_value = wait_time, .it_interval = wait_time };

	timer_settime(w->timer, 0, runs ? &time : &(struct itimerspec){ 0 }, NULL);
}

static __thread volatile sig_atomic_t ticks;

static void tick_handler(int number)
{
	(void)number;
	ticks++;
}

/* `wait` says EINTR when it has had its signal; without that, somebody else's ended it. */
static int until_tick(struct waits *w, int (*wait)(const sigset_t *))
{
	sigset_t tick, before;
	int had = ticks;

	sigemptyset(&tick);
	sigaddset(&tick, TICK);
	pthread_sigmask(SIG_BLOCK, &tick, &before);
	timer_run(w, true);
	wait(&before);
	timer_run(w, false);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = EINTR;
	return ticks == had ? -1 : 0;
}

static int wait_sigsuspend_number(const sigset_t *mask)
{
	return (int)syscall(SYS_rt_sigsuspend, mask, 8);
}

static int wait_sigpause(const sigset_t *unused)
{
	(void)unused;
	return sigpause(TICK);
}

static int wait_pause(const sigset_t *mask)
{
	pthread_sigmask(SIG_SETMASK, mask, NULL);
	return pause();
}

static int by_sigsuspend(struct waits *w)
{
	return until_tick(w, sigsuspend);
}

static int by_sigsuspend_number(struct waits *w)
{
	return until_tick(w, wait_sigsuspend_number);
}

static int by_sigpause(struct waits *w)
{
	return until_tick(w, wait_sigpause);
}

static int by_pause(struct waits *w)
{
	return until_tick(w, wait_pause);
}

static int by_sigwait(struct waits *w)
{
	sigset_t all, before;
	int number = 0;

	sigfillset(&all);
	sigdelset(&all, SIGINT);
	sigdelset(&all, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	timer_run(w, true);
	sigwait(&all, &number);
	timer_run(w, false);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return number == TICK ? 0 : number;
}

/*
 * In a handler whose mask holds back everything, the clock's ticks, too: a mask that lets them in again
 * would end the wait, and waiting for all signals would get them.
 */
static __thread struct {
	int (*wait)(struct waits *);
	struct waits *waits;
	int result, error;
} in_handler;

static void waiting_handler(int number)
{
	(void)number;
	burn(1);
	in_handler.result = in_handler.wait(in_handler.waits);
	in_handler.error = errno;
}

static int wait_in_handler(struct waits *w, int (*wait)(struct waits *))
{
	in_handler.wait = wait;
	in_handler.waits = w;
	pthread_kill(pthread_self(), SIGUSR1);
	errno = in_handler.error;
	return in_handler.result;
}

static int by_ppoll_in_handler(struct waits *w)
{
	return wait_in_handler(w, by_ppoll_mask);
}

static int by_sigtimedwait_in_handler(struct waits *w)
{
	return wait_in_handler(w, by_sigtimedwait);
}

/* ---- System V, and by number */

/* Both until the tick, like the above. */
static int by_msgrcv(struct waits *w)
{
	long message[2];
	int had = ticks;

	timer_run(w, true);
	msgrcv(w->queue, message, sizeof(long), 1, 0);
	timer_run(w, false);
	errno = EINTR;
	return ticks == had ? -1 : 0;
}

static int by_semop(struct waits *w)
{
	struct sembuf take = { .sem_num = 0, .sem_op = -1 };
	int had = ticks;

	timer_run(w, true);
	semop(w->set, &take, 1);
	timer_run(w, false);
	errno = EINTR;
	return ticks == had ? -1 : 0;
}

static int by_futex(struct waits *w)
{
	return (int)syscall(SYS_futex, &w->word, 128, 0, &wait_time, NULL, 0);
}

static int by_poll_number(struct waits *w)
{
	struct pollfd fd = { .fd = w->pipe[0], .events = POLLIN };

	return (int)syscall(SYS_poll, &fd, 1, wait_ms());
}

static int by_ppoll_number(struct waits *w)
{
	struct pollfd fd = { .fd = w->pipe[0], .events = POLLIN };
	struct timespec limit = wait_time; /* the kernel writes what is left */
	sigset_t none;

	sigemptyset(&none);
	return (int)syscall(SYS_ppoll, &fd, 1, &limit, &none, (size_t)8);
}

static int by_ppoll_number_in_handler(struct waits *w)
{
	return wait_in_handler(w, by_ppoll_number);
}

static int by_pselect_number(struct waits *w)
{
	struct timespec limit = wait_time;
	sigset_t none;
	struct {
		const sigset_t *mask;
		size_t size;
	} pair = { &none, 8 };
	fd_set set;

	sigemptyset(&none);
	FD_ZERO(&set);
	FD_SET(w->pipe[0], &set);
	return (int)syscall(SYS_pselect6, w->pipe[0] + 1, &set, NULL, NULL, &limit, &pair);
}

static int by_epoll_number(struct waits *w)
{
	struct epoll_event event;

	return (int)syscall(SYS_epoll_pwait2, w->epoll, &event, 1, &wait_time, NULL, (size_t)0);
}

static int by_sigtimedwait_number(struct waits *w)
{
	sigset_t all = all_signals();

	(void)w;
	return (int)syscall(SYS_rt_sigtimedwait, &all, NULL, &wait_time, (size_t)8);
}

static int by_sigtimedwait_number_in_handler(struct waits *w)
{
	return wait_in_handler(w, by_sigtimedwait_number);
}

static int by_pselect_number_in_handler(struct waits *w)
{
	return wait_in_handler(w, by_pselect_number);
}

static int by_getrandom(struct waits *w)
{
	static __thread char bytes[300000];

	(void)w;
	return getrandom(bytes, sizeof(bytes), 0) == sizeof(bytes) ? 0 : -2;
}

static int by_aio(struct waits *w)
{
	const struct aiocb *list[] = { &w->reading };

	return aio_suspend(list, 1, &wait_time);
}

static int by_name(struct waits *w)
{
	const struct gaicb *list[] = { w->asking };
	int result = gai_suspend(list, 1, &wait_time);

	return result == EAI_INTR ? EINTR : result;
}

/* The listener has a time limit, too. Last: accepting puts the request down. */
static int by_accept_limit(struct waits *w)
{
	return accept(w->listener, NULL, NULL);
}

static const struct way {
	const char *name;
	int (*wait)(struct waits *);
	bool may_be_early; /* rounded, or without a time of its own */
} ways[] = {
	{ "poll", by_poll, false },
	{ "ppoll", by_ppoll, false },
	{ "ppoll with a mask", by_ppoll_mask, false },
	{ "select", by_select, false },
	{ "select without descriptors", by_select_alone, false },
	{ "pselect with a mask", by_pselect, false },
	{ "epoll_wait", by_epoll, false },
	{ "epoll_pwait with a mask", by_epoll_mask, false },
	{ "nanosleep", by_nanosleep, false },
	{ "clock_nanosleep", by_clock_nanosleep, false },
	{ "clock_nanosleep until", by_clock_nanosleep_until, false },
	{ "usleep", by_usleep, false },
	{ "sem_timedwait", by_sem_timedwait, true },
	{ "pthread_cond_timedwait", by_condition, true },
	{ "recv with a time limit", by_recv_limit, true },
	{ "read with a time limit", by_read_limit, true },
	{ "send with a time limit", by_send_limit, true },
	{ "write with a time limit", by_write_limit, true },
	{ "semtimedop", by_semtimedop, true },
	{ "sigtimedwait for all signals", by_sigtimedwait, false },
	{ "sigsuspend", by_sigsuspend, true },
	{ "sigsuspend by number", by_sigsuspend_number, true },
	{ "sigpause", by_sigpause, true },
	{ "pause", by_pause, true },
	{ "sigwait", by_sigwait, true },
	{ "ppoll with a mask in a handler", by_ppoll_in_handler, false },
	{ "sigtimedwait for all signals in a handler", by_sigtimedwait_in_handler, false },
	{ "msgrcv", by_msgrcv, true },
	{ "semop", by_semop, true },
	{ "a futex by number", by_futex, false },
	{ "poll by number", by_poll_number, false },
	{ "ppoll with a mask by number", by_ppoll_number, false },
	{ "pselect6 with a mask by number", by_pselect_number, false },
	{ "ppoll by number in a handler", by_ppoll_number_in_handler, false },
	{ "pselect6 by number in a handler", by_pselect_number_in_handler, false },
	{ "sigtimedwait by number in a handler", by_sigtimedwait_number_in_handler, false },
	{ "epoll_pwait2 by number", by_epoll_number, false },
	{ "sigtimedwait by number", by_sigtimedwait_number, false },
	{ "getrandom of 300 kB", by_getrandom, true },
	{ "aio_suspend", by_aio, false },
	{ "gai_suspend", by_name, false },
	{ "waitpid", by_waitpid, false },
	{ "accept with a time limit", by_accept_limit, true },
};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static void limit(int fd, int which)
{
	struct timeval time = { 0, wait_us() };

	if (setsockopt(fd, SOL_SOCKET, which, &time, sizeof(time)))
		fatal("setsockopt");
}

static void timer_make(struct waits *w)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = TICK };
	pid_t tid = (pid_t)syscall(SYS_gettid);

	/* Not all versions of glibc name the thread's id in there. */
	memcpy((char *)&event + offsetof(struct sigevent, sigev_notify) + sizeof(int), &tid,
	       sizeof(tid));
	if (timer_create(CLOCK_MONOTONIC, &event, &w->timer))
		fatal("timer_create");
}

/* One look-up for each thread; a file of aliases that nobody writes stops it at a name without dots. */
static struct gaicb asked[WAITERS_MAX];

static void names_ask(void)
{
	static char place[] = "/tmp/eintr.XXXXXX", fifo[sizeof(place) + 8];

	if (!mkdtemp(place))
		fatal("mkdtemp");
	snprintf(fifo, sizeof(fifo), "%s/aliases", place);
	if (mkfifo(fifo, 0600) || setenv("HOSTALIASES", fifo, 1))
		fatal("mkfifo");
	for (int i = 0; i < WAITERS_MAX; i++) {
		struct gaicb *list[] = { &asked[i] };

		asked[i].ar_name = "reqprof-waits";
		if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL))
			fatal("getaddrinfo_a");
	}
	pause_ms(200);
	unlink(fifo);
	rmdir(place);
}

static void waits_make(struct waits *w)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static char bytes[65536];

	if (pipe2(w->pipe, O_CLOEXEC) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->pair) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->full))
		fatal("descriptors");
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	w->set = semget(IPC_PRIVATE, 1, 0600);
	w->queue = msgget(IPC_PRIVATE, 0600);
	if (bind(w->listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(w->listener, 1))
		fatal("listener");
	limit(w->pair[0], SO_RCVTIMEO);
	limit(w->full[0], SO_SNDTIMEO);
	limit(w->listener, SO_RCVTIMEO);
	while (send(w->full[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	w->reading =
		(struct aiocb){ .aio_fildes = w->pipe[0], .aio_buf = &w->byte, .aio_nbytes = 1 };
	if (aio_read(&w->reading))
		fatal("aio_read");
	timer_make(w);
	sem_init(&w->semaphore, 0, 0);
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->condition, NULL);
}

static void waits_begin(struct waits *w)
{
	static const char head[] =
		"POST /waits HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n";
	char got[sizeof(head)];

	connection_make(&w->client, &w->server);
	waits_make(w);
	if (send(w->client, head, sizeof(head) - 1, 0) < 0 ||
	    recv(w->server, got, sizeof(head) - 1, MSG_WAITALL) < 0)
		fatal("request");
}

/* After a way that put the request down, too. */
static void waits_resume(struct waits *w)
{
	char got;

	if (send(w->client, "x", 1, 0) != 1 || recv(w->server, &got, 1, 0) != 1)
		fatal("body");
}

static void waits_end(struct waits *w)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

	if (send(w->server, answer, sizeof(answer) - 1, 0) < 0)
		fatal("answer");
	close(w->server);
	close(w->client);
	timer_delete(w->timer);
	semctl(w->set, 0, IPC_RMID);
	msgctl(w->queue, IPC_RMID, NULL);
}

/* Before any thread: what they have in common. */
static void waits_start(unsigned us)
{
	struct sigaction waiting_action = { .sa_handler = waiting_handler };

	wait_time.tv_nsec = (long)us * 1000;
	sigaction(TICK, &(struct sigaction){ .sa_handler = tick_handler }, NULL);
	sigfillset(&waiting_action.sa_mask);
	sigaction(SIGUSR1, &waiting_action, NULL);
	names_ask();
}

#endif
