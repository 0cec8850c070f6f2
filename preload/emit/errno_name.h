/* Names of error numbers, without locale: "EACCES". */
#ifndef REQPROF_EMIT_ERRNO_NAME_H
#define REQPROF_EMIT_ERRNO_NAME_H

/* Static text; "an unknown error" for numbers that this libc has no name for. */
const char *errno_name(int error);

#endif
