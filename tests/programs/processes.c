/*
 * processes PORT [FD]: a server with a thread for each connection, whose requests do with their
 * process what servers do. Each answers "PID ANSWER". FD: a listening socket that it was given.
 *
 * /burn/MS             burns CPU
 * /fork/MS             a child burns so long, and ends; its status
 * /vfork               a vfork child closes all descriptors in three ways, and executes true
 * /share/HOW           a child that shares the memory closes all descriptors, its own, again and again;
 *                      "locals": its thread-locals are its own; its status
 * /spawn/PROGRAM       posix_spawn with file actions that close all descriptors; its status
 * /exec                the process executes itself anew, with the listening socket
 * /close/HOW           closes all descriptors but the sockets: loop, range or from
 * /setuid/UID, /chroot/DIR, /unshare
 * /modules/N           loads and unloads a library N times
 * /threads/N           N threads, one after the other, each with a request of its own to this server
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int listener;
static unsigned short port;

__attribute__((noinline)) static long burns(long ms)
{
	volatile long sum = 0;
	struct timespec now;
	long start, end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	start = now.tv_sec * 1000000000 + now.tv_nsec;
	do {
		for (int i = 0; i < 20000; i++)
			sum += i;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
		end = now.tv_sec * 1000000000 + now.tv_nsec;
	} while (end - start < ms * 1000000);
	return ms;
}

static long status_of(pid_t child)
{
	int status = -1;

	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static long forks(long ms)
{
	pid_t child = fork();

	if (child == 0) {
		burns(ms);
		_exit(42);
	}
	return status_of(child);
}

/* 7; with reads among it, which the library would look at. */
static int closes_beside(void *unused)
{
	(void)unused;
	for (int round = 0; round < 200; round++) {
		for (int fd = 3; fd < 64; fd++) {
			char byte;

			(void)!read(fd, &byte, 0);
			close(fd);
		}
		sched_yield();
	}
	return 7;
}

/* What lies below and above a thread pointer, with its own address where the old one was: enough for calls of libc. */
static void *own_locals(void)
{
	enum { BELOW = 16384, ABOVE = 2304 };
	static char memory[BELOW + ABOVE] __attribute__((aligned(64)));
	char *old = __builtin_thread_pointer(), *own = memory + BELOW;

	memcpy(memory, old - BELOW, sizeof(memory));
	memcpy(own, &own, sizeof(own));
	memcpy(own + 16, &own, sizeof(own));
	return own;
}

static long shares(bool locals)
{
	static char stack[65536] __attribute__((aligned(16)));
	int flags = CLONE_VM | SIGCHLD | (locals ? CLONE_SETTLS : 0);
	pid_t child = clone(closes_beside, stack + sizeof(stack), flags, NULL, NULL, locals ? own_locals() : NULL, NULL);

	/* Beside what the child does. */
	for (int i = 0; i < 200; i++) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		char byte;

		(void)!read(fd, &byte, 1);
		close(fd);
	}
	return status_of(child);
}

/* As CPython's subprocess does it: between the two nothing but system calls, by libc's wrappers. */
static long vforks(void)
{
	char *arguments[] = { (char *)"true", NULL };
	pid_t child = vfork();

	if (child == 0) {
		close_range(5, UINT_MAX, 0);
		for (int fd = 5; fd < 1024; fd++)
			close(fd);
		closefrom(5);
		execvp("true", arguments);
		_exit(127);
	}
	return status_of(child);
}

