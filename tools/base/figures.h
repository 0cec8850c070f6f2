/* Numbers as people read them. Each writes into buf and returns it. */
#ifndef REQPROF_TOOLS_BASE_FIGURES_H
#define REQPROF_TOOLS_BASE_FIGURES_H

#include <stddef.h>
#include <stdint.h>

enum { FIGURE_MAX = 40 };

/* "0", "42ns", "850us", "36.1ms", "2.40s", "3m12s"; three figures or so. */
char *figure_duration(char buf[FIGURE_MAX], int64_t ns);
/* part of whole: "12.3 %"; "-" when whole is 0. */
char *figure_percent(char buf[FIGURE_MAX], int64_t part, int64_t whole);
/*
 * Shares of parts as they are printed, in tenths of a percent: rounded so that they make exactly
 * `tenths`, which is what is shared out (1000 for a whole). Parts are not negative.
 */
void figure_shares(const int64_t *parts, size_t n, int tenths, int *shares);
/* Local time, "2026-11-23 16:15:11.123". */
char *figure_local_time(char buf[FIGURE_MAX], int64_t unix_ns);
/* RFC 3339 in UTC with nanoseconds, "2026-11-23T15:15:11.123456789Z". */
char *figure_rfc3339(char buf[FIGURE_MAX], int64_t unix_ns);

#endif
