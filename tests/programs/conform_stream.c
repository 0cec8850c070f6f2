/* Reading and writing: results, errno, partial work, bad addresses, signals, large offsets. See conform.h. */
#include "tests/programs/conform.h"

#include <sys/sendfile.h>

/* Fortified and old names that no header declares. */
ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __recv_chk(int, void *, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
ssize_t __read(int, void *, size_t);
ssize_t __write(int, const void *, size_t);
ssize_t __send(int, const void *, size_t, int);

static int in, out; /* a new TCP connection: out is written, in is read */
static char buf[65536];
static const size_t too_large = SIZE_MAX / 2 + 10;

static void fresh(void)
{
	connection_make(&out, &in);
}

static void done(void)
{
	close(in);
	close(out);
}

static void feed(const char *text)
{
	if (write(out, text, strlen(text)) != (ssize_t)strlen(text))
		fatal("feed");
	pause_ms(2);
}

static void nonblocking(int fd, bool on)
{
	fcntl(fd, F_SETFL, on ? O_NONBLOCK : 0);
}

/* What all that read into one buffer have in common. */
#define READING(name, ...)                                                              \
	do {                                                                            \
		int fd = -1;                                                            \
		void *to = buf;                                                         \
		size_t size = 10;                                                       \
                                                                                        \
		CASE(name)                                                              \
		fresh();                                                                \
		show("bad descriptor", name(__VA_ARGS__));                              \
		fd = in;                                                                \
		feed("0123456789abcdef");                                               \
		memset(buf, 0, 32);                                                     \
		show("10 of 16", name(__VA_ARGS__));                                    \
		say("  got %.32s\n", buf);                                              \
		show("the rest", name(__VA_ARGS__));                                    \
		nonblocking(in, true);                                                  \
		show("nothing there", name(__VA_ARGS__));                               \
		size = 0;                                                               \
		show("no bytes", name(__VA_ARGS__));                                    \
		size = 10;                                                              \
		feed("0123456789");                                                     \
		to = BAD_ADDRESS;                                                       \
		show("bad address", name(__VA_ARGS__));                                 \
		to = page_edge() - 4;                                                   \
		show("bad address after 4 bytes", name(__VA_ARGS__));                   \
		to = buf;                                                               \
		show("what is left", name(__VA_ARGS__));                                \
		nonblocking(in, false);                                                 \
		show_interrupted("wait", later_write, &out, name(__VA_ARGS__));         \
		struct timeval limit = { 0, 300000 };                                   \
		setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));         \
		show("wait with a limit", name(__VA_ARGS__));                           \
		alarm_waiting(SA_RESTART);                                              \
		show("wait with a limit, a signal with SA_RESTART", name(__VA_ARGS__)); \
		say("  signals %d\n", (int)alarms);                                     \
		shutdown(out, SHUT_WR);                                                 \
		show("at the end", name(__VA_ARGS__));                                  \
		close(in);                                                              \
		show("closed", name(__VA_ARGS__));                                      \
		close(out);                                                             \
		fd = request_server;                                                    \
		nonblocking(fd, true);                                                  \
		show("the request's, nothing there", name(__VA_ARGS__));                \
		if (send(request_client, "abcdef", 6, 0) != 6)                          \
			fatal("send");                                                  \
		pause_ms(2);                                                            \
		to = page_edge() - 3;                                                   \
		show("the request's, 3 bytes and a bad address", name(__VA_ARGS__));    \
		to = buf;                                                               \
		show("the request's, the rest", name(__VA_ARGS__));                     \
		nonblocking(fd, false);                                                 \
	} while (0)

static struct msghdr *message(void *to, size_t size)
{
	static struct msghdr m;

	m = (struct msghdr){ .msg_iov = vector(to, size), .msg_iovlen = 3 };
	return &m;
}

static struct mmsghdr *messages(void *to, size_t size)
{
	static struct mmsghdr m[2];

	m[0] = (struct mmsghdr){ .msg_hdr = { .msg_iov = vector(to, size), .msg_iovlen = 3 } };
	m[1] = (struct mmsghdr){ .msg_hdr = { .msg_iov = vector(to, size), .msg_iovlen = 3 } };
	return m;
}

