/*
 * Of a coroutine under uvloop: which connection does it work for? uvloop's transports write after the tasks
 * have run, so that no call of a task's own tells. But servers keep the transport in an object that the coroutine of a
 * request has for a variable, mostly `self`:
 *
 *   coroutine -> variable -> attribute: uvloop.loop.TCPTransport or UnixTransport -> uv_handle_t -> descriptor
 *
 * and the transport leads back to that object: it is the transport's protocol, or an attribute of that. This
 * tells the work of a request from what goes on after it has been answered, while the protocol has turned to the
 * connection's next one (uvicorn's background tasks).
 *
 * Called from the handler, on the thread that runs the coroutine and holds the GIL: nobody frees what the
 * coroutine's variables lead to. What is looked at may be anything all the same, and is believed only as far as
 * its types say what it is. CPython 3.11.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_TRANSPORT_H
#define REQPROF_SIGSAFE_CPYTHON_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/sigsafe/cpython/runtime.h"

enum transport {
	TRANSPORT_NONE = -1, /* none was found */
	TRANSPORT_PAST = -2, /* one whose protocol has turned to something else */
};

/* Its descriptor, for which serves() must hold, or one of enum transport. The runtime's layout has values_before. */
int transport_find(const struct runtime *runtime, uintptr_t coroutine, bool (*serves)(int fd));

#endif
