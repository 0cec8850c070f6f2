/* Descriptors made, copied, connected and closed: results, errno, and the numbers they get. See conform.h. */
#include "tests/programs/conform.h"

#include <sys/un.h>

int __connect(int, const struct sockaddr *, socklen_t);
int __close(int);
int __dup2(int, int);
int __fcntl(int, int, ...);

static int listener; /* a local one: its queue is full when it is full */
static struct sockaddr_un address;

static int unix_socket(int flags)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		fatal("socket");
	return fd;
}

/* In the abstract space: nothing to remove. */
static void listener_make(int backlog)
{
	static int number;

	listener = unix_socket(0);
	address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "conform-%d-%d", getpid(),
		 number++);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, backlog))
		fatal("listener");
}

static int client_make(void)
{
	int fd = unix_socket(0);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		fatal("connect");
	return fd;
}

static int late_client;

static void later_connect(void *unused)
{
	(void)unused;
	late_client = client_make();
}

static void later_accept(void *unused)
{
	(void)unused;
	close(accept(listener, NULL, NULL));
}

#define ACCEPTING(name, ...)                                                    \
	do {                                                                    \
		struct sockaddr_storage peer, *to = NULL;                       \
		socklen_t room = sizeof(peer), *len = NULL;                     \
		int fd = -1, client, got;                                       \
                                                                                \
		CASE(name)                                                      \
		show("bad descriptor", name(__VA_ARGS__));                      \
		fd = STDIN_FILENO;                                              \
		show("no socket", name(__VA_ARGS__));                           \
		fd = unix_socket(0);                                            \
		show("does not listen", name(__VA_ARGS__));                     \
		close(fd);                                                      \
		listener_make(4);                                               \
		fd = listener;                                                  \
		fcntl(fd, F_SETFL, O_NONBLOCK);                                 \
		show("nobody there", name(__VA_ARGS__));                        \
		fcntl(fd, F_SETFL, 0);                                          \
		client = client_make();                                         \
		show("one", got = name(__VA_ARGS__));                           \
		show("its flags", fcntl(got, F_GETFL));                         \
		show("its descriptor's", fcntl(got, F_GETFD));                  \
		close(client);                                                  \
		close(got);                                                     \
		client = client_make();                                         \
		to = &peer;                                                     \
		len = &room;                                                    \
		show("with an address", got = name(__VA_ARGS__));               \
		say("  length %d\n", (int)room);                                \
		close(got);                                                     \
		to = BAD_ADDRESS;                                               \
		room = sizeof(peer);                                            \
		late_client = client_make();                                    \
		show("bad address", got = name(__VA_ARGS__));                   \
		close(got);                                                     \
		close(late_client);                                             \
		to = &peer;                                                     \
		len = BAD_ADDRESS;                                              \
		late_client = client_make();                                    \
		show("bad address for the length", got = name(__VA_ARGS__));    \
		close(got);                                                     \
		close(late_client);                                             \
		to = NULL;                                                      \
		len = NULL;                                                     \
		close(client);                                                  \
		close(listener);                                                \
		listener_make(4);                                               \
		fd = listener;                                                  \
		alarm_waiting(0);                                               \
		show("wait, a signal", name(__VA_ARGS__));                      \
		say("  signals %d\n", (int)alarms);                             \
		struct later later;                                             \
		alarm_waiting(SA_RESTART);                                      \
		later_start_after(&later, true, later_connect, NULL);           \
		got = name(__VA_ARGS__);                                        \
		later_done(&later);                                             \
		say("  restarted: %d, signals %d\n", got >= 0, (int)alarms);    \
		close(got);                                                     \
		close(late_client);                                             \
		struct timeval limit = { 0, 30000 };                            \
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)); \
		show("wait with a limit", name(__VA_ARGS__));                   \
		shutdown(fd, SHUT_RDWR);                                        \
		show("shut down", name(__VA_ARGS__));                           \
		close(fd);                                                      \
		show("closed", name(__VA_ARGS__));                              \
	} while (0)