static void reading(void)
{
	READING(read, fd, to, size);
	READING(__read, fd, to, size);
	READING(__read_chk, fd, to, size, sizeof(buf));
	READING(readv, fd, vector(to, size), 3);
	READING(preadv2, fd, vector(to, size), 3, -1, 0);
	READING(recv, fd, to, size, 0);
	READING(__recv_chk, fd, to, size, sizeof(buf), 0);
	READING(recvfrom, fd, to, size, 0, NULL, NULL);
	READING(__recvfrom_chk, fd, to, size, sizeof(buf), 0, NULL, NULL);
	READING(recvmsg, fd, message(to, size), 0);
	READING(recvmmsg, fd, messages(to, size), 1, 0, NULL);
}

/* What only some of them can be asked. */
static void reading_more(void)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char one[1];

	CASE(readv)
	fresh();
	show("bad vector", readv(in, BAD_ADDRESS, 3));
	show("vectors: -1", readv(in, vector(buf, 4), -1));
	show("vectors: 0", readv(in, vector(buf, 4), 0));
	show("vectors: 5000", readv(in, vector(buf, 4), 5000));
	feed("0123456789");
	CASE(recv)
	show("peek", recv(in, buf, 4, MSG_PEEK));
	show("peek again", recv(in, buf, 40, MSG_PEEK));
	show("thrown away", recv(in, NULL, 4, MSG_TRUNC));
	show("left", recv(in, buf, sizeof(buf), MSG_DONTWAIT));
	show("nothing there", recv(in, buf, sizeof(buf), MSG_DONTWAIT));
	show("out of band, none", recv(in, buf, 1, MSG_OOB));
	send(out, "!", 1, MSG_OOB);
	pause_ms(2);
	show("out of band", recv(in, one, 1, MSG_OOB));
	show("error queue", recv(in, buf, 4, MSG_ERRQUEUE));
	show("size too large", recv(in, buf, too_large, MSG_DONTWAIT));
	show("read, size too large", read(in, BAD_ADDRESS, too_large));
	CASE(recvfrom)
	feed("abc");
	show("with an address", recvfrom(in, buf, 10, 0, (struct sockaddr *)&from, &len));
	say("  length %d\n", (int)len);
	feed("abc");
	show("a bad address for the address", recvfrom(in, buf, 10, 0, BAD_ADDRESS, &len));
	show("a bad address for its length",
	     recvfrom(in, buf, 10, MSG_DONTWAIT, (struct sockaddr *)&from, BAD_ADDRESS));
	CASE(recvmsg)
	show("bad message", recvmsg(in, BAD_ADDRESS, 0));
	CASE(recvmmsg)
	show("bad messages", recvmmsg(in, BAD_ADDRESS, 2, 0, NULL));
	show("no message", recvmmsg(in, messages(buf, 4), 0, MSG_DONTWAIT, NULL));
	feed("abcdef");
	show("two", recvmmsg(in, messages(buf, 4), 2, MSG_DONTWAIT, NULL));
	done();

	CASE(recv)
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		fatal("socketpair");
	show("send a datagram", send(pair[0], "0123456789", 10, 0));
	show("longer than the buffer", recv(pair[1], buf, 4, MSG_TRUNC));
	show("send a datagram", send(pair[0], "0123456789", 10, 0));
	show("cut", recv(pair[1], buf, 4, 0));
	close(pair[0]);
	close(pair[1]);
}

static int passed_descriptor(int fd, size_t room)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 4)];
	} control;
	struct msghdr m = { .msg_iov = vector(buf, 4),
			    .msg_iovlen = 3,
			    .msg_control = &control,
			    .msg_controllen = room };
	struct cmsghdr *c;
	int got = -1;

	show("receive", recvmsg(fd, &m, MSG_CMSG_CLOEXEC));
	say("  control %zu flags %x\n", (size_t)m.msg_controllen, m.msg_flags & ~MSG_CMSG_CLOEXEC);
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&got, CMSG_DATA(c), sizeof(got));
	return got;
}

static void passing(void)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { { 0 } };
	struct msghdr m = { .msg_iov = vector(buf, 4),
			    .msg_iovlen = 3,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	int pair[2], got;

	CASE(sendmsg)
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		fatal("socketpair");
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.align), &pair[0], sizeof(int));
	show("pass a descriptor", sendmsg(pair[0], &m, 0));
	got = passed_descriptor(pair[1], CMSG_SPACE(sizeof(int) * 4));
	say("  %s\n", got >= 0 ? "arrived" : "did not arrive");
	show("write to it", write(got, "abcd", 4));
	show("read from it", read(pair[1], buf, 4));
	close(got);
	show("pass a descriptor", sendmsg(pair[0], &m, 0));
	got = passed_descriptor(pair[1], 4);
	say("  %s\n", got >= 0 ? "arrived" : "did not arrive");
	close(pair[0]);
	close(pair[1]);
}

