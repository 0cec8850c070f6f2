#include "preload/track/track.h"

#include "preload/track/connection.h"
#include "preload/track/current.h"
#include "preload/track/self.h"
#include "preload/track/turns.h"

/* What a thread waits for, of the descriptors that are looked at. */
struct waits {
	bool work;     /* one of them brings new work */
	bool peers;    /* one is a server's that this process asks */
	bool clients;  /* one is a client's, or stands for some */
	unsigned known; /* how many are anything at all: event loops wait for several, or for one that stands for several */
};

static void waits_look_at_socket(struct waits *w, const struct endpoint *e)
{
	const struct connection *c = (const struct connection *)e;

	if (e->kind != ENDPOINT_CONNECTION) {
		w->peers = true;
		return;
	}
	w->clients = true;
	w->work = w->work || track_self.turn || __atomic_load_n(&c->first, __ATOMIC_RELAXED) != track_self.current;
}

static void waits_look_at(struct waits *w, int fd)
{
	slot_value value = fd >= 0 ? slots_get(fd) : SLOT_NOT;

	if (value == SLOT_UNKNOWN || value == SLOT_NOT)
		return;
	w->known += value == SLOT_EPOLL_SERVING || value == SLOT_EPOLL_LISTENING ? 2 : 1;
	if (value >= SLOT_POINTER_MIN)
		waits_look_at_socket(w, (const struct endpoint *)value);
	else if (value == SLOT_OUTBOUND)
		w->peers = true;
	else
		w->work = true;
	w->clients = w->clients || value == SLOT_ACCEPTED || value == SLOT_EPOLL_SERVING;
}

/* Nothing that is to be known can be added. */
static bool waits_all_known(const struct waits *w)
{
	return w->work && w->clients && w->known > 1;
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
	slot_value value = slots_get(epoll_fd);
	bool serves = value == SLOT_EPOLL_SERVING || value == SLOT_EPOLL_LISTENING;

	if (serves)
		track_self.polls = true;
	if (value == SLOT_EPOLL_SERVING)
		track_self.keeps = true;
	if (current_has_work() && ((waits_is_idle() && !track_self.stray) || serves))
		waits_for_work();
	else if (track_done())
		/* A loop may make its set anew while it has no client (libev after a spurious event), and wait for long. */
		turns_sleep();
}

/* In an event loop that has nobody's sockets to wait for, that is a wait for new work, too. */
static void waits_among(const struct waits *w, bool idle)
{
	bool several = w->known > 1;

	if (!idle && !w->work && (!track_self.turn || w->peers))
		return;
	if (!several && !track_self.turn) {
		current_quiet();
		return;
	}
	track_self.polls = track_self.polls || several;
	track_self.keeps = track_self.keeps || (several && w->clients);
	waits_for_work();
}

void track_wait_poll(const struct pollfd *fds, size_t count)
{
	struct waits w = { 0 };
	bool idle;

	if (!current_has_work())
		return;
	idle = waits_is_idle() && !track_self.stray;
	for (size_t i = 0; fds && i < count && !waits_all_known(&w); i++)
		waits_look_at(&w, fds[i].fd);
	waits_among(&w, idle);
}

void track_wait_select(int count, const fd_set *read_set, const fd_set *write_set)
{
	struct waits w = { 0 };
	bool idle;

	if (!current_has_work())
		return;
	idle = waits_is_idle() && !track_self.stray;
	for (int fd = 0; fd < count && fd < FD_SETSIZE && !waits_all_known(&w); fd++)
		if ((read_set && FD_ISSET(fd, read_set)) || (write_set && FD_ISSET(fd, write_set)))
			waits_look_at(&w, fd);
	waits_among(&w, idle);
}
