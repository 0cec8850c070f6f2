/* Bytes that the host reads and writes. */
#include "preload/hook/stream.h"

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
			handler_call = \
				(struct handler_call){ (uintptr_t)__builtin_dwarf_cfa(), \
						       (uintptr_t)__builtin_return_address(0) }; \
	} while (0)

#define WATCHED static __attribute__((noinline))

static void stream_received(const struct wait *w, int fd, const void *buf, ssize_t got)
{
	int saved = errno;

	if (got > 0 && track_wants(fd) && hook_enter()) {
		track_moved_at(wait_ended_ns(w));
		track_received(fd, buf, (size_t)got);
		hook_leave();
	}
	errno = saved;
}

static void stream_received_flags(const struct wait *w, int fd, const void *buf, ssize_t got,
				  int flags)
{
	if (flags & UNCONSUMED)
		return;
	/* MSG_TRUNC on a stream throws the bytes away: the buffer holds nothing of them. */
	stream_received(w, fd, flags & MSG_TRUNC ? NULL : buf, got);
}

void stream_received_parts(const struct wait *w, int fd, const struct iovec *parts, size_t count,
			   ssize_t got)
{
	int saved = errno;

	if (got > 0 && track_wants(fd) && hook_enter()) {
		track_moved_at(wait_ended_ns(w));
		track_received_vector(fd, parts, count, (size_t)got);
		hook_leave();
	}
	errno = saved;
}

static void stream_sent(const struct wait *w, int fd, const void *buf, ssize_t sent)
{
	int saved = errno;

	if (sent > 0 && track_wants_sent(fd) && hook_enter()) {
		track_moved_at(wait_ended_ns(w));
		track_sent(fd, buf, (size_t)sent);
		hook_leave();
	}
	errno = saved;
}

void stream_sent_parts(const struct wait *w, int fd, const struct iovec *parts, size_t count,
		       ssize_t sent)
{
	int saved = errno;

	if (sent > 0 && track_wants_sent(fd) && hook_enter()) {
		track_moved_at(wait_ended_ns(w));
		track_sent_vector(fd, parts, count, (size_t)sent);
		hook_leave();
	}
	errno = saved;
}

/* Descriptors that came with a message stand for sockets that we have not seen before. */
static void stream_message_received(const struct wait *w, int fd, const struct msghdr *message,
				    ssize_t got, int flags)
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
		stream_received(w, fd, NULL, got);
	else
		stream_received_parts(w, fd, message->msg_iov, message->msg_iovlen, got);
	errno = saved;
}

WATCHED ssize_t watched_read(int fd, void *buf, size_t size)
{
	struct wait w;
	ssize_t got;

	waiting_begin(&w);
	got = libc_read(fd, buf, size);
	waiting_received(&w, fd, got);

	stream_received(&w, fd, buf, got);
	return got;
}

WATCHED ssize_t watched___read_chk(int fd, void *buf, size_t size, size_t buf_size)
{
	struct wait w;
	ssize_t got;

	waiting_begin(&w);
	got = libc___read_chk(fd, buf, size, buf_size);
	waiting_received(&w, fd, got);

	stream_received(&w, fd, buf, got);
	return got;
}

WATCHED ssize_t watched_readv(int fd, const struct iovec *parts, int count)
{
	struct wait w;
	ssize_t got;

	waiting_begin(&w);
	got = libc_readv(fd, parts, count);
	waiting_received(&w, fd, got);

	stream_received_parts(&w, fd, parts, (size_t)count, got);
	return got;
}

WATCHED ssize_t watched_recv(int fd, void *buf, size_t size, int flags)
{
	struct wait w;
	ssize_t got;

	waiting_begin(&w);
	got = libc_recv(fd, buf, size, flags);
	waiting_received(&w, fd, got);

	stream_received_flags(&w, fd, buf, got, flags);
	return got;
}

WATCHED ssize_t watched___recv_chk(int fd, void *buf, size_t size, size_t buf_size, int flags)
{
	struct wait w;
	ssize_t got;

	waiting_begin(&w);
	got = libc___recv_chk(fd, buf, size, buf_size, flags);
	waiting_received(&w, fd, got);

	stream_received_flags(&w, fd, buf, got, flags);
	return got;
}

