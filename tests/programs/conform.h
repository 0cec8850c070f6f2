/*
 * For the conform_*.c programs: each says what calls of libc do, and must say the same with a library
 * preloaded as without. Every case happens inside an HTTP request that the process has with itself,
 * so that a library which follows requests is at work.
 *
 *	CASE(read) { ... }   prints "== read"; tests/bats/conform.bats wants one for every row of the hook table
 *	show("what", call);  prints result and errno
 */
#ifndef TESTS_PROGRAMS_CONFORM_H
#define TESTS_PROGRAMS_CONFORM_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* Wrong arguments are the point of many calls. */
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"
#pragma GCC diagnostic ignored "-Wnonnull"
#pragma GCC diagnostic ignored "-Wrestrict"
#pragma GCC diagnostic ignored "-Wunused-result"
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#pragma GCC diagnostic ignored "-Wunused-function"

static int request_client = -1, request_server = -1; /* both ends of the connection */
static volatile uint64_t burnt;

static inline void fatal(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static inline void burn(int milliseconds)
{
	struct timespec start, now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
	do {
		for (uint64_t i = 0; i < 20000; i++)
			burnt += i ^ burnt;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec <
		 milliseconds * 1000000L);
}

static inline void pause_ms(int milliseconds)
{
	struct timespec left = { milliseconds / 1000, milliseconds % 1000 * 1000000L };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
}

/* A byte of the body: the calling thread works for the request now. */
static inline void request_resume(void)
{
	char byte = 'x';

	if (send(request_client, &byte, 1, 0) != 1 || recv(request_server, &byte, 1, 0) != 1)
		fatal("request body");
}

/* Two ends of a TCP connection. To accept is to turn to something new: the request is resumed afterwards. */
static inline void connection_make(int *client, int *server)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 4) ||
	    getsockname(listener, (struct sockaddr *)&address, &len) ||
	    connect(*client, (struct sockaddr *)&address, len) ||
	    (*server = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
		fatal("connection");
	close(listener);
	if (request_server >= 0)
		request_resume();
}

/* The head of a request whose body does not end soon, sent and read. */
static inline void request_begin(void)
{
	static const char head[] =
		"POST /conform HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n";
	char got[sizeof(head)];
	int client, server;

	request_server = -1;
	connection_make(&client, &server);
	request_client = client;
	request_server = server;
	if (send(request_client, head, sizeof(head) - 1, 0) != sizeof(head) - 1 ||
	    recv(request_server, got, sizeof(head) - 1, MSG_WAITALL) != sizeof(head) - 1)
		fatal("request");
}

static inline void request_finish(void)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

	if (send(request_server, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
		fatal("response");
	close(request_server);
	close(request_client);
}

__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	fflush(stdout);
}

enum { ERRNO_BEFORE = 4242 }; /* what errno stays when a call succeeds */

static inline void show_result(const char *what, long result, int error)
{
	say("  %s: %ld", what, result);
	if (error != ERRNO_BEFORE)
		say(" errno %d %s", error, strerror(error));
	say("\n");
	errno = ERRNO_BEFORE;
}
#define show(what, ...)                            \
	do {                                       \
		long result_;                      \
                                                   \
		errno = ERRNO_BEFORE;              \
		result_ = (long)(__VA_ARGS__);     \
		show_result(what, result_, errno); \
	} while (0)

static inline void case_begins(const char *name)
{
	say("== %s\n", name);
	if (request_server >= 0)
		request_resume();
	burn(1);
	errno = ERRNO_BEFORE;
}
#define CASE(name) case_begins(#name);

/* Memory of two pages, the second of which cannot be touched: pointers near its middle tell partial work. */
static inline char *page_edge(void)
{
	static char *edge;

	if (!edge) {
		char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);

		if (pages == MAP_FAILED || mprotect(pages + 4096, 4096, PROT_NONE))
			fatal("page_edge");
		edge = pages + 4096;
	}
	return edge;
}
#define BAD_ADDRESS ((void *)8)

/* ---- the host's own signal, in the middle of a call */

