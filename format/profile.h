/*
 * The profile file: one HTTP request, as a pprof profile (profile.proto of google/pprof),
 * uncompressed when libreqprof.so writes it, gzip accepted when a tool reads it. This page is the
 * one description of its layout; reqprof-profile(5) says the same to users.
 *
 * Profile fields used (number): sample_type 1, sample 2, mapping 3, location 4, function 5,
 * string_table 6, time_nanos 9 (request start, wall clock), duration_nanos 10 (wall time of the
 * request), period_type 11 (cpu/nanoseconds), period 12 (ns of user CPU a sample stands for),
 * comment 13, default_sample_type 14 ("wall"). The protobuf wire format lets fields come in any
 * order: the writer streams, so comments come first and each string stands right before its first
 * use; a reader must take them in any order, as every protobuf reader does.
 *
 * Sample types, always these four in this order (enum profile_value): samples/count,
 * cpu/nanoseconds, wait/nanoseconds, wall/nanoseconds. The wall values of a file add up to its
 * duration exactly. A stack taken on the CPU has samples 1, cpu = period and wall = period, unless
 * the samples of a short request stand for more than its wall time, in which case their wall values
 * are scaled to fit (cpu is not, so that merged files stay unbiased).
 *
 * The rest of the wall time, each part told by the label PROFILE_LABEL_STATE (absent: a stack taken
 * on the CPU in user code):
 *   wait      samples 0, cpu 0, wait = wall = ns off the CPU in a blocking call. The leaf is a pseudo
 *             frame "[wait: KIND ON]"; below it the stack that waited, or nothing where none was taken.
 *             PROFILE_LABEL_WAIT is the kind, PROFILE_LABEL_ON what it waited for. Waits too short
 *             to stand alone are added up by stack (or only by kind and peer): PROFILE_LABEL_COUNT says how many they are.
 *             A wait for the GIL has one sample for each request that held it meanwhile
 *             (PROFILE_LABEL_HOLDER) and one for what nobody known held.
 *   kernel    samples 0. Sampled in the kernel: cpu = wall = the period of PROFILE_KEY_KERNEL_RATE, unless
 *             they stand for more than the kernel part, to which their wall values are then scaled; native
 *             frames of the kernel leaf first, above the pseudo frame PROFILE_KERNEL_SAMPLED. The thread's
 *             CPU time that no sample stands for is one with the single frame PROFILE_KERNEL_FRAME and
 *             cpu = wall = what it is.
 *   runnable  wall only: ready to run, and no CPU was free (the kernel's run-queue delay, less what of it lies in
 *             waits); single frame PROFILE_RUNNABLE_FRAME
 *   rest      wall only: none of these, PROFILE_REST_FRAME. "Unaccounted" to users.
 * Where several threads worked at the same time the parts can be more than the wall time: then all
 * wall values are scaled by the same factor, cpu and wait are not, and PROFILE_KEY_OVERLAP_NS says by how much.
 *
 * Stacks are leaf first. Locations are of three kinds:
 *   native: address set, mapping too unless the address is in no file (generated code), no line; the address is the pc of a leaf frame and pc - 1 of a
 *           return address, so that it lies inside the call; names come later, from tools/symbol;
 *           The kernel's have the mapping PROFILE_KERNEL_MAPPING, whose build id is that of the boot: the
 *           kernel's functions lie elsewhere after each;
 *   Python: mapping 0, address 0, one line: function (name = qualified name, system_name = code
 *           name, left out where it is what follows the last dot of the name, filename, start_line = first line) and the line being run;
 *   pseudo: mapping 0, one line with a function named in square brackets, no file.
 * A native location directly below (rootward of) a Python location is the frame of the CPython eval
 * loop that ran the Python frames above it, up to the next native location: "mixed" views drop it.
 * Exception: with PROFILE_STACK_UNMERGED on a sample, its Python frames stand rootward of all its native ones.
 *
 * Labels on samples: PROFILE_LABEL_*. Facts of the request are comments "key=value" (PROFILE_KEY_*),
 * the value percent-encoded for bytes below 0x21, 0x7f, '%' and bytes that are not UTF-8 (the rest
 * of UTF-8 stays as it is).
 *
 * The last thing in a file is the comment PROFILE_KEY_WHOLE with a check sum of all bytes before it
 * (profile_sum.h). A file without it is cut short. One that has it elsewhere than at its end has
 * been written again by another tool (go tool pprof -proto) and is read without that check.
 */
