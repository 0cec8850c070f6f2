/*
 * Many files, read and decoded ahead of their use: one thread for each further processor works on
 * those that come next, the caller takes them in order, and decodes some itself rather than wait.
 * With one processor, or a few files, there is no thread.
 */
#ifndef REQPROF_TOOLS_MODEL_READ_AHEAD_H
#define REQPROF_TOOLS_MODEL_READ_AHEAD_H

#include <stdint.h>

#include "format/profile.h"
#include "tools/model/load.h"

struct read_ahead;

/* files must stay until the end. what: PROFILE_READ_ALL or PROFILE_READ_FACTS. */
struct read_ahead *read_ahead_open(char *const *files, uint32_t n, unsigned what);
/* The next file's, to be freed by profile_free; NULL with *error. To be called n times at most. */
struct profile_in *read_ahead_next(struct read_ahead *r, struct load_error *error);
/* Threads are gone when it returns, profiles not taken are freed. */
void read_ahead_close(struct read_ahead *r);

#endif