static long spawns(char *program)
{
	char *arguments[] = { program, NULL };
	posix_spawn_file_actions_t actions;
	pid_t child = -1;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	error = posix_spawn(&child, program, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	return error ? -error : status_of(child);
}

static long closes(const char *how, int connection)
{
	int last = connection > listener ? connection : listener;

	for (int fd = 3; fd < last; fd++)
		if (fd != connection && fd != listener)
			close(fd);
	if (strcmp(how, "range") == 0)
		return close_range((unsigned)last + 1, UINT_MAX, 0);
	if (strcmp(how, "from") == 0)
		closefrom(last + 1);
	else
		for (int fd = last + 1; fd < 65536; fd++)
			close(fd);
	return 0;
}

static long modules(long n)
{
	long failed = 0;

	for (long i = 0; i < n; i++) {
		void *library = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
		unsigned long (*crc)(unsigned long, const void *, unsigned);

		crc = library ? (unsigned long (*)(unsigned long, const void *, unsigned))dlsym(library, "crc32")
			      : NULL;
		for (int j = 0; crc && j < 50; j++)
			crc(0, environ, 64);
		failed += !crc || dlclose(library) != 0;
	}
	return failed;
}

/* ---- requests to itself ---- */

static int ask(const char *path)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	char text[256];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), len, good;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	len = snprintf(text, sizeof(text), "GET %s HTTP/1.0\r\n\r\n", path);
	good = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && write(fd, text, (size_t)len) == len &&
	       read(fd, text, sizeof(text)) > 12 && memcmp(text, "HTTP/1.0 200", 12) == 0;
	while (good && read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
	return good;
}

static long threads(long n)
{
	long failed = 0;

	for (long i = 0; i < n; i++)
		failed += !ask("/burn/0");
	return failed;
}

/* ---- serving ---- */

static void executes(int connection)
{
	char port_text[16], fd_text[16];

	snprintf(port_text, sizeof(port_text), "%u", port);
	snprintf(fd_text, sizeof(fd_text), "%d", listener);
	fcntl(listener, F_SETFD, 0);
	close(connection);
	execl("/proc/self/exe", "processes", port_text, fd_text, (char *)NULL);
	_exit(126);
}

static long answer(char *path, int connection)
{
	char *word = strtok_r(path, "/", &path);

	if (!word)
		return 0;
	if (strcmp(word, "burn") == 0)
		return burns(atol(path));
	if (strcmp(word, "fork") == 0)
		return forks(atol(path));
	if (strcmp(word, "share") == 0)
		return shares(strcmp(path, "locals") == 0);
	if (strcmp(word, "vfork") == 0)
		return vforks();
	if (strcmp(word, "spawn") == 0) {
		char program[1024];

		snprintf(program, sizeof(program), "/%s", path);
		return spawns(program);
	}
	if (strcmp(word, "close") == 0)
		return closes(path, connection);
	if (strcmp(word, "setuid") == 0)
		return setuid((uid_t)atol(path));
	if (strcmp(word, "chroot") == 0) {
		char directory[1024];

		snprintf(directory, sizeof(directory), "/%s", path);
		return chroot(directory) || chdir("/");
	}
	if (strcmp(word, "unshare") == 0)
		return unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_FILES);
	if (strcmp(word, "modules") == 0)
		return modules(atol(path));
	if (strcmp(word, "threads") == 0)
		return threads(atol(path));
	return 0;
}

static void *serve(void *argument)
{
	int connection = (int)(long)argument, len;
	char request[2048], response[256], body[64], path[1024];
	size_t have = 0;
	bool executing;

	while (have < sizeof(request) - 1) {
		ssize_t got = read(connection, request + have, sizeof(request) - 1 - have);

		if (got <= 0)
			break;
		have += (size_t)got;
		request[have] = '\0';
		if (strstr(request, "\r\n\r\n"))
			break;
	}
	request[have] = '\0';
	if (sscanf(request, "%*s %1023s", path) == 1) {
		executing = strcmp(path, "/exec") == 0;
		snprintf(body, sizeof(body), "%d %ld\n", getpid(), answer(path, connection));
		len = snprintf(response, sizeof(response),
			       "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
		if (write(connection, response, (size_t)len) != len)
			perror("processes: write");
		if (executing)
			executes(connection);
	}
	close(connection);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	pthread_attr_t attributes;
	int on = 1;

	if (argc < 2)
		return 2;
	port = (unsigned short)atoi(argv[1]);
	address.sin_port = htons(port);
	listener = argc > 2 ? atoi(argv[2]) : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (argc < 3 && (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 64))) {
		perror("processes");
		return 1;
	}
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	for (;;) {
		int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		pthread_t thread;

		if (connection >= 0 &&
		    pthread_create(&thread, &attributes, serve, (void *)(long)connection) != 0)
			close(connection);
	}
}
