/*
 * The other half of sampling, outside the signal handler: gives a thread its clock and its memory,
 * points the handler at a request's stacks while the thread works for it, and collects them.
 */
#ifndef REQPROF_SAMPLE_SAMPLE_H
#define REQPROF_SAMPLE_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/sample/clock.h"
#include "preload/sample/holders.h"
#include "preload/sample/kernel_clock.h"
#include "preload/sample/usage.h"
#include "preload/sigsafe/handler.h"
#include "preload/sigsafe/stacks.h"

/* What one thread needs. In memory of its own, reached by handler_self (whose first member it is). */
struct held;
struct sample_thread {
	struct handler_thread handler;
	struct clock clock;
	struct kernel_clock kernel;
	struct held *held; /* NULL: made when it is first needed */
	uint32_t tid;
	struct stacks *spare;     /* empty trees for the next requests */
	uint32_t spares;
	uint32_t stop_at_once;    /* so many requests still stop the clock at their end: see sample_rest */
	uint64_t cpu_start_ns;
	struct usage_source usage_source;
	struct usage usage_start;
	struct {
		uint64_t at_ns, cpu_ns; /* CLOCK_MONOTONIC; 0: never yet */
		struct usage usage;
	} reading; /* the last, at the start of the thread's work for a request, or at its end */
	uint64_t near_ns; /* how long the last reading is good for at the next start: set before sample_start */
	uint64_t mark_ns, mark_cpu_ns; /* the last reading of the CPU clock, and when: see wait.h */
	uint64_t look_ns;              /* see wait_foresee */
	uint64_t stray_ns, stray_cpu_ns; /* preload/stray.c: when it began */
	struct stacks *parked;         /* sample_park's; NULL: none */
	bool parked_listed;
	bool end_known;                /* its end will be noticed */
	struct holder *holder;         /* NULL: no room */
	uint64_t late_told, foreign_told; /* what of the handler's counts has been reported */
	void *scratch;            /* see sample_scratch */
};

enum { SAMPLE_SCRATCH = 2 * 1024 * 1024 };

struct sample_settings {
	uint32_t rate;
	uint32_t kernel_rate; /* 0: the kernel is not sampled */
	int signal; /* preferred number */
	enum handler_stacks stacks;
	bool waits;
	uint64_t wait_min_ns;
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
/* near_ns, unless the readings at an end may be left out and more is allowed. */
enum { SAMPLE_NEAR_NS = 50000 };

/* Stops; puts the tree on the list if there is anything in it. What the thread used since the start;
 * used NULL: nobody wants to know, and the two system calls for it are saved. */
struct sample_used {
	uint64_t cpu_ns;
	struct usage usage;
};
void sample_stop(struct sample_thread *thread, struct stacks **list, struct sample_used *used);

/*
 * The thread is about to sleep, and others may take its trees from the list meanwhile: puts its tree
 * there if there is anything in it, and samples nothing until it is awake. Returns the CPU time since
 * the start, which counts anew. Then: goes on, or leaves to others what they have taken.
 */
uint64_t sample_park(struct sample_thread *thread, struct stacks **list);
void sample_unpark(struct sample_thread *thread, bool goes_on);

/* Once the target is there: from now on ticks are its. And while it is still there: they are nobody's soon. */
void sample_clock_run(struct sample_thread *thread);
void sample_clock_leave(struct sample_thread *thread);

/* The thread's next work is no request's that is to be sampled: stops a clock that was left running. */
void sample_rest(void);

/* The thread's tree for a request: the one in its list, or an empty one; NULL: no memory. sample_list puts it
 * there. */
struct stacks *sample_tree(struct sample_thread *thread, struct stacks **list);
void sample_list(struct stacks **list, struct stacks *tree);

/* SAMPLE_SCRATCH bytes for whoever writes a profile on this thread: reserved at first use, the
 * thread's own. thread NULL: a new one each time. NULL when there is no memory. */
void *sample_scratch(struct sample_thread *thread);
void sample_scratch_done(struct sample_thread *thread, void *scratch);

/* Gives a request's trees back. */
void sample_discard(struct sample_thread *thread, struct stacks *list);

/* Of the calling thread: without a system call, if it has worked for a request before. */
uint32_t sample_tid(void);

/* CPU time of the calling thread, ns: a system call. */
uint64_t sample_cpu_ns(void);

/* In a forked child: the thread has no clock any more; its next request opens one. */
void sample_postfork_child(void);

#endif
