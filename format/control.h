/*
 * The control page: CONTROL_NAME in the output directory, mapped shared by every profiled process
 * and by `reqprof ctl`. The library creates it at a process's first request, `reqprof ctl` when it
 * comes first. All fields are native-endian and accessed with relaxed atomics; none is ever read as
 * a pointer or an index without a bound.
 *
 * It belongs to one server at a time. A process joins the page as it finds it when the page was
 * created by its own server (root_id equal), when the server that owns it or any process in it is
 * alive, or when `ctl` wrote it with no server there (preset not 0). Otherwise the page is a leftover of a
 * server that has ended: it is taken over, settings from the environment, counters from zero.
 * Creation and take-over happen under flock(LOCK_EX) on the file.
 */
#ifndef REQPROF_FORMAT_CONTROL_H
#define REQPROF_FORMAT_CONTROL_H

#include <stdint.h>

#include "format/filter.h"
#include "format/keep.h"

#define CONTROL_NAME "reqprof.control"

enum {
	CONTROL_MAGIC = 0x31435052, /* "RPC1" */
	CONTROL_VERSION = 5,
	CONTROL_PROCESSES = 256, /* slots; processes beyond share the last one */
	CONTROL_ROUTES = 1024,
};

/* Counters of one process. Written by its threads, read by ctl. */
#define CONTROL_COUNTERS(X) \
	X(requests_seen, "requests whose first byte was read") \
	X(requests_profiled, "requests that were sampled") \
	X(skipped_off, "not profiled: switched off") \
	X(skipped_no_memory, "not profiled: no memory for its samples") \
	X(skipped_pipeline, "not profiled: too many requests at once on one connection") \
	X(skipped_fork, "not profiled: the process forked in the middle and this is the child") \
	X(skipped_filter, "not profiled: not taken by the filter") \
	X(not_kept, "profiled, but no rule of keep asked for its file") \
	X(kept_slower, "kept: slow") \
	X(kept_failed, "kept: failed") \
	X(kept_first, "kept: the first of its route") \
	X(kept_every, "kept: one in so many") \
	X(kept_worst, "kept: among the slowest of its route") \
	X(kept_asked, "kept: its X-Reqprof header asked for it") \
	X(routes_full, "not kept as first or worst: too many different routes") \
	X(files_written, "profile files written") \
	X(files_failed, "profile files that could not be written") \
	X(files_no_room, "profiles not written: the disk budget had no room") \
	X(files_slow, "profiles not written: writing one had taken a second or more shortly before") \
	X(evicted_files, "old profiles removed: the budget's number of files was reached") \
	X(evicted_bytes, "old profiles removed: the budget's bytes were reached") \
	X(settings_wrong, "settings in the environment that make no sense: their defaults are used") \
	X(samples, "stacks taken on the CPU") \
	X(samples_incomplete, "stacks taken that are cut or lack a half") \
	X(waits, "waits timed") \
	X(lost_waits, "waits lost: the request's buffer was full") \
	X(kernel_samples, "stacks taken in the kernel") \
	X(lost_kernel, "stacks taken in the kernel that were lost: their ring was full") \
	X(samples_shared, "stacks taken that could be given to no request: several were open") \
	X(shared_us, "CPU time that could be given to no request, in microseconds") \
	X(waits_shared, "waits that could be given to no request") \
	X(lost_buffer_full, "samples lost: the request's buffer was full") \
	X(lost_nested, "samples lost: a signal came while one was being handled") \
	X(lost_foreign, "signals ignored: not sent by our clock") \
	X(lost_late, "ticks that came after the request had ended") \
	X(live_refused, "processes without a live file: recover would not find their requests") \
	X(lost_signal_queue, "samples lost: the kernel's signal queue was full") \
	X(codes_full, "Python functions without a name: the code table was full") \
	X(responses_pushed, "HTTP/2 responses that the server pushed: not profiled") \
	X(connections_abandoned, "connections given up on: their bytes could not be followed") \
	X(connections_tls_unseen, "connections whose TLS could not be seen: no OpenSSL that we can stand in front of") \
	X(threads_perf, "threads sampled by perf events") \
	X(threads_timer, "threads sampled by the fallback timer") \
	X(threads_none, "threads that could not be sampled") \
	X(threads_kernel, "threads that were sampled in the kernel, too") \
	X(threads_kernel_refused, "threads not sampled in the kernel: its perf events were refused") \
	X(threads_kernel_memory, "threads not sampled in the kernel: no more memory may be locked")

