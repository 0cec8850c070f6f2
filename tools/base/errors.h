/* Messages on standard error, and memory that is there or ends the program. */
#ifndef REQPROF_TOOLS_BASE_ERRORS_H
#define REQPROF_TOOLS_BASE_ERRORS_H

#include <stddef.h>

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_UNREADABLE = 3, /* an input could not be read or understood; the others were shown */
	EXIT_TOO_LITTLE = 4, /* too little data to decide */
};

/*
 * "reqprof: MESSAGE\n" in one write. The whole message is escaped, so arguments may come from
 * anywhere.
 */
void errors_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Like malloc's family, but say so and exit with EXIT_FAILED when there is no memory. n * size is
 * checked.
 */
void *errors_alloc(size_t n, size_t size); /* zeroed */
void *errors_realloc(void *p, size_t n, size_t size);
char *errors_strdup(const char *text);

/*
 * Flushes standard output: EXIT_DONE, or EXIT_FAILED after saying why (a closed pipe is said to
 * nobody). A status other than EXIT_DONE is returned as it is when the flush works.
 */
int errors_finish(int status);

#endif
