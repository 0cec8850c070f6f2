/*
 * Text from files and requests, made fit for a terminal: control characters, ESC, DEL, C1, bytes
 * that are not UTF-8, bidirectional and invisible formatting characters come out as \n, \t, \x1b or
 * \u202e; the backslash itself as \\. What is left prints as it is.
 */
#ifndef REQPROF_TOOLS_BASE_ESCAPE_H
#define REQPROF_TOOLS_BASE_ESCAPE_H

#include <stddef.h>
#include <stdio.h>

/* A new string; free it. */
char *escape_text(const char *text);
char *escape_bytes(const char *bytes, size_t len);
/* Straight to a stream. */
void escape_print(FILE *out, const char *text);
/* Columns that text without escapes takes: one per code point, two for wide ones (CJK, emoji). */
size_t escape_width(const char *utf8);
/* escape_text cut to so many columns, a "…" at its end then. Free it. */
char *escape_fit(const char *text, size_t columns);
/* Valid UTF-8 for JSON: every bad byte is U+FFFD; nothing else changes. Free it. */
char *escape_utf8(const char *bytes, size_t len);

#endif
