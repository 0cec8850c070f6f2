#include "preload/hook/waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "preload/sigsafe/peek.h"
#include "preload/sigsafe/raw.h"
#include "preload/track/address.h"
#include "preload/track/track.h"

enum { LINK_MAX = 32 };

bool waiting_sleeps(const struct timespec *time, bool absolute)
{
	const struct handler_thread *self = handler_self;

	if (!waiting_wanted())
		return false;
	if (absolute || !peek_ok((uintptr_t)time, sizeof(*time)))
		return absolute;
	return time->tv_sec > 0 || (uint64_t)time->tv_nsec >= self->wait_min_ns;
}

void waiting_settle(bool sleeps)
{
	int saved = errno;

	if (hook_enter()) {
		track_settles(sleeps);
		hook_leave();
	}
	errno = saved;
}

/* What was waited for, in words: cut where it does not fit. */
struct text {
	char bytes[WAITS_TEXT_MAX + 1];
	size_t len;
};

static void text_add(struct text *t, const char *bytes, size_t len)
{
	if (len > WAITS_TEXT_MAX - t->len)
		len = WAITS_TEXT_MAX - t->len;
	memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
}

static void text_say(struct text *t, const char *text)
{
	text_add(t, text, strlen(text));
}

static void text_number(struct text *t, unsigned long number)
{
	char digits[20];
	size_t n = sizeof(digits);

	do
		digits[--n] = (char)('0' + number % 10);
	while (number /= 10);
	text_add(t, digits + n, sizeof(digits) - n);
}

static void text_how(struct text *t, const char *how)
{
	text_say(t, t->len ? " (" : "(");
	text_say(t, how);
	text_say(t, ")");
}

static void text_unix(struct text *t, const struct sockaddr_un *un, socklen_t len)
{
	size_t n = len > offsetof(struct sockaddr_un, sun_path)
			   ? len - offsetof(struct sockaddr_un, sun_path)
			   : 0;

	text_say(t, "unix");
	if (n > sizeof(un->sun_path))
		n = sizeof(un->sun_path);
	if (n == 0)
		return; /* a socket pair */
	text_say(t, un->sun_path[0] ? ":" : ":@");
	if (un->sun_path[0])
		text_add(t, un->sun_path, strnlen(un->sun_path, n));
	else
		text_add(t, un->sun_path + 1, n - 1);
}

static void text_address(struct text *t, const struct sockaddr *address, socklen_t len)
{
	struct request_address known = { 0 };
	char text[ADDRESS_TEXT_MAX];

	if (address->sa_family == AF_UNIX) {
		text_unix(t, (const struct sockaddr_un *)address, len);
		return;
	}
	if (address->sa_family == AF_INET && len >= sizeof(known.u.in))
		memcpy(&known.u.in, address, sizeof(known.u.in));
	else if (address->sa_family == AF_INET6 && len >= sizeof(known.u.in6))
		memcpy(&known.u.in6, address, sizeof(known.u.in6));
	if (address_format(&known, text))
		text_say(t, text);
}

static void text_peer(struct text *t, int fd)
{
	struct sockaddr_storage storage = { 0 };
	socklen_t len = sizeof(storage);

	if (raw_syscall3(SYS_getpeername, fd, (long)&storage, (long)&len) == 0)
		text_address(t, (const struct sockaddr *)&storage, len);
}

static void text_path(struct text *t, int fd)
{
	struct text link = { .len = 0 };
	ssize_t got;

	text_say(&link, "/proc/self/fd/");
	text_number(&link, (unsigned long)fd);
	link.bytes[link.len] = '\0';
	got = raw_readlink(link.bytes, t->bytes + t->len, WAITS_TEXT_MAX - t->len);
	if (got > 0)
		t->len += (size_t)got;
}

/* A descriptor that track does not know. */
static enum wait_kind text_descriptor(struct text *t, int fd, const char *how,
				      const char *how_socket)
{
	struct stat st;

	if (raw_fstat(fd, &st) < 0)
		st.st_mode = 0;
	if (S_ISSOCK(st.st_mode)) {
		text_peer(t, fd);
		text_how(t, how_socket);
		return WAIT_SOCKET;
	}
	if (S_ISFIFO(st.st_mode))
		text_say(t, "pipe");
	else
		text_path(t, fd);
	text_how(t, how);
	return WAIT_FILE;
}

static enum wait_kind text_fd(struct text *t, int fd, bool sends)
{
	const char *how = sends ? "send" : "recv";

