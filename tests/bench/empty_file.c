/*
 * The least that a file for each request can cost: preloaded into nginx, it creates an empty one in
 * $BENCH_FILES after each sendfile, which is how nginx ends the response with a static file.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/types.h>
#include <unistd.h>

static ssize_t (*libc_sendfile)(int, int, off_t *, size_t);
static char directory[3000]; /* kept: nginx clears its environment */

__attribute__((constructor)) static void empty_file_start(void)
{
	const char *files = getenv("BENCH_FILES");

	*(void **)&libc_sendfile = dlsym(RTLD_NEXT, "sendfile");
	if (files)
		snprintf(directory, sizeof(directory), "%s", files);
}

static void empty_file(void)
{
	static unsigned long counter;
	char path[3100];
	int fd;

	snprintf(path, sizeof(path), "%s/%d-%lu.empty", directory, getpid(), counter++);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
}

__attribute__((visibility("default"))) ssize_t sendfile(int to, int from, off_t *at, size_t size)
{
	ssize_t sent = libc_sendfile(to, from, at, size);

	if (sent > 0)
		empty_file();
	return sent;
}

__attribute__((visibility("default"))) ssize_t sendfile64(int to, int from, off64_t *at, size_t size)
{
	return sendfile(to, from, at, size);
}
