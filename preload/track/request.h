/*
 * One HTTP request as it passes through this process. Memory is type-stable (pool.h): a request
 * object may be looked at through a stale pointer, but is only valid for holders of a reference.
 */
#ifndef REQPROF_TRACK_REQUEST_H
#define REQPROF_TRACK_REQUEST_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "preload/wire/protocol.h"

enum request_state {
	REQUEST_QUEUED, /* pipelined: read, but its predecessor has not been answered */
	REQUEST_OPEN,
	REQUEST_ENDED,
};

enum request_end {
	REQUEST_COMPLETE, /* the response's own framing said so */
	REQUEST_CLOSED,	  /* a response without length: the connection's end was its end */
	REQUEST_NEXT,	  /* the next head came first */
	REQUEST_ABORTED,  /* the connection ended in the middle of the response, or before it */
	REQUEST_UPGRADED, /* 101 or CONNECT: what follows is not HTTP */
	REQUEST_LOST,	  /* not seen: the bytes written could no longer be followed */
};

enum request_role { REQUEST_SERVER, REQUEST_PROXY };

/* A peer or local address, kept as the kernel gave it and formatted by emit. */
struct request_address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u; /* any.sa_family AF_UNSPEC: unknown; AF_UNIX: no more than that is kept */
};

/* A process that was started for a request. */
struct request_child {
	int32_t pid; /* 0: not known */
	char name[28]; /* of its program, cut; "" not known */
};

enum { REQUEST_CHILDREN_MAX = 8 };

struct request {
	struct request *next_in_queue;  /* guarded by the connection's lock; also the pool's link */
	uint64_t reserved;

	uint32_t refs;                  /* pointers to it: memory goes back to the pool at zero */
	/* Who still works for it: its end, until a quiet moment, and each thread that has it as its
	 * current request. The last one out announces it as finished (holds.c). */
	uint32_t holds;
	uint32_t released;              /* set once, by whoever lets go of the end's own hold */

	enum request_state state;       /* written under the connection's lock, read by any thread */
	enum request_end end;
	enum request_role role;
	bool out_ready;                 /* `out` has been started */
	bool secure;                    /* it came by TLS that this process terminates */
	bool profiled;                  /* decided by `began`; constant afterwards */
	bool begun;                     /* the `began` callback has returned; atomic */
	bool head_told;                 /* the `head` callback has been called */
	const void *reader;             /* names the thread that it began on; never followed */
	const void *connection;         /* names its connection; never followed. NULL: several of its requests are open at a time */
	uint64_t serial;                /* number of the request in this process, from 1 */

	uint64_t first_byte_ns;         /* CLOCK_MONOTONIC */
	uint64_t start_ns;              /* first byte read, or the end of the one it was queued behind */
	uint64_t start_unix_ns;
	uint64_t last_write_ns;         /* 0 before the first */
	uint64_t end_ns;
	uint32_t end_tid;
	struct request_address peer;
	struct request_address upstream; /* role proxy: our end of the connection it was passed on by */

	/* For those behind the callbacks (requests.c); zero when the request begins, else untouched here. */
	void *samples;                  /* atomic list of struct stacks */
	void *live;                     /* what the live file says of it, NULL: nothing */
	bool unwanted;                  /* atomic: it has ended, and leaves no file: what it used is not read */
	uint64_t cpu_ns;                /* atomic sum over threads */
	uint32_t tids[4];               /* atomic: the first threads that worked for it */
	uint32_t threads;               /* atomic: how many of them */
	uint64_t queued_ns;             /* atomic sum: its threads were ready to run, and no CPU was free */
	uint64_t faults, major_faults, preempted; /* atomic sums over threads */
	bool queued_known;
	bool waits;                     /* waits were timed */
	uint64_t arrived_ns;            /* how long its first bytes lay in the socket before they were read */
	bool arrived_known;
	bool prompt; /* it came so soon after its connection's last response that it cannot have lain there for long */
	uint32_t working;               /* atomic: threads that work for it at this moment */
	uint64_t idle_since_ns;         /* atomic: when the last of them put it down; 0: never yet */
	uint64_t prepared_ns;           /* atomic sum: our own preparations, at a process's or thread's first request */
	uint32_t begun_tid;             /* the thread that its first byte was read on */
	uint32_t n_children, threads_started; /* atomic: started by its threads; written by children.c */
	struct request_child children[REQUEST_CHILDREN_MAX]; /* the first of them */
	uint64_t looped_ns;             /* atomic sum: of what counts as idle, event loops worked for it */
	uint64_t idle_ns;               /* atomic sum: nobody worked for it, from its start to its end */
	uint32_t rate;
	int32_t clock;                  /* enum clock_kind of the last thread that worked for it */
	int32_t clock_error;
	int32_t kernel_state, kernel_error; /* struct kernel_clock of that thread */

	enum wire_protocol protocol;
	union wire_request in;
	union wire_response out; /* meaningful once out_ready */
};

static inline const struct wire_facts *request_facts(const struct request *r)
{
	return &r->in.any.facts;
}

/* NULL is not. Queued ones and ended ones are not either. */
static inline bool request_is_open(const struct request *r)
{
	return r && __atomic_load_n(&r->state, __ATOMIC_ACQUIRE) == REQUEST_OPEN;
}

static inline bool request_has_ended(const struct request *r)
{
	return __atomic_load_n(&r->state, __ATOMIC_ACQUIRE) == REQUEST_ENDED;
}

/* When it ended; UINT64_MAX: it has not yet. */
static inline uint64_t request_end_ns(const struct request *r)
{
	return request_has_ended(r) ? r->end_ns : UINT64_MAX;
}

#endif
