/*
 * Frames of a stack tree become locations of a profile: each frame's location is written once, with
 * its mapping or function before it.
 */
#ifndef REQPROF_EMIT_LOCATIONS_H
#define REQPROF_EMIT_LOCATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/profile.h"
#include "preload/sigsafe/modules.h"
#include "preload/sigsafe/stacks.h"

enum {
	LOCATIONS_MODULES_MAX = 4096,
	LOCATIONS_CODES = 8192, /* most slots of the cache from code to function */
	LOCATIONS_CODES_MIN = 64,
	LOCATIONS_FRAMES = 1024, /* most slots of the cache from frame to location */
	LOCATIONS_ENCODED = 64 << 10, /* of the stacks written last */
	LOCATIONS_BYTES = LOCATIONS_FRAMES * 2 * sizeof(uint64_t) + STACKS_NODES_MAX * 2 * sizeof(uint32_t) + LOCATIONS_MODULES_MAX * sizeof(uint32_t) +
			  LOCATIONS_CODES * 2 * sizeof(uint32_t) + LOCATIONS_ENCODED,
};

/* The same frame in another place of the tree: stacks that differ in a frame have all above it anew. */
struct locations_frame {
	uint64_t key;
	uint32_t location; /* 0: free */
};

/*
 * A stack is its newest frame's location, then the stack of that frame's caller: as it was encoded for an
 * earlier sample, mostly. Counted from the first byte that was ever encoded.
 */
struct locations_suffix {
	uint32_t at, len; /* len 0: none yet */
};

struct locations {
	struct profile_writer *writer;
	const struct module_table *modules;
	const struct module *last_module; /* NULL: none, or none was found */
	struct locations_suffix *of_node; /* by nodes of the current tree */
	uint8_t *encoded;
	uint32_t forgotten, used; /* bytes that are no longer in `encoded`, and that are in it */
	uint32_t *of_module;  /* mapping of each module, 0: not written yet */
	uint32_t *of_code;    /* pairs of code id and function */
	uint32_t codes;       /* how many: a power of two */
	struct locations_frame *of_frame;
	uint32_t frames;      /* how many: a power of two */
	uint32_t kernel;      /* mapping of the kernel, 0: not written yet */
	bool generated;       /* an address in no file was written */
};

/* memory: LOCATIONS_BYTES. nodes: how many the trees have in all, so that no more is cleared than can be
 * used. Writes the main program's mapping, which must be the first. */
void locations_start(struct locations *l, struct profile_writer *writer, void *memory, size_t nodes);
/* From here on, nodes are those of this tree. */
void locations_tree(struct locations *l, const struct stacks *tree);
/* The locations of a node and its ancestors, leaf first: good until the next call. nodes: to work in. */
struct profile_encoded locations_stack(struct locations *l, const struct stacks *tree, uint32_t node,
				       uint32_t nodes[STACKS_DEPTH_MAX]);
void locations_end(struct locations *l);

/* Path of the main program, or "" before the modules are known. */
const char *locations_executable(void);

#endif
