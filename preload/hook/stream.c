/* Bytes that the host reads and writes. */
#include <errno.h>

#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/hook/waiting.h"
#include "preload/track/track.h"

/* No read of these moves the stream on. */
enum { UNCONSUMED = MSG_PEEK | MSG_OOB | MSG_ERRQUEUE };

/* In the wrapper itself: where it was called from, for handler.h. */
#define STREAM_NOTE_CALLER() \
	do { \
		if (wait_wanted()) \
			handler_call = (struct handler_call){ (uintptr_t)__builtin_dwarf_cfa(), \
							      (uintptr_t)__builtin_return_address(0) }; \
	} while (0)

static void stream_received(int fd, const void *buf, ssize_t got)
{
	int saved = errno;

	if (got > 0 && track_wants(fd) && hook_enter()) {
		track_received(fd, buf, (size_t)got);
		hook_leave();
	}
	errno = saved;
}

static void stream_received_flags(int fd, const void *buf, ssize_t got, int flags)
{
	if (flags & UNCONSUMED)
		return;
	/* MSG_TRUNC on a stream throws the bytes away: the buffer holds nothing of them. */
	stream_received(fd, flags & MSG_TRUNC ? NULL : buf, got);
}

static void stream_received_parts(int fd, const struct iovec *parts, size_t count, ssize_t got)
{
	int saved = errno;

	if (got > 0 && track_wants(fd) && hook_enter()) {
		track_received_vector(fd, parts, count, (size_t)got);
		hook_leave();
	}
	errno = saved;
}

static void stream_sent(int fd, const void *buf, ssize_t sent)
{
	int saved = errno;

	if (sent > 0 && track_wants(fd) && hook_enter()) {
		track_sent(fd, buf, (size_t)sent);
		hook_leave();
	}
	errno = saved;
}

static void stream_sent_parts(int fd, const struct iovec *parts, size_t count, ssize_t sent)
{
	int saved = errno;

	if (sent > 0 && track_wants(fd) && hook_enter()) {
		track_sent_vector(fd, parts, count, (size_t)sent);
		hook_leave();
	}
	errno = saved;
}

/* Descriptors that came with a message stand for sockets that we have not seen before. */
static void stream_message_received(int fd, const struct msghdr *message, ssize_t got, int flags)
{
	int saved = errno;

	if (got < 0 || (flags & UNCONSUMED))
		return;
	if (message->msg_controllen >= sizeof(struct cmsghdr) && hook_enter()) {
		struct msghdr *m = (struct msghdr *)message;

		for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
			const unsigned char *data = CMSG_DATA(c);

			if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
				continue;
			for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0);
			     at += sizeof(int)) {
				int arrived;

				__builtin_memcpy(&arrived, data + at, sizeof(arrived));
				track_arrived(arrived);
			}
		}
		hook_leave();
	}
	if (flags & MSG_TRUNC)
		stream_received(fd, NULL, got);
	else
		stream_received_parts(fd, message->msg_iov, message->msg_iovlen, got);
	errno = saved;
}

EXPORT ssize_t read(int fd, void *buf, size_t size)
{
	struct wait w;
	ssize_t got;

	STREAM_NOTE_CALLER();
	waiting_begin(&w);
	got = libc_read(fd, buf, size);
	waiting_received(&w, fd, got);

	stream_received(fd, buf, got);
	return got;
}

EXPORT ssize_t __read_chk(int fd, void *buf, size_t size, size_t buf_size)
{
	struct wait w;
	ssize_t got;

	waiting_begin(&w);
	got = libc___read_chk(fd, buf, size, buf_size);
	waiting_received(&w, fd, got);

	stream_received(fd, buf, got);
	return got;
}

EXPORT ssize_t readv(int fd, const struct iovec *parts, int count)
{
	struct wait w;
	ssize_t got;

	STREAM_NOTE_CALLER();
	waiting_begin(&w);
	got = libc_readv(fd, parts, count);
	waiting_received(&w, fd, got);

	stream_received_parts(fd, parts, (size_t)count, got);
	return got;
}

EXPORT ssize_t recv(int fd, void *buf, size_t size, int flags)
{
	struct wait w;
	ssize_t got;

	STREAM_NOTE_CALLER();
	waiting_begin(&w);
	got = libc_recv(fd, buf, size, flags);
	waiting_received(&w, fd, got);

	stream_received_flags(fd, buf, got, flags);
	return got;
}

EXPORT ssize_t __recv_chk(int fd, void *buf, size_t size, size_t buf_size, int flags)
{
	struct wait w;
	ssize_t got;

	waiting_begin(&w);
	got = libc___recv_chk(fd, buf, size, buf_size, flags);
	waiting_received(&w, fd, got);

	stream_received_flags(fd, buf, got, flags);
	return got;
}