static void accepting(void)
{
	ACCEPTING(accept, fd, (struct sockaddr *)to, len);
	ACCEPTING(accept4, fd, (struct sockaddr *)to, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	CASE(accept4)
	show("bad flags", accept4(listener, NULL, NULL, 77));
}

static void fill_queue(int *clients, int count)
{
	for (int i = 0; i < count; i++) {
		clients[i] = unix_socket(SOCK_NONBLOCK);
		if (connect(clients[i], (struct sockaddr *)&address, sizeof(address)) &&
		    errno != EAGAIN)
			fatal("fill_queue");
	}
}

#define CONNECTING(name)                                                                           \
	do {                                                                                       \
		struct sockaddr_in inet = { .sin_family = AF_INET,                                 \
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),             \
					    .sin_port = htons(1) };                                \
		struct sockaddr *to = (struct sockaddr *)&address, none = { 0 };                   \
		int clients[4], fd;                                                                \
                                                                                                   \
		CASE(name)                                                                         \
		listener_make(1);                                                                  \
		show("bad descriptor", name(-1, to, sizeof(address)));                             \
		show("no socket", name(STDIN_FILENO, to, sizeof(address)));                        \
		fd = unix_socket(0);                                                               \
		show("bad address", name(fd, BAD_ADDRESS, sizeof(address)));                       \
		show("short address", name(fd, to, 1));                                            \
		show("long address", name(fd, to, 77777));                                         \
		show("other family", name(fd, (struct sockaddr *)&inet, sizeof(inet)));            \
		show("one that listens", name(fd, to, sizeof(address)));                           \
		show("again", name(fd, to, sizeof(address)));                                      \
		close(fd);                                                                         \
		fill_queue(clients, 4);                                                            \
		fd = unix_socket(SOCK_NONBLOCK);                                                   \
		show("full, does not wait", name(fd, to, sizeof(address)));                        \
		close(fd);                                                                         \
		fd = unix_socket(0);                                                               \
		show_interrupted("full, wait", later_accept, NULL, name(fd, to, sizeof(address))); \
		close(fd);                                                                         \
		for (int i = 0; i < 4; i++)                                                        \
			close(clients[i]);                                                         \
		close(listener);                                                                   \
		fd = unix_socket(0);                                                               \
		show("nobody listens", name(fd, to, sizeof(address)));                             \
		close(fd);                                                                         \
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);                               \
		show("nobody listens", name(fd, (struct sockaddr *)&inet, sizeof(inet)));          \
		close(fd);                                                                         \
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);                                \
		show("datagrams", name(fd, (struct sockaddr *)&inet, sizeof(inet)));               \
		show("datagrams, to none", name(fd, &none, sizeof(none)));                         \
		close(fd);                                                                         \
		show("closed", name(fd, to, sizeof(address)));                                     \
	} while (0)

static void later_shutdown(void *fd)
{
	shutdown(*(int *)fd, SHUT_RDWR);
}

static void connecting(void)
{
	struct later later;
	int client, server;
	char byte;

	CONNECTING(connect);
	CONNECTING(__connect);
	CASE(shutdown)
	connection_make(&client, &server);
	show("bad descriptor", shutdown(-1, SHUT_WR));
	show("no socket", shutdown(STDIN_FILENO, SHUT_WR));
	show("bad way", shutdown(server, 77));
	show("writing", shutdown(server, SHUT_WR));
	show("twice", shutdown(server, SHUT_WR));
	show("read the end", read(client, &byte, 1));
	later_start(&later, later_shutdown, &server);
	show("read until shut down by another", read(server, &byte, 1));
	later_done(&later);
	show("both again", shutdown(server, SHUT_RDWR));
	close(client);
	close(server);
	client = unix_socket(0);
	show("not connected", shutdown(client, SHUT_RD));
	close(client);
}

/* ---- copies */

static int lowest(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	errno = ERRNO_BEFORE;
	return fd;
}

static void limit_files(rlim_t count)
{
	static struct rlimit before;
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (count)
		before = limit;
	if (count > limit.rlim_max)
		count = limit.rlim_max;
	limit.rlim_cur = count ? count : before.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		fatal("setrlimit");
	errno = ERRNO_BEFORE;
}

