/* Filling in struct wire_facts: what every request parser of this room does in the same way. */
#ifndef REQPROF_WIRE_FACTS_H
#define REQPROF_WIRE_FACTS_H

#include <string.h>

#include "preload/wire/wire.h"

/* Nothing known yet. Touches only the first byte of each string. */
void facts_start(struct wire_facts *facts);

/* Appends to the path, which stays NUL-terminated: what does not fit is counted, not stored. */
void facts_add_path(struct wire_facts *facts, const char *bytes, size_t len);
void facts_clear_path(struct wire_facts *facts);

/* The method is whole: derives is_head and is_connect. */
void facts_end_method(struct wire_facts *facts);

/* Stores a traceparent if it is one (W3C Trace Context, version 00), else leaves "". */
void facts_take_traceparent(struct wire_facts *facts, const char *value, size_t len);

/* Stores an x-request-id, cut if need be. The first one counts. */
void facts_take_request_id(struct wire_facts *facts, const char *value, size_t len);

/* Is this text the given lower-case word, whatever the case of its ASCII letters? */
bool facts_same_bytes(const char *text, const char *word, size_t len);
static inline bool facts_same_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && facts_same_bytes(text, word, len);
}

/* A byte count in decimal digits and nothing else, at most INT64_MAX; false when it is not one. */
bool facts_parse_length(const char *text, size_t len, uint64_t *value);

/* tchar of RFC 9110 5.6.2: what methods and field names are made of. */
extern const bool facts_token_chars[256];
static inline bool facts_is_token_char(unsigned char c)
{
	return facts_token_chars[c];
}

#endif
