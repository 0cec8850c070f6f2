/*
 * Reading the live file of a process that is gone (live.h). For tools and tests: allocates. Any
 * bytes are survived; what a process was killed in the middle of writing is left out, what cannot
 * have been written by one is an error.
 */
#ifndef REQPROF_FORMAT_LIVE_READ_H
#define REQPROF_FORMAT_LIVE_READ_H

#include <stddef.h>
#include <stdint.h>

#include "format/live.h"
#include "format/profile.h"

/* Where the bytes come from: len of them at offset into `to`. 0, or -1: they are not there. */
struct live_source {
	int (*read)(void *arg, void *to, size_t len, uint64_t offset);
	void *arg;
};

struct live_module_in {
	struct live_module facts; /* path_len bytes at: */
	const char *path;	  /* not NUL-terminated */
};

struct live_code_in {
	uint32_t id;
	int32_t first_line;
	uint8_t line_format;
	const uint8_t *table;
	uint32_t table_len;
	struct profile_text filename, name, qualname;
};

struct live_tree_in {
	struct live_tree facts;
	/* Parents come before their children, and every node that is named is there. */
	struct live_node *nodes;
	struct live_sample *samples;
	struct live_wait *waits; /* kind: not checked; on, holder: live_text can be asked */
	char *texts;
	size_t n_nodes, n_samples, n_waits, texts_len;
};

/* One that was open; its strings end with NUL. */
struct live_request_in {
	struct live_request facts;
	uint32_t number; /* as trees say it */
};

struct live_in {
	struct live_head head; /* its strings end with NUL */
	struct live_request_in *requests;
	size_t n_requests;
	struct live_module_in *modules;
	size_t n_modules;
	struct live_code_in *codes; /* in order of their ids */
	size_t n_codes;
	struct live_tree_in *trees; /* those of the requests that are open */
	size_t n_trees;
	void *module_bytes, *code_bytes; /* what the texts are in */
};

/* 0, or -1 with *error filled and *out NULL. Free with live_free (NULL is fine). */
int live_read(const struct live_source *source, struct live_in **out, struct profile_error *error);
void live_free(struct live_in *in);

/* NULL when there is none of this id. */
const struct live_code_in *live_code(const struct live_in *in, uint32_t id);
/* The text of this number; empty for 0 and for what is none. */
struct profile_text live_text(const struct live_tree_in *tree, uint32_t text);

#endif
