/* Time, children and names: what else a request may wait for. */
#include <errno.h>
#include <sys/random.h>

#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/hook/spawn.h"
#include "preload/hook/waiting.h"

/* A name that the host gave, and libc has read; NULL where only an address was asked for. */
static void pause_name(struct wait *w, const char *name)
{
	waiting_kind(w, WAIT_DNS, name ? name : "");
}

EXPORT int nanosleep(const struct timespec *time, struct timespec *left)
{
	struct wait w;
	int result;

	waiting_begin_lasting(&w, WAIT_SLEEP, waiting_sleeps(time, false));
	result = libc_nanosleep(time, left);
	waiting_kind(&w, WAIT_SLEEP, "");
	return result;
}

EXPORT int thrd_sleep(const struct timespec *time, struct timespec *left)
{
	struct wait w;
	int result;

	waiting_begin_lasting(&w, WAIT_SLEEP, waiting_sleeps(time, false));
	result = libc_thrd_sleep(time, left);
	waiting_kind(&w, WAIT_SLEEP, "");
	return result;
}

EXPORT int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time,
			   struct timespec *left)
{
	struct wait w;
	int result;

	waiting_begin_lasting(&w, WAIT_SLEEP, waiting_sleeps(time, flags & TIMER_ABSTIME));
	result = libc_clock_nanosleep(clock, flags, time, left);
	waiting_kind(&w, WAIT_SLEEP, "");
	return result;
}

EXPORT int usleep(useconds_t us)
{
	const struct timespec time = { us / 1000000, (long)(us % 1000000) * 1000 };
	struct wait w;
	int result;

	waiting_begin_lasting(&w, WAIT_SLEEP, waiting_sleeps(&time, false));
	result = libc_usleep(us);
	waiting_kind(&w, WAIT_SLEEP, "");
	return result;
}

EXPORT unsigned sleep(unsigned seconds)
{
	struct wait w;
	unsigned result;

	waiting_begin_lasting(&w, WAIT_SLEEP, seconds > 0);
	result = libc_sleep(seconds);
	waiting_kind(&w, WAIT_SLEEP, "");
	return result;
}

EXPORT ssize_t getrandom(void *buf, size_t size, unsigned flags)
{
	struct wait w;
	ssize_t result;

	if (!waiting_random(size, flags))
		return libc_getrandom(buf, size, flags);
	waiting_begin(&w);
	result = libc_getrandom(buf, size, flags);
	waiting_kind(&w, WAIT_OTHER, "random numbers");
	return result;
}

EXPORT pid_t wait(int *status)
{
	struct wait w;
	pid_t result;

	waiting_begin_lasting(&w, WAIT_CHILD, true);
	result = libc_wait(status);
	waiting_kind(&w, WAIT_CHILD, "");
	return result;
}

EXPORT pid_t waitpid(pid_t pid, int *status, int options)
{
	const char *name = spawn_name(pid);
	struct wait w;
	pid_t result;

	waiting_begin_lasting(&w, WAIT_CHILD, !(options & WNOHANG));
	result = libc_waitpid(pid, status, options);
	waiting_kind(&w, WAIT_CHILD, name);
	return result;
}

EXPORT pid_t wait3(int *status, int options, struct rusage *usage)
{
	struct wait w;
	pid_t result;

	waiting_begin_lasting(&w, WAIT_CHILD, !(options & WNOHANG));
	result = libc_wait3(status, options, usage);
	waiting_kind(&w, WAIT_CHILD, "");
	return result;
}

EXPORT pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	const char *name = spawn_name(pid);
	struct wait w;
	pid_t result;

	waiting_begin_lasting(&w, WAIT_CHILD, !(options & WNOHANG));
	result = libc_wait4(pid, status, options, usage);
	waiting_kind(&w, WAIT_CHILD, name);
	return result;
}

EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	const char *name = type == P_PID ? spawn_name((pid_t)id) : "";
	struct wait w;
	int result;

	waiting_begin_lasting(&w, WAIT_CHILD, !(options & WNOHANG));
	result = libc_waitid(type, id, info, options);
	waiting_kind(&w, WAIT_CHILD, name);
	return result;
}

EXPORT int system(const char *command)
{
	struct wait w;
	int result;

	spawn_started_shell(command);
	waiting_begin_unheld(&w);
	wait_foresee(&w, WAIT_CHILD, true);
	result = libc_system(command);
	waiting_kind(&w, WAIT_CHILD, "");
	return result;
}

EXPORT int pclose(FILE *stream)
{
	struct wait w;
	int result;

	waiting_begin_lasting(&w, WAIT_CHILD, true);
	result = libc_pclose(stream);
	waiting_kind(&w, WAIT_CHILD, "");
	return result;
}

EXPORT int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		       struct addrinfo **results)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_getaddrinfo(node, service, hints, results);
	pause_name(&w, node);
	return result;
}

EXPORT int getnameinfo(const struct sockaddr *address, socklen_t len, char *host,
		       socklen_t host_size, char *service, socklen_t service_size, int flags)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_getnameinfo(address, len, host, host_size, service, service_size, flags);
	pause_name(&w, NULL);
	return result;
}

EXPORT struct hostent *gethostbyname(const char *name)
{
	struct wait w;
	struct hostent *result;

	waiting_begin(&w);
	result = libc_gethostbyname(name);
	pause_name(&w, name);
	return result;
}

EXPORT struct hostent *gethostbyname2(const char *name, int family)
{
	struct wait w;
	struct hostent *result;

	waiting_begin(&w);
	result = libc_gethostbyname2(name, family);
	pause_name(&w, name);
	return result;
}

EXPORT int gethostbyname_r(const char *name, struct hostent *entry, char *buf, size_t size,
			   struct hostent **found, int *error)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_gethostbyname_r(name, entry, buf, size, found, error);
	pause_name(&w, name);
	return result;
}

EXPORT int gethostbyname2_r(const char *name, int family, struct hostent *entry, char *buf,
			    size_t size, struct hostent **found, int *error)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_gethostbyname2_r(name, family, entry, buf, size, found, error);
	pause_name(&w, name);
	return result;
}

EXPORT struct hostent *gethostbyaddr(const void *address, socklen_t len, int family)
{
	struct wait w;
	struct hostent *result;

	waiting_begin(&w);
	result = libc_gethostbyaddr(address, len, family);
	pause_name(&w, NULL);
	return result;
}

EXPORT int gethostbyaddr_r(const void *address, socklen_t len, int family, struct hostent *entry,
			   char *buf, size_t size, struct hostent **found, int *error)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_gethostbyaddr_r(address, len, family, entry, buf, size, found, error);
	pause_name(&w, NULL);
	return result;
}

EXPORT int __nanosleep(const struct timespec *, struct timespec *)
	__attribute__((alias("nanosleep")));
EXPORT pid_t __wait(int *) __attribute__((alias("wait")));
EXPORT pid_t __waitpid(pid_t, int *, int) __attribute__((alias("waitpid")));
