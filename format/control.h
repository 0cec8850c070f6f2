/*
 * The control page: CONTROL_NAME in the output directory, mapped shared by every profiled process
 * and by `reqprof ctl`. The library creates it at a process's first request, `reqprof ctl` when it
 * comes first. All fields are native-endian and accessed with relaxed atomics; none is ever read as
 * a pointer or an index without a bound.
 *
 * It belongs to one server at a time. A process joins the page as it finds it when the page was
 * created by its own server (root_id equal), when the server that owns it or any process in it is
 * alive, or when `ctl` wrote it with no server there (preset = 1). Otherwise the page is a leftover of a
 * server that has ended: it is taken over, settings from the environment, counters from zero.
 * Creation and take-over happen under flock(LOCK_EX) on the file.
 */
#ifndef REQPROF_FORMAT_CONTROL_H
#define REQPROF_FORMAT_CONTROL_H

#include <stdint.h>

#define CONTROL_NAME "reqprof.control"

enum {
	CONTROL_MAGIC = 0x31435052, /* "RPC1" */
	CONTROL_VERSION = 1,
	CONTROL_PROCESSES = 256, /* slots; processes beyond share the last one */
};

/* Counters of one process. Written by its threads, read by ctl. */
#define CONTROL_COUNTERS(X) \
	X(requests_seen, "requests whose first byte was read") \
	X(requests_profiled, "requests that were sampled") \
	X(skipped_off, "not profiled: switched off") \
	X(skipped_no_memory, "not profiled: no memory for its samples") \
	X(skipped_pipeline, "not profiled: too many pipelined requests on one connection") \
	X(skipped_fork, "not profiled: the process forked in the middle and this is the child") \
	X(files_written, "profile files written") \
	X(files_failed, "profile files that could not be written") \
	X(samples, "stacks taken on the CPU") \
	X(samples_incomplete, "stacks taken that are cut or lack a half") \
	X(lost_buffer_full, "samples lost: the request's buffer was full") \
	X(lost_nested, "samples lost: a signal came while one was being handled") \
	X(lost_foreign, "signals ignored: not sent by our clock") \
	X(lost_late, "ticks that came after the request had ended") \
	X(lost_signal_queue, "samples lost: the kernel's signal queue was full") \
	X(codes_full, "Python functions without a name: the code table was full") \
	X(connections_abandoned, "connections given up on: their bytes could not be followed") \
	X(threads_perf, "threads sampled by perf events") \
	X(threads_timer, "threads sampled by the fallback timer") \
	X(threads_none, "threads that could not be sampled")

enum control_counter {
#define CONTROL_ENUM(name, text) CONTROL_##name,
	CONTROL_COUNTERS(CONTROL_ENUM)
#undef CONTROL_ENUM
	CONTROL_COUNTER_COUNT
};

struct control_process {
	uint32_t pid;         /* 0: free. Claimed by compare and swap */
	uint32_t reserved;
	uint64_t start_ticks; /* field 22 of /proc/PID/stat, 0 when it could not be read */
	int32_t file_error;   /* errno of the last profile that could not be written */
	int32_t clock_error;  /* errno of the last perf_event_open that was refused */
	char python[24];      /* "3.11.2", "none", "unsupported 3.7"; "" before the first request */
	uint64_t counters[CONTROL_COUNTER_COUNT];
};

struct control_page {
	uint32_t magic, version;
	uint32_t size; /* sizeof(struct control_page) */
	uint32_t preset; /* written by ctl while no server was there */
	uint64_t root_ns; /* identity of the server: when its first process loaded us (unix ns) and its pid */
	uint32_t root_pid;
	uint32_t enabled; /* 1 or 0 */
	uint64_t root_start_ticks;
	uint32_t rate; /* samples per second */
	uint32_t generation; /* raised by ctl with every change */
	uint64_t gone[CONTROL_COUNTER_COUNT]; /* sums over processes whose slot was reused */
	struct control_process processes[CONTROL_PROCESSES];
};

#endif
