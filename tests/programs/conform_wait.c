/* Where a thread waits for descriptors, for time, and for names. See conform.h. */
#include "tests/programs/conform.h"

#include <netdb.h>
#include <poll.h>
#include <sys/epoll.h>
#include <threads.h>
#include <sys/select.h>

int __poll_chk(struct pollfd *, nfds_t, int, size_t);
int __ppoll_chk(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t);
int __poll(struct pollfd *, nfds_t, int);
int __select(int, fd_set *, fd_set *, fd_set *, struct timeval *);
int __nanosleep(const struct timespec *, struct timespec *);

static int in, out; /* a connection: out is written, in is read */
static char buf[4096];

static void fresh(void)
{
	connection_make(&out, &in);
}

static void done(void)
{
	close(in);
	close(out);
}

static void feed(void)
{
	later_write(&out);
	pause_ms(2);
}

/* A time limit, in each way that one is given; -1: none. */
static struct timespec *limit_spec(int milliseconds)
{
	static struct timespec limit;

	limit = (struct timespec){ milliseconds / 1000, milliseconds % 1000 * 1000000L };
	return milliseconds < 0 ? NULL : &limit;
}

static struct timeval *limit_val(int milliseconds)
{
	static struct timeval limit;

	limit = (struct timeval){ milliseconds / 1000, milliseconds % 1000 * 1000L };
	return milliseconds < 0 ? NULL : &limit;
}

/* ---- poll and its kin */

static void say_events(const struct pollfd *fds, int count)
{
	for (int i = 0; i < count; i++)
		say("  %d: %x\n", i, (unsigned)fds[i].revents);
}

#define POLLING(name, ...)                                                       \
	do {                                                                     \
		struct pollfd fds_of[4], *fds = fds_of;                          \
		nfds_t count = 0;                                                \
		int ms = 0;                                                      \
                                                                                 \
		CASE(name)                                                       \
		fresh();                                                         \
		show("nothing, no time", name(__VA_ARGS__));                     \
		ms = 20;                                                         \
		show("nothing, for a while", name(__VA_ARGS__));                 \
		fds[0] = (struct pollfd){ in, POLLIN, 77 };                      \
		fds[1] = (struct pollfd){ -5, POLLIN, 77 };                      \
		fds[2] = (struct pollfd){ 9999, POLLIN, 77 };                    \
		fds[3] = (struct pollfd){ out, POLLOUT, 77 };                    \
		count = 1;                                                       \
		show("not readable", name(__VA_ARGS__));                         \
		say_events(fds, 1);                                              \
		count = 4;                                                       \
		show("several", name(__VA_ARGS__));                              \
		say_events(fds, 4);                                              \
		ms = -1;                                                         \
		count = 1;                                                       \
		show_interrupted("wait", later_write, &out, name(__VA_ARGS__));  \
		show("readable", name(__VA_ARGS__));                             \
		say_events(fds, 1);                                              \
		show("read", read(in, buf, sizeof(buf)));                        \
		struct later later;                                              \
		later_start(&later, later_write, &out);                          \
		show("until readable", name(__VA_ARGS__));                       \
		later_done(&later);                                              \
		say_events(fds, 1);                                              \
		close(out);                                                      \
		show("read", read(in, buf, sizeof(buf)));                        \
		fds[0].events = POLLIN | POLLRDHUP | POLLPRI;                    \
		show("the other end is closed", name(__VA_ARGS__));              \
		say_events(fds, 1);                                              \
		close(in);                                                       \
		show("closed", name(__VA_ARGS__));                               \
		say_events(fds, 1);                                              \
		fds[0] = (struct pollfd){ request_server, POLLIN | POLLOUT, 0 }; \
		show("the request's", name(__VA_ARGS__));                        \
		say_events(fds, 1);                                              \
		ms = 0;                                                          \
		fds = BAD_ADDRESS;                                               \
		show("bad address", name(__VA_ARGS__));                          \
		count = 0;                                                       \
		show("bad address for none", name(__VA_ARGS__));                 \
		fds = (struct pollfd *)page_edge() - 1;                          \
		fds[0] = (struct pollfd){ -1, POLLIN, 0 };                       \
		count = 2;                                                       \
		show("bad address after one", name(__VA_ARGS__));                \
		count = 2000000;                                                 \
		show("too many", name(__VA_ARGS__));                             \
	} while (0)

