/*
 * The check sum at the end of a profile file: 64 bits, over 8-byte little-endian words, the last
 * one filled up with zeros, then the length. Each step is one-to-one, so a change within one word
 * is always found. It guards against damage, not against intent. No state but the caller's; safe
 * anywhere.
 */
#ifndef REQPROF_FORMAT_PROFILE_SUM_H
#define REQPROF_FORMAT_PROFILE_SUM_H

#include <stddef.h>
#include <stdint.h>

enum { PROFILE_SUM_HEX = 16 };

/* len is a multiple of 8 in every call but the last of a stream; starts from sum 0. */
uint64_t profile_sum_add(uint64_t sum, const uint8_t *bytes, size_t len);
uint64_t profile_sum_end(uint64_t sum, uint64_t total_len);
/* 16 lowercase hex digits, no NUL. */
void profile_sum_hex(uint64_t sum, char hex[PROFILE_SUM_HEX]);

#endif