#ifndef REQPROF_FORMAT_PROFILE_H
#define REQPROF_FORMAT_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROFILE_VERSION = 1 };
enum profile_value { PROFILE_SAMPLES, PROFILE_CPU, PROFILE_WAIT, PROFILE_WALL, PROFILE_VALUES };

#define PROFILE_SUFFIX ".pprof"
#define PROFILE_REST_FRAME "[unaccounted]"
#define PROFILE_REST_FRAME_EARLIER "[not on CPU or in the kernel]" /* read as the above */
#define PROFILE_KERNEL_FRAME "[kernel (not sampled)]"
#define PROFILE_KERNEL_SAMPLED "[kernel]"
#define PROFILE_KERNEL_MAPPING "[kernel.kallsyms]"
#define PROFILE_RUNNABLE_FRAME "[waiting for a CPU]"
#define PROFILE_WAIT_FRAME "[wait: " /* + KIND, a space and ON if there is one, "]" */

/* Comment keys. OpenTelemetry's names where it has one. */
#define PROFILE_KEY_VERSION "reqprof.version"       /* PROFILE_VERSION; always the first comment */
#define PROFILE_KEY_ID "reqprof.id"                 /* PID-COUNTER: unique per host and second */
#define PROFILE_KEY_ROLE "reqprof.role"             /* server, or proxy: relays the request to an upstream */
#define PROFILE_KEY_UPSTREAM "reqprof.upstream"     /* role proxy: our end of the upstream connection, ADDRESS:PORT */
#define PROFILE_KEY_END "reqprof.end"               /* complete, closed, next-request, aborted, upgraded, lost, or PROFILE_END_INTERRUPTED */
#define PROFILE_END_INTERRUPTED "interrupted"       /* the process was killed in the middle; reqprof recover wrote the file from what it left */
#define PROFILE_KEY_INSIDE "reqprof.interrupted_in" /* the Python function that it was in last: NAME (FILE:LINE) */
#define PROFILE_ON_INTERRUPTED "(interrupted)"      /* what the call that it was in waited for: not known, nor how long */
#define PROFILE_KEY_WALL_NS "reqprof.wall_ns"
#define PROFILE_KEY_CPU_NS "reqprof.cpu_ns"         /* exact thread CPU time, user and kernel */
/*
 * wall = user + kernel + wait + runnable + rest - overlap, exactly. user + kernel is the thread CPU
 * time. A short request has no sample or one too many; so when merging, add up samples * period and
 * cpu_ns first: user is the smaller of the two sums, and kernel what is left of cpu_ns.
 */