	switch (track_side(fd)) {
	case TRACK_CLIENT:
		return sends ? WAIT_SEND : WAIT_BODY;
	case TRACK_PEER:
		text_peer(t, fd);
		text_how(t, how);
		return WAIT_SOCKET;
	default:
		return text_descriptor(t, fd, sends ? "write" : "read", how);
	}
}

void waiting_done_received(struct wait *w, int fd, ssize_t got)
{
	int saved = errno;
	bool waited = wait_end(w);

	if ((waited || (got > 0 && track_side(fd) == TRACK_PEER)) && hook_enter()) {
		uint32_t trips = got > 0 && track_answered(fd);
		struct text on = { .len = 0 };

		if (waited || trips) {
			enum wait_kind kind = text_fd(&on, fd, false);

			wait_record(w, kind, on.bytes, on.len, trips);
		}
		hook_leave();
	}
	errno = saved;
}

void waiting_done_sent(struct wait *w, int fd)
{
	int saved = errno;

	if (wait_end(w) && hook_enter()) {
		struct text on = { .len = 0 };
		enum wait_kind kind = text_fd(&on, fd, true);

		wait_record(w, kind, on.bytes, on.len, 0);
		hook_leave();
	}
	errno = saved;
}

void waiting_done_file(struct wait *w, int fd, const char *how)
{
	int saved = errno;

	if (wait_end(w) && hook_enter()) {
		struct text on = { .len = 0 };
		enum wait_kind kind = text_descriptor(&on, fd, how, how);

		wait_record(w, kind, on.bytes, on.len, 0);
		hook_leave();
	}
	errno = saved;
}

void waiting_done_lock_file(struct wait *w, int fd)
{
	int saved = errno;

	if (wait_end(w) && hook_enter()) {
		struct text on = { .len = 0 };

		text_path(&on, fd);
		wait_record(w, WAIT_LOCK, on.bytes, on.len, 0);
		hook_leave();
	}
	errno = saved;
}

void waiting_done_kind(struct wait *w, enum wait_kind kind, const char *on)
{
	int saved = errno;

	if (wait_end(w) && hook_enter()) {
		wait_record(w, kind, on, strnlen(on, WAITS_TEXT_MAX), 0);
		hook_leave();
	}
	errno = saved;
}

void waiting_done_connect(struct wait *w, const struct sockaddr *address, socklen_t len)
{
	int saved = errno;

	if (wait_end(w) && hook_enter()) {
		struct text on = { .len = 0 };

		if (len > sizeof(struct sockaddr_storage))
			len = sizeof(struct sockaddr_storage);
		if (len >= sizeof(sa_family_t) && peek_ok((uintptr_t)address, len))
			text_address(&on, address, len);
		wait_record(w, WAIT_CONNECT, on.bytes, on.len, 0);
		hook_leave();
	}
	errno = saved;
}

/* One descriptor or several, of which `fd` is one. */
static void waiting_record_set(const struct wait *w, unsigned count, int fd, bool sends)
{
	struct text on = { .len = 0 };
	enum wait_kind kind = WAIT_POLL;

	if (count == 0) {
		kind = WAIT_SLEEP;
	} else if (count == 1) {
		kind = text_fd(&on, fd, sends);
	} else {
		text_number(&on, count);
		text_say(&on, " descriptors");
	}
	wait_record(w, kind, on.bytes, on.len, 0);
}

void waiting_done_poll(struct wait *w, const struct pollfd *fds, nfds_t count)
{
	enum { LOOK_MAX = 1024 };
	int saved = errno;

	if (wait_end(w) && hook_enter()) {
		unsigned real = 0;
		int fd = -1;
		short events = 0;

		if (count > LOOK_MAX)
			count = LOOK_MAX;
		if (count && !peek_ok((uintptr_t)fds, count * sizeof(*fds)))
			count = 0;
		for (nfds_t i = 0; i < count; i++) {
			if (fds[i].fd < 0)
				continue;
			real++;
			fd = fds[i].fd;
			events = fds[i].events;
		}
		waiting_record_set(w, real, fd, (events & POLLOUT) && !(events & POLLIN));
		hook_leave();
	}
	errno = saved;
}

void waiting_done_set(struct wait *w, unsigned count, int fd, bool sends)
{
	int saved = errno;

	if (wait_end(w) && hook_enter()) {
		waiting_record_set(w, count, fd, sends);
		hook_leave();
	}
	errno = saved;
}
