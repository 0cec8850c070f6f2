/* From files to a model. Knows the profile format; prints nothing. */
#ifndef REQPROF_TOOLS_MODEL_LOAD_H
#define REQPROF_TOOLS_MODEL_LOAD_H

#include <stddef.h>

#include "tools/base/read_file.h"
#include "tools/model/model.h"

struct load_error {
	int code;	    /* errno when the file could not be read, else 0 */
	size_t offset;	    /* byte where it stops making sense, when code is 0 */
	const char *reason; /* static text */
};

/*
 * Reads a file into *bytes and decodes it: *in, to be freed by profile_free. gzip is accepted. 0, or
 * -1 with *error. Any thread, with bytes of its own.
 */
int load_decode(const char *file, struct file_bytes *bytes, unsigned what, struct profile_in **in,
		struct load_error *error);

/*
 * Appends the samples of a profile to the model, as those of *r, whose texts must be in m->strings.
 * 0, or -1 with *error and the model as it was (but for unused names).
 */
int load_append(struct model *m, const struct request *r, const struct profile_in *in,
		struct load_error *error);

/*
 * All of it at once: appends the request and its samples to the model. 0, or -1 as above.
 */
int load_profile(struct model *m, const char *file, struct load_error *error);

/* The same from memory, uncompressed: for tests. */
int load_profile_bytes(struct model *m, const char *file, const void *bytes, size_t len,
		       struct load_error *error);

#endif