/* What those with a mask can be asked. SIGALRM comes while it is blocked but for the call, and the other way round. */
#define MASKED(name, ready, ...)                                          \
	do {                                                              \
		sigset_t all, none, outside;                              \
		const sigset_t *during = &all;                            \
		struct timespec bad = { 0, 1000000000 }, *limit = &bad;   \
                                                                          \
		CASE(name)                                                \
		sigfillset(&all);                                         \
		sigemptyset(&none);                                       \
		fresh();                                                  \
		ready;                                                    \
		show("a bad time", name(__VA_ARGS__));                    \
		limit = limit_spec(50);                                   \
		during = BAD_ADDRESS;                                     \
		show("bad address for the mask", name(__VA_ARGS__));      \
		during = (sigset_t *)(page_edge() - 8);                   \
		memset(page_edge() - 8, 0, 8);                            \
		show("a mask of 8 bytes", name(__VA_ARGS__));             \
		during = &all;                                            \
		alarm_soon(0);                                            \
		show("all blocked", name(__VA_ARGS__));                   \
		say("  signals %d\n", (int)alarms);                       \
		say("  time: %ld\n", limit->tv_nsec);                     \
		pthread_sigmask(SIG_SETMASK, &all, &outside);             \
		alarm_soon(0);                                            \
		pause_ms(40);                                             \
		say("  signals %d\n", (int)alarms);                       \
		during = &none;                                           \
		limit = NULL;                                             \
		show("one pending, none blocked", name(__VA_ARGS__));     \
		say("  signals %d\n", (int)alarms);                       \
		alarm_soon(0);                                            \
		show("one comes, none blocked", name(__VA_ARGS__));       \
		say("  signals %d\n", (int)alarms);                       \
		pthread_sigmask(SIG_SETMASK, &outside, &all);             \
		say("  still blocked: %d\n", sigismember(&all, SIGALRM)); \
		say("  50, too: %d\n", sigismember(&all, 50));            \
		done();                                                   \
	} while (0)

static void polls(void)
{
	struct pollfd client[1];

	POLLING(poll, fds, count, ms);
	POLLING(__poll, fds, count, ms);
	POLLING(__poll_chk, fds, count, ms, 4000000 * sizeof(*fds));
	POLLING(ppoll, fds, count, limit_spec(ms), NULL);
	POLLING(__ppoll_chk, fds, count, limit_spec(ms), NULL, 4000000 * sizeof(*fds));
	client[0] = (struct pollfd){ request_client, POLLIN, 0 };
	MASKED(ppoll, , client, 1, limit, during);
	MASKED(__ppoll_chk, , client, 1, limit, during, sizeof(client));
}

/* ---- select */

static fd_set reads, writes, excepts;

static fd_set *set_of(fd_set *set, int fd)
{
	FD_ZERO(set);
	if (fd >= 0)
		FD_SET(fd, set);
	return set;
}

static void say_sets(void)
{
	for (int fd = 0; fd < FD_SETSIZE; fd++) {
		if (FD_ISSET(fd, &reads))
			say("  readable: %s\n", fd == in ? "in" : fd == out ? "out" : "else");
		if (FD_ISSET(fd, &writes))
			say("  writable: %s\n", fd == in ? "in" : fd == out ? "out" : "else");
	}
}

/*
 * The descriptor that is none is one within the kernel's table, as small as that may be: what lies beyond
 * it select ignores, and the table is larger with the library's own descriptors in it.
 */
#define SELECTING(name, time, ...)                                                            \
	do {                                                                                  \
		struct later later;                                                           \
		int count = 0, ms = 0, wanted = -1;                                           \
		fd_set *sets = NULL;                                                          \
                                                                                              \
		CASE(name)                                                                    \
		fresh();                                                                      \
		show("nothing, no time", name(__VA_ARGS__));                                  \
		ms = 20;                                                                      \
		show("nothing, for a while", name(__VA_ARGS__));                              \
		say("  time left: %d\n", time > 0);                                           \
		count = 1024;                                                                 \
		sets = &reads;                                                                \
		wanted = in;                                                                  \
		show("not readable", (set_of(sets, wanted), name(__VA_ARGS__)));              \
		say_sets();                                                                   \
		ms = -1;                                                                      \
		show_interrupted("wait", later_write, &out,                                   \
				 (set_of(sets, wanted), name(__VA_ARGS__)));                  \
		say_sets();                                                                   \
		show("readable", (set_of(sets, wanted), name(__VA_ARGS__)));                  \
		say_sets();                                                                   \
		show("read", read(in, buf, sizeof(buf)));                                     \
		ms = 600000;                                                                  \
		later_start(&later, later_write, &out);                                       \
		show("until readable", (set_of(sets, wanted), name(__VA_ARGS__)));            \
		say("  time left: %d\n", time > 0 && time < 600000);                          \
		later_done(&later);                                                           \
		say_sets();                                                                   \
		set_of(&writes, out);                                                         \
		show("both", (set_of(sets, wanted), name(__VA_ARGS__)));                      \
		say_sets();                                                                   \
		count = in;                                                                   \
		show("up to the first",                                                       \
		     (set_of(&writes, -1), set_of(sets, wanted), ms = 0, name(__VA_ARGS__))); \
		count = -1;                                                                   \
		show("count -1", name(__VA_ARGS__));                                          \
		count = 1024;                                                                 \
		show("a descriptor that is none",                                             \
		     (set_of(sets, 60), FD_SET(in, sets), name(__VA_ARGS__)));                \
		sets = BAD_ADDRESS;                                                           \
		show("bad address", name(__VA_ARGS__));                                       \
		count = 64;                                                                   \
		sets = (fd_set *)(page_edge() - 8);                                           \
		memset(sets, 0, 8);                                                           \
		show("a set of 8 bytes", name(__VA_ARGS__));                                  \
		done();                                                                       \
	} while (0)

