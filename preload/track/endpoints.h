/* What slots stand for: connections and outbound sockets, from the first byte read to the last descriptor closed. */
#ifndef REQPROF_TRACK_ENDPOINTS_H
#define REQPROF_TRACK_ENDPOINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "preload/track/connection.h"
#include "preload/track/outbound.h"
#include "preload/track/slots.h"

/* Does a slot with this value stand for an endpoint of this kind? */
static inline bool endpoints_is(slot_value value, enum endpoint_kind kind)
{
	return value >= SLOT_POINTER_MIN && ((const struct endpoint *)value)->kind == kind;
}

/* Locked; NULL: fd stands for something else by now. */
struct endpoint *endpoints_lock(int fd, slot_value value);
/* Locked; NULL: fd stands for no client's connection. */
struct connection *endpoints_lock_connection(int fd);
void endpoints_unref(struct endpoint *e);
/* Gives fd's slot a new meaning; what it stood for before ends here (a close that we did not see). */
void endpoints_reset(int fd, slot_value value);

/* A socket that was connected for r, with one reference. NULL: no memory. */
struct outbound *endpoints_new_outbound(struct request *r);
/* The first bytes read from a descriptor that nobody judged yet: what it stands for. */
slot_value endpoints_judge(int fd, slot_value value, const void *bytes, size_t len);
bool endpoints_is_listener(int fd);
/* call: SYS_getpeername or SYS_getsockname. */
void endpoints_address(long call, int fd, struct request_address *address);

/* In a forked child: all that is open is the parent's. */
void endpoints_postfork_child(void);

#endif
