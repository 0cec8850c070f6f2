/*
 * What our wrappers add to read and write: run with the library preloaded. Calls are made in
 * turns (requests, a hundred of each) as the host makes them and by libc's own functions, which nobody
 * stands in front of.
 *
 *	hooks times    medians, as JSON: ours and libc's
 *	hooks counts   under callgrind: a dump for each of ours and of libc's
 *	hooks threads  CPU time of a request on 1, 2, 4 ... 64 threads, each with a connection of its own, as
 *	               JSON: ours less libc's
 *
 * The library's settings decide what is measured: off, or on without a file (REQPROF_KEEP).
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/bench/timing.h"

enum { ROUNDS = 40, RUN = 100, UNTRACKED_CALLS = 100, HEAD = 500, BODY = 500 };

struct calls {
	ssize_t (*read)(int, void *, size_t);
	ssize_t (*write)(int, const void *, size_t);
};

/* A connection whose client is played by raw system calls, which the library does not see. */
struct link {
	int client, server;
};

struct measured {
	struct series untracked, head, body, answer;
};

static struct calls host = { read, write }, libc;
static struct measured ours, bare;
static char request[HEAD + BODY], buffer[4096];
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: bench\r\n"
			     "Content-Type: text/plain\r\n\r\nfive\n";

static long raw_io(long number, int fd, const void *bytes, size_t len)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"((long)fd), "S"(bytes), "d"(len)
			 : "rcx", "r11", "memory");
	return result;
}

static void find_libc(void)
{
	void *handle = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

	*(void **)&libc.read = dlsym(handle, "read");
	*(void **)&libc.write = dlsym(handle, "write");
}

static void make_request(void)
{
	size_t n = (size_t)snprintf(request, sizeof(request),
				    "POST /resource_providers/17/inventories HTTP/1.1\r\nHost: localhost\r\n"
				    "Content-Length: %d\r\nX-Padding: ", BODY);

	memset(request + n, 'x', sizeof(request) - n);
	memcpy(request + HEAD - 4, "\r\n\r\n", 4);
}

