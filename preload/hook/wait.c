/* Where the host waits: for what the current request needs, or for new work. */
#include <errno.h>

#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/hook/waiting.h"
#include "preload/sigsafe/peek.h"
#include "preload/track/track.h"

enum { WAIT_LOOK_MAX = 1024 }; /* descriptors looked at in one poll; more only serve event loops */

static void wait_poll(struct pollfd *fds, nfds_t count)
{
	int saved = errno;

	if (hook_enter()) {
		if (count > WAIT_LOOK_MAX)
			count = WAIT_LOOK_MAX;
		/* A bad pointer is the kernel's to refuse (EFAULT), not ours to fall over. */
		if (count && !peek_ok((uintptr_t)fds, count * sizeof(*fds)))
			count = 0;
		track_wait_poll(fds, count);
		hook_leave();
	}
	errno = saved;
}

static const fd_set *wait_readable(const fd_set *set)
{
	return set && peek_ok((uintptr_t)set, sizeof(*set)) ? set : NULL;
}

static void wait_select(int count, const fd_set *read_set, const fd_set *write_set)
{
	int saved = errno;

	if (hook_enter()) {
		track_wait_select(count, wait_readable(read_set), wait_readable(write_set));
		hook_leave();
	}
	errno = saved;
}

static void wait_epoll(int fd)
{
	int saved = errno;

	if (hook_enter()) {
		track_wait_epoll(fd);
		hook_leave();
	}
	errno = saved;
}

/* What a select waits for: its sets say something else afterwards. */
struct wait_set {
	unsigned count;
	int fd;
	bool sends;
};

static void wait_look(const struct wait *w, struct wait_set *set, int count, const fd_set *read_set,
		      const fd_set *write_set)
{
	*set = (struct wait_set){ 0, -1, false };
	if (!waiting_timed(w))
		return;
	read_set = wait_readable(read_set);
	write_set = wait_readable(write_set);
	for (int fd = 0; fd < count && fd < FD_SETSIZE; fd++) {
		bool reads = read_set && FD_ISSET(fd, read_set);
		bool writes = write_set && FD_ISSET(fd, write_set);

		if (!reads && !writes)
			continue;
		set->count++;
		set->fd = fd;
		set->sends = !reads;
	}
}

/* Of an event loop: its next turn begins. only_looked: it was not to wait. */
static void wait_done(bool only_looked)
{
	int saved = errno;

	if (track_in_turns() && hook_enter()) {
		track_waited(only_looked);
		hook_leave();
	}
	errno = saved;
}

EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	struct wait w;
	int result;

	wait_poll(fds, count);
	waiting_begin_lasting(&w, WAIT_SLEEP, count == 0 && timeout > 0);
	result = libc_poll(fds, count, timeout);
	waiting_poll(&w, fds, count);
	wait_done(false);
	return result;
}

EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t fds_size)
{
	struct wait w;
	int result;

	wait_poll(fds, count);
	waiting_begin(&w);
	result = libc___poll_chk(fds, count, timeout, fds_size);
	waiting_poll(&w, fds, count);
	wait_done(false);
	return result;
}

EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		 const sigset_t *mask)
{
	sigset_t storage;
	const sigset_t *during;
	struct wait w;
	int result;

	wait_poll(fds, count);
	during = waiting_begin_masked(&w, mask, &storage);
	result = libc_ppoll(fds, count, timeout, during);
	waiting_poll(&w, fds, count);
	wait_done(false);
	return result;
}

EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		       const sigset_t *mask, size_t fds_size)
{
	sigset_t storage;
	const sigset_t *during;
	struct wait w;
	int result;

	wait_poll(fds, count);
	during = waiting_begin_masked(&w, mask, &storage);
	result = libc___ppoll_chk(fds, count, timeout, during, fds_size);
	waiting_poll(&w, fds, count);
	wait_done(false);
	return result;
}

EXPORT int select(int count, fd_set *read_set, fd_set *write_set, fd_set *except_set,
		  struct timeval *timeout)
{
	struct wait_set set;
	struct wait w;
	int result;

	wait_select(count, read_set, write_set);
	waiting_begin_lasting(&w, WAIT_SLEEP, count == 0 && timeout);
	wait_look(&w, &set, count, read_set, write_set);
	result = libc_select(count, read_set, write_set, except_set, timeout);
	waiting_set(&w, set.count, set.fd, set.sends);
	wait_done(false);
	return result;
}

EXPORT int pselect(int count, fd_set *read_set, fd_set *write_set, fd_set *except_set,
		   const struct timespec *timeout, const sigset_t *mask)
{
	sigset_t storage;
	const sigset_t *during;
	struct wait_set set;
	struct wait w;
	int result;

	wait_select(count, read_set, write_set);
	during = waiting_begin_masked(&w, mask, &storage);
	wait_look(&w, &set, count, read_set, write_set);
	result = libc_pselect(count, read_set, write_set, except_set, timeout, during);
	waiting_set(&w, set.count, set.fd, set.sends);
	wait_done(false);
	return result;
}

EXPORT int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	struct wait w;
	int result;

	wait_epoll(fd);
	waiting_begin(&w);
	result = libc_epoll_wait(fd, events, max, timeout);
	waiting_kind(&w, WAIT_POLL, "epoll");
	wait_done(timeout == 0);
	return result;
}

EXPORT int epoll_pwait(int fd, struct epoll_event *events, int max, int timeout,
		       const sigset_t *mask)
{
	sigset_t storage;
	const sigset_t *during;
	struct wait w;
	int result;

	wait_epoll(fd);
	during = waiting_begin_masked(&w, mask, &storage);
	result = libc_epoll_pwait(fd, events, max, timeout, during);
	waiting_kind(&w, WAIT_POLL, "epoll");
	wait_done(timeout == 0);
	return result;
}

EXPORT int epoll_pwait2(int fd, struct epoll_event *events, int max,
			const struct timespec *timeout, const sigset_t *mask)
{
	sigset_t storage;
	const sigset_t *during;
	struct wait w;
	int result;

	wait_epoll(fd);
	during = waiting_begin_masked(&w, mask, &storage);
	result = libc_epoll_pwait2(fd, events, max, timeout, during);
	waiting_kind(&w, WAIT_POLL, "epoll");
	wait_done(false);
	return result;
}

EXPORT int epoll_ctl(int epoll_fd, int command, int fd, struct epoll_event *event)
{
	int result = libc_epoll_ctl(epoll_fd, command, fd, event);
	int saved = errno;
	bool added = command == EPOLL_CTL_ADD, writes = added || command == EPOLL_CTL_MOD;

	if (result != 0)
		return result;
	/* The kernel has read the event: so can we. */
	writes = writes && track_in_turns() && (event->events & EPOLLOUT);
	if ((added || writes) && hook_enter()) {
		if (added)
			track_epoll_added(epoll_fd, fd);
		if (writes)
			track_epoll_changed(fd);
		hook_leave();
	}
	errno = saved;
	return result;
}

EXPORT int __poll(struct pollfd *, nfds_t, int) __attribute__((alias("poll")));
EXPORT int __select(int, fd_set *, fd_set *, fd_set *, struct timeval *)
	__attribute__((alias("select")));
