/*
 * Which requests are looked at: the language of REQPROF_FILTER and `ctl set filter=`. Patterns with
 * semicolons between: "GET /api*; POST /orders; !/health".
 *
 *   /api*        paths that match; * stands for any characters (slashes too), ? for one
 *   GET /api*    the same with that method only; it may hold * and ? too
 *   !/health     not these, whatever the others say
 *
 * A request is taken when no pattern with ! matches it, and one without ! does or there is none.
 * Paths are matched whole, without the query string.
 */
#ifndef REQPROF_FORMAT_FILTER_H
#define REQPROF_FORMAT_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FILTER_TEXT_MAX = 512 };

/* NULL when the text is a filter ("" takes everything), or what is wrong with it. */
const char *filter_problem(const char *text, size_t len);

/* Does a filter (one that filter_problem has nothing against) take this request? */
bool filter_takes(const char *text, size_t len, const char *method, const char *path,
		  size_t path_len);

#endif
