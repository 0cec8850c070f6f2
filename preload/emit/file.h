/* A profile file on disk: whole or absent, never half, never over another one. */
#ifndef REQPROF_EMIT_FILE_H
#define REQPROF_EMIT_FILE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

struct file {
	int fd;        /* registered with ours.h while it is open */
	int error;     /* the first failure, -errno; the file will not appear */
	size_t dir_len; /* of `path`, with its last slash */
	size_t used;
	uint64_t written;
	int (*room)(void *arg, uint64_t size); /* asked before the file grows to a size; NULL: no limit */
	void *room_arg;
	uint8_t *buffer;
	size_t buffer_size;
	char path[PATH_MAX]; /* the temporary one */
};

/* Opens a new temporary file in the directory (made if missing), mode 0600. 0 or -errno. */
int file_open(struct file *file, const char *directory, const char *temporary, void *buffer,
	      size_t buffer_size);
/* A profile_sink. */
int file_sink(void *file, const void *bytes, size_t len);
/* Gives it its name, never replacing a file of that name (-EEXIST). After an error it is removed. 0 or -errno. */
int file_finish(struct file *file, const char *name);

#endif
