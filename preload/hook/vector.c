/* readv and writev with flags: at an offset in a file, or, at -1, where the stream stands. */
#include <errno.h>

#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/hook/waiting.h"
#include "preload/track/track.h"

EXPORT ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	struct wait w;
	ssize_t got;
	int saved;

	waiting_begin(&w);
	got = libc_preadv2(fd, parts, count, offset, flags);
	if (offset != -1) {
		waiting_file(&w, fd, "read");
		return got;
	}
	waiting_received(&w, fd, got);
	saved = errno;
	if (got > 0 && track_wants(fd) && hook_enter()) {
		track_moved_at(wait_ended_ns(&w));
		track_received_vector(fd, parts, (size_t)count, (size_t)got);
		hook_leave();
	}
	errno = saved;
	return got;
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	struct wait w;
	ssize_t sent;
	int saved;

	if (offset == -1)
		waiting_tells();
	waiting_begin(&w);
	sent = libc_pwritev2(fd, parts, count, offset, flags);
	if (offset != -1) {
		waiting_file(&w, fd, "write");
		return sent;
	}
	waiting_sent(&w, fd);
	saved = errno;
	if (sent > 0 && track_wants_sent(fd) && hook_enter()) {
		track_moved_at(wait_ended_ns(&w));
		track_sent_vector(fd, parts, (size_t)count, (size_t)sent);
		hook_leave();
	}
	errno = saved;
	return sent;
}

EXPORT ssize_t preadv64v2(int, const struct iovec *, int, off64_t, int)
	__attribute__((alias("preadv2")));
EXPORT ssize_t pwritev64v2(int, const struct iovec *, int, off64_t, int)
	__attribute__((alias("pwritev2")));