static int connect_link(struct link *link)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	link->client = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) < 0 ||
	    connect(link->client, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	link->server = accept(listener, NULL, NULL);
	setsockopt(link->client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(link->server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return close(listener);
}

static void client_sends(const struct link *link, const char *bytes, size_t len)
{
	if (raw_io(SYS_write, link->client, bytes, len) != (long)len)
		exit(1);
}

static void client_takes(const struct link *link)
{
	raw_io(SYS_read, link->client, buffer, sizeof(buffer));
}

static void time_request(const struct link *link, const struct calls *calls, struct measured *to)
{
	uint64_t t0, t1, t2, t3;

	client_sends(link, request, HEAD);
	t0 = timing_now();
	calls->read(link->server, buffer, sizeof(buffer));
	t1 = timing_now();
	series_add(&to->head, t1 - t0);
	client_sends(link, request + HEAD, BODY);
	t1 = timing_now();
	calls->read(link->server, buffer, sizeof(buffer));
	t2 = timing_now();
	series_add(&to->body, t2 - t1);
	t2 = timing_now();
	calls->write(link->server, answer, sizeof(answer) - 1);
	t3 = timing_now();
	series_add(&to->answer, t3 - t2);
	client_takes(link);
}

/* A hundred calls a reading: the counter is too coarse for one. */
static void time_untracked(int fd, const struct calls *calls, struct measured *to)
{
	uint64_t begin = timing_now();

	for (int i = 0; i < UNTRACKED_CALLS; i++)
		calls->read(fd, buffer, 1);
	series_add(&to->untracked, timing_now() - begin);
}

static void print_pair(const char *name, struct series *with, struct series *without, double each)
{
	printf("\"%s_ns\": %.1f, \"%s_libc_ns\": %.1f, ", name, series_median(with) / each, name,
	       series_median(without) / each);
}

static void times(int untracked, const struct link *mine, const struct link *theirs)
{
	for (int i = 0; i < ROUNDS * RUN; i++) {
		time_untracked(untracked, &host, &ours);
		time_untracked(untracked, &libc, &bare);
	}
	for (int round = 0; round < ROUNDS; round++) {
		/* One after the other, as on a busy thread. */
		for (int i = 0; i < RUN; i++)
			time_request(mine, &host, &ours);
		for (int i = 0; i < RUN; i++)
			time_request(theirs, &libc, &bare);
	}
	putchar('{');
	print_pair("untracked", &ours.untracked, &bare.untracked, UNTRACKED_CALLS);
	print_pair("head", &ours.head, &bare.head, 1);
	print_pair("body", &ours.body, &bare.body, 1);
	print_pair("answer", &ours.answer, &bare.answer, 1);
	printf("\"requests\": %d}\n", ROUNDS * RUN);
}

/* ---- counts: one of each in a round, all counted but what the client does */

static void counted_request(const struct link *link, const struct calls *calls)
{
	CALLGRIND_TOGGLE_COLLECT;
	client_sends(link, request, HEAD);
	CALLGRIND_TOGGLE_COLLECT;
	calls->read(link->server, buffer, sizeof(buffer));
	CALLGRIND_TOGGLE_COLLECT;
	client_sends(link, request + HEAD, BODY);
	CALLGRIND_TOGGLE_COLLECT;
	calls->read(link->server, buffer, sizeof(buffer));
	calls->write(link->server, answer, sizeof(answer) - 1);
	CALLGRIND_TOGGLE_COLLECT;
	client_takes(link);
	CALLGRIND_TOGGLE_COLLECT;
}

static void counts(int untracked, const struct link *mine, const struct link *theirs)
{
	/* A tick can come into one of the rounds; the smallest count is the one without. */
	for (int round = 0; round < 3; round++) {
		COUNT("libc: read, untracked", 100, libc.read(untracked, buffer, 1));
		COUNT("read, untracked", 100, host.read(untracked, buffer, 1));
		COUNT("libc: request", 100, counted_request(theirs, &libc));
		COUNT("request", 100, counted_request(mine, &host));
	}
}

/* ---- threads: whoever waited for another would spend CPU time, or the CPU's, at more threads */

enum { THREADS_MAX = 64, THREADS_REQUESTS = 6400, THREADS_ROUNDS = 5, WARM = 5 };

struct worker {
	pthread_t thread;
	struct link link;
	const struct calls *calls;
	int requests;
	double cpu_ns; /* of one */
};

static void serve(const struct link *link, const struct calls *calls)
{
	char bytes[HEAD + BODY];

	client_sends(link, request, sizeof(request));
	calls->read(link->server, bytes, sizeof(bytes));
	calls->write(link->server, answer, sizeof(answer) - 1);
	raw_io(SYS_read, link->client, bytes, sizeof(bytes));
}

static double thread_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void *worker_run(void *data)
{
	struct worker *worker = data;
	double begin;

	for (int i = 0; i < WARM; i++) /* a thread's first request makes its memory and its clock */
		serve(&worker->link, worker->calls);
	begin = thread_cpu_ns();
	for (int i = 0; i < worker->requests; i++)
		serve(&worker->link, worker->calls);
	worker->cpu_ns = (thread_cpu_ns() - begin) / worker->requests;
	return NULL;
}

static double threads_cpu_ns(struct worker *workers, int count, const struct calls *calls)
{
	double sum = 0;

	for (int i = 0; i < count; i++) {
		workers[i].calls = calls;
		workers[i].requests = THREADS_REQUESTS / count;
		pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]);
	}
	for (int i = 0; i < count; i++) {
		pthread_join(workers[i].thread, NULL);
		sum += workers[i].cpu_ns;
	}
	return sum / count;
}

/* The least of some rounds, in turns: what else the machine does only adds. */
static void threads(void)
{
	static struct worker mine[THREADS_MAX], theirs[THREADS_MAX];
	double with[7], without[7];

	for (int i = 0; i < THREADS_MAX; i++)
		if (connect_link(&mine[i].link) < 0 || connect_link(&theirs[i].link) < 0)
			exit(1);
	for (int round = 0; round < THREADS_ROUNDS; round++) {
		for (int n = 0; n < 7; n++) {
			double ns = threads_cpu_ns(mine, 1 << n, &host);

			with[n] = round && with[n] < ns ? with[n] : ns;
			ns = threads_cpu_ns(theirs, 1 << n, &libc);
			without[n] = round && without[n] < ns ? without[n] : ns;
		}
	}
	for (int n = 0; n < 7; n++)
		printf("%s\"%d\": %.0f", n ? ", " : "{", 1 << n, with[n] - without[n]);
	puts("}");
}

int main(int argc, char **argv)
{
	struct link mine, theirs;
	int untracked = open("/dev/zero", O_RDONLY); /* for its first byte */

	if (argc != 2 || untracked < 0 || connect_link(&mine) < 0 || connect_link(&theirs) < 0)
		return 1;
	find_libc();
	make_request();
	if (strcmp(argv[1], "threads") == 0)
		threads();
	else
		(strcmp(argv[1], "times") == 0 ? times : counts)(untracked, &mine, &theirs);
	return 0;
}
