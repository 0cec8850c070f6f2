/*
 * One turn of an event loop on a thread that serves several requests at a time: from one wait for
 * new work to the next. What its reads and writes say of whose work the thread did is kept until
 * the turn is over, since a write tells of the work before it; then turn_whose answers for each
 * moment. Tasks that share the thread (asyncio's, greenlets) are told apart by a number, where the
 * runtime has one; then only a task's own reads and writes tell of it.
 */
#ifndef REQPROF_TRACK_TURN_H
#define REQPROF_TRACK_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/track/elders.h"
#include "preload/track/request.h"

enum { TURN_EVENTS_MAX = 128, TURN_TASKS_MAX = 64, TURN_HANDED_MAX = 64, TURN_OPEN_MAX = 64 };

/* A read, a write, an end. */
struct turn_event {
	struct request *request; /* with a reference and a hold */
	const struct connection *connection; /* its only request's; only compared. NULL: of another socket, or several's */
	uint64_t at_ns, cpu_ns;	 /* monotonic clock; the thread's CPU clock */
	uint64_t task;		 /* that did it; 0: not known */
	uintptr_t coroutine;	 /* of that task, if it sends; 0: not known */
	uint64_t call_ns;	 /* when the call ended that it tells of, as that was timed; 0: not known */
	bool before;		 /* the work before it was for this request: not when that begins here */
	bool after;		 /* so is the work after it: not when it ends here */
	bool sent;		 /* not a read: readiness for that is no consequence of the work before */
	bool begins;		 /* with the answer to another one, of its connection */
	bool cut;		 /* somebody has been worked for since, and it is not known who */
	bool several;		 /* its bytes, or its connection at that time, were several requests' */
};

/* What a task last read or wrote for. */
struct turn_task {
	uint64_t task;
	struct request *request; /* with a reference; NULL: free */
};

struct turn {
	void *pool_link;
	uint32_t inside;	/* samples in what was called back by the function that read: the loop calls back */
	uint32_t outside;	/* others that were between a read and a write of the same request's */
	bool serial;		/* of a connection's requests, the next one is begun when the last has been answered */
	bool running;		/* else the thread waits, or nothing has happened since */
	bool asleep;		/* in a lock: the events have no holds on their requests, only references */
	bool hidden;		/* answers waited behind others of their connections: work may have led to no write */
	unsigned count;
	bool coroutines;	/* it has some: they have sent something, or were sampled */
	uint8_t watched;	/* so many turns were looked at since the last event, while no request was open */
	bool goes_on;		/* it began in the middle of another one */
	uint32_t open_most;	/* requests open in the process, the most seen in this turn */
	uint64_t start_ns, start_cpu_ns;
	uint64_t nobodys_ns;	/* CPU time of nobody's that has not been counted yet */
	uint64_t loop_task;	/* the number that the loop itself has between its tasks */
	struct request *last;	/* that the last event was about; with a reference */
	struct elders elders;
	struct turn_event events[TURN_EVENTS_MAX];
	struct turn_task tasks[TURN_TASKS_MAX];
	uint16_t handed[TURN_HANDED_MAX]; /* what tasks gave to threads of pools: handed.h, whose owner it is */
	uint16_t n_handed, n_handed_before; /* before: the first of them, in earlier turns */
	struct request *open[TURN_OPEN_MAX]; /* of earlier turns, without tasks; with references; NULL: free */
};

enum turn_sure { TURN_NOBODY, TURN_INFERRED, TURN_CERTAIN };
struct turn_answer {
	struct request *request; /* no reference of its own; NULL for TURN_NOBODY. If it had ended by then: its tail */
	enum turn_sure sure;
};

/* A moment of a thread's work. */
struct turn_work {
	uint64_t at_ns, task;
	bool lives;  /* a task with this number that was seen in an earlier turn was this one */
	bool inside; /* in what was called back by the function that read last */
	const struct connection *connection; /* that its task works for, if that is known; only compared */
	struct request *open; /* of that connection, when the turn is over */
	bool past; /* its task worked for a connection that has turned to something else */
};
/* Does the loop call back from where it reads? To be told of each sample that has no task but the loop's. */
void turn_learn(struct turn *turn, const struct turn_work *work);
/* All that reads lead to, or nearly so? (lighttpd parses heads where it reads, and returns before it handles them.) */
bool turn_calls_back(const struct turn *turn);

/* Whose work was it? */
struct turn_answer turn_whose(const struct turn *turn, const struct turn_work *work);
/* The same for work of an earlier turn, whose task may have done something for somebody now. */
struct turn_answer turn_whose_earlier(const struct turn *turn, const struct turn_work *work);
/* Of work between two events, of which the kernel's stack at that moment is known, or nothing but how
 * many events came before. */
struct turn_answer turn_whose_kernel(const struct turn *turn, uint64_t at_ns);
struct turn_answer turn_whose_between(const struct turn *turn, unsigned events);

/* Whose connection or socket did this task last read or write, in this turn or an earlier one? For a
 * thread without tasks: in this turn. NULL: nobody's that is still open. */
struct request *turn_working_for(const struct turn *turn, uint64_t task);
/*
 * One by one, those that this and earlier turns have seen something of and that are still open, some of
 * them several times: *at from 0; NULL: no more.
 */
struct request *turn_next_open(const struct turn *turn, unsigned *at);

/* May this task tell in a later turn whose work it did? Not if it has answered, and nothing else is there to be answered. */
bool turn_may_tell(const struct turn *turn, uint64_t task);

/* Has it read or written something in this turn? */
bool turn_has_told(const struct turn *turn, uint64_t task);

/* Remembers who the events' tasks worked for, and forgets requests that have ended. Takes references itself. */
void turn_remember(struct turn *turn);
/* Forgets all; drops the references of `last`, `tasks` and `elders`, not those of events. */
void turn_forget(struct turn *turn);

#endif
