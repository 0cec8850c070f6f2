#include "preload/track/track.h"

#include "preload/track/connection.h"
#include "preload/track/current.h"
#include "preload/track/self.h"
#include "preload/track/turns.h"

/* Is waiting for this descriptor waiting for new work? */
static bool waits_brings_work(int fd)
{
	slot_value value = slots_get(fd);
	const struct connection *c = (const struct connection *)value;

	if (value == SLOT_LISTENER || value == SLOT_ACCEPTED || value == SLOT_EPOLL_SERVING)
		return true;
	if (value < SLOT_POINTER_MIN || c->endpoint.kind != ENDPOINT_CONNECTION)
		return false;
	return track_self.turn || __atomic_load_n(&c->first, __ATOMIC_RELAXED) != track_self.current;
}

/* Before a look at what a thread waits for. True: it has no request whose wait this could be. */
static bool waits_is_idle(void)
{
	current_notice_ended();
	return !track_self.current && !(track_self.turn && track_self.turn->running);
}

static void waits_for_work(void)
{
	turns_look_for_loop(true);
	current_quiet();
}

void track_wait_accept(void)
{
	if (current_has_work())
		current_quiet();
}

bool track_polls(void)
{
	return track_self.turn || track_self.polls;
}

void track_look_for_connections(void)
{
	if (!track_self.turn && current_has_work())
		waits_for_work();
}

void track_wait_epoll(int epoll_fd)
{
	bool serves = slots_get(epoll_fd) == SLOT_EPOLL_SERVING;

	if (serves)
		track_self.polls = true;
	if (current_has_work() && ((waits_is_idle() && !track_self.stray) || serves))
		waits_for_work();
}

/* In an event loop that has nobody's sockets to wait for, that is a wait for new work, too. */
static bool waits_for_peer(int fd)
{
	slot_value value = slots_get(fd);

	return value == SLOT_OUTBOUND ||
	       (value >= SLOT_POINTER_MIN && ((struct endpoint *)value)->kind == ENDPOINT_OUTBOUND);
}

/* Event loops wait for several descriptors, or for one that stands for several: for new ones, and for those they have. */
static void waits_among(bool several)
{
	if (!several && !track_self.turn) {
		current_quiet();
		return;
	}
	track_self.polls = track_self.polls || several;
	waits_for_work();
}

static bool waits_for_several(int count, const fd_set *read_set, const fd_set *write_set)
{
	int n = 0;

	for (int fd = 0; fd < count && fd < FD_SETSIZE && n < 2; fd++)
		n += (read_set && FD_ISSET(fd, read_set)) || (write_set && FD_ISSET(fd, write_set));
	return n > 1;
}

void track_wait_poll(const struct pollfd *fds, size_t count)
{
	bool idle, peer = false;

	if (!current_has_work())
		return;
	idle = waits_is_idle() && !track_self.stray;
	for (size_t i = 0; fds && i < count && !idle; i++) {
		idle = fds[i].fd >= 0 && waits_brings_work(fds[i].fd);
		peer = peer || (fds[i].fd >= 0 && waits_for_peer(fds[i].fd));
	}
	if (idle || (track_self.turn && !peer))
		waits_among(count > 1 || (fds && count == 1 && slots_get(fds[0].fd) == SLOT_EPOLL_SERVING));
}

void track_wait_select(int count, const fd_set *read_set, const fd_set *write_set)
{
	bool idle, peer = false;

	if (!current_has_work())
		return;
	idle = waits_is_idle() && !track_self.stray;
	for (int fd = 0; fd < count && fd < FD_SETSIZE && !idle; fd++) {
		if (!((read_set && FD_ISSET(fd, read_set)) ||
		      (write_set && FD_ISSET(fd, write_set))))
			continue;
		idle = waits_brings_work(fd);
		peer = peer || waits_for_peer(fd);
	}
	if (idle || (track_self.turn && !peer))
		waits_among(waits_for_several(count, read_set, write_set));
}
