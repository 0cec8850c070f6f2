/* What connections report: requests begin, and end. */
#ifndef REQPROF_TRACK_HAPPENED_H
#define REQPROF_TRACK_HAPPENED_H

#include "preload/track/connection.h"

/* With the connection unlocked; NULL: it is gone. */
void happened_tell(struct connection *c, const struct connection_events *events);

#endif