static void selects(void)
{
	struct timeval negative = { -1, 0 }, *val = NULL;

	set_of(&writes, -1);
	SELECTING(select, (val ? val->tv_sec * 1000 + val->tv_usec / 1000 : 0), count, sets,
		  &writes, set_of(&excepts, -1), (val = limit_val(ms)));
	SELECTING(__select, (val ? val->tv_sec * 1000 + val->tv_usec / 1000 : 0), count, sets,
		  &writes, set_of(&excepts, -1), (val = limit_val(ms)));
	/* Its time is not changed. */
	SELECTING(pselect, 1, count, sets, &writes, set_of(&excepts, -1), limit_spec(ms), NULL);
	CASE(select)
	show("a negative time", select(0, NULL, NULL, NULL, &negative));
	MASKED(pselect, , request_client + 1, set_of(&reads, request_client), NULL, NULL, limit,
	       during);
}

/* ---- epoll */

static int epoll = -1;

static int epoll_of(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = 77 };

	if (epoll >= 0)
		close(epoll);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		fatal("epoll");
	errno = ERRNO_BEFORE;
	return epoll;
}

#define EPOLLING(name, ...)                                                     \
	do {                                                                    \
		struct epoll_event space[4], *events = space;                   \
		struct later later;                                             \
		int fd = -1, max = 4, ms = 0;                                   \
                                                                                \
		CASE(name)                                                      \
		fresh();                                                        \
		show("bad descriptor", name(__VA_ARGS__));                      \
		fd = in;                                                        \
		show("no epoll", name(__VA_ARGS__));                            \
		fd = epoll_of(in, EPOLLIN);                                     \
		show("not readable", name(__VA_ARGS__));                        \
		ms = 20;                                                        \
		show("not readable, for a while", name(__VA_ARGS__));           \
		max = 0;                                                        \
		show("room for none", name(__VA_ARGS__));                       \
		max = -1;                                                       \
		show("room for -1", name(__VA_ARGS__));                         \
		max = 4;                                                        \
		ms = -1;                                                        \
		show_interrupted("wait", later_write, &out, name(__VA_ARGS__)); \
		show("readable", name(__VA_ARGS__));                            \
		say("  %x %d\n", space[0].events, (int)space[0].data.u64);      \
		events = BAD_ADDRESS;                                           \
		show("bad address", name(__VA_ARGS__));                         \
		events = space;                                                 \
		show("still readable", name(__VA_ARGS__));                      \
		show("read", read(in, buf, sizeof(buf)));                       \
		later_start(&later, later_write, &out);                         \
		show("until readable", name(__VA_ARGS__));                      \
		later_done(&later);                                             \
		fd = epoll_of(in, EPOLLIN | EPOLLET | EPOLLONESHOT);            \
		show("once", name(__VA_ARGS__));                                \
		ms = 20;                                                        \
		show("twice", name(__VA_ARGS__));                               \
		fd = epoll_of(request_client, EPOLLOUT);                        \
		ms = -1;                                                        \
		show("the request's", name(__VA_ARGS__));                       \
		close(in);                                                      \
		close(out);                                                     \
	} while (0)