#define PROFILE_KEY_USER_NS "reqprof.user_ns"       /* user CPU time as sampled, at most cpu_ns */
#define PROFILE_KEY_KERNEL_NS "reqprof.kernel_ns"   /* cpu_ns - user_ns */
#define PROFILE_KEY_WAIT_NS "reqprof.wait_ns"       /* off the CPU in blocking calls, the GIL's too */
#define PROFILE_KEY_GIL_NS "reqprof.gil_ns"         /* of wait_ns: for the GIL */
#define PROFILE_KEY_RUNNABLE_NS "reqprof.runnable_ns" /* waiting for a CPU, outside of waits; absent when the kernel does not tell */
#define PROFILE_KEY_REST_NS "reqprof.rest_ns"       /* unaccounted */
#define PROFILE_KEY_OVERLAP_NS "reqprof.overlap_ns" /* absent: 0 */
#define PROFILE_KEY_WAITS "reqprof.waits"           /* on, or off: then all waits are in rest_ns */
#define PROFILE_KEY_WAIT_COUNT "reqprof.wait_count" /* number of waits, those added up included */
#define PROFILE_KEY_TRIPS "reqprof.round_trips"     /* to all peers together */
#define PROFILE_KEY_FAULTS "reqprof.page_faults"    /* minor and major */
#define PROFILE_KEY_MAJOR_FAULTS "reqprof.major_faults"
#define PROFILE_KEY_SWITCHED "reqprof.preempted"    /* involuntary context switches */
#define PROFILE_KEY_QUEUED_NS "reqprof.queued_ns"   /* before the first byte was read: ready in the accept queue or socket; absent: not known */
#define PROFILE_KEY_SAMPLES "reqprof.samples"       /* number of stacks taken on the CPU */
#define PROFILE_KEY_INCOMPLETE "reqprof.incomplete" /* of these, with a stack that is cut or lacks a half */
#define PROFILE_KEY_LOST "reqprof.lost."            /* + reason = count; only those not zero */
#define PROFILE_KEY_LOST_WAITS PROFILE_KEY_LOST "waits"
#define PROFILE_KEY_TAIL "reqprof.tail_samples"     /* taken after the end of the response, not in the file */
#define PROFILE_KEY_CLOCK "reqprof.clock"           /* perf-user, thread-timer, none */
#define PROFILE_KEY_CLOCK_WHY "reqprof.clock_why"   /* when not perf-user: the call and error that decided it */
#define PROFILE_KEY_RATE "reqprof.rate"             /* samples per second of CPU asked for */
#define PROFILE_KEY_KERNEL_SAMPLES "reqprof.kernel_samples" /* number of stacks taken in the kernel; absent: 0 */
#define PROFILE_KEY_KERNEL_RATE "reqprof.kernel_rate" /* those per second of kernel time; absent: not sampled */
#define PROFILE_KEY_KERNEL_WHY "reqprof.kernel_why" /* why not: off, or the call and error that decided it */
#define PROFILE_KEY_PYTHON "reqprof.python"         /* 3.11.2, 3.13.5 free-threaded, none, or unsupported 3.7.2: REASON */
#define PROFILE_KEY_THREADS "reqprof.threads"       /* how many threads worked for the request */
#define PROFILE_KEY_CHILDREN "reqprof.children"     /* processes that its threads started; absent: 0 */
#define PROFILE_KEY_CHILDREN_STARTED "reqprof.children_started" /* the first of them: "PID:NAME PID:NAME"; PID 0, NAME empty: not known */
#define PROFILE_KEY_THREADS_STARTED "reqprof.threads_started" /* absent: 0 */
#define PROFILE_KEY_WHOLE "reqprof.whole"           /* 16 hex digits; always the last comment */
#define PROFILE_KEY_KEPT "reqprof.kept"             /* the rules of REQPROF_KEEP that asked for the file; absent: always */
#define PROFILE_KEY_METHOD "http.request.method"
#define PROFILE_KEY_PATH "url.path"                 /* without the query string */
#define PROFILE_KEY_SCHEME "url.scheme"             /* https: by TLS that the process itself terminated; else absent */
#define PROFILE_KEY_PATH_CUT "reqprof.path_bytes"   /* bytes the path had on the wire, when it was cut */
#define PROFILE_KEY_ROUTE "http.route"              /* path with ids and numbers folded */
#define PROFILE_KEY_STATUS "http.response.status_code" /* absent when no response was seen */
#define PROFILE_KEY_PROTOCOL "network.protocol.name"   /* http/1.0, http/1.1, uwsgi, ... */
#define PROFILE_KEY_PEER "network.peer.address"     /* ADDRESS:PORT, [ADDRESS]:PORT or unix */
#define PROFILE_KEY_PID "process.pid"
#define PROFILE_KEY_PROCESS_START "reqprof.process_start_ns" /* of the process, since 1970: which generated code's names may be its; absent when no stack has such */
#define PROFILE_KEY_TID "thread.id"                 /* thread that wrote the end of the response */
#define PROFILE_KEY_EXE "process.executable.path"
#define PROFILE_KEY_TRACEPARENT "traceparent"
#define PROFILE_KEY_REQUEST_ID "x-request-id"

