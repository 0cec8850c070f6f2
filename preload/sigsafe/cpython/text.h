/*
 * Reading a Python string where it lies, from the handler, and writing it as UTF-8.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_TEXT_H
#define REQPROF_SIGSAFE_CPYTHON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/sigsafe/cpython/layout.h"

struct text {
	uintptr_t data; /* proven readable */
	size_t chars;
	uint8_t width; /* bytes a character: 1, 2, 4 */
	bool ascii;    /* then data is UTF-8 already */
};

/* The string object's first max characters; an empty text when it cannot be read. The object is
 * known to be alive: page proofs of a while ago are good enough. */
struct text text_open(const struct cpython_layout *layout, uintptr_t object, size_t max);

/* As UTF-8 into to, at most max bytes, whole characters only; lone surrogates and what no character
 * has as a number become U+FFFD. Returns the bytes. With to == NULL only counts. */
size_t text_write(const struct text *text, char *to, size_t max);

#endif
