/*
 * Profiles in memory: any number of requests, their stacks merged into one prefix tree, every
 * function, frame and text stored once.
 *
 * Two stages. Loading (tools/model/load.h) gives *locations* as the files have them: a line of a
 * Python function, a place in a module, or a pseudo frame. Naming (tools/model/symbolize.h) gives
 * each location its *frames*: one, or several where functions were inlined. Views
 * (tools/model/view.h) come after naming and speak of frames only.
 *
 * All ids are indices into the arrays below; arrays may move while loading, so keep ids, not
 * pointers.
 */
#ifndef REQPROF_TOOLS_MODEL_MODEL_H
#define REQPROF_TOOLS_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/profile.h"
#include "tools/base/strings.h"
#include "tools/model/request.h"

enum frame_kind { FRAME_PYTHON, FRAME_NATIVE, FRAME_PSEUDO };

/* Unique by all its fields. Texts are never NULL; "" is unknown. */
struct function {
	enum frame_kind kind;
	/* Python: qualified name. native: symbol, or "[libfoo.so.1+0x1a2b]". pseudo: "[...]" */
	const char *name;
	/* Python: the code's own name, as cProfile shows it. others: name */
	const char *system_name;
	const char *file;   /* source file */
	const char *module; /* native: path of the binary it is in */
	int32_t start_line; /* first line of the function, 0 when unknown */
};

/* A place in a function. Unique by all its fields. */
struct frame {
	uint32_t function;
	int32_t line; /* 0 when unknown */
	bool inlined; /* its caller's frame holds its code */
};

struct module {
	const char *path, *build_id; /* build id in lowercase hex */
};

/* A place as the files give it. Unique by all its fields but the last two. */
struct location {
	enum frame_kind kind;
	uint32_t function; /* Python and pseudo */
	int32_t line;
	uint32_t module; /* native */
	uint64_t offset; /* native, in the module's file: address - mapping start + its offset */
	/* model->location_frames[first_frame ...], innermost first; n_frames is 0 until named */
	uint32_t first_frame, n_frames;
};

/* A stack is its leaf called from another stack. Stack 0 is the empty one. parent < own id. */
struct stack {
	uint32_t parent, location;
};

enum stack_state { STACK_WHOLE, STACK_TRUNCATED, STACK_UNMERGED, STACK_NO_PYTHON };

/* What a stretch of wall time was; the parts that the wall time is made of. */
enum sample_state { STATE_USER, STATE_KERNEL, STATE_WAIT, STATE_RUNNABLE, STATE_REST, STATES };

#define WAIT_KIND_ID(id, name, help) WAIT_##id,
enum wait_kind { PROFILE_WAIT_KINDS(WAIT_KIND_ID) WAIT_KINDS };
#undef WAIT_KIND_ID

enum certainty { CERTAIN, INFERRED, SHARED };

struct sample {
	uint32_t stack, request, thread; /* thread 0: not told */
	enum stack_state stack_state;
	enum sample_state state;
	enum certainty certainty;
	enum wait_kind kind; /* of a wait */
	uint32_t ticks;	     /* how many stacks taken on the CPU, user or kernel; 0: exact */
	const char *on;	     /* what a wait was for; "" when there is nothing to tell */
	const char *holder;  /* of a wait for the GIL: who had it; "" unknown */
	/*
	 * How many waits; 0 for all but the first of the samples that share one wait for the GIL.
	 * More than one: added up, and at_ns means nothing.
	 */
	int64_t count, trips;
	int64_t at_ns; /* since the request's start; -1 when not told */
	int64_t values[PROFILE_VALUES];
	/*
	 * Its wall time where requests are taken together (tools/model/spread.h): until spread,
	 * values[PROFILE_WALL]. Sums over a request need not be its wall time, those over all requests of a route are.
	 */
	int64_t share_ns;
};

struct model {
	struct request *requests;
	struct function *functions;
	struct frame *frames;
	struct module *modules;
	struct location *locations;
	uint32_t *location_frames;
	struct stack *stacks;
	struct sample *samples; /* those of one request stand together, in the file's order */
	struct strings *strings;
	uint32_t n_requests, n_functions, n_frames, n_modules, n_locations, n_location_frames;
	uint32_t n_stacks, n_samples;
	/* internal: how many fit, and the tables that make entries unique */
	uint32_t space[8];
	struct model_index *index;
};

/* "socket", "GIL": as users read it. */
const char *wait_kind_name(enum wait_kind kind);

/* Never NULL: out of memory ends the program (tools/base/errors.h). */
struct model *model_new(void);
void model_free(struct model *m);

/* The four below return the id of the entry with this content, made when there is none. */
uint32_t model_function(struct model *m, enum frame_kind kind, const char *name,
			const char *system_name, const char *file, int32_t start_line,
			const char *module);
uint32_t model_frame(struct model *m, uint32_t function, int32_t line, bool inlined);
uint32_t model_location(struct model *m, const struct location *like);
uint32_t model_module(struct model *m, const char *path, const char *build_id);
/* The stack that `leaf` makes on top of `parent`. */
uint32_t model_stack(struct model *m, uint32_t parent, uint32_t leaf);
/*
 * Appends a copy of *r, whose texts must be in m->strings, and room for its samples, which the
 * caller fills: n_samples of them from m->requests[last].first_sample on.
 */
void model_add_request(struct model *m, const struct request *r, uint32_t n_samples);
/* Puts the requests in order of their start, those of one instant by file. */
void model_order_requests(struct model *m);
/* Frames of a location, innermost first; replaces none: call once per location. */
void model_set_frames(struct model *m, uint32_t location, const uint32_t *frames, uint32_t n);

#endif
