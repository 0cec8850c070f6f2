/*
 * soak_client PORT CONNECTIONS requests|seconds N: keeps a server busy, each connection with one
 * request after the other, and looks at every byte that comes back: the body of /NUMBER is "/NUMBER\n".
 * Prints how many were asked, how many answers were wrong, and requests a second; exit status 1 if any was.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static unsigned short port;
static long most; /* requests; 0: until `until` */
static time_t until;
static long asked, wrong; /* atomic */

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* The number of the next request; 0: enough. */
static long next(void)
{
	long n = __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED);

	if (most ? n <= most : now() < until)
		return n;
	__atomic_sub_fetch(&asked, 1, __ATOMIC_RELAXED);
	return 0;
}

static int connect_to_server(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* *fd: -1 where there is no connection yet, or none that the server keeps. */
static bool ask(int *fd, long number)
{
	char text[4096], path[32];
	size_t have = 0, want = 0;
	char *body;
	int len = snprintf(path, sizeof(path), "/%ld", number);
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: soak\r\n\r\n", path);

	if (*fd < 0)
		*fd = connect_to_server();
	if (*fd < 0 || write(*fd, text, (size_t)n) != n)
		return false;
	while (!want || have < want) {
		ssize_t got = read(*fd, text + have, sizeof(text) - 1 - have);

		if (got <= 0)
			return false;
		have += (size_t)got;
		text[have] = '\0';
		body = strstr(text, "\r\n\r\n");
		if (body && !want) {
			const char *length = strcasestr(text, "\r\nContent-Length: ");

			if (!length)
				return false;
			want = (size_t)(body + 4 - text) + strtoul(length + 18, NULL, 10);
		}
	}
	body = strstr(text, "\r\n\r\n") + 4;
	n = have == want && strncmp(text, "HTTP/1.1 200 ", 13) == 0 &&
	    have - (size_t)(body - text) == (size_t)len + 1 && memcmp(body, path, (size_t)len) == 0 &&
	    body[len] == '\n';
	if (!strcasestr(text, "\r\nConnection: keep-alive")) {
		close(*fd);
		*fd = -1;
	}
	return n;
}

static void *connection(void *unused)
{
	int fd = -1;
	long number;

	while ((number = next())) {
		if (ask(&fd, number))
			continue;
		if (fd >= 0)
			close(fd);
		fd = -1;
		__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	}
	if (fd >= 0)
		close(fd);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t threads[256];
	int connections;
	struct timespec start, end;

	if (argc != 5)
		return 2;
	port = (unsigned short)atoi(argv[1]);
	connections = atoi(argv[2]);
	if (strcmp(argv[3], "requests") == 0)
		most = atol(argv[4]);
	else
		until = now() + atol(argv[4]);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < connections && i < 256; i++)
		pthread_create(&threads[i], NULL, connection, NULL);
	for (int i = 0; i < connections && i < 256; i++)
		pthread_join(threads[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%ld %ld %.0f\n", asked, wrong,
	       (double)asked / ((double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9));
	return wrong != 0;
}
