/* From files to a model. Knows the profile format; prints nothing. */
#ifndef REQPROF_TOOLS_MODEL_LOAD_H
#define REQPROF_TOOLS_MODEL_LOAD_H

#include <stddef.h>

#include "tools/model/model.h"

struct load_error {
	int code;	    /* errno when the file could not be read, else 0 */
	size_t offset;	    /* byte where it stops making sense, when code is 0 */
	const char *reason; /* static text */
};

/* Only the facts. gzip is accepted. 0, or -1 with *error. */
int load_facts(const char *file, struct strings *pool, struct request *r, struct load_error *error);

/*
 * Appends the request and its samples to the model. 0, or -1 with *error and the model as it was
 * (but for unused names).
 */
int load_profile(struct model *m, const char *file, struct load_error *error);

/* The same from memory, uncompressed: for tests. */
int load_profile_bytes(struct model *m, const char *file, const void *bytes, size_t len,
		       struct load_error *error);

#endif
