/* The identity of the running kernel since it was booted: until then its functions have the same addresses. */
#ifndef REQPROF_EMIT_BOOT_ID_H
#define REQPROF_EMIT_BOOT_ID_H

#include <stdint.h>

enum { BOOT_ID_BYTES = 16 };

/* Read once. NULL where /proc does not tell it. Any thread. */
const uint8_t *boot_id(void);

#endif
