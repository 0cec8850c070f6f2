/* Names of profile files: METHOD.path.with.dots.36ms.1795446911.8368-42.pprof */
#ifndef REQPROF_FORMAT_FILE_NAME_H
#define REQPROF_FORMAT_FILE_NAME_H

#include <stddef.h>
#include <stdint.h>

enum { FILE_NAME_MAX = 255 };

struct file_name_parts {
	const char *method, *path;
	uint64_t wall_ns;
	uint64_t start_unix_ns;
	uint32_t pid;
	uint64_t counter;
};

/*
 * Writes the name (at most FILE_NAME_MAX bytes and a NUL) and returns its length. The pattern is
 * werkzeug's, then pid and counter, so that no two requests share one. Whatever the path is, the
 * name has no slash, no control character, no leading dot and only letters, digits and "._-~@+," of it.
 */
size_t file_name_make(const struct file_name_parts *parts, char name[FILE_NAME_MAX + 1]);

/* The number's digits at name + at; returns where they end. */
size_t file_name_number(char *name, size_t at, uint64_t number);

/* PID-COUNTER, as it stands in the name; its length. */
size_t file_name_id(uint32_t pid, uint64_t counter, char id[48]);

/* The temporary name while it is written: hidden, so that no tool takes it for a profile. */
size_t file_name_temporary(uint32_t pid, uint64_t counter, char name[FILE_NAME_MAX + 1]);

#endif