WATCHED ssize_t watched_recvfrom(int fd, void *buf, size_t size, int flags, struct sockaddr *from,
				 socklen_t *from_len)
{
	struct wait w;
	ssize_t got;

	waiting_begin(&w);
	got = libc_recvfrom(fd, buf, size, flags, from, from_len);
	waiting_received(&w, fd, got);

	stream_received_flags(&w, fd, buf, got, flags);
	return got;
}

WATCHED ssize_t watched___recvfrom_chk(int fd, void *buf, size_t size, size_t buf_size, int flags,
				       struct sockaddr *from, socklen_t *from_len)
{
	struct wait w;
	ssize_t got;

	waiting_begin(&w);
	got = libc___recvfrom_chk(fd, buf, size, buf_size, flags, from, from_len);
	waiting_received(&w, fd, got);

	stream_received_flags(&w, fd, buf, got, flags);
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

	stream_message_received(&w, fd, message, got, flags);
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
		stream_message_received(&w, fd, &messages[i].msg_hdr, messages[i].msg_len, flags);
	return got;
}

WATCHED ssize_t watched_write(int fd, const void *buf, size_t size)
{
	struct wait w;
	ssize_t sent;

	waiting_tells();
	waiting_begin(&w);
	sent = libc_write(fd, buf, size);
	waiting_sent(&w, fd);

	stream_sent(&w, fd, buf, sent);
	return sent;
}

WATCHED ssize_t watched_writev(int fd, const struct iovec *parts, int count)
{
	struct wait w;
	ssize_t sent;

	waiting_tells();
	waiting_begin(&w);
	sent = libc_writev(fd, parts, count);
	waiting_sent(&w, fd);

	stream_sent_parts(&w, fd, parts, (size_t)count, sent);
	return sent;
}

WATCHED ssize_t watched_send(int fd, const void *buf, size_t size, int flags)
{
	struct wait w;
	ssize_t sent;

	waiting_tells();
	waiting_begin(&w);
	sent = libc_send(fd, buf, size, flags);
	waiting_sent(&w, fd);

	if (!(flags & MSG_OOB))
		stream_sent(&w, fd, buf, sent);
	return sent;
}

WATCHED ssize_t watched_sendto(int fd, const void *buf, size_t size, int flags,
			       const struct sockaddr *to, socklen_t to_len)
{
	struct wait w;
	ssize_t sent;

	waiting_tells();
	waiting_begin(&w);
	sent = libc_sendto(fd, buf, size, flags, to, to_len);
	waiting_sent(&w, fd);

	if (!(flags & MSG_OOB))
		stream_sent(&w, fd, buf, sent);
	return sent;
}

WATCHED ssize_t watched_sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct wait w;
	ssize_t sent;

	waiting_tells();
	waiting_begin(&w);
	sent = libc_sendmsg(fd, message, flags);
	waiting_sent(&w, fd);

	if (!(flags & MSG_OOB) && sent > 0)
		stream_sent_parts(&w, fd, message->msg_iov, message->msg_iovlen, sent);
	return sent;
}

WATCHED int watched_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	struct wait w;
	int sent;

	waiting_begin(&w);
	sent = libc_sendmmsg(fd, messages, count, flags);
	waiting_sent(&w, fd);

	for (int i = 0; i < sent; i++)
		stream_sent_parts(&w, fd, messages[i].msg_hdr.msg_iov,
				  messages[i].msg_hdr.msg_iovlen, messages[i].msg_len);
	return sent;
}

WATCHED ssize_t watched_sendfile(int out, int in, off_t *offset, size_t size)
{
	struct wait w;
	ssize_t sent;

	waiting_begin(&w);
	sent = libc_sendfile(out, in, offset, size);
	waiting_sent(&w, out);

	stream_sent(&w, out, NULL, sent);
	return sent;
}

