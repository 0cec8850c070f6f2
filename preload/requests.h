/*
 * What track concludes of requests becomes sampling, times and counts: of threads with one request at a time. (Of
 * event loops: loop.h; of pools: stray.h.)
 */
#ifndef REQPROF_PRELOAD_REQUESTS_H
#define REQPROF_PRELOAD_REQUESTS_H

#include "preload/settings.h"
#include "preload/track/track.h"

void requests_configure(const struct settings *settings);

extern const struct track_callbacks requests_callbacks;

#endif
