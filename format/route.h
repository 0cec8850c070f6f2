/* The route of a path: the same path with what only names one thing folded away (`/users/{id}`). */
#ifndef REQPROF_FORMAT_ROUTE_H
#define REQPROF_FORMAT_ROUTE_H

#include <stddef.h>

/*
 * Writes the route of path into route (NUL-terminated, cut at size) and returns its length. A
 * segment becomes {id} when it is a number, a UUID, hexadecimal of 16 characters or more, or holds a run of four
 * digits or more. The extension of a folded segment stays (`/img/{id}.png`).
 */
size_t route_fold(const char *path, size_t len, char *route, size_t size);

#endif