WATCHED ssize_t watched_sendfile64(int out, int in, off64_t *offset, size_t size)
{
	struct wait w;
	ssize_t sent;

	waiting_begin(&w);
	sent = libc_sendfile64(out, in, offset, size);
	waiting_sent(&w, out);

	stream_sent(&w, out, NULL, sent);
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

	stream_received(&w, in, NULL, moved);
	stream_sent(&w, out, NULL, moved);
	return moved;
}

/*
 * The functions themselves. A call that is none of our business passes: nobody's request waits in it, and no request's
 * bytes are moved. (A descriptor is judged as it was when the host made the call.) All else is apart, so
 * that one which passes saves no register.
 */
#define STREAM_READ(result, name, fd, parameters, arguments) \
	STREAM_HOOK(STREAM_NOTE_CALLER(), result, name, track_wants(fd), parameters, arguments)
#define STREAM_READ_CHECKED(result, name, fd, parameters, arguments) \
	STREAM_HOOK(, result, name, track_wants(fd), parameters, arguments)
#define STREAM_WRITE(result, name, fd, parameters, arguments) \
	STREAM_HOOK(, result, name, track_wants_sent(fd), parameters, arguments)

#define STREAM_HOOK(note_caller, result, name, wanted, parameters, arguments) \
	EXPORT result name parameters \
	{ \
		if (!wait_wanted() && !wanted) \
			return libc_##name arguments; \
		note_caller; \
		return watched_##name arguments; \
	}
STREAM_READ(ssize_t, read, fd, (int fd, void *buf, size_t size), (fd, buf, size))
STREAM_READ_CHECKED(ssize_t, __read_chk, fd, (int fd, void *buf, size_t size, size_t buf_size),
		    (fd, buf, size, buf_size))
STREAM_READ(ssize_t, readv, fd, (int fd, const struct iovec *parts, int count), (fd, parts, count))
STREAM_READ(ssize_t, recv, fd, (int fd, void *buf, size_t size, int flags), (fd, buf, size, flags))
STREAM_READ_CHECKED(ssize_t, __recv_chk, fd,
		    (int fd, void *buf, size_t size, size_t buf_size, int flags),
		    (fd, buf, size, buf_size, flags))
STREAM_READ(ssize_t, recvfrom, fd,
	    (int fd, void *buf, size_t size, int flags, struct sockaddr *from, socklen_t *from_len),
	    (fd, buf, size, flags, from, from_len))
STREAM_READ_CHECKED(ssize_t, __recvfrom_chk, fd,
		    (int fd, void *buf, size_t size, size_t buf_size, int flags,
		     struct sockaddr *from, socklen_t *from_len),
		    (fd, buf, size, buf_size, flags, from, from_len))
STREAM_WRITE(ssize_t, write, fd, (int fd, const void *buf, size_t size), (fd, buf, size))
STREAM_WRITE(ssize_t, writev, fd, (int fd, const struct iovec *parts, int count),
	     (fd, parts, count))
STREAM_WRITE(ssize_t, send, fd, (int fd, const void *buf, size_t size, int flags),
	     (fd, buf, size, flags))
STREAM_WRITE(ssize_t, sendto, fd,
	     (int fd, const void *buf, size_t size, int flags, const struct sockaddr *to,
	      socklen_t to_len),
	     (fd, buf, size, flags, to, to_len))
STREAM_WRITE(ssize_t, sendmsg, fd, (int fd, const struct msghdr *message, int flags),
	     (fd, message, flags))
STREAM_WRITE(int, sendmmsg, fd, (int fd, struct mmsghdr *messages, unsigned count, int flags),
	     (fd, messages, count, flags))
STREAM_WRITE(ssize_t, sendfile, out, (int out, int in, off_t *offset, size_t size),
	     (out, in, offset, size))
STREAM_WRITE(ssize_t, sendfile64, out, (int out, int in, off64_t *offset, size_t size),
	     (out, in, offset, size))

#define STREAM_ALIAS(result, name, of, parameters) \
	EXPORT result name parameters __attribute__((alias(#of)));
STREAM_ALIAS(ssize_t, __read, read, (int, void *, size_t))
STREAM_ALIAS(ssize_t, __write, write, (int, const void *, size_t))
STREAM_ALIAS(ssize_t, __send, send, (int, const void *, size_t, int))
