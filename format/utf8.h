/*
 * UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing above U+10FFFF. Pure; safe
 * anywhere.
 */
#ifndef REQPROF_FORMAT_UTF8_H
#define REQPROF_FORMAT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * The character at the start of bytes: its length, 1..4, and its number in *point (may be NULL); 0
 * when no valid one is there.
 */
unsigned utf8_next(const char *bytes, size_t len, uint32_t *point);

/* How many leading bytes are valid. */
size_t utf8_valid(const char *bytes, size_t len);

#endif
