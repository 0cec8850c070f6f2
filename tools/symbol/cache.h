/*
 * Names that were looked up once, kept for later runs: one file for each build id in
 * $XDG_CACHE_HOME/reqprof (~/.cache/reqprof). Reading debug information costs up to seconds for a
 * large module; reading its answers again costs a file.
 *
 * A cache is believed when it is ours alone (a regular file of this user that no other can write),
 * whole by its check sum, of this version, and made from the same files. All else is as if there
 * were none, and is written anew. That it cannot be written is no failure.
 */
#ifndef REQPROF_SYMBOL_CACHE_H
#define REQPROF_SYMBOL_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/symbol/object.h"
#include "tools/symbol/symbol.h"

/* What names come from: another debug file gives other ones. */
struct cache_source {
	uint8_t build_id[64];
	uint32_t build_id_len;
	struct cache_stamp {
		uint64_t size, inode;
		int64_t changed_ns;
	} main, debug; /* zero: there is none */
};

/* False when answers from these cannot be kept: no build id, or in no file. */
bool cache_source_of(const struct object *main, const struct object *debug,
		     struct cache_source *source);

/* The directory, to be freed; NULL when the environment names none. It need not exist yet. */
char *cache_directory(void);

/* Calls take for each answer. Texts live in *memory, to be freed once they are of no use. */
bool cache_load(const char *directory, const struct cache_source *source,
		void (*take)(void *arg, uint64_t offset, const struct symbol_frame *frames,
			     size_t count),
		void *arg, void **memory);

struct cache_answer {
	uint64_t offset;
	const struct symbol_frame *frames;
	size_t count;
};

/* Written under another name and renamed: readers and writers at the same time see whole files. */
bool cache_save(const char *directory, const struct cache_source *source,
		const struct cache_answer *answers, size_t n);

#endif
