/* Sums over the requests of a model: all of them, and by route. */
#ifndef REQPROF_TOOLS_MODEL_TOTALS_H
#define REQPROF_TOOLS_MODEL_TOTALS_H

#include <stddef.h>
#include <stdint.h>

#include "tools/model/model.h"

/* wall = user + wait + rest, exactly. */
struct totals {
	uint32_t requests;
	int64_t wall_ns;
	int64_t user_ns; /* wall time that samples on the CPU stand for */
	int64_t wait_ns; /* wall time of waits */
	int64_t rest_ns; /* neither: not on the CPU, or in the kernel */
	/* samples * period: user CPU time as sampled; more than user_ns for very short requests */
	int64_t sampled_ns;
	int64_t cpu_ns; /* exact thread CPU time, user and kernel */
	int64_t samples, incomplete, lost;
	int64_t wall_min_ns, wall_max_ns;
};

void totals_of(const struct model *m, struct totals *t);

struct route_totals {
	const char *method,
		*route; /* of the model's strings; the path where a request has no route */
	struct totals totals;
};

/* By falling wall time. The caller frees *out. */
size_t totals_by_route(const struct model *m, struct route_totals **out);

#endif