enum control_counter {
#define CONTROL_ENUM(name, text) CONTROL_##name,
	CONTROL_COUNTERS(CONTROL_ENUM)
#undef CONTROL_ENUM
	CONTROL_COUNTER_COUNT
};

struct control_process {
	uint32_t pid;         /* 0: free. Claimed by compare and swap */
	int32_t kernel_error; /* errno of the last perf event of the kernel's own time that was refused */
	uint64_t start_ticks; /* field 22 of /proc/PID/stat, 0 when it could not be read */
	int32_t file_error;   /* errno of the last profile that could not be written */
	int32_t clock_error;  /* errno of the last perf_event_open that was refused */
	char python[24];      /* "3.11.2", "none", "unsupported 3.7"; "" before the first request */
	uint64_t counters[CONTROL_COUNTER_COUNT];
};

/* What the rules `first`, `every` and `worst` have seen. Zeroed by ctl when it sets other rules. */
struct control_keep {
	uint64_t counts[2]; /* requests that `every` has counted: servers', proxies' */
	struct control_route {
		uint64_t key; /* hash of role, method and route; 0: free. Claimed by compare and swap */
		uint32_t first; /* 1: its first request has come */
		uint32_t worst_us[KEEP_WORST_MAX]; /* wall times of the slowest so far, in any order */
	} routes[CONTROL_ROUTES];
};

/*
 * The disk budget. Which file is the oldest is known from a queue of names behind the page in the
 * same file, a ring of `capacity` struct control_file: tickets are handed out from `head`, and the
 * oldest file is that of `tail`. It is read and written with pread and pwrite, so that it costs no
 * memory and a full disk no fault.
 */
#define CONTROL_QUEUE_START (UINT64_C(1) << 32) /* the first ticket; files found at the start stand before it */
enum { CONTROL_UNCOUNTED, CONTROL_COUNTING, CONTROL_COUNTED };

struct control_budget {
	uint64_t max_files, max_bytes; /* 0: no limit */
	uint64_t files, bytes;         /* in use; bytes as the disk counts them, in blocks */
	uint64_t head, tail;
	uint64_t since_ns;       /* unix: files older than this are counted by whoever comes first */
	uint64_t counting_ns;    /* unix: when that was begun */
	uint32_t state, capacity;
	uint64_t prompt;         /* how many were written so fast that the disk does not stand still */
};

struct control_file {
	uint64_t number; /* its ticket plus one: the entry is whole */
	uint64_t bytes;
	char name[240];
};

enum control_field {
	CONTROL_SET_ENABLED = 1,
	CONTROL_SET_RATE = 2,
	CONTROL_SET_KEEP = 4,
	CONTROL_SET_FILTER = 8,
	CONTROL_SET_MAX_FILES = 16,
	CONTROL_SET_MAX_BYTES = 32,
};

struct control_page {
	uint32_t magic, version;
	uint32_t size; /* sizeof(struct control_page) */
	uint32_t preset; /* enum control_field: what ctl has set while no server was there; 0: a server's */
	uint64_t root_ns; /* identity of the server: when its first process loaded us (unix ns) and its pid */
	uint32_t root_pid;
	uint32_t enabled; /* 1 or 0 */
	uint64_t root_start_ticks;
	uint32_t rate; /* samples per second */
	uint32_t generation; /* raised by ctl with every change, last */
	struct control_budget budget;
	char keep[KEEP_TEXT_MAX];     /* ends with a NUL */
	char filter[FILTER_TEXT_MAX + 8];
	struct control_keep kept;
	uint64_t gone[CONTROL_COUNTER_COUNT]; /* sums over processes whose slot was reused */
	struct control_process processes[CONTROL_PROCESSES];
};

/* Where the queue of names begins, and the size of an entry. */
enum {
	CONTROL_QUEUE_AT = (sizeof(struct control_page) + 4095) / 4096 * 4096,
	CONTROL_QUEUE_MIN = 16384,
	CONTROL_QUEUE_MAX = 1 << 20,
	CONTROL_QUEUE_SPARE = 256, /* a limit of files leaves so many entries free */
	CONTROL_BLOCK = 4096,      /* what a file takes is rounded up to this */
};
_Static_assert(sizeof(struct control_file) == 256, "an entry does not cross a page");

#endif