/* TCP's buffers grow while one watches; a local socket is full when it is full. */
static void unix_pair(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		fatal("socketpair");
	in = pair[0];
	out = pair[1];
}

#define WRITING(name, ...)                                                       \
	do {                                                                     \
		int fd = -1;                                                     \
		void *from = buf;                                                \
		size_t size = 10;                                                \
		char back[100];                                                  \
                                                                                 \
		CASE(name)                                                       \
		unix_pair();                                                     \
		memcpy(buf, "0123456789", 10);                                   \
		show("bad descriptor", name(__VA_ARGS__));                       \
		fd = out;                                                        \
		show("10 bytes", name(__VA_ARGS__));                             \
		memset(back, 0, sizeof(back));                                   \
		show("arrive", recv(in, back, 90, 0));                           \
		say("  %s\n", back);                                             \
		size = 0;                                                        \
		show("no bytes", name(__VA_ARGS__));                             \
		size = 10;                                                       \
		from = BAD_ADDRESS;                                              \
		show("bad address", name(__VA_ARGS__));                          \
		from = page_edge() - 4;                                          \
		show("bad address after 4 bytes", name(__VA_ARGS__));            \
		from = buf;                                                      \
		nonblocking(out, true);                                          \
		size = sizeof(buf);                                              \
		while (name(__VA_ARGS__) > 0)                                    \
			;                                                        \
		show("full", name(__VA_ARGS__));                                 \
		nonblocking(out, false);                                         \
		alarm_waiting(0);                                                \
		show("wait, a signal", name(__VA_ARGS__));                       \
		say("  signals %d\n", (int)alarms);                              \
		struct timeval limit = { 0, 30000 };                             \
		setsockopt(out, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); \
		show("wait with a limit", name(__VA_ARGS__));                    \
		close(in);                                                       \
		pause_ms(2);                                                     \
		size = 10;                                                       \
		(void)!name(__VA_ARGS__);                                        \
		show("nobody reads any more", name(__VA_ARGS__));                \
		close(out);                                                      \
		show("closed", name(__VA_ARGS__));                               \
	} while (0)

static void writing(void)
{
	signal(SIGPIPE, SIG_IGN);
	WRITING(write, fd, from, size);
	WRITING(__write, fd, from, size);
	WRITING(writev, fd, vector(from, size), 3);
	WRITING(pwritev2, fd, vector(from, size), 3, -1, 0);
	WRITING(send, fd, from, size, 0);
	WRITING(__send, fd, from, size, MSG_NOSIGNAL);
	WRITING(sendto, fd, from, size, 0, NULL, 0);
	WRITING(sendmsg, fd, message(from, size), 0);
	WRITING(sendmmsg, fd, messages(from, size), 1, 0);
	CASE(writev)
	fresh();
	show("bad vector", writev(out, BAD_ADDRESS, 3));
	show("vectors: -1", writev(out, vector(buf, 4), -1));
	show("vectors: 5000", writev(out, vector(buf, 4), 5000));
	CASE(sendmsg)
	show("bad message", sendmsg(out, BAD_ADDRESS, 0));
	CASE(sendmmsg)
	show("bad messages", sendmmsg(out, BAD_ADDRESS, 2, 0));
	show("two", sendmmsg(out, messages(buf, 4), 2, 0));
	CASE(sendto)
	struct sockaddr_in nowhere = { .sin_family = AF_INET };
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	show("no address", sendto(udp, "x", 1, 0, NULL, 0));
	show("bad address", sendto(udp, "x", 1, 0, BAD_ADDRESS, 16));
	show("short address", sendto(udp, "x", 1, 0, (struct sockaddr *)&nowhere, 3));
	close(udp);
	done();
}

