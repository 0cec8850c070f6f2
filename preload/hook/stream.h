/* What a read or write of a stream moved, for hooks that scatter and gather. */
#ifndef REQPROF_HOOK_STREAM_H
#define REQPROF_HOOK_STREAM_H

#include <sys/types.h>
#include <sys/uio.h>

#include "preload/hook/waiting.h"

/* After the call, and after its wait w: `got` or `sent` is what it returned; nothing happens unless it moved bytes. Leave errno alone. */
void stream_received_parts(const struct wait *w, int fd, const struct iovec *parts, size_t count,
			   ssize_t got);
void stream_sent_parts(const struct wait *w, int fd, const struct iovec *parts, size_t count,
		       ssize_t sent);

#endif
