/*
 * An HTTP/1.1 server with threads, for tests: keep-alive and pipelining, and each of its 8 routes
 * burns CPU in a function of its own name. It says what it did, in the answer and on its output.
 *
 *   threaded_server PORT accept N     N threads, each accepts and serves
 *   threaded_server PORT spawn        the main thread accepts, a new thread serves each connection
 *
 * GET /rK/ANYTHING runs route_K and answers "route=K path=/rK/ANYTHING pid=P tid=T". Any other
 * path is a 404. One line of the same words goes to standard output for every answer.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ROUTES = 8, BURN_NS = 5000000, HEAD_MAX = 65536 };

static volatile uint64_t sink;

static uint64_t thread_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A function of its own for each route; noipa keeps the compiler from making them one. */
#define ROUTE(k)                                                                                   \
	__attribute__((noipa)) static void route_##k(uint64_t until_ns)                            \
	{                                                                                          \
		while (thread_cpu_ns() < until_ns) {                                               \
			uint64_t sum = k;                                                          \
                                                                                                   \
			for (uint64_t i = 0; i < 100000; i++)                                      \
				sum = sum * 31 + (i ^ k);                                          \
			sink = sum;                                                                \
		}                                                                                  \
	}
ROUTE(0)
ROUTE(1)
ROUTE(2)
ROUTE(3)
ROUTE(4)
ROUTE(5)
ROUTE(6)
ROUTE(7)

static void (*const routes[ROUTES])(uint64_t) = {
	route_0, route_1, route_2, route_3, route_4, route_5, route_6, route_7,
};

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t put = send(fd, bytes, len, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return -1;
		bytes += put;
		len -= (size_t)put;
	}
	return 0;
}

static bool has_word(const char *head, const char *end, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = head; at + len <= end; at++)
		if (strncasecmp(at, word, len) == 0)
			return true;
	return false;
}

/* Answers the request whose head is [head, end). False when the connection ends with it. */
static bool answer(int fd, const char *head, const char *end)
{
	char body[HEAD_MAX + 100], response[HEAD_MAX + 300];
	const char *path = memchr(head, ' ', (size_t)(end - head));
	const char *path_end = path ? memchr(path + 1, ' ', (size_t)(end - path - 1)) : NULL;
	bool keep = !has_word(head, end, "connection: close");
	int path_len = path_end ? (int)(path_end - path - 1) : 0;
	int body_len, len;
	const char *status = "200 OK";

	path = path_end ? path + 1 : "";
	if (path_len >= 3 && path[0] == '/' && path[1] == 'r' && path[2] >= '0' &&
	    path[2] < '0' + ROUTES) {
		routes[path[2] - '0'](thread_cpu_ns() + BURN_NS);
		body_len = snprintf(body, sizeof(body), "route=%c path=%.*s pid=%d tid=%ld\n", path[2],
				    path_len, path, (int)getpid(), syscall(SYS_gettid));
	} else {
		status = "404 Not Found";
		body_len = snprintf(body, sizeof(body), "no route path=%.*s pid=%d tid=%ld\n", path_len,
				    path, (int)getpid(), syscall(SYS_gettid));
	}
	len = snprintf(response, sizeof(response),
		       "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
		       "Connection: %s\r\n\r\n%s",
		       status, body_len, keep ? "keep-alive" : "close",
		       strncmp(head, "HEAD ", 5) == 0 ? "" : body);
	fputs(body, stdout);
	return write_all(fd, response, (size_t)len) == 0 && keep;
}

static void serve(int fd)
{
	static __thread char buffer[HEAD_MAX];
	size_t have = 0;

	for (;;) {
		char *end = memmem(buffer, have, "\r\n\r\n", 4);
		ssize_t got;

		if (end) {
			size_t used = (size_t)(end + 4 - buffer);

			if (!answer(fd, buffer, end))
				break;
			memmove(buffer, buffer + used, have - used);
			have -= used;
			continue;
		}
		if (have == sizeof(buffer))
			break;
		got = recv(fd, buffer + have, sizeof(buffer) - have, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		have += (size_t)got;
	}
	shutdown(fd, SHUT_WR);
	close(fd);
}

static int listener;

static void *accept_and_serve(void *unused)
{
	(void)unused;
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0)
			serve(fd);
		else if (errno != EINTR && errno != ECONNABORTED)
			return NULL;
	}
}

static void *serve_one(void *arg)
{
	serve((int)(intptr_t)arg);
	return NULL;
}

static void spawn_for_each(void)
{
	pthread_attr_t detached;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	for (;;) {
		pthread_t thread;
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
			return;
		if (fd >= 0 && pthread_create(&thread, &detached, serve_one, (void *)(intptr_t)fd))
			close(fd);
	}
}

static void finish(int number)
{
	(void)number;
	_exit(0);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;

	if (argc < 3) {
		fprintf(stderr, "usage: threaded_server PORT accept N | PORT spawn\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, finish);
	address.sin_port = htons((uint16_t)atoi(argv[1]));
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 128)) {
		perror("threaded_server");
		return 1;
	}
	if (strcmp(argv[2], "spawn") == 0) {
		spawn_for_each();
	} else {
		int threads = argc > 3 ? atoi(argv[3]) : 4;

		for (int i = 1; i < threads; i++) {
			pthread_t thread;

			if (pthread_create(&thread, NULL, accept_and_serve, NULL))
				return 1;
		}
		accept_and_serve(NULL);
	}
	perror("threaded_server: accept");
	return 1;
}
