/*
 * The part of Python's marshal format that a pstats file needs. Without reference flags, so that
 * every Python 3 reads it.
 */
#ifndef REQPROF_RENDER_MARSHAL_H
#define REQPROF_RENDER_MARSHAL_H

#include <stdint.h>
#include <stdio.h>

/* A dict is: begin, then key, value, key, value..., then end. */
void marshal_dict_begin(FILE *out);
void marshal_dict_end(FILE *out);
/* To be followed by count items. */
void marshal_tuple(FILE *out, uint32_t count);
/* text is UTF-8 and shorter than 2 GiB. */
void marshal_text(FILE *out, const char *text);
void marshal_integer(FILE *out, int64_t value);
void marshal_real(FILE *out, double value);

#endif
