/* A whole file in memory, uncompressed when it was gzip. */
#ifndef REQPROF_TOOLS_BASE_READ_FILE_H
#define REQPROF_TOOLS_BASE_READ_FILE_H

#include <stddef.h>

enum { READ_FILE_MAX = 1 << 30 }; /* bytes after uncompressing: a small file can claim any size */

struct file_bytes {
	char *bytes; /* read_file reuses it */
	size_t len, room;
};

/*
 * Regular files only (a FIFO would hang us). 0, or -1: *error is an errno, or 0 with *reason
 * (static text) and *offset in the compressed file. Starts with zeroed *to; free to->bytes at the
 * end.
 */
int read_file(const char *path, struct file_bytes *to, int *error, const char **reason,
	      size_t *offset);

#endif
