/*
 * Many requests taken together.
 *
 * A sample stands for a whole period of CPU time, also when the request that it was taken in was
 * shorter: in that one file its wall time is cut to what the request had, and a request that no
 * tick met has all its CPU time in "[kernel (not sampled)]". In each file that is the best that can
 * be said; added up over files it would give kernel time too much, and long requests more weight
 * than their time. Together the requests of a route have met enough ticks: here their exact CPU
 * time is dealt out anew, a period to each tick, what is left to the kernel.
 */
#ifndef REQPROF_TOOLS_MODEL_SPREAD_H
#define REQPROF_TOOLS_MODEL_SPREAD_H

#include "tools/model/model.h"

/*
 * Sets share_ns of all samples, route by route (method and route). For each route the shares add up
 * to its wall time exactly, and those of waits and of the rest stay as they are; with one request
 * of a route nothing changes. Call after loading, before totals and views.
 */
void model_spread(struct model *m);

#endif
