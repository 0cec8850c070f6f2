/* Descriptors that the host makes, copies and closes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>

#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/hook/waiting.h"
#include "preload/ours.h"
#include "preload/sigsafe/raw.h"
#include "preload/track/track.h"

static void socket_accepted(int listener, int fd)
{
	int saved = errno;

	if (fd >= 0 && hook_enter()) {
		track_accepted(listener, fd);
		hook_leave();
	}
	errno = saved;
}

static bool socket_blocks(int fd)
{
	int flags = raw_fcntl(fd, F_GETFL, 0);

	return flags < 0 || !(flags & O_NONBLOCK);
}

/*
 * Before the call: accepting is waiting for new work, and afterwards would be one request too late. In the
 * middle of an event loop's turn it takes what has come, and the turn goes on.
 */
static void socket_accepting(int listener)
{
	int saved = errno;

	if (hook_enter()) {
		if (!track_polls() || socket_blocks(listener))
			track_wait_accept();
		else
			track_look_for_connections();
		hook_leave();
	}
	errno = saved;
}

EXPORT int accept(int fd, struct sockaddr *address, socklen_t *len)
{
	int accepted;

	socket_accepting(fd);
	accepted = libc_accept(fd, address, len);
	socket_accepted(fd, accepted);
	return accepted;
}

EXPORT int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	int accepted;

	socket_accepting(fd);
	accepted = libc_accept4(fd, address, len, flags);
	socket_accepted(fd, accepted);
	return accepted;
}

EXPORT int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	struct wait w;
	int result, saved;

	waiting_begin(&w);
	result = libc_connect(fd, address, len);
	waiting_connect(&w, address, len);
	saved = errno;
	if ((result == 0 || saved == EINPROGRESS) && hook_enter()) {
		track_connected(fd);
		hook_leave();
	}
	errno = saved;
	return result;
}

EXPORT int shutdown(int fd, int how)
{
	int result = libc_shutdown(fd, how);
	int saved = errno;

	if (result == 0 && how != SHUT_RD && hook_enter()) {
		track_shutdown_write(fd);
		hook_leave();
	}
	errno = saved;
	return result;
}

EXPORT int close(int fd)
{
	void *ended = NULL;
	int result, saved;

	/* A descriptor of ours: the host cannot have it, so to the host it is not open. */
	if (ours_has(fd)) {
		errno = EBADF;
		return -1;
	}
	/* Before the call: afterwards the number may already be another thread's new connection. */
	if (slots_get(fd) != SLOT_UNKNOWN && hook_enter()) {
		ended = track_closing(fd);
		hook_leave();
	}
	result = libc_close(fd);
	saved = errno;
	if (ended && hook_enter()) {
		track_closed(ended);
		hook_leave();
	}
	errno = saved;
	return result;
}

/* Whatever we know of descriptors in [first, last], which are about to be closed. */
static void socket_closing_range(unsigned first, unsigned last)
{
	if (!hook_enter())
		return;
	for (unsigned fd = first; fd <= last && fd < SLOTS_LEAF * SLOTS_LEAVES; fd++) {
		if (!slots_word((int)fd)) {
			fd |= SLOTS_LEAF - 1; /* the whole leaf is missing */
			continue;
		}
		if (slots_get((int)fd) != SLOT_UNKNOWN)
			track_closed(track_closing((int)fd));
	}
	hook_leave();
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	int result = 0;
	int saved = errno;

	if (first > last)
		return libc_close_range(first, last, flags);
	if (!(flags & CLOSE_RANGE_CLOEXEC))
		socket_closing_range(first, last);
	errno = saved;
	for (;;) {
		int kept = ours_next(first, last);

		if (kept < 0)
			return libc_close_range(first, last, flags);
		if ((unsigned)kept > first) {
			result = libc_close_range(first, (unsigned)kept - 1, flags);
			if (result < 0)
				return result;
		}
		if ((unsigned)kept == last)
			return result;
		first = (unsigned)kept + 1;
	}
}

EXPORT void closefrom(int low)
{
	unsigned first = low < 0 ? 0 : (unsigned)low;
	int saved = errno;

	socket_closing_range(first, UINT_MAX);
	for (;;) {
		int kept = ours_next(first, UINT_MAX);

		if (kept < 0)
			break;
		if ((unsigned)kept > first)
			libc_close_range(first, (unsigned)kept - 1, 0);
		first = (unsigned)kept + 1;
	}
	errno = saved;
	libc_closefrom((int)first);
}

static void socket_duplicated(int from, int to)
{
	int saved = errno;

	if (to >= 0 && from != to && hook_enter()) {
		track_duplicated(from, to);
		hook_leave();
	}
	errno = saved;
}

/* dup2 onto a number of ours: to the host it is free, so ours has to move. */
static void socket_make_way(int to)
{
	int saved = errno;

	if (ours_has(to) && hook_enter()) {
		ours_make_way(to);
		hook_leave();
	}
	errno = saved;
}

EXPORT int dup(int fd)
{
	int copy = libc_dup(fd);

	socket_duplicated(fd, copy);
	return copy;
}

EXPORT int dup2(int fd, int to)
{
	int copy;

	socket_make_way(to);
	copy = libc_dup2(fd, to);
	socket_duplicated(fd, copy);
	return copy;
}

EXPORT int dup3(int fd, int to, int flags)
{
	int copy;

	socket_make_way(to);
	copy = libc_dup3(fd, to, flags);
	socket_duplicated(fd, copy);
	return copy;
}

static bool socket_fcntl_blocks(int command)
{
	return command == F_SETLKW || command == F_OFD_SETLKW;
}

static int socket_fcntl_done(int fd, int command, int result)
{
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		socket_duplicated(fd, result);
	return result;
}

EXPORT int fcntl(int fd, int command, ...)
{
	va_list list;
	void *argument;

	/* There may be no argument: then this reads a register that libc_fcntl will not look at. */
	va_start(list, command);
	argument = va_arg(list, void *);
	va_end(list);
	if (socket_fcntl_blocks(command)) {
		struct wait w;
		int result;

		waiting_begin(&w);
		result = libc_fcntl(fd, command, argument);
		waiting_lock_file(&w, fd);
		return result;
	}
	return socket_fcntl_done(fd, command, libc_fcntl(fd, command, argument));
}

EXPORT int fcntl64(int fd, int command, ...)
{
	va_list list;
	void *argument;

	va_start(list, command);
	argument = va_arg(list, void *);
	va_end(list);
	if (socket_fcntl_blocks(command)) {
		struct wait w;
		int result;

		waiting_begin(&w);
		result = libc_fcntl64(fd, command, argument);
		waiting_lock_file(&w, fd);
		return result;
	}
	return socket_fcntl_done(fd, command, libc_fcntl64(fd, command, argument));
}

EXPORT int __close(int) __attribute__((alias("close")));
EXPORT int __connect(int, const struct sockaddr *, socklen_t) __attribute__((alias("connect")));
EXPORT int __dup2(int, int) __attribute__((alias("dup2")));
EXPORT int __fcntl(int, int, ...) __attribute__((alias("fcntl")));
