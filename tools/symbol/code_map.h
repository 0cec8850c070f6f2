/*
 * Names of code that a process made at run time, as its runtime wrote them down: perf's map, a line
 * "START SIZE NAME" for each function, and jitdump (linux/tools/perf/Documentation/jitdump-specification.txt),
 * records that tell the same and where code was moved to. Code is made anew at the same addresses
 * all the time: of all that stood at one, what was written down last counts.
 */
#ifndef REQPROF_SYMBOL_CODE_MAP_H
#define REQPROF_SYMBOL_CODE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tools/symbol/ranges.h"

/* Whose code it is. */
struct code_map_of {
	uint32_t pid;
	uid_t owner; /* of the profile: may write maps of its processes, as root and the reader may */
	uint64_t
		start_ns; /* when the process began, since 1970: what was last written before is an earlier one's; 0 unknown */
};

/* Names live until code_map_free. */
struct code_name {
	const char *
		name; /* as written, or of "JS:*handler /srv/app.js:3:18" and "py::handler:/srv/app.py" the function's */
	const char *file; /* NULL when not told */
	int line;	  /* where the function begins; 0 not told */
};

/* All zero is an empty one. */
struct code_map {
	struct ranges ranges; /* items are indices of names */
	struct code_name *names;
	size_t n_names, room;
	char **texts; /* that names point into */
	size_t n_texts;
};

/*
 * Takes what there is: /tmp/perf-PID.map, jit-PID.dump in /tmp, in the process's current directory
 * while it lives, and in the reader's. False when there is none, or none to be trusted: then *path (free it)
 * and *why tell of one that was left aside, or *path is NULL.
 */
bool code_map_open(struct code_map *map, const struct code_map_of *of, char **path,
		   const char **why);

/* The two formats; memory of malloc's is taken over. What cannot be read is left out. code_map_ready is for after the last. */
void code_map_take_perf(struct code_map *map, char *text, size_t len);
void code_map_take_dump(struct code_map *map, char *bytes, size_t len);
void code_map_ready(struct code_map *map);

/* The function at an address; NULL: none. */
const struct code_name *code_map_find(const struct code_map *map, uint64_t address);
void code_map_free(struct code_map *map);

#endif