/* Sample labels. */
#define PROFILE_LABEL_THREAD "thread"     /* num: kernel thread id */
#define PROFILE_LABEL_AT "at"             /* num, unit nanoseconds: since the request's start */
#define PROFILE_LABEL_METHOD PROFILE_KEY_METHOD
#define PROFILE_LABEL_ROUTE PROFILE_KEY_ROUTE
#define PROFILE_LABEL_STATUS PROFILE_KEY_STATUS /* num */
#define PROFILE_LABEL_STACK "stack"       /* only when not whole: one of PROFILE_STACK_* */
#define PROFILE_STACK_TRUNCATED "truncated"   /* the native walk ended before the thread's first frame */
#define PROFILE_STACK_UNMERGED "unmerged"     /* native and Python could not be fitted together */
#define PROFILE_STACK_NO_PYTHON "no-python"   /* Python frames were expected and could not be read */
#define PROFILE_LABEL_STATE "state"       /* one of PROFILE_STATE_*; absent: on the CPU in user code */
#define PROFILE_STATE_WAIT "wait"
#define PROFILE_STATE_KERNEL "kernel"
#define PROFILE_STATE_RUNNABLE "runnable"
#define PROFILE_STATE_REST "rest"
#define PROFILE_LABEL_WAIT "wait"         /* kind: one of PROFILE_WAIT_KINDS */
#define PROFILE_LABEL_ON "wait.on"        /* what for: "127.0.0.1:5432 (recv)", "unix:/run/x (poll)", a path, a host name; absent: nothing to tell */
#define PROFILE_LABEL_COUNT "count"       /* num: how many waits this is the sum of; absent: one, whose `at` is right */
#define PROFILE_LABEL_TRIPS "round_trips" /* num: round trips to the peer that ended here; absent: none */
#define PROFILE_LABEL_HOLDER "gil.holder" /* "METHOD ROUTE" of the request that held the GIL */
#define PROFILE_LABEL_CERTAINTY "certainty" /* whose work it was: PROFILE_INFERRED or PROFILE_SHARED; absent: certain */
#define PROFILE_INFERRED "inferred"
#define PROFILE_SHARED "shared"

/* Kinds of waits, as users read them. */
#define PROFILE_WAIT_KINDS(X) \
	X(SOCKET, "socket", "a socket that the request opened or used: ON says the peer and how") \
	X(CONNECT, "connect", "a connection being made to ON") \
	X(BODY, "client body", "the client to send the request's body") \
	X(SEND, "client send", "the client to take the response") \
	X(DNS, "dns", "a name to be resolved: ON") \
	X(FILE, "file", "a file, pipe or terminal: ON is its path and how") \
	X(LOCK, "lock", "a mutex, condition, semaphore or file lock") \
	X(GIL, "GIL", "Python's global interpreter lock") \
	X(SLEEP, "sleep", "time to pass") \
	X(CHILD, "child", "a child process to end") \
	X(THREAD, "thread", "a thread to end") \
	X(POLL, "poll", "one of several descriptors") \
	X(QUEUE, "queue", "a thread: none worked for the request, it stood in a queue or an event loop") \
	X(OTHER, "other", "something else: ON is the call")

/* ---- writing: library and tests. No allocation, no locale, no stdio; safe in any thread. ---- */

enum { PROFILE_LOCATIONS_MAX = 512 }; /* of a sample */

/* Takes len bytes; 0, or -errno to stop the writer (it remembers the first error). */
typedef int (*profile_sink)(void *arg, const void *bytes, size_t len);

