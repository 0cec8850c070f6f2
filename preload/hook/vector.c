/* readv and writev with flags: at an offset in a file, or, at -1, where the stream stands. */
#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/hook/stream.h"

EXPORT ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	struct wait w;
	ssize_t got;

	waiting_begin(&w);
	got = libc_preadv2(fd, parts, count, offset, flags);
	if (offset != -1) {
		waiting_file(&w, fd, "read");
		return got;
	}
	waiting_received(&w, fd, got);
	stream_received_parts(&w, fd, parts, (size_t)count, got);
	return got;
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	struct wait w;
	ssize_t sent;

	if (offset == -1)
		waiting_tells();
	waiting_begin(&w);
	sent = libc_pwritev2(fd, parts, count, offset, flags);
	if (offset != -1) {
		waiting_file(&w, fd, "write");
		return sent;
	}
	waiting_sent(&w, fd);
	stream_sent_parts(&w, fd, parts, (size_t)count, sent);
	return sent;
}

EXPORT ssize_t preadv64v2(int, const struct iovec *, int, off64_t, int)
	__attribute__((alias("preadv2")));
EXPORT ssize_t pwritev64v2(int, const struct iovec *, int, off64_t, int)
	__attribute__((alias("pwritev2")));
