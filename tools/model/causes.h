/* The lines that a user would call the causes of the time, with all that they call: waits_line. */
#ifndef REQPROF_TOOLS_MODEL_CAUSES_H
#define REQPROF_TOOLS_MODEL_CAUSES_H

#include <stddef.h>

#include "tools/model/model.h"
#include "tools/model/waits.h"

struct cause {
	uint32_t frame;		 /* a line, or WAITS_NO_FRAME for all that has none */
	int64_t wall_ns, cpu_ns; /* shares of the wall time; cpu_ns: user and kernel */
	int64_t ticks;		 /* that cpu_ns stands on */
	int64_t wait_ns, waits;
	struct wait_sum most; /* what it waited for longest; count 0 and ns 0: nothing */
};

/* Of a named model, by falling wall time. The caller frees *out. */
size_t causes_of(const struct model *m, struct cause **out);

#endif
