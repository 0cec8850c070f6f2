/*
 * For the wrappers of calls that may block: times the call and says what it waited for. Pattern:
 *
 *	waiting_begin(&w);
 *	got = libc_read(fd, buf, size);
 *	waiting_received(&w, fd, got);
 *
 * On a thread that works for no request both cost a look at a thread-local. errno is kept.
 */
#ifndef REQPROF_HOOK_WAITING_H
#define REQPROF_HOOK_WAITING_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

#include "preload/hook/guard.h"
#include "preload/sample/wait.h"

/* getrandom() of so much is never interrupted: as much as is promised whole, and at once, is not looked at. */
static inline bool waiting_random(size_t size, unsigned flags)
{
	enum { WHOLE = 256 };

	return size > WHOLE || (flags & GRND_RANDOM);
}

/* Not a call of our own, nor a vfork child's: it has the parent's memory. */
static inline bool waiting_wanted(void)
{
	return wait_wanted() && hook_active && !hook_inside &&
	       !(hook_vforked && hook_in_vfork_child());
}

/* Does the calling thread, one of a pool, work for nobody knows whom? Then, before it lets others hear of what it did,
 * or sleeps in a lock: */
static inline bool waiting_strays(void)
{
	return waiting_wanted() && handler_self->stray;
}
void waiting_settle(bool sleeps);

static inline void waiting_tells(void)
{
	if (waiting_strays())
		waiting_settle(false);
}

static inline void waiting_begin(struct wait *w)
{
	w->target = NULL;
	w->held = WAIT_NOT_HELD;
	if (waiting_wanted()) {
		wait_begin(w, false);
		wait_foresee(w, WAIT_OTHER, false);
	}
}

/* For calls that start a child, which would have our signal blocked too; they are not ended early by it. */
static inline void waiting_begin_unheld(struct wait *w)
{
	w->target = NULL;
	w->held = WAIT_NOT_HELD;
	if (waiting_wanted())
		wait_begin(w, true);
}

/* For a call that takes its time, once it is made. */
static inline void waiting_begin_lasting(struct wait *w, enum wait_kind kind, bool lasts)
{
	w->target = NULL;
	w->held = WAIT_NOT_HELD;
	if (waiting_wanted()) {
		wait_begin(w, false);
		wait_foresee(w, kind, lasts);
	}
}

/* A sleep of at least so long as makes a record of its own? An absolute time (and a bad pointer) does not tell. */
bool waiting_sleeps(const struct timespec *time, bool absolute);

/* For calls that take a signal mask; returns the one to give to libc. */
static inline const sigset_t *waiting_begin_masked(struct wait *w, const sigset_t *mask,
						   sigset_t *storage)
{
	w->target = NULL;
	w->held = WAIT_NOT_HELD;
	if (!waiting_wanted())
		return mask;
	wait_begin(w, mask != NULL);
	wait_foresee(w, WAIT_OTHER, false);
	return wait_mask(w, mask, storage);
}

static inline bool waiting_timed(const struct wait *w)
{
	return w->target || w->held;
}

/* What follows records the wait, if there was one. Out of line: only on threads that are timed. */
void waiting_done_received(struct wait *w, int fd, ssize_t got);
void waiting_done_sent(struct wait *w, int fd);
/* On a path's descriptor: "PATH (HOW)". */
void waiting_done_file(struct wait *w, int fd, const char *how);
/* For a lock on a file. */
void waiting_done_lock_file(struct wait *w, int fd);
void waiting_done_kind(struct wait *w, enum wait_kind kind, const char *on);
void waiting_done_connect(struct wait *w, const struct sockaddr *address, socklen_t len);
void waiting_done_poll(struct wait *w, const struct pollfd *fds, nfds_t count);
void waiting_done_set(struct wait *w, unsigned count, int fd, bool sends);

static inline void waiting_received(struct wait *w, int fd, ssize_t got)
{
	if (waiting_timed(w))
		waiting_done_received(w, fd, got);
}

static inline void waiting_sent(struct wait *w, int fd)
{
	if (waiting_timed(w))
		waiting_done_sent(w, fd);
}

static inline void waiting_file(struct wait *w, int fd, const char *how)
{
	if (waiting_timed(w))
		waiting_done_file(w, fd, how);
}

static inline void waiting_lock_file(struct wait *w, int fd)
{
	if (waiting_timed(w))
		waiting_done_lock_file(w, fd);
}

/* on: NUL-terminated, read if there was a wait; "" for nothing to tell. */
static inline void waiting_kind(struct wait *w, enum wait_kind kind, const char *on)
{
	if (waiting_timed(w))
		waiting_done_kind(w, kind, on);
}

static inline void waiting_connect(struct wait *w, const struct sockaddr *address, socklen_t len)
{
	if (waiting_timed(w))
		waiting_done_connect(w, address, len);
}

static inline void waiting_poll(struct wait *w, const struct pollfd *fds, nfds_t count)
{
	if (waiting_timed(w))
		waiting_done_poll(w, fds, count);
}

/* `count` descriptors, of which fd is one; sends: it waited to be able to write. */
static inline void waiting_set(struct wait *w, unsigned count, int fd, bool sends)
{
	if (waiting_timed(w))
		waiting_done_set(w, count, fd, sends);
}

#endif
