/*
 * Whose work is this? Connections by descriptor, requests, and each thread's current request, by
 * rules 1 to 3 of the design:
 *   1. bytes of a head on a connection: the thread works for that request; so does I/O on the
 *      connection while the request is open;
 *   2. a socket connected for a request is that request's;
 *   3. waiting for new work puts the current request down.
 * Called by the hooks after libc's call, from any thread, inside hook_enter()/hook_leave(); never
 * from our own signal handler. Conclusions are announced through callbacks.
 *
 * The room's door: behind it io.c follows bytes, descriptors.c what comes and goes, waits.c what threads wait
 * for; current.c, strays.c and turns.c know whom they work for, happened.c what that means for a request.
 */
#ifndef REQPROF_TRACK_TRACK_H
#define REQPROF_TRACK_TRACK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "preload/track/endpoint.h"
#include "preload/track/handed.h"
#include "preload/track/request.h"
#include "preload/track/slots.h"
#include "preload/track/turn.h"

enum track_hand { TRACK_HANDS_NOTHING, TRACK_GIVES, TRACK_ENDS };

struct track_callbacks {
	/* Is profiling switched off? Then connections may be passed over (dormant.h), and a request was. NULL: never. */
	bool (*off)(void);
	void (*passed_over)(void);
	/* A request has begun: sets r->profiled. Once per request, before the others. */
	void (*began)(struct request *r);
	/* Its head is whole. At most once, on a thread that works for it. Only if r->profiled. */
	void (*head)(struct request *r);
	/* The calling thread works for it from now on / no more. Only if r->profiled. */
	void (*resumed)(struct request *r);
	void (*paused)(struct request *r);
	/* It is about to sleep in a lock: what it did for r is put down whole, since others may finish r
	 * meanwhile. Then: it goes on with r, or (kept false) r is finished and not to be touched. */
	void (*parked)(struct request *r);
	void (*unparked)(struct request *r, bool kept);
	/* It has ended, no thread works for it any more, and this is a quiet moment: its facts are final.
	 * Once per request, last. On the thread that let it go. */
	void (*finished)(struct request *r);
	/*
	 * For a thread of a pool, that works for it is not known whom: begins (false: it cannot, ask again),
	 * and ends when that shows, or with NULL. wanted: it may have been some request's. NULL: not wanted.
	 */
	bool (*stray_begins)(bool handed); /* handed: it is given work by others, and may never have worked before */
	void (*stray_ends)(struct request *r, bool wanted);
	/*
	 * Work that is handed to threads of pools as objects: handed.h. NULL hands: that is not followed.
	 * hands: what does the calling thread do, which is about to release a lock? item: what does it work on, as
	 * a stray? task: its task and that one's coroutine. stray_settles: what it did for items is theirs from now
	 * on; all: the rest is nobody's. handed_lost: nor will be known whose this was.
	 */
	enum track_hand (*hands)(uintptr_t *item);
	uintptr_t (*item)(void);
	void (*task)(struct handed_task *task);
	void (*stray_settles)(bool all);
	void (*handed_lost)(struct handed_work *work);
	void (*connection_abandoned)(void);
	void (*pipeline_dropped)(unsigned requests);
	void (*pushed)(unsigned responses); /* that nobody asked for (HTTP/2) */
	/* A connection has ended over whose TLS requests may have come, and none of its plain text was seen. */
	void (*tls_unseen)(void);
	/*
	 * For a thread that serves several requests at a time: turn.h. NULL: those are treated as if they
	 * came one after the other. A turn begins; something was read or written, of which the callback
	 * tells the time and the task; the turn is over (waits: the thread is about to wait for new work) and
	 * its events go when this returns.
	 */
	void (*turn_begins)(struct turn *turn);
	void (*turn_event)(struct turn_event *event);
	uint64_t (*turn_task)(void);
	void (*turn_ends)(struct turn *turn, bool waits, bool idle);
};

/* Before the first hooked call. The struct must stay. Tracking is off until then. */
void track_start(const struct track_callbacks *callbacks);

/*
 * Is there anything to do for I/O on fd? Inline: the whole cost of an untracked descriptor, and of one whose connection
 * sleeps (dormant.h). What is written to one that nobody judged yet says nothing: a server that speaks first is not one
 * of ours.
 */
static inline bool track_wants_of(slot_value value, enum endpoint_dormant unless)
{
	return value < SLOT_POINTER_MIN ||
	       __atomic_load_n(&((struct endpoint *)value)->dormant, __ATOMIC_RELAXED) != unless;
}

static inline bool track_wants(int fd)
{
	slot_value value = slots_get(fd);

	return value != SLOT_NOT && track_wants_of(value, DORMANT_READ);
}

static inline bool track_wants_sent(int fd)
{
	slot_value value = slots_get(fd);

	return value > SLOT_NOT && track_wants_of(value, DORMANT_ANSWERED);
}