static void epolls(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct epoll_event got[2];
	int outer;

	EPOLLING(epoll_wait, fd, events, max, ms);
	EPOLLING(epoll_pwait, fd, events, max, ms, NULL);
	EPOLLING(epoll_pwait2, fd, events, max, limit_spec(ms), NULL);
	MASKED(epoll_pwait2, epoll_of(in, EPOLLIN), epoll, got, 2, limit, during);
#define epoll_pwait_limited(fd, room, max, limit, mask) \
	epoll_pwait(fd, room, max, limit == &bad ? 5 : limit ? 50 : -1, mask)
	MASKED(epoll_pwait_limited, epoll_of(in, EPOLLIN), epoll, got, 2, limit, during);

	CASE(epoll_pwait2)
	show("bad address for the time", epoll_pwait2(epoll, got, 2, BAD_ADDRESS, NULL));

	CASE(epoll_ctl)
	fresh();
	epoll_of(in, EPOLLIN);
	show("twice", epoll_ctl(epoll, EPOLL_CTL_ADD, in, &event));
	show("bad epoll", epoll_ctl(-1, EPOLL_CTL_ADD, in, &event));
	show("no epoll", epoll_ctl(in, EPOLL_CTL_ADD, in, &event));
	show("bad descriptor", epoll_ctl(epoll, EPOLL_CTL_ADD, -1, &event));
	show("itself", epoll_ctl(epoll, EPOLL_CTL_ADD, epoll, &event));
	show("modify what is not there", epoll_ctl(epoll, EPOLL_CTL_MOD, out, &event));
	show("delete what is not there", epoll_ctl(epoll, EPOLL_CTL_DEL, out, NULL));
	show("bad command", epoll_ctl(epoll, 77, in, &event));
	show("bad address", epoll_ctl(epoll, EPOLL_CTL_ADD, out, BAD_ADDRESS));
	show("modify", epoll_ctl(epoll, EPOLL_CTL_MOD, in, &event));
	show("delete", epoll_ctl(epoll, EPOLL_CTL_DEL, in, NULL));
	outer = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	close(outer);
	outer = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	show("a file", epoll_ctl(epoll, EPOLL_CTL_ADD, outer, &event));
	close(outer);
	outer = epoll_create1(EPOLL_CLOEXEC);
	show("one in another", epoll_ctl(outer, EPOLL_CTL_ADD, epoll, &event));
	show("and the other way round", epoll_ctl(epoll, EPOLL_CTL_ADD, outer, &event));
	show("add", epoll_ctl(epoll, EPOLL_CTL_ADD, in, &event));
	feed();
	show("by the outer", epoll_wait(outer, got, 2, -1));
	close(outer);
	done();
}

/* ---- time */

static struct timespec left;

static void say_left(void)
{
	say("  left: %d\n", left.tv_sec * 1000 + left.tv_nsec / 1000000 > 300000);
	left = (struct timespec){ 0, 0 };
}

static void nothing(void *unused)
{
	(void)unused;
}

#define SLEEPING(name)                                                                           \
	do {                                                                                     \
		struct timespec bad = { 0, 1000000000 };                                         \
                                                                                                 \
		CASE(name)                                                                       \
		show("none", name(limit_spec(0), &left));                                        \
		show("a while", name(limit_spec(20), &left));                                    \
		show("a while, without what is left", name(limit_spec(20), NULL));               \
		show("a bad time", name(&bad, &left));                                           \
		show("bad address", name(BAD_ADDRESS, &left));                                   \
		show("bad address for what is left", name(limit_spec(5), BAD_ADDRESS));          \
		show_interrupted("ten minutes", nothing, NULL, name(limit_spec(600000), &left)); \
		say_left();                                                                      \
		alarm_waiting(0);                                                                \
		show("a signal and a bad address", name(limit_spec(600000), BAD_ADDRESS));       \
	} while (0)

static void sleeps(void)
{
	struct timespec at;

	SLEEPING(nanosleep);
	SLEEPING(__nanosleep);
	SLEEPING(thrd_sleep);
#define clock_nanosleep_monotonic(time, left) clock_nanosleep(CLOCK_MONOTONIC, 0, time, left)
#define clock_nanosleep_realtime(time, left) clock_nanosleep(CLOCK_REALTIME, 0, time, left)
	SLEEPING(clock_nanosleep_monotonic);
	SLEEPING(clock_nanosleep_realtime);
	CASE(clock_nanosleep)
	clock_gettime(CLOCK_MONOTONIC, &at);
	show("until now", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, &left));
	at.tv_sec += 600;
	show_interrupted("until in ten minutes", nothing, NULL,
			 clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, &left));
	say_left();
	show("the thread's CPU clock", clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &at, &left));
	show("bad clock", clock_nanosleep(77, 0, &at, &left));
	CASE(usleep)
	show("none", usleep(0));
	show("a while", usleep(20000));
	alarm_waiting(0);
	show("a signal", usleep(999999));
	say("  signals %d\n", (int)alarms);
	CASE(sleep)
	show("none", sleep(0));
	alarm_waiting(0);
	show("a signal", sleep(600) > 590);
	say("  signals %d\n", (int)alarms);
}