#define ONTO(name, ...)                                                            \
	do {                                                                       \
		int fd = -1, to = 40;                                              \
                                                                                   \
		CASE(name)                                                         \
		show("bad descriptor", name(__VA_ARGS__));                         \
		to = -1;                                                           \
		show("both bad", name(__VA_ARGS__));                               \
		fd = request_server;                                               \
		show("onto -1", name(__VA_ARGS__));                                \
		to = 40;                                                           \
		show("the request's", name(__VA_ARGS__));                          \
		show("the copy's flags", fcntl(40, F_GETFD));                      \
		show("write to the client", write(request_client, "y", 1));        \
		pause_ms(2);                                                       \
		char byte = 0;                                                     \
		show("read by the copy", read(40, &byte, 1));                      \
		fd = STDIN_FILENO;                                                 \
		show("onto the copy", name(__VA_ARGS__));                          \
		show("close the copy", close(40));                                 \
		to = 2000000000;                                                   \
		show("too high", name(__VA_ARGS__));                               \
		limit_files(30);                                                   \
		to = 30;                                                           \
		show("at the limit", name(__VA_ARGS__));                           \
		to = 29;                                                           \
		show("below it", name(__VA_ARGS__));                               \
		limit_files(0);                                                    \
		close(29);                                                         \
		/* Wherever the library keeps its own. */                          \
		int wrong = 0, closed = 0;                                         \
		fd = -1;                                                           \
		for (to = 100; to < 1100; to++)                                    \
			wrong += name(__VA_ARGS__) != -1;                          \
		for (to = 100; to < 1100; to++)                                    \
			closed += close(to) == 0;                                  \
		say("  a bad one onto all: wrong %d, closed %d\n", wrong, closed); \
		wrong = 0;                                                         \
		closed = 0;                                                        \
		fd = STDIN_FILENO;                                                 \
		for (to = 41; to < 1100; to++)                                     \
			wrong += name(__VA_ARGS__) != to;                          \
		for (to = 41; to < 1100; to++)                                     \
			closed += close(to) == 0;                                  \
		say("  onto all: wrong %d, closed %d\n", wrong, closed);           \
	} while (0)

static void copying(void)
{
	int fds[64], count = 0, copy;

	ONTO(dup2, fd, to);
	ONTO(__dup2, fd, to);
	ONTO(dup3, fd, to, O_CLOEXEC);
	CASE(dup2)
	show("onto itself", dup2(request_server, request_server));
	show("a bad one onto itself", dup2(999, 999));
	for (copy = 100; copy < 1100; copy++)
		count += dup2(copy, copy) == copy;
	say("  bad ones onto themselves %d\n", count);
	count = 0;
	CASE(dup3)
	show("onto itself", dup3(request_server, request_server, 0));
	show("bad flags", dup3(request_server, 40, 77));
	CASE(dup)
	show("bad descriptor", dup(-1));
	show("the lowest", copy = dup(request_client));
	close(copy);
	limit_files((rlim_t)lowest() + 2);
	while ((copy = dup(STDIN_FILENO)) >= 0)
		fds[count++] = copy;
	errno = ERRNO_BEFORE;
	say("  room for %d\n", count);
	show("no room", dup(STDIN_FILENO));
	show("no room", fcntl(STDIN_FILENO, F_DUPFD, 3));
	show("no room for a socket", socket(AF_UNIX, SOCK_STREAM, 0));
	limit_files(0);
	while (count)
		close(fds[--count]);
}

#define CONTROLLING(name)                                                                     \
	do {                                                                                  \
		struct f_owner_ex owner = { F_OWNER_PID, getpid() };                          \
		int fd, pipes[2];                                                             \
                                                                                              \
		CASE(name)                                                                    \
		show("bad descriptor", name(-1, F_GETFD));                                    \
		show("bad command", name(request_server, 7777));                              \
		show("descriptor's flags", name(request_server, F_GETFD));                    \
		show("set", name(request_server, F_SETFD, 0));                                \
		show("now", name(request_server, F_GETFD));                                   \
		show("set", name(request_server, F_SETFD, FD_CLOEXEC));                       \
		show("file's flags", name(request_server, F_GETFL));                          \
		show("copy", fd = name(request_server, F_DUPFD, 100));                        \
		show("its flags", name(fd, F_GETFD));                                         \
		close(fd);                                                                    \
		show("copy, close-on-exec", fd = name(request_server, F_DUPFD_CLOEXEC, 100)); \
		show("its flags", name(fd, F_GETFD));                                         \
		close(fd);                                                                    \
		show("copy, too high", name(request_server, F_DUPFD, 2000000000));            \
		show("copy, -1", name(request_server, F_DUPFD, -1));                          \
		show("owner", name(request_server, F_SETOWN_EX, &owner));                     \
		show("owner", name(request_server, F_GETOWN) == getpid());                    \
		show("owner, bad address", name(request_server, F_GETOWN_EX, BAD_ADDRESS));   \
		show("signal", name(request_server, F_SETSIG, 0));                            \
		show("no owner", name(request_server, F_SETOWN, 0));                          \
		if (pipe2(pipes, O_CLOEXEC))                                                  \
			fatal("pipe");                                                        \
		show("a pipe's size", name(pipes[0], F_SETPIPE_SZ, 8192));                    \
		show("a pipe's size", name(pipes[1], F_GETPIPE_SZ));                          \
		close(pipes[0]);                                                              \
		close(pipes[1]);                                                              \
		fd = memfd_create("conform", MFD_CLOEXEC | MFD_ALLOW_SEALING);                \
		show("seal", name(fd, F_ADD_SEALS, F_SEAL_GROW));                             \
		show("seals", name(fd, F_GET_SEALS));                                         \
		close(fd);                                                                    \
	} while (0)