struct profile_writer {
	profile_sink sink;
	void *sink_arg;
	int error; /* 0 or the first -errno: the sink's, -ENOBUFS for too little memory, -EINVAL for a wrong argument */
	/* internal to profile_write.c: add fields as needed */
	uint8_t *texts; /* copies of the strings, to compare with */
	size_t texts_len, texts_used;
	uint32_t strings, functions, locations, mappings; /* how many were written */
	uint8_t buffer[4096];
	uint8_t ids[5 * PROFILE_LOCATIONS_MAX]; /* of a sample's locations, where they do not come encoded */
	size_t buffered;
	uint64_t sum, sum_bytes;
	struct profile_table {
		void *slots;
		uint32_t count, used;
	} string_table, function_table, location_table;
};

/* With the smallest memory files of up to some 90 strings and locations come out minimal, with four times as much
 * those of four times as many; what no longer fits in the tables is written again at each use: larger files, equally
 * right. */
enum { PROFILE_MEMORY_MIN = 16 << 10, PROFILE_MEMORY_GOOD = 512 << 10 };

struct profile_text {
	const char *bytes; /* need not be NUL-terminated */
	size_t len;
};

struct profile_label {
	uint32_t key; /* string ids, from profile_write_string */
	uint32_t str; /* 0: numeric label */
	int64_t num;
	uint32_t unit; /* 0: none */
};

/*
 * memory: at least PROFILE_MEMORY_MIN (else -ENOBUFS), 8-aligned, owned by the caller, free again
 * after profile_write_end; holds the tables that make strings, functions and locations unique (it
 * need not be cleared: the writer does). All calls below return an id (0 on error, see w->error) or
 * 0/-errno. Writes sample types, period type and default type at once.
 */
int profile_write_begin(struct profile_writer *w, profile_sink sink, void *arg, void *memory,
			size_t memory_len);
int profile_write_times(struct profile_writer *w, int64_t start_unix_ns, int64_t duration_ns,
			int64_t period_ns);
/* "key=value" with value percent-encoded as told above. */
int profile_write_comment(struct profile_writer *w, const char *key, const char *value, size_t len);
int profile_write_comment_number(struct profile_writer *w, const char *key, int64_t value);
/* Unique by content; "" is 0, which is no error. Bytes that are not UTF-8 are replaced by U+FFFD: proto3 strings must be UTF-8. */
uint32_t profile_write_string(struct profile_writer *w, const char *bytes, size_t len);
/* build_id: bytes, written in lowercase hex. Mapping 1 should be the main program. Not deduplicated. */
uint32_t profile_write_mapping(struct profile_writer *w, uint64_t start, uint64_t limit,
			       uint64_t file_offset, struct profile_text path,
			       const uint8_t *build_id, size_t build_id_len);
/* system_name: see above where it is left out. */
uint32_t profile_write_function(struct profile_writer *w, struct profile_text name,
				struct profile_text system_name, struct profile_text filename,
				int64_t start_line);
/* mapping 0: an address that is in none (generated code). */
uint32_t profile_write_native_location(struct profile_writer *w, uint32_t mapping,
				       uint64_t address);
uint32_t profile_write_line_location(struct profile_writer *w, uint32_t function, int64_t line);
/* locations: leaf first, at most PROFILE_LOCATIONS_MAX. labels: at most 16. */
int profile_write_sample(struct profile_writer *w, const uint32_t *locations, size_t n_locations,
			 const int64_t values[PROFILE_VALUES], const struct profile_label *labels,
			 size_t n_labels);
/*
 * A sample whose parts other samples have as well, encoded once for all of them. locations: one piece after the
 * other, leaf first; shared: labels that go before the others. Anything in it may be empty but the locations.
 */
struct profile_encoded {
	const uint8_t *bytes;
	size_t len;
};
struct profile_sample {
	struct profile_encoded locations[2], shared;
	const int64_t *values; /* PROFILE_VALUES of them */
	const struct profile_label *labels;
	size_t n_labels;
};
enum { PROFILE_LOCATION_BYTES = 5, PROFILE_LABEL_BYTES = 26 }; /* of one, at most */
/* The length. 0: there are none, or one of them is no id. */
size_t profile_encode_locations(uint8_t *to, const uint32_t *locations, size_t n);
size_t profile_encode_labels(uint8_t *to, const struct profile_label *labels, size_t n);
int profile_write_encoded(struct profile_writer *w, const struct profile_sample *sample);
struct profile_line {
	uint64_t function_id;
	int64_t line;
};
/*
 * For tools that export what they have named: a mapping whose locations need no names any more, and
 * a location in it (or in none: 0) with its lines, inlined calls first. Neither is deduplicated.
 */
