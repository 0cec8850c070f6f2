/*
 * An HTTP server with one thread that asks the system about itself and answers with what it was
 * told. Its answers must be the same with and without a library preloaded into it.
 *
 *   asker PORT
 *
 *   /mask     signal masks, set and read back in every way
 *   /action   what each signal does, set and read back in every way
 *   /eintr    how many blocking calls were interrupted while it burnt CPU between them
 *   /errno    errno and results of calls that fail and calls that succeed
 *   /numbers  the numbers that new descriptors get, and which below 256 are open
 *   /closeall closes every descriptor but the ones it needs, as daemons do; then as /numbers
 *   /fork     forks, vforks, spawns and waits; what the children ended with
 *   /threads  how many threads the process has
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static char body[1 << 16];
static size_t body_len;
static int listener, connection;
static volatile uint64_t sink;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(body + body_len, sizeof(body) - body_len, format, args);
	va_end(args);
	if (len > 0 && body_len + (size_t)len < sizeof(body))
		body_len += (size_t)len;
}

static void burn(int milliseconds)
{
	struct timespec start, now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
	do {
		for (uint64_t i = 0; i < 100000; i++)
			sink += i ^ sink;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec <
		 milliseconds * 1000000L);
}

static void say_mask(const char *what, const sigset_t *mask)
{
	say("%s:", what);
	for (int number = 1; number <= 64; number++)
		if (sigismember(mask, number) == 1)
			say(" %d", number);
	say("\n");
}

static void ask_mask(void)
{
	sigset_t all, none, old, some;

	sigfillset(&all);
	sigemptyset(&none);
	sigemptyset(&some);
	for (int number = 40; number <= 60; number++)
		sigaddset(&some, number);
	say("block all: %d\n", pthread_sigmask(SIG_SETMASK, &all, &old));
	say_mask("before", &old);
	burn(5);
	say("ask: %d\n", pthread_sigmask(SIG_BLOCK, NULL, &old));
	say_mask("all", &old);
	say("unblock some: %d\n", sigprocmask(SIG_UNBLOCK, &some, &old));
	say_mask("before", &old);
	sigprocmask(SIG_SETMASK, NULL, &old);
	say_mask("now", &old);
	say("block some: %d\n", sigprocmask(SIG_BLOCK, &some, NULL));
	burn(5);
	sigprocmask(SIG_SETMASK, NULL, &old);
	say_mask("now", &old);
	say("set none: %d\n", sigprocmask(SIG_SETMASK, &none, &old));
	say_mask("before", &old);
	say("block some by pthread_sigmask: %d\n", pthread_sigmask(SIG_BLOCK, &some, &old));
	say_mask("before", &old);
	say("set none: %d\n", pthread_sigmask(SIG_SETMASK, &none, &old));
	say_mask("before", &old);
	say("bad how: %d\n", pthread_sigmask(77, &none, &old));
	errno = 0;
	say("bad how: %d", sigprocmask(77, &none, &old));
	say(" %s\n", strerror(errno));
}

static void some_handler(int number)
{
	(void)number;
}

static void say_action(int number, const struct sigaction *action)
{
	const char *what = action->sa_handler == SIG_DFL ? "default" :
			   action->sa_handler == SIG_IGN ? "ignored" :
			   action->sa_handler == some_handler ? "ours" : "strange";

	say("%d %s %x %d\n", number, what, (unsigned)action->sa_flags & ~0x04000000u,
	    sigismember(&action->sa_mask, 50) + sigismember(&action->sa_mask, 12) * 2);
}

static void ask_action(void)
{
	struct sigaction action, old, before[65];
	static const int numbers[] = { 1, 10, 12, 17, 27, 29, 34, 40, 49, 50, 51, 62, 64 };
	size_t count = sizeof(numbers) / sizeof(numbers[0]);

	for (int number = 1; number <= 64; number++) {
		errno = 0;
		if (sigaction(number, NULL, &old))
			say("%d %s\n", number, strerror(errno));
		else
			say_action(number, &old);
	}
	for (size_t i = 0; i < count; i++) {
		memset(&action, 0, sizeof(action));
		action.sa_handler = some_handler;
		action.sa_flags = SA_RESTART;
		sigaddset(&action.sa_mask, 50);
		sigaddset(&action.sa_mask, 12);
		say("set %d: %d\n", numbers[i], sigaction(numbers[i], &action, &before[numbers[i]]));
		say_action(numbers[i], &before[numbers[i]]);
	}
	burn(10);
	for (size_t i = 0; i < count; i++) {
		sigaction(numbers[i], NULL, &old);
		say_action(numbers[i], &old);
		sigaction(numbers[i], &before[numbers[i]], &old);
		say_action(numbers[i], &old);
	}
	say("signal returns: %s\n", signal(50, SIG_IGN) == SIG_DFL ? "default" : "else");
	burn(5);
	say("signal returns: %s\n", signal(50, SIG_DFL) == SIG_IGN ? "ignored" : "else");
	burn(5);
}

static void ask_eintr(void)
{
	int interrupted = 0, early = 0, pipes[2];
	struct timespec wait = { 0, 3000000 }, before, after, left;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	if (pipe(pipes))
		return;
	for (int round = 0; round < 12; round++) {
		struct pollfd poll_fd = { .fd = pipes[0], .events = POLLIN };
		struct timeval tv = { 0, 3000 };
		fd_set set;

		burn(2);
		interrupted += poll(&poll_fd, 1, 3) < 0;
		burn(2);
		FD_ZERO(&set);
		FD_SET(pipes[0], &set);
		interrupted += select(pipes[0] + 1, &set, NULL, NULL, &tv) < 0;
		burn(2);
		interrupted += epoll_wait(epoll, &event, 1, 3) < 0;
		burn(2);
		clock_gettime(CLOCK_MONOTONIC, &before);
		interrupted += nanosleep(&wait, &left) < 0;
		clock_gettime(CLOCK_MONOTONIC, &after);
		early += (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec <
			 wait.tv_nsec;
		burn(2);
		interrupted += usleep(3000) < 0;
	}
	close(pipes[0]);
	close(pipes[1]);
	close(epoll);
	say("interrupted %d, too early %d\n", interrupted, early);
}

static void say_call(const char *what, long result)
{
	int error = errno;

	say("%s: %ld %s\n", what, result, strerror(error));
	errno = 4242;
}

static void ask_errno(void)
{
	char byte[16] = "x";
	struct iovec part = { byte, 0 };
	int pair[2], bad = 200 + (int)(sink & 1);

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
		return;
	errno = 4242;
	say_call("read bad", read(bad, byte, 1));
	say_call("write bad", write(bad, byte, 1));
	say_call("recv bad", recv(bad, byte, 1, 0));
	say_call("send bad", send(bad, byte, 1, 0));
	say_call("writev bad", writev(bad, &part, 1));
	say_call("close bad", close(bad));
	say_call("shutdown bad", shutdown(bad, SHUT_RD));
	say_call("dup bad", dup(bad));
	say_call("dup2 bad", dup2(bad, bad + 1));
	say_call("accept bad", accept(bad, NULL, NULL));
	say_call("accept not listening", accept(pair[0], NULL, NULL));
	say_call("recv nothing there", recv(pair[0], byte, 1, 0));
	say_call("read nothing there", read(pair[0], byte, 1));
	say_call("write", write(pair[0], byte, 3));
	say_call("peek", recv(pair[1], byte, sizeof(byte), MSG_PEEK));
	say_call("read", read(pair[1], byte, sizeof(byte)));
	say_call("read 0 bytes", read(pair[1], byte, 0));
	say_call("read into nowhere", syscall(SYS_read, pair[1], NULL, 1));
	say_call("send on connection, nothing", send(connection, byte, 0, 0));
	say_call("read on connection, nothing", recv(connection, byte, 1, MSG_DONTWAIT));
	say_call("close", close(pair[0]));
	say_call("read at end", read(pair[1], byte, 1));
	say_call("write at end", send(pair[1], byte, 1, MSG_NOSIGNAL));
	say_call("close", close(pair[1]));
	say_call("close again", close(pair[1]));
	burn(5);
	say_call("after burning", 0);
}

static void say_open(void)
{
	say("open:");
	for (int fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			say(" %d", fd);
	say("\n");
}

static void ask_numbers(void)
{
	int first, second, third;

	say_open();
	say("connection %d, listener %d\n", connection, listener);
	burn(5);
	first = open("/dev/null", O_RDONLY | O_CLOEXEC);
	second = dup(first);
	third = socket(AF_INET, SOCK_STREAM, 0);
	say("new: %d %d %d", first, second, third);
	say(" %d", dup2(first, 77));
	say(" %d\n", fcntl(first, F_DUPFD, 100));
	close(100);
	close(77);
	close(third);
	close(second);
	close(first);
	say_open();
}

static void ask_closeall(void)
{
	long limit = sysconf(_SC_OPEN_MAX);

	burn(5);
	if (limit > 65536)
		limit = 65536;
	for (int fd = 3; fd < limit; fd++)
		if (fd != connection && fd != listener)
			close(fd);
	burn(5);
	closefrom(connection > listener ? connection + 1 : listener + 1);
	burn(5);
	ask_numbers();
}

static void ask_fork(void)
{
	int status;
	pid_t child = fork();
	char name[] = "true";
	char *arguments[] = { name, NULL };

	if (child == 0) {
		burn(5);
		_exit(3);
	}
	waitpid(child, &status, 0);
	say("fork, _exit: %d\n", WEXITSTATUS(status));
	child = fork();
	if (child == 0)
		exit(4);
	waitpid(child, &status, 0);
	say("fork, exit: %d\n", WEXITSTATUS(status));
	child = vfork();
	if (child == 0) {
		close(connection); /* as a library does that sweeps descriptors in a vfork child */
		close(listener);
		_exit(5);
	}
	waitpid(child, &status, 0);
	say("vfork: %d\n", WEXITSTATUS(status));
	status = posix_spawnp(&child, "true", NULL, NULL, arguments, environ);
	say("spawn: %d\n", status);
	waitpid(child, &status, 0);
	say("spawned: %d\n", status);
	say("system: %d\n", WEXITSTATUS(system("exit 7")));
	burn(5);
}

