#include "tools/base/errors.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/base/escape.h"

void errors_say(const char *format, ...)
{
	char *text = NULL, *escaped, *line = NULL;
	va_list args;
	int len;

	fflush(stdout);
	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		return;
	escaped = escape_bytes(text, (size_t)len);
	len = asprintf(&line, "reqprof: %s\n", escaped);
	/*
	 * One write, so that lines of several processes do not mix. If it fails, whom could we
	 * tell?
	 */
	if (len > 0 && write(STDERR_FILENO, line, (size_t)len) < 0)
		errno = 0;
	free(line);
	free(escaped);
	free(text);
}

static void *no_memory(void)
{
	static const char text[] = "reqprof: not enough memory\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(EXIT_FAILED);
	exit(EXIT_FAILED);
}

void *errors_alloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	return p ? p : no_memory();
}

void *errors_realloc(void *p, size_t n, size_t size)
{
	void *bigger = reallocarray(p, n ? n : 1, size ? size : 1);

	return bigger ? bigger : no_memory();
}

char *errors_strdup(const char *text)
{
	char *copy = strdup(text);

	return copy ? copy : no_memory();
}

int errors_finish(int status)
{
	int failed = fflush(stdout) | ferror(stdout);

	if (!failed)
		return status;
	if (errno != EPIPE)
		errors_say("cannot write to standard output: %s", strerror(errno));
	return EXIT_FAILED;
}