/* Right before one of the next four: when the host's call ended, CLOCK_MONOTONIC; 0: not known. Saves a reading. */
void track_moved_at(uint64_t at_ns);

/* The host read or wrote len > 0 bytes; bytes NULL: their content cannot be seen (sendfile, splice). */
void track_received(int fd, const void *bytes, size_t len);
void track_sent(int fd, const void *bytes, size_t len);
/* The same for scattered bytes, of which the first `len` were moved. */
void track_received_vector(int fd, const struct iovec *parts, size_t count, size_t len);
void track_sent_vector(int fd, const struct iovec *parts, size_t count, size_t len);

/*
 * The host read len > 0 bytes of plain text from a TLS session that it serves, or wrote them.
 * (The connection's ciphertext comes by the functions above, and is not looked at.)
 */
struct track_session {
	const void *object; /* the TLS library's; no two that live have the same */
	uint8_t random[32]; /* the ClientHello's */
};
void track_tls(const struct track_session *session, const void *bytes, size_t len, bool sent);
/* Before the host writes plain text: whether the ciphertext is written at once or later is noticed from here. */
void track_tls_writing(void);

void track_accepted(int listener, int fd);
void track_connected(int fd);
void track_arrived(int fd);                /* descriptor passed in by SCM_RIGHTS */
void track_duplicated(int from, int to);   /* `to` now stands for the same socket */
void track_shutdown_write(int fd);

/* Around close. track_closing detaches the descriptor before the kernel may hand its number out
 * again; track_closed, after it, ends what ended with it. Token NULL: nothing to do. */
void *track_closing(int fd);
void track_closed(void *token);

/* Before a wait. Puts the current request down when the wait is for new work, and announces
 * finished requests. Nothing happens, cheaply, on threads that have neither. */
void track_wait_accept(void);
/* Has the thread waited for descriptors that bring work, as event loops do? Then, before an accept that does not wait: */
bool track_polls(void);
void track_look_for_connections(void);
void track_wait_epoll(int epoll_fd);
void track_wait_poll(const struct pollfd *fds, size_t count);
void track_wait_select(int count, const fd_set *read_set, const fd_set *write_set);
void track_epoll_added(int epoll_fd, int fd);
/* The host changed what it waits for on fd. */
void track_epoll_changed(int fd);
/*
 * The calling thread is about to sleep until a semaphore or a condition wakes it, and has been woken:
 * a thread of a pool may sleep so when its request has long been another's work, or, taken for an event loop, when it has
 * answered several, and must not keep them from being finished. track_parks: is there anything to do? Else neither is to be called.
 */
bool track_parks(void);
/* Is it an event loop's thread, or taken for one, that has done all that it has seen of the requests of this turn? */
bool track_done(void);
void track_park(void);
void track_woken(void);
/* Is the process one in which pools of threads take requests over? Then after what woke the thread has been told of: */
extern bool track_pools;
void track_goes_on(void);
/*
 * Has the calling thread a part in that, and is about to let others hear of it? Else the first is not to be called.
 * track_tells: before a semaphore is posted. track_settles: before it writes, or (sleeps) sleeps in a lock.
 * track_told_by: was this semaphore, which has woken the thread, posted by one that gave work away? Then, once
 * what woke it has been told of: track_takes.
 */
extern bool track_hands;
void track_tells(const void *semaphore);
void track_settles(bool sleeps);
bool track_told_by(const void *semaphore);
void track_takes(void);
/* Does the calling thread serve several requests at a time? */
bool track_in_turns(void);
/* After a wait; only_looked: it did not wait, since it has something to do. Cheap on threads that serve one request
 * at a time. */
void track_waited(bool only_looked);

/* The thread or the process ends: whatever it holds is let go and announced. */
void track_thread_ends(void);

/* The profiled request that the calling thread works for, or NULL. */
struct request *track_current(void);

/* Keeps a request from being finished: false when it has been. The thread that lets go of it last does what
 * there is to do then, and so it may be at its end. */
bool track_keep(struct request *r);
void track_let_go(struct request *r);

/* What is at the other end of this descriptor? */
enum track_side { TRACK_OTHER, TRACK_CLIENT, TRACK_PEER };
enum track_side track_side(int fd);
/*
 * The client's connection that it stands for, only to be compared; NULL: none. *open: the only request that is
 * open there, kept for track_connection_done; NULL: none whose head is whole, or several.
 */
struct connection;
const struct connection *track_connection(int fd, struct request **open);
void track_connection_done(struct request *open);
/* Something was just received on fd. True when that answers what was sent on it before, for the
 * current request: a round trip. Once for each. Call it before track_received. */
bool track_answered(int fd);

/* In a forked child: open requests are the parent's. Returns how many this thread was working for (0 or 1). */
unsigned track_postfork_child(void);

#endif
