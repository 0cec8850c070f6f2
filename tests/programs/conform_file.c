/* Files at offsets, large ones too, and their locks. See conform.h. */
#include "tests/programs/conform.h"

#include <sys/file.h>

ssize_t __pread_chk(int, void *, size_t, off_t, size_t);
ssize_t __pread64_chk(int, void *, size_t, off64_t, size_t);
ssize_t __pread64(int, void *, size_t, off64_t);
ssize_t __pwrite64(int, const void *, size_t, off64_t);
int __fcntl(int, int, ...);

static char buf[65536];
static const off64_t far = 5000000000;

static int file_make(void)
{
	char path[] = "/tmp/conform.XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		fatal("file");
	unlink(path);
	return fd;
}

static int pipe_end(int end)
{
	static int ends[2];

	if (ends[1] == 0 && pipe2(ends, O_CLOEXEC))
		fatal("pipe");
	return ends[end];
}

#define READING_AT(name, ...)                                                          \
	do {                                                                           \
		int fd = -1;                                                           \
		void *to = buf;                                                        \
		size_t size = 10;                                                      \
		off64_t at = 0;                                                        \
                                                                                       \
		CASE(name)                                                             \
		show("bad descriptor", name(__VA_ARGS__));                             \
		fd = file_make();                                                      \
		if (write(fd, "0123456789abcdef", 16) != 16 || lseek(fd, 3, 0) != 3 || \
		    ftruncate(fd, far + 16))                                           \
			fatal("write");                                                \
		memset(buf, 0, 32);                                                    \
		show("10 at 0", name(__VA_ARGS__));                                    \
		say("  got %.10s\n", buf);                                             \
		at = far + 6;                                                          \
		show("10 at 5,000,000,006", name(__VA_ARGS__));                        \
		at = far + 10;                                                         \
		show("10 before the end", name(__VA_ARGS__));                          \
		at = far + 16;                                                         \
		show("at the end", name(__VA_ARGS__));                                 \
		at = -1;                                                               \
		show("at -1", name(__VA_ARGS__));                                      \
		at = 0;                                                                \
		size = 0;                                                              \
		show("no bytes", name(__VA_ARGS__));                                   \
		size = 10;                                                             \
		to = BAD_ADDRESS;                                                      \
		show("bad address", name(__VA_ARGS__));                                \
		to = page_edge() - 4;                                                  \
		show("bad address after 4 bytes", name(__VA_ARGS__));                  \
		to = buf;                                                              \
		show("the file's own offset", lseek(fd, 0, SEEK_CUR));                 \
		close(fd);                                                             \
		show("closed", name(__VA_ARGS__));                                     \
		fd = pipe_end(0);                                                      \
		show("a pipe", name(__VA_ARGS__));                                     \
		fd = request_server;                                                   \
		show("the request's socket", name(__VA_ARGS__));                       \
	} while (0)

#define WRITING_AT(name, ...)                                          \
	do {                                                           \
		int fd = -1;                                           \
		void *to = buf;                                        \
		size_t size = 10;                                      \
		off64_t at = far;                                      \
                                                                       \
		CASE(name)                                             \
		memcpy(buf, "0123456789", 10);                         \
		show("bad descriptor", name(__VA_ARGS__));             \
		fd = file_make();                                      \
		show("10 at 5,000,000,000", name(__VA_ARGS__));        \
		show("the file's end", lseek(fd, 0, SEEK_END));        \
		show("its middle", lseek(fd, 7, SEEK_SET));            \
		at = 0;                                                \
		show("10 at 0", name(__VA_ARGS__));                    \
		at = -1;                                               \
		show("at -1", name(__VA_ARGS__));                      \
		at = 0;                                                \
		size = 0;                                              \
		show("no bytes", name(__VA_ARGS__));                   \
		size = 10;                                             \
		to = BAD_ADDRESS;                                      \
		show("bad address", name(__VA_ARGS__));                \
		to = page_edge() - 4;                                  \
		show("bad address after 4 bytes", name(__VA_ARGS__));  \
		to = buf;                                              \
		show("the file's own offset", lseek(fd, 0, SEEK_CUR)); \
		limit_size(100);                                       \
		at = 95;                                               \
		show("over the limit by 5", name(__VA_ARGS__));        \
		at = 200;                                              \
		show("beyond the limit", name(__VA_ARGS__));           \
		say("  signals %d\n", (int)alarms);                    \
		limit_size(RLIM_INFINITY);                             \
		close(fd);                                             \
		show("closed", name(__VA_ARGS__));                     \
		fd = pipe_end(1);                                      \
		show("a pipe", name(__VA_ARGS__));                     \
		fd = request_server;                                   \
		show("the request's socket", name(__VA_ARGS__));       \
		fd = open("/dev/full", O_WRONLY | O_CLOEXEC);          \
		show("a full disk", name(__VA_ARGS__));                \
		close(fd);                                             \
	} while (0)

