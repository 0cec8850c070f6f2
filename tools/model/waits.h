/*
 * What requests waited for: sums by reason and by the line that waited, round trips to peers, and
 * who held the GIL. Of a named model.
 */
#ifndef REQPROF_TOOLS_MODEL_WAITS_H
#define REQPROF_TOOLS_MODEL_WAITS_H

#include <stddef.h>
#include <stdint.h>

#include "tools/model/model.h"

enum { WAITS_NO_FRAME = UINT32_MAX };

struct wait_sum {
	enum wait_kind kind;
	const char *
		on; /* of the model's strings; by reason as the file has it, else without "(how)" */
	uint32_t
		frame; /* the line that waited, or WAITS_NO_FRAME: no stack was taken, or not asked for */
	const char *holder; /* waits_by_holder only; "" when nobody that is known */
	int64_t count, trips;
	int64_t ns;	 /* how long, all together */
	int64_t max_ns;	 /* the longest; of waits that were added up their mean */
	int64_t wall_ns; /* of the wall time: less than ns where several threads waited at a time */
};

/*
 * Each by falling time, then kind and text; the caller frees *out.
 * By kind and what for: "socket 127.0.0.1:5432 (recv)".
 */
size_t waits_by_reason(const struct model *m, struct wait_sum **out);
/* By kind and peer: "socket 127.0.0.1:5432", whichever call waited. */
size_t waits_by_peer(const struct model *m, struct wait_sum **out);
/* By kind, peer and line. */
size_t waits_by_line(const struct model *m, struct wait_sum **out);
/* Waits for the GIL by holder. */
size_t waits_by_holder(const struct model *m, struct wait_sum **out);

/*
 * The line of a stack that a user would call the cause: of the Python frames the innermost of the
 * application's own; if there is none, the innermost that is no library for talking to databases
 * and servers; else the innermost; of a stack without Python the innermost native frame outside
 * of the C library and of ourselves. WAITS_NO_FRAME of a stack without frames.
 */
uint32_t waits_line(const struct model *m, uint32_t stack);

#endif
