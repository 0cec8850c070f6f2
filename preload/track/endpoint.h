/*
 * What a slot may point to: a client's connection or an outbound socket begins with this. Its memory stays that of an
 * endpoint of the same kind for ever, so that a look at it needs no lock.
 */
#ifndef REQPROF_TRACK_ENDPOINT_H
#define REQPROF_TRACK_ENDPOINT_H

#include <stdint.h>

enum endpoint_kind { ENDPOINT_CONNECTION = 1, ENDPOINT_OUTBOUND };

/* Its bytes are passed over (dormant.h), and the last were sent, or read. */
enum endpoint_dormant { DORMANT_NOT, DORMANT_ANSWERED, DORMANT_READ };

struct endpoint {
	void *pool_link;
	uint32_t kind;
	uint32_t lock;    /* guards all that follows in the derived struct */
	uint32_t refs;    /* descriptors that stand for it */
	uint32_t dormant; /* enum endpoint_dormant; atomic. An outbound socket never is. */
};

#endif
