/*
 * The live file: what a process knows of its requests while they run, in memory that outlives it,
 * so that `reqprof recover` can write the profile of a request whose process was killed in the
 * middle. One for each process, LIVE_PREFIX PID.TICKS.NUMBER in LIVE_PLACE or $REQPROF_LIVE. It
 * stands in memory (tmpfs), never on a disk: there a full disk would kill the process that touches a
 * page, and a slow one would hold it up. Native-endian, page-aligned, of fixed size and full of
 * holes: a page takes memory when it is first used.
 *
 *	struct live_head
 *	struct live_request [LIVE_REQUESTS]
 *	struct live_module, one behind the other, in two halves of which one counts
 *	struct live_code, one behind the other
 *	LIVE_TREES of: struct live_tree, struct live_sample [], struct live_node [], struct live_wait [], texts
 *
 * A process may die between any two instructions, and anybody may have damaged the file: a reader
 * believes no length, index or offset in it. What the library keeps in its own structs of the same
 * layout (sigsafe/stacks.h, sigsafe/waits.h) is compared with these in preload/live/tree.c.
 */
#ifndef REQPROF_FORMAT_LIVE_H
#define REQPROF_FORMAT_LIVE_H

#include <stddef.h>
#include <stdint.h>

#define LIVE_PLACE "/dev/shm"
#define LIVE_PREFIX "reqprof-live."

enum {
	LIVE_MAGIC = 0x314c5052, /* "RPL1" */
	LIVE_VERSION = 1,
	LIVE_PAGE = 4096,
	LIVE_REQUESTS = 256, /* what comes at the same time beyond these is not recoverable */
	LIVE_TREES = 128,    /* stack trees: one a request and thread */
	LIVE_PATH_MAX = 4096,
	LIVE_BUILD_ID_MAX = 20,
};

struct live_head {
	uint32_t magic, version;
	uint32_t size; /* sizeof(struct live_head) */
	uint32_t pid;
	uint64_t start_ticks;	/* field 22 of /proc/PID/stat, 0: not known */
	uint64_t pid_namespace; /* inode of /proc/self/ns/pid, 0: not known */
	uint64_t directory_device, directory_inode;
	uint64_t files;		/* profiles begun: the counter in their names */
	uint64_t codes_used;	/* bytes */
	uint64_t modules_used[2];
	uint32_t modules_half;	/* which one counts */
	uint32_t open;		/* requests that stand here now */
	uint32_t kernel_rate;	/* 0: the kernel is not sampled */
	uint32_t boot_id_len;
	uint8_t boot_id[16];
	char python[24];
	char directory[LIVE_PATH_MAX];
};

enum live_state { LIVE_FREE, LIVE_OPEN };

struct live_request {
	uint32_t state;	  /* enum live_state; claimed by compare and swap */
	uint32_t counter; /* in the name of its file, when that is being written; else 0 */
	uint64_t start_ns, start_unix_ns; /* CLOCK_MONOTONIC, as all _ns here; and the same as unix time */
	uint64_t seen_ns;		  /* when a thread took it up or put it down last */
	uint64_t cpu_ns;		  /* of its threads, up to seen_ns */
	uint64_t idle_ns, prepared_ns, arrived_ns;
	uint64_t idle_since_ns;		  /* nobody works for it since then; 0: somebody does */
	uint32_t rate, threads, begun_tid;
	int32_t clock, clock_error;	  /* enum clock_kind */
	uint32_t path_full_len;
	uint8_t proxy, secure, waits;	  /* 1 or 0 */
	uint8_t known;			  /* the head has been read: the texts are whole */
	uint8_t peer[28];		  /* a struct sockaddr_in or _in6; family 0: not known */
	char protocol[12];
	char method[24];
	char traceparent[56];
	char request_id[128];
	char path[2048];
};

struct live_module {
	uint64_t start, end, file_offset;
	uint16_t path_len; /* follows, without NUL, filled up to a multiple of 8 */
	uint8_t build_id_len, is_main;
	uint8_t build_id[LIVE_BUILD_ID_MAX];
};

struct live_code {
	uint32_t len; /* of all, a multiple of 8; 0: it is not whole */
	uint32_t id;  /* 0 likewise, but len can be believed */
	int32_t first_line;
	uint32_t table_len;
	uint16_t filename_len, name_len, qualname_len;
	uint8_t line_format; /* enum code_line_format */
	uint8_t reserved;
	/* then the line table, filename, name and qualified name */
};

struct live_sample {
	uint64_t at_ns;
	uint32_t node, flags; /* enum live_stack */
};

