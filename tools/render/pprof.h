/* A pprof profile that needs no binaries to be read: named, merged, compressed with gzip. */
#ifndef REQPROF_RENDER_PPROF_H
#define REQPROF_RENDER_PPROF_H

#include <stdio.h>

#include "tools/model/view.h"

/*
 * The four values of format/profile.h. Samples are added up by call path and carry the labels
 * http.request.method, http.route and http.response.status_code, so that -tagfocus, -tagroot and
 * the like work by endpoint. Functions inlined into another are lines of one location. 0, or -errno.
 */
int pprof_render(const struct view *v, FILE *out);

#endif
