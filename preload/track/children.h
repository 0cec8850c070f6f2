/*
 * What a request has set going: child processes, with their names where those can be known, and
 * threads. Any thread that works for the request.
 */
#ifndef REQPROF_TRACK_CHILDREN_H
#define REQPROF_TRACK_CHILDREN_H

#include <stddef.h>
#include <stdint.h>

#include "preload/track/request.h"

/* A child was started. pid 0: not known. path: of its program, of which the last part is kept; "" or NULL:
 * not known yet. */
void children_started(struct request *r, int32_t pid, const char *path);
/* The same by a command for the shell: the program is its first word. */
void children_started_shell(struct request *r, const char *command);
void children_thread_started(struct request *r);

/* The name of one, to be read while it has not been waited for: asks /proc where it is not known. "" when
 * it cannot be told, or the child is none of the request's. */
const char *children_name(struct request *r, int32_t pid);
/* Of all those that still have none. */
void children_name_all(struct request *r);

#endif