EXPORT ssize_t recvfrom(int fd, void *buf, size_t size, int flags, struct sockaddr *from,
			socklen_t *from_len)
{
	struct wait w;
	ssize_t got;

	STREAM_NOTE_CALLER();
	waiting_begin(&w);
	got = libc_recvfrom(fd, buf, size, flags, from, from_len);
	waiting_received(&w, fd, got);

	stream_received_flags(fd, buf, got, flags);
	return got;
}

EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t size, size_t buf_size, int flags,
			      struct sockaddr *from, socklen_t *from_len)
{
	struct wait w;
	ssize_t got;

	waiting_begin(&w);
	got = libc___recvfrom_chk(fd, buf, size, buf_size, flags, from, from_len);
	waiting_received(&w, fd, got);

	stream_received_flags(fd, buf, got, flags);
	return got;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	struct wait w;
	ssize_t got;

	STREAM_NOTE_CALLER();
	waiting_begin(&w);
	got = libc_recvmsg(fd, message, flags);
	waiting_received(&w, fd, got);

	stream_message_received(fd, message, got, flags);
	return got;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
		    struct timespec *timeout)
{
	struct wait w;
	int got;

	waiting_begin(&w);
	got = libc_recvmmsg(fd, messages, count, flags, timeout);
	waiting_received(&w, fd, got);

	for (int i = 0; i < got; i++)
		stream_message_received(fd, &messages[i].msg_hdr, messages[i].msg_len, flags);
	return got;
}

EXPORT ssize_t write(int fd, const void *buf, size_t size)
{
	struct wait w;
	ssize_t sent;

	waiting_begin(&w);
	sent = libc_write(fd, buf, size);
	waiting_sent(&w, fd);

	stream_sent(fd, buf, sent);
	return sent;
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
	struct wait w;
	ssize_t sent;

	waiting_begin(&w);
	sent = libc_writev(fd, parts, count);
	waiting_sent(&w, fd);

	stream_sent_parts(fd, parts, (size_t)count, sent);
	return sent;
}

EXPORT ssize_t send(int fd, const void *buf, size_t size, int flags)
{
	struct wait w;
	ssize_t sent;

	waiting_begin(&w);
	sent = libc_send(fd, buf, size, flags);
	waiting_sent(&w, fd);

	if (!(flags & MSG_OOB))
		stream_sent(fd, buf, sent);
	return sent;
}

EXPORT ssize_t sendto(int fd, const void *buf, size_t size, int flags, const struct sockaddr *to,
		      socklen_t to_len)
{
	struct wait w;
	ssize_t sent;

	waiting_begin(&w);
	sent = libc_sendto(fd, buf, size, flags, to, to_len);
	waiting_sent(&w, fd);

	if (!(flags & MSG_OOB))
		stream_sent(fd, buf, sent);
	return sent;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct wait w;
	ssize_t sent;

	waiting_begin(&w);
	sent = libc_sendmsg(fd, message, flags);
	waiting_sent(&w, fd);

	if (!(flags & MSG_OOB) && sent > 0)
		stream_sent_parts(fd, message->msg_iov, message->msg_iovlen, sent);
	return sent;
}

EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	struct wait w;
	int sent;

	waiting_begin(&w);
	sent = libc_sendmmsg(fd, messages, count, flags);
	waiting_sent(&w, fd);

	for (int i = 0; i < sent; i++)
		stream_sent_parts(fd, messages[i].msg_hdr.msg_iov, messages[i].msg_hdr.msg_iovlen,
				  messages[i].msg_len);
	return sent;
}

EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t size)
{
	struct wait w;
	ssize_t sent;

	waiting_begin(&w);
	sent = libc_sendfile(out, in, offset, size);
	waiting_sent(&w, out);

	stream_sent(out, NULL, sent);
	return sent;
}

EXPORT ssize_t sendfile64(int out, int in, off64_t *offset, size_t size)
{
	struct wait w;
	ssize_t sent;

	waiting_begin(&w);
	sent = libc_sendfile64(out, in, offset, size);
	waiting_sent(&w, out);

	stream_sent(out, NULL, sent);
	return sent;
}

EXPORT ssize_t splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t size,
		      unsigned flags)
{
	struct wait w;
	ssize_t moved;

	waiting_begin(&w);
	moved = libc_splice(in, in_offset, out, out_offset, size, flags);
	waiting_sent(&w, out);

	stream_received(in, NULL, moved);
	stream_sent(out, NULL, moved);
	return moved;
}

#define STREAM_ALIAS(result, name, of, parameters) \
	EXPORT result name parameters __attribute__((alias(#of)));
STREAM_ALIAS(ssize_t, __read, read, (int, void *, size_t))
STREAM_ALIAS(ssize_t, __write, write, (int, const void *, size_t))
STREAM_ALIAS(ssize_t, __send, send, (int, const void *, size_t, int))