static void ask_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	int count = 0;

	burn(5);
	while (tasks && readdir(tasks))
		count++;
	closedir(tasks);
	say("threads: %d\n", count - 2);
}

static const struct question {
	const char *path;
	void (*ask)(void);
} questions[] = {
	{ "/mask", ask_mask },       { "/action", ask_action },     { "/eintr", ask_eintr },
	{ "/errno", ask_errno },     { "/numbers", ask_numbers },   { "/closeall", ask_closeall },
	{ "/fork", ask_fork },       { "/threads", ask_threads },
};

static void serve(void)
{
	char request[4096], head[128];
	size_t have = 0;
	ssize_t got;
	int len;

	while (have < sizeof(request) - 1 && !memmem(request, have, "\r\n\r\n", 4)) {
		got = read(connection, request + have, sizeof(request) - 1 - have);
		if (got <= 0)
			return;
		have += (size_t)got;
	}
	request[have] = '\0';
	body_len = 0;
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		len = (int)strlen(questions[i].path);
		if (strncmp(request + 4, questions[i].path, (size_t)len) == 0 && request[4 + len] == ' ')
			questions[i].ask();
	}
	len = snprintf(head, sizeof(head), "HTTP/1.0 %s\r\nContent-Length: %zu\r\n\r\n",
		       body_len ? "200 OK" : "404 Not Found", body_len);
	if (write(connection, head, (size_t)len) != len ||
	    write(connection, body, body_len) != (ssize_t)body_len)
		perror("asker: write");
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;

	if (argc != 2) {
		fprintf(stderr, "usage: asker PORT\n");
		return 2;
	}
	address.sin_port = htons((uint16_t)atoi(argv[1]));
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 16)) {
		perror("asker");
		return 1;
	}
	for (;;) {
		connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (connection < 0)
			continue;
		serve();
		close(connection);
	}
}