/* Of files; SIGXFSZ is counted. */
static void limit_size(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	alarms = 0;
	signal(SIGXFSZ, bytes == RLIM_INFINITY ? SIG_DFL : alarm_handler);
	if (setrlimit(RLIMIT_FSIZE, &limit))
		fatal("setrlimit");
	errno = ERRNO_BEFORE;
}

static void at_offsets(void)
{
	READING_AT(pread, fd, to, size, at);
	READING_AT(__pread_chk, fd, to, size, at, sizeof(buf));
	READING_AT(pread64, fd, to, size, at);
	READING_AT(__pread64, fd, to, size, at);
	READING_AT(__pread64_chk, fd, to, size, at, sizeof(buf));
	READING_AT(preadv, fd, vector(to, size), 3, at);
	READING_AT(preadv64, fd, vector(to, size), 3, at);
	READING_AT(preadv2, fd, vector(to, size), 3, at, 0);
	READING_AT(preadv64v2, fd, vector(to, size), 3, at, 0);
	WRITING_AT(pwrite, fd, to, size, at);
	WRITING_AT(pwrite64, fd, to, size, at);
	WRITING_AT(__pwrite64, fd, to, size, at);
	WRITING_AT(pwritev, fd, vector(to, size), 3, at);
	WRITING_AT(pwritev64, fd, vector(to, size), 3, at);
	WRITING_AT(pwritev2, fd, vector(to, size), 3, at, 0);
	WRITING_AT(pwritev64v2, fd, vector(to, size), 3, at, 0);
	CASE(preadv)
	show("bad vector", preadv(pipe_end(0), BAD_ADDRESS, 3, 0));
	show("vectors: -1", preadv(STDIN_FILENO, vector(buf, 4), -1, 0));
	CASE(preadv2)
	show("bad flags", preadv2(pipe_end(0), vector(buf, 4), 3, -1, 0x10000));
	CASE(pwritev2)
	show("bad flags", pwritev2(pipe_end(1), vector(buf, 4), 3, -1, 0x10000));
	CASE(pwritev)
	show("bad vector", pwritev(pipe_end(1), BAD_ADDRESS, 3, 0));
	show("vectors: 5000", pwritev(pipe_end(1), vector(buf, 4), 5000, 0));
}

static void syncing(void)
{
	int file = file_make();

#define SYNCING(name)                                               \
	do {                                                        \
		CASE(name)                                          \
		show("a file", name(file));                         \
		show("a pipe", name(pipe_end(1)));                  \
		show("the request's socket", name(request_server)); \
		show("bad descriptor", name(-1));                   \
	} while (0)
	SYNCING(fsync);
	SYNCING(fdatasync);
	close(file);
}

/* ---- locks: a child has one until it is told to let go */

static int child_says[2], child_told[2];
static pid_t child;

static void child_locks(void (*take)(int), int file)
{
	char byte;

	if (pipe2(child_says, O_CLOEXEC) || pipe2(child_told, O_CLOEXEC))
		fatal("pipe");
	child = fork();
	if (child == 0) {
		take(file);
		if (write(child_says[1], "l", 1) != 1 || read(child_told[0], &byte, 1) != 1)
			_exit(1);
		_exit(0);
	}
	if (read(child_says[0], &byte, 1) != 1)
		fatal("child");
}

static void child_lets_go(void *unused)
{
	(void)unused;
	if (write(child_told[1], "g", 1) != 1)
		fatal("child_lets_go");
}

static void child_gone(void)
{
	int status = -1;

	waitpid(child, &status, 0);
	say("  the child's status %d\n", status);
	for (int i = 0; i < 2; i++) {
		close(child_says[i]);
		close(child_told[i]);
	}
}

static char path[] =
	"/tmp/conform-lock.XXXXXX"; /* a lock of flock() is an open file's, not a process's */

static void take_flock(int file)
{
	(void)file;
	if (flock(open(path, O_RDWR | O_CLOEXEC), LOCK_EX))
		fatal("flock");
}

static void take_posix(int file)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = far, .l_len = 10 };

	if (fcntl(file, F_SETLK, &lock))
		fatal("F_SETLK");
}