/* ---- names */

static void names_of_addresses(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				       .sin_port = htons(80) };
	char host[100] = "", service[100] = "";

	CASE(getnameinfo)
	show("numbers", getnameinfo((void *)&address, sizeof(address), host, sizeof(host), service,
				    sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV));
	say("  %s %s\n", host, service);
	show("names", getnameinfo((void *)&address, sizeof(address), host, sizeof(host), service,
				  sizeof(service), 0));
	say("  %s %s\n", host, service);
	show("too short",
	     getnameinfo((void *)&address, sizeof(address), host, 3, NULL, 0, NI_NUMERICHOST));
	show("nothing asked", getnameinfo((void *)&address, sizeof(address), NULL, 0, NULL, 0, 0));
	show("short address", getnameinfo((void *)&address, 3, host, sizeof(host), NULL, 0, 0));
	address.sin_family = 77;
	show("bad family",
	     getnameinfo((void *)&address, sizeof(address), host, sizeof(host), NULL, 0, 0));
}

static void say_host(const struct hostent *found)
{
	char text[100] = "none";

	if (found && found->h_addr_list[0])
		inet_ntop(found->h_addrtype, found->h_addr_list[0], text, sizeof(text));
	say("  %s %s, h_errno %d\n", found ? found->h_name : "", text, found ? 0 : h_errno);
}

static void hosts_of_addresses(void)
{
	const unsigned char local[4] = { 127, 0, 0, 1 };
	struct hostent entry, *found;
	int error;

	CASE(gethostbyaddr)
	say_host(gethostbyaddr(local, 4, AF_INET));
	say_host(gethostbyaddr(&in6addr_loopback, 16, AF_INET6));
	show("short address", gethostbyaddr(local, 3, AF_INET) != NULL);
	say("  h_errno %d\n", h_errno);
	show("bad family", gethostbyaddr(local, 4, 77) != NULL);
	CASE(gethostbyaddr_r)
	show("an address", gethostbyaddr_r(local, 4, AF_INET, &entry, buf, sizeof(buf), &found, &error));
	say_host(found);
	show("too short", gethostbyaddr_r(local, 4, AF_INET, &entry, buf, 8, &found, &error));
	say("  found %d, h_errno %d\n", found != NULL, error);
}

static void names(void)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST }, *results = NULL;
	struct hostent entry, *found;
	int error;

	CASE(getaddrinfo)
	show("a number", getaddrinfo("127.0.0.1", "80", &hints, &results));
	freeaddrinfo(results);
	show("a name", getaddrinfo("localhost", "http", NULL, &results));
	freeaddrinfo(results);
	show("no number", getaddrinfo("localhost", "80", &hints, &results));
	show("neither", getaddrinfo(NULL, NULL, &hints, &results));
	show("bad service", getaddrinfo("127.0.0.1", "no-such-service", &hints, &results));
	hints.ai_flags = 0x7fffffff;
	show("bad flags", getaddrinfo(NULL, "80", &hints, &results));
	hints = (struct addrinfo){ .ai_family = 77 };
	show("bad family", getaddrinfo("127.0.0.1", NULL, &hints, &results));
	names_of_addresses();
	CASE(gethostbyname)
	say_host(gethostbyname("127.0.0.1"));
	say_host(gethostbyname("localhost"));
	say_host(gethostbyname(""));
	CASE(gethostbyname2)
	say_host(gethostbyname2("127.0.0.1", AF_INET));
	say_host(gethostbyname2("::1", AF_INET6));
	say_host(gethostbyname2("::1", 77));
	CASE(gethostbyname_r)
	show("a name", gethostbyname_r("localhost", &entry, buf, sizeof(buf), &found, &error));
	say_host(found);
	show("too short", gethostbyname_r("localhost", &entry, buf, 8, &found, &error));
	say("  found %d, h_errno %d\n", found != NULL, error);
	CASE(gethostbyname2_r)
	show("a number",
	     gethostbyname2_r("::1", AF_INET6, &entry, buf, sizeof(buf), &found, &error));
	say_host(found);
	show("too short", gethostbyname2_r("::1", AF_INET6, &entry, buf, 8, &found, &error));
	say("  found %d, h_errno %d\n", found != NULL, error);
	hosts_of_addresses();
}

int main(void)
{
	request_begin();
	polls();
	selects();
	epolls();
	sleeps();
	names();
	request_finish();
	return 0;
}
