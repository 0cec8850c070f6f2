/* What jansson does not do by itself: any bytes as a text, and a document on standard output. */
#ifndef REQPROF_TOOLS_BASE_JSON_H
#define REQPROF_TOOLS_BASE_JSON_H

#include <jansson.h>
#include <stdio.h>

/* Bytes that are not UTF-8 become U+FFFD. */
json_t *json_text(const char *text);
/* A text in quotes, straight to a stream: for documents too large to build. */
void json_put_text(FILE *out, const char *text);
/* Prints with a newline and drops it. errors_finish tells whether that worked. */
void json_print(json_t *value);

#endif