static void in_the_kernel(void)
{
	char path[] = "/tmp/conform.XXXXXX";
	const off64_t far = 5000000000;
	off64_t offset;
	off_t plain;
	int file = mkostemp(path, O_CLOEXEC), pipes[2];

	unlink(path);
	if (file < 0 || ftruncate(file, far + 100) || pwrite(file, "far away", 8, far) != 8)
		fatal("file");
	CASE(sendfile)
	connection_make(&in, &out);
	plain = far;
	show("8 bytes at 5,000,000,000", sendfile(out, file, &plain, 8));
	say("  offset %lld\n", (long long)plain);
	show("arrive", recv(in, buf, 100, 0));
	say("  %.8s\n", buf);
	show("beyond the end", (plain = far + 100, sendfile(out, file, &plain, 8)));
	show("bad offset", sendfile(out, file, BAD_ADDRESS, 8));
	show("bad in", sendfile(out, -1, NULL, 8));
	show("bad out", sendfile(-1, file, NULL, 8));
	show("from a socket", sendfile(out, in, NULL, 8));
	show("nothing", sendfile(out, file, NULL, 0));
	show("without an offset", sendfile(out, file, NULL, 5));
	show("moves the file's", lseek(file, 0, SEEK_CUR));
	CASE(sendfile64)
	offset = far;
	show("8 bytes at 5,000,000,000", sendfile64(out, file, &offset, 8));
	say("  offset %lld\n", (long long)offset);
	show("to the request's client", (offset = 0, sendfile64(request_client, file, &offset, 8)));
	show("bad out", sendfile64(-1, file, NULL, 8));
	nonblocking(out, true);
	while ((offset = 0, sendfile64(out, file, &offset, 1000000)) > 0)
		;
	show("full", sendfile64(out, file, &offset, 1000));
	nonblocking(out, false);
	close(in);
	close(out);
	CASE(splice)
	fresh();
	if (pipe2(pipes, O_CLOEXEC))
		fatal("pipe");
	feed("0123456789");
	show("socket to pipe", splice(in, NULL, pipes[1], NULL, 100, 0));
	nonblocking(in, true);
	show("nothing there", splice(in, NULL, pipes[1], NULL, 100, SPLICE_F_NONBLOCK));
	nonblocking(in, false);
	show("pipe to socket", splice(pipes[0], NULL, in, NULL, 100, 0));
	show("arrive", read(out, buf, 100));
	offset = far;
	show("file to pipe, large offset", splice(file, &offset, pipes[1], NULL, 8, 0));
	say("  offset %lld\n", (long long)offset);
	show("an offset for a pipe", splice(pipes[0], &offset, in, NULL, 8, 0));
	show("neither is a pipe", splice(in, NULL, out, NULL, 8, 0));
	show("bad offset", splice(file, BAD_ADDRESS, pipes[1], NULL, 8, 0));
	show("bad descriptor", splice(-1, NULL, pipes[1], NULL, 8, 0));
	show_interrupted("wait", later_write, &out, splice(in, NULL, pipes[1], NULL, 100, 0));
	close(pipes[0]);
	close(pipes[1]);
	close(file);
	done();
}

/* read, write and close are for signal handlers, too: one that interrupts our own work, and one that comes often. */
static int handler_pipe[2];
static volatile sig_atomic_t handled;

static void reads_and_writes(int number)
{
	int saved = errno;
	char byte = 'h';

	if (write(handler_pipe[1], &byte, 1) == 1 && read(handler_pipe[0], &byte, 1) == 1 &&
	    close(dup(handler_pipe[0])) == 0 && send(request_client, &byte, 1, MSG_DONTWAIT) == 1 &&
	    recv(request_server, &byte, 1, MSG_DONTWAIT) == 1 && close(-1) == -1 && errno == EBADF)
		handled++;
	errno = saved;
}

static void in_handlers(void)
{
	struct sigaction action = { .sa_handler = reads_and_writes, .sa_flags = SA_RESTART };
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	int wrong = 0;

	CASE(read)
	if (pipe2(handler_pipe, O_CLOEXEC))
		fatal("pipe");
	fresh();
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 30000 || handled < 100; i++) {
		char bytes[8];
		int copy;

		wrong += send(out, "12345678", 8, 0) != 8;
		wrong += read(in, bytes, 8) != 8;
		copy = dup(in);
		wrong += close(copy) != 0;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	say("  wrong %d, handlers enough: %d\n", wrong, handled >= 100);
	done();
}

int main(void)
{
	request_begin();
	reading();
	reading_more();
	passing();
	writing();
	in_the_kernel();
	in_handlers();
	request_finish();
	return 0;
}