uint32_t profile_write_named_mapping(struct profile_writer *w, struct profile_text path,
				     const uint8_t *build_id, size_t build_id_len);
uint32_t profile_write_named_location(struct profile_writer *w, uint32_t mapping,
				      const struct profile_line *lines, size_t n_lines);
/* Writes PROFILE_KEY_WHOLE and flushes to the sink. Returns w->error. */
int profile_write_end(struct profile_writer *w);

/* ---- reading: tools and tests only (allocates). Any bytes are survived. ---- */

struct profile_location_in {
	uint64_t id, mapping_id, address;
	struct profile_line *lines; /* innermost first */
	size_t n_lines;
	size_t offset; /* where it begins in the input; so below */
};
struct profile_function_in {
	uint64_t id;
	int64_t name, system_name, filename; /* string indices, checked */
	int64_t start_line;
	size_t offset;
};
struct profile_mapping_in {
	uint64_t id, start, limit, file_offset;
	int64_t filename, build_id;
	size_t offset;
};
struct profile_label_in {
	int64_t key, str, num, unit;
};
struct profile_sample_in {
	uint64_t *locations; /* location ids, leaf first, each checked to exist */
	size_t n_locations;
	int64_t *values; /* n_sample_types of them */
	struct profile_label_in *labels;
	size_t n_labels;
	size_t offset;
};
struct profile_value_type_in {
	int64_t type, unit;
};

struct profile_in {
	struct profile_value_type_in *sample_types;
	size_t n_sample_types;
	struct profile_sample_in *samples;
	size_t n_samples;
	struct profile_mapping_in *mappings; /* these three in order of their ids, which differ */
	size_t n_mappings;
	struct profile_location_in *locations;
	size_t n_locations;
	struct profile_function_in *functions;
	size_t n_functions;
	char **strings; /* NUL-terminated copies; [0] is "" */
	size_t *string_lens;
	size_t n_strings;
	int64_t *comments; /* string indices */
	size_t n_comments;
	int64_t time_ns, duration_ns, period_ns;
	struct profile_value_type_in period_type;
	int64_t default_sample_type;
	void *arena; /* internal: all of the above lives in it */
};

struct profile_error {
	size_t offset;      /* byte in the (uncompressed) input */
	const char *reason; /* static text */
};

enum { PROFILE_READ_ALL = 0, PROFILE_READ_FACTS = 1 };

/* Reads a whole profile from memory (uncompressed bytes). With PROFILE_READ_FACTS only comments,
 * times and strings (for `ls`); the whole input is still checked to be well-formed at the top
 * level, and its check sum. 0, or -1 with *error filled and *out NULL; -ENOMEM likewise. Free with profile_free (NULL is fine). */
int profile_read(const void *bytes, size_t len, unsigned what, struct profile_in **out,
		 struct profile_error *error);
void profile_free(struct profile_in *p);
/* By id; NULL when there is none: never for ids that the profile itself holds, but for mapping 0. */
const struct profile_location_in *profile_location(const struct profile_in *p, uint64_t id);
const struct profile_function_in *profile_function(const struct profile_in *p, uint64_t id);
const struct profile_mapping_in *profile_mapping(const struct profile_in *p, uint64_t id);
/* What follows the last dot of a function's name: the code's own name where the file tells none. */
const char *profile_code_name(const char *name);
/* Value of comment KEY, percent-decoded into buf (NUL-terminated, cut at size): its full length, or -1 when absent. */
long profile_fact(const struct profile_in *p, const char *key, char *buf, size_t size);

#endif