/* Its two halves with an empty part between them; good until the next one is made. */
static inline struct iovec *vector(void *to, size_t size)
{
	static struct iovec parts[3];

	parts[0] = (struct iovec){ to, size / 2 };
	parts[1] = (struct iovec){ NULL, 0 };
	parts[2] = (struct iovec){ (char *)to + size / 2, size - size / 2 };
	return parts;
}

static volatile sig_atomic_t alarms;

static inline void alarm_handler(int number)
{
	int saved = errno;

	(void)number;
	alarms++;
	errno = saved;
}

static inline void alarm_in_us(int us)
{
	struct itimerval timer = { .it_value.tv_usec = us };

	setitimer(ITIMER_REAL, &timer, NULL);
}

static inline void alarm_arm(const struct sigaction *action)
{
	sigaction(SIGALRM, action, NULL);
	alarms = 0;
	alarm_in_us(20000);
}

/* SIGALRM after 20 ms, once. */
static inline void alarm_soon(int flags)
{
	alarm_arm(&(struct sigaction){ .sa_handler = alarm_handler, .sa_flags = flags });
}

/*
 * Did the signal end a call that waited, or is it restarted? The kernel leaves the thread behind the instruction
 * `syscall` with the error, or at it once more.
 */
static inline bool alarm_in_call(const ucontext_t *context)
{
	static const unsigned char syscall_bytes[] = { 0x0f, 0x05 };
	const char *at = (const char *)context->uc_mcontext.gregs[REG_RIP];

	return memcmp(at, syscall_bytes, sizeof(syscall_bytes)) == 0 ||
	       (memcmp(at - 2, syscall_bytes, sizeof(syscall_bytes)) == 0 &&
		context->uc_mcontext.gregs[REG_RAX] != 0);
}

static inline void alarm_again(int number, siginfo_t *info, void *context)
{
	if (alarm_in_call(context))
		alarm_handler(number);
	else
		alarm_in_us(5000);
	(void)info;
}

/* SIGALRM once in a call that waits: on a busy machine the thread may come to it late. (errno stays: setitimer succeeds.) */
static inline void alarm_waiting(int flags)
{
	alarm_arm(&(struct sigaction){ .sa_sigaction = alarm_again, .sa_flags = flags | SA_SIGINFO });
}

/* A thread that blocks SIGALRM and does something 60 ms later, so that a restarted call ends. */
struct later {
	pthread_t thread;
	bool after_alarm; /* not before the signal has come, but in ten seconds */
	void (*does)(void *);
	void *with;
};

static inline void *later_run(void *arg)
{
	struct later *later = arg;

	for (int i = 0; later->after_alarm && !alarms && i < 5000; i++)
		pause_ms(2);
	pause_ms(60);
	later->does(later->with);
	return NULL;
}

static inline void later_start_after(struct later *later, bool after_alarm, void (*does)(void *),
				     void *with)
{
	sigset_t alarm_only, old;

	later->after_alarm = after_alarm;
	later->does = does;
	later->with = with;
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm_only, &old);
	if (pthread_create(&later->thread, NULL, later_run, later))
		fatal("pthread_create");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static inline void later_start(struct later *later, void (*does)(void *), void *with)
{
	later_start_after(later, false, does, with);
}

static inline void later_done(struct later *later)
{
	pthread_join(later->thread, NULL);
}

static inline void later_write(void *fd)
{
	if (write(*(int *)fd, "late", 4) != 4)
		fatal("later_write");
}

/* Both ways a call that waits meets a signal: ended by it, and restarted (or not) with `does` ending it. */
#define show_interrupted(what, does, with, ...)                       \
	do {                                                          \
		struct later later_;                                  \
                                                                      \
		alarm_waiting(0);                                     \
		show(what ", a signal", __VA_ARGS__);                 \
		say("  signals %d\n", (int)alarms);                   \
		alarm_waiting(SA_RESTART);                            \
		later_start_after(&later_, true, does, with);         \
		show(what ", a signal with SA_RESTART", __VA_ARGS__); \
		later_done(&later_);                                  \
		say("  signals %d\n", (int)alarms);                   \
	} while (0)

#endif
