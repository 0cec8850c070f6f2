/*
 * A pool of texts: each content is stored once, so equal texts have equal pointers until the pool
 * is freed.
 */
#ifndef REQPROF_TOOLS_BASE_STRINGS_H
#define REQPROF_TOOLS_BASE_STRINGS_H

#include <stddef.h>

struct strings;

struct strings *strings_new(void);
void strings_free(struct strings *s);
/* NUL-terminated copy; bytes after a NUL inside are kept but not seen by C. "" for (NULL, 0). */
const char *strings_add(struct strings *s, const char *bytes, size_t len);
const char *strings_addz(struct strings *s, const char *text);

#endif
