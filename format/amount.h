/* Amounts as people write them: "1G", "200ms". Whole numbers with one unit, nothing around them. */
#ifndef REQPROF_FORMAT_AMOUNT_H
#define REQPROF_FORMAT_AMOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "1073741824", "500M", "1G", "64KiB": K, M, G and T are powers of 1024. False when it is none. */
bool amount_bytes(const char *text, size_t len, uint64_t *bytes);

/* "200ms", "1500us", "2s", "1m"; without a unit: milliseconds. */
bool amount_duration(const char *text, size_t len, uint64_t *ns);

/* A number without a unit. */
bool amount_count(const char *text, size_t len, uint64_t *count);

#endif