/* ---- closing */

static void closing_one(void)
{
	int fd;

#define CLOSING(name)                                             \
	do {                                                      \
		CASE(name)                                        \
		show("bad descriptor", name(-1));                 \
		show("bad descriptor", name(2147483647));         \
		show("the lowest", fd = dup(request_server));     \
		show("close", name(fd));                          \
		show("twice", name(fd));                          \
		show("the lowest again", fd = dup(STDIN_FILENO)); \
		show("close", name(fd));                          \
		int closed = 0;                                   \
		for (fd = 100; fd < 70000; fd++)                  \
			closed += name(fd) == 0;                  \
		say("  of ours it could close %d\n", closed);     \
	} while (0)
	CLOSING(close);
	CLOSING(__close);
#define close_by_number(fd) syscall(SYS_close, fd)
	CLOSING(close_by_number);
}

static void row(int first, int count)
{
	for (int fd = first; fd < first + count; fd++)
		if (dup2(STDIN_FILENO, fd) != fd)
			fatal("row");
	errno = ERRNO_BEFORE;
}

static void say_row(int first, int count)
{
	say("  open:");
	for (int fd = first; fd < first + count; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			say(" %d%s", fd, fcntl(fd, F_GETFD) ? "c" : "");
	say("\n");
	errno = ERRNO_BEFORE;
}

#define RANGES(name, call)                                                           \
	do {                                                                         \
		CASE(name)                                                           \
		row(50, 10);                                                         \
		show("the wrong way round", call(57, 52, 0));                        \
		show("bad flags", call(52, 57, 77));                                 \
		show("within", call(52, 54, 0));                                     \
		say_row(50, 10);                                                     \
		show("within, close-on-exec", call(53, 56, CLOSE_RANGE_CLOEXEC));    \
		say_row(50, 10);                                                     \
		show("one", call(58, 58, 0));                                        \
		say_row(50, 10);                                                     \
		show("all above", call(50, ~0u, 0));                                 \
		say_row(50, 10);                                                     \
		show("none above", call(50, ~0u, 0));                                \
		row(50, 3);                                                          \
		show("in a table of one's own", call(50, ~0u, CLOSE_RANGE_UNSHARE)); \
		say_row(50, 10);                                                     \
		show("the lowest", lowest());                                        \
	} while (0)

static void closing_many(void)
{
	RANGES(close_range, close_range);
#define close_range_by_number(first, last, flags) syscall(SYS_close_range, first, last, flags)
	RANGES(syscall, close_range_by_number);
	CASE(closefrom)
	row(50, 10);
	closefrom(55);
	say_row(50, 10);
	closefrom(50);
	say_row(50, 10);
	CASE(syscall)
	show("dup2", syscall(SYS_dup2, STDIN_FILENO, 60));
	show("dup2, bad descriptor", syscall(SYS_dup2, -1, 60));
	show("dup3", syscall(SYS_dup3, STDIN_FILENO, 61, O_CLOEXEC));
	show("dup3 onto itself", syscall(SYS_dup3, 61, 61, 0));
	say_row(50, 20);
	show("close", syscall(SYS_close, 60));
	show("close", syscall(SYS_close, 61));
	show("close twice", syscall(SYS_close, 61));
}

/* As servers do when they become daemons: everything is closed, and life goes on. */
static void closing_all(void)
{
	int fd;

	CASE(closefrom)
	closefrom(3);
	show("the first", fd = dup(STDIN_FILENO));
	show("write to the request's", write(request_server, "x", 1));
	close(fd);
	request_begin();
	request_resume();
	burn(20);
	show("the first", fd = dup(STDIN_FILENO));
	close(fd);
}

int main(void)
{
	/* Whatever this is run from: three descriptors, the first a file that is no socket, and 1024 in all. */
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, STDIN_FILENO);
	closefrom(3);
	limit_files(1024);
	request_begin();
	accepting();
	connecting();
	copying();
	CONTROLLING(fcntl);
	CONTROLLING(__fcntl);
	CONTROLLING(fcntl64);
	closing_one();
	closing_many();
	closing_all();
	request_finish();
	return 0;
}