static void whole_files(void)
{
	int file = mkostemp(path, O_CLOEXEC), other = open(path, O_RDWR | O_CLOEXEC);

	CASE(flock)
	show("share", flock(file, LOCK_SH));
	show("share twice", flock(other, LOCK_SH));
	show("alone", flock(other, LOCK_EX | LOCK_NB));
	show("unlock", flock(file, LOCK_UN));
	show("alone", flock(other, LOCK_EX | LOCK_NB));
	show("unlock", flock(other, LOCK_UN));
	show("bad operation", flock(file, 77));
	show("bad descriptor", flock(-1, LOCK_SH));
	child_locks(take_flock, file);
	show("a child's", flock(file, LOCK_EX | LOCK_NB));
	show_interrupted("wait", child_lets_go, NULL, flock(file, LOCK_EX));
	child_gone();
	close(file);
	close(other);
	unlink(path);
}

static void parts_of_files(void)
{
	int file = file_make();

#define LOCKING(name)                                                                  \
	do {                                                                           \
		CASE(name)                                                             \
		lseek(file, far, SEEK_SET);                                            \
		show("lock", name(file, F_LOCK, 10));                                  \
		show("test one's own", name(file, F_TEST, 10));                        \
		show("unlock", name(file, F_ULOCK, 10));                               \
		show("bad command", name(file, 77, 10));                               \
		show("bad descriptor", name(-1, F_LOCK, 10));                          \
		show("before the start", name(file, F_LOCK, -far - 1));                \
		child_locks(take_posix, file);                                         \
		show("test a child's", name(file, F_TEST, 10));                        \
		show("try a child's", name(file, F_TLOCK, 10));                        \
		show_interrupted("wait", child_lets_go, NULL, name(file, F_LOCK, 10)); \
		child_gone();                                                          \
		show("unlock", name(file, F_ULOCK, 0));                                \
	} while (0)
	LOCKING(lockf);
	LOCKING(lockf64);

#define FCNTL_LOCKING(name, wait_command)                                                       \
	do {                                                                                    \
		struct flock lock = { .l_type = F_WRLCK, .l_start = far, .l_len = 10 };         \
                                                                                                \
		CASE(name)                                                                      \
		show("lock", name(file, wait_command, &lock));                                  \
		lock.l_type = F_UNLCK;                                                          \
		show("unlock", name(file, wait_command, &lock));                                \
		lock.l_type = 77;                                                               \
		show("bad type", name(file, wait_command, &lock));                              \
		show("bad address", name(file, wait_command, BAD_ADDRESS));                     \
		show("bad descriptor", name(-1, wait_command, &lock));                          \
		child_locks(take_posix, file);                                                  \
		lock = (struct flock){ .l_type = F_RDLCK, .l_start = far, .l_len = 1 };         \
		show("ask", name(file, F_GETLK, &lock));                                        \
		say("  %s, the child's: %d, at %lld, %lld\n",                                   \
		    lock.l_type == F_WRLCK ? "write" : "else", lock.l_pid == child,             \
		    (long long)lock.l_start, (long long)lock.l_len);                            \
		lock.l_pid = 0;                                                                 \
		show("try", name(file, F_SETLK, &lock));                                        \
		show_interrupted("wait", child_lets_go, NULL, name(file, wait_command, &lock)); \
		child_gone();                                                                   \
		lock.l_type = F_UNLCK;                                                          \
		show("unlock", name(file, wait_command, &lock));                                \
	} while (0)
	FCNTL_LOCKING(fcntl, F_SETLKW);
	FCNTL_LOCKING(fcntl, F_OFD_SETLKW);
	FCNTL_LOCKING(fcntl64, F_SETLKW);
	FCNTL_LOCKING(fcntl64, F_OFD_SETLKW);
	FCNTL_LOCKING(__fcntl, F_SETLKW);
	close(file);
}

/* A process loses its locks on a file when it closes any descriptor of that file: ours must not be such. */
static void locks_on_modules(void)
{
	struct flock lock = { .l_type = F_RDLCK, .l_len = 1 };
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int status = -1;
	pid_t asks;

	CASE(fcntl)
	show("a lock on the program's file", fcntl(file, F_SETLK, &lock));
	burn(30);
	request_resume();
	burn(30);
	asks = fork();
	if (asks == 0) {
		lock.l_type = F_WRLCK;
		_exit(fcntl(file, F_GETLK, &lock) == 0 && lock.l_type == F_RDLCK ? 7 : 8);
	}
	waitpid(asks, &status, 0);
	say("  held: %d\n", WEXITSTATUS(status) == 7);
	close(file);
}

int main(void)
{
	request_begin();
	at_offsets();
	syncing();
	whole_files();
	parts_of_files();
	locks_on_modules();
	request_finish();
	return 0;
}
