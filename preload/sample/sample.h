/*
 * The other half of sampling, outside the signal handler: gives a thread its clock and its memory,
 * points the handler at a request's stacks while the thread works for it, and collects them.
 */
#ifndef REQPROF_SAMPLE_SAMPLE_H
#define REQPROF_SAMPLE_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/sample/clock.h"
#include "preload/sigsafe/handler.h"
#include "preload/sigsafe/stacks.h"

/* What one thread needs. In memory of its own, reached by handler_self (whose first member it is). */
struct sample_thread {
	struct handler_thread handler;
	struct clock clock;
	uint32_t tid;
	struct stacks *spare;     /* an empty tree for the next request */
	uint64_t cpu_start_ns;
	uint64_t late_told, foreign_told; /* what of the handler's counts has been reported */
	void *scratch;            /* see sample_scratch */
};

enum { SAMPLE_SCRATCH = 2 * 1024 * 1024 };

struct sample_settings {
	uint32_t rate;
	int signal; /* preferred number */
	enum handler_stacks stacks;
};

/* The calling thread's, made at its first request; NULL when there is no memory. *made says whether it was made now. */
struct sample_thread *sample_thread_get(const struct sample_settings *settings, bool *made);
/* The calling thread's, if it has one. */
struct sample_thread *sample_thread_self(void);
/* Called at thread exit (pthread key destructor): runs `ends` first, then gives all back. */
void sample_on_thread_end(void (*ends)(void));

/* Starts sampling this thread into stacks of *list, an atomic list that belongs to a request: a
 * tree that this thread put there before is used again. False: no memory, nothing started. */
bool sample_start(struct sample_thread *thread, struct stacks **list);
/* Stops; puts the tree on the list if it has samples. Returns the thread's CPU time since the start, ns. */
uint64_t sample_stop(struct sample_thread *thread, struct stacks **list);

/* SAMPLE_SCRATCH bytes for whoever writes a profile on this thread: reserved at first use, the
 * thread's own. thread NULL: a new one each time. NULL when there is no memory. */
void *sample_scratch(struct sample_thread *thread);
void sample_scratch_done(struct sample_thread *thread, void *scratch);

/* Gives a request's trees back. */
void sample_discard(struct sample_thread *thread, struct stacks *list);

/*
 * Around a wait that a signal would end early (poll, select, epoll_wait are not restarted). Perf
 * events never tick in the kernel and need nothing; a thread timer may, so its signal is blocked
 * meanwhile. True: sample_wait_done must follow. With a mask of the host's, use sample_wait_mask instead.
 */
bool sample_wait_begins(void);
void sample_wait_done(void);
/* The host's mask for the time of the wait, with our signal added in *storage if need be. */
const sigset_t *sample_wait_mask(const sigset_t *mask, sigset_t *storage);

/* In a forked child: the thread has no clock any more; its next request opens one. */
void sample_postfork_child(void);

#endif