/* Of a stack: what it lacks, what it is, and how sure it is whose. */
enum live_stack {
	LIVE_STACK_TRUNCATED = 1,
	LIVE_STACK_UNMERGED = 2,
	LIVE_STACK_NO_PYTHON = 4,
	LIVE_STACK_INCOMPLETE = LIVE_STACK_TRUNCATED | LIVE_STACK_UNMERGED | LIVE_STACK_NO_PYTHON,
	LIVE_STACK_KERNEL = 8,
	LIVE_STACK_INFERRED = 16,
};

struct live_node {
	uint64_t key; /* LIVE_KEY_* */
	uint32_t parent, reserved;
};
#define LIVE_KEY_PYTHON (UINT64_C(1) << 63) /* then 31 bits of code, 32 of lasti */
#define LIVE_KEY_EXACT (UINT64_C(1) << 62)
#define LIVE_KEY_KERNEL (UINT64_C(1) << 61) /* if it is not Python */
#define LIVE_KEY_ADDRESS ((UINT64_C(1) << 57) - 1)

struct live_wait {
	uint64_t at_ns, end_ns, ns;
	uint32_t node, on, holder, count, trips, reserved;
	uint8_t kind, summed, flags;
};

enum {
	LIVE_SAMPLES_MAX = 65536,
	LIVE_NODES_MAX = 131072,
	LIVE_WAITS_MAX = 8192,
	LIVE_TEXTS_MAX = 28672,
	LIVE_TEXT_AT = 5, /* where its bytes begin: behind 4 that are not ours and its length */
};

/* The part of the library's struct that a reader needs. */
struct live_tree {
	uint64_t reserved;
	uint32_t tid, n_nodes, n_samples, reserved_slots, lost, incomplete, nested, kernel_lost;
	uint32_t request; /* whose it is: number in the file plus one; 0: nobody's */
	/* Bytes of each part that stand in this file; the rest, if any, was private memory. */
	uint32_t samples_kept, nodes_kept, waits_kept, texts_kept;
	uint64_t waiting_ns; /* since when it is in a call that may block; 0: it is not */
	uint32_t waiting_node, waiting_flags, waiting_kind; /* node 0: where is not known, nor how */
	uint32_t reserved_waits; /* what is not for a reader */
	uint32_t n_waits, texts_used, waits_lost;
};

/* Where everything is. */
#define LIVE_ROUND(n) (((n) + LIVE_PAGE - 1) / LIVE_PAGE * LIVE_PAGE)
enum {
	LIVE_HEAD_BYTES = LIVE_ROUND(sizeof(struct live_head)),
	LIVE_REQUESTS_BYTES = LIVE_ROUND(LIVE_REQUESTS * sizeof(struct live_request)),
	LIVE_MODULES_BYTES = 512 << 10, /* of each half */
	LIVE_CODES_BYTES = 8 << 20,
	LIVE_TREE_HEAD = LIVE_PAGE,
	LIVE_SAMPLES_BYTES = LIVE_SAMPLES_MAX * sizeof(struct live_sample),
	LIVE_NODES_BYTES = LIVE_NODES_MAX * sizeof(struct live_node),
	LIVE_WAITS_BYTES = LIVE_WAITS_MAX * sizeof(struct live_wait),

	LIVE_REQUESTS_AT = LIVE_HEAD_BYTES,
	LIVE_MODULES_AT = LIVE_REQUESTS_AT + LIVE_REQUESTS_BYTES,
	LIVE_CODES_AT = LIVE_MODULES_AT + 2 * LIVE_MODULES_BYTES,
	LIVE_TREES_AT = LIVE_CODES_AT + LIVE_CODES_BYTES,
	/* In a tree. */
	LIVE_SAMPLES_AT = LIVE_TREE_HEAD,
	LIVE_NODES_AT = LIVE_SAMPLES_AT + LIVE_SAMPLES_BYTES,
	LIVE_WAITS_AT = LIVE_NODES_AT + LIVE_NODES_BYTES,
	LIVE_TEXTS_AT = LIVE_WAITS_AT + LIVE_WAITS_BYTES,
	LIVE_TREE_BYTES = LIVE_TEXTS_AT + LIVE_TEXTS_MAX,

	LIVE_BYTES = LIVE_TREES_AT + LIVE_TREES * LIVE_TREE_BYTES,
};
_Static_assert(LIVE_WAITS_BYTES % LIVE_PAGE == 0 && LIVE_TEXTS_MAX % LIVE_PAGE == 0,
	       "the parts of a tree begin at pages");

#endif
