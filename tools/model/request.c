#include "tools/model/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/profile.h"
#include "tools/base/errors.h"
#include "tools/base/strings.h"

struct facts {
	const struct profile_in *in;
	struct strings *pool;
	char *buf;
	size_t size;
};

/* The whole value, however long; "" when absent. */
static const char *get(struct facts *f, const char *key)
{
	long len = profile_fact(f->in, key, f->buf, f->size);

	if (len < 0)
		return "";
	if ((size_t)len >= f->size) {
		f->size = (size_t)len + 1;
		f->buf = errors_realloc(f->buf, f->size, 1);
		profile_fact(f->in, key, f->buf, f->size);
	}
	/* A NUL inside would hide what follows: end there in the open. */
	return f->buf;
}

static const char *text(struct facts *f, const char *key)
{
	return strings_addz(f->pool, get(f, key));
}

static int64_t number(struct facts *f, const char *key)
{
	const char *value = get(f, key);
	char *end;
	long long n;

	errno = 0;
	n = strtoll(value, &end, 10);
	return *end || errno ? 0 : n;
}

/* A number that sums are made of: not negative, and small enough not to overflow in them. */
static int64_t amount(struct facts *f, const char *key)
{
	int64_t n = number(f, key);

	return n < 0 || n > (int64_t)1 << 53 ? 0 : n;
}

static int small(struct facts *f, const char *key)
{
	int64_t n = number(f, key);

	return n < 0 || n > INT32_MAX ? 0 : (int)n;
}

static bool has(const struct facts *f, const char *key)
{
	return profile_fact(f->in, key, NULL, 0) >= 0;
}

/* Before there was a split, rest_ns was what samples times period left of the wall time: below 0 at times. */
static void read_split(struct request *r, struct facts *f)
{
	r->split = has(f, PROFILE_KEY_USER_NS);
	if (!r->split) {
		if (r->rest_ns < 0)
			r->rest_ns = 0;
		if (r->rest_ns > r->wall_ns)
			r->rest_ns = r->wall_ns;
		r->user_ns = r->wall_ns - r->rest_ns;
		r->wait_ns = 0;
		r->waits_off = true;
		return;
	}
	r->user_ns = amount(f, PROFILE_KEY_USER_NS);
	r->kernel_ns = amount(f, PROFILE_KEY_KERNEL_NS);
	r->runnable_ns = amount(f, PROFILE_KEY_RUNNABLE_NS);
	r->overlap_ns = amount(f, PROFILE_KEY_OVERLAP_NS);
	r->gil_ns = amount(f, PROFILE_KEY_GIL_NS);
	r->wait_count = amount(f, PROFILE_KEY_WAIT_COUNT);
	r->round_trips = amount(f, PROFILE_KEY_TRIPS);
	r->faults = amount(f, PROFILE_KEY_FAULTS);
	r->major_faults = amount(f, PROFILE_KEY_MAJOR_FAULTS);
	r->preempted = amount(f, PROFILE_KEY_SWITCHED);
	r->runnable_known = has(f, PROFILE_KEY_RUNNABLE_NS);
	r->waits_off = !strcmp(get(f, PROFILE_KEY_WAITS), "off");
}

static int64_t sum_of_lost(const struct profile_in *in)
{
	size_t len = strlen(PROFILE_KEY_LOST);
	int64_t sum = 0;

	for (size_t i = 0; i < in->n_comments; i++) {
		const char *comment = in->strings[in->comments[i]];
		const char *value = strchr(comment, '=');
		long long n;

		if (strncmp(comment, PROFILE_KEY_LOST, len) != 0 || !value)
			continue;
		n = strtoll(value + 1, NULL, 10);
		if (n > 0 && n < INT64_MAX / 2 && sum < INT64_MAX / 2)
			sum += n;
	}
	return sum;
}

static bool is_type(const struct profile_in *in, size_t i, const char *type, const char *unit)
{
	return i < in->n_sample_types && !strcmp(in->strings[in->sample_types[i].type], type) &&
	       !strcmp(in->strings[in->sample_types[i].unit], unit);
}

static const char *refusal(struct facts *f)
{
	const char *version = get(f, PROFILE_KEY_VERSION);
	char *end;
	long n = strtol(version, &end, 10);

	if (!*version)
		return "it is a profile, but none that reqprof wrote";
	if (*end || n < 1)
		return "its " PROFILE_KEY_VERSION " is no number";
	if (n > PROFILE_VERSION)
		return "a later version of reqprof wrote it";
	if (f->in->n_sample_types != PROFILE_VALUES || !is_type(f->in, 0, "samples", "count") ||
	    !is_type(f->in, 1, "cpu", "nanoseconds") || !is_type(f->in, 2, "wait", "nanoseconds") ||
	    !is_type(f->in, 3, "wall", "nanoseconds"))
		return "its sample types are not those of a reqprof profile";
	return NULL;
}

int request_read(struct request *r, const struct profile_in *in, const char *file,
		 struct strings *pool, const char **reason)
{
	struct facts f = { in, pool, errors_alloc(256, 1), 256 };

	*reason = refusal(&f);
	if (*reason) {
		free(f.buf);
		return -1;
	}
	*r = (struct request){
		.file = strings_addz(pool, file),
		.id = text(&f, PROFILE_KEY_ID),
		.method = text(&f, PROFILE_KEY_METHOD),
		.path = text(&f, PROFILE_KEY_PATH),
		.route = text(&f, PROFILE_KEY_ROUTE),
		.role = text(&f, PROFILE_KEY_ROLE),
		.end = text(&f, PROFILE_KEY_END),
		.clock = text(&f, PROFILE_KEY_CLOCK),
		.clock_why = text(&f, PROFILE_KEY_CLOCK_WHY),
		.kernel_why = text(&f, PROFILE_KEY_KERNEL_WHY),
		.python = text(&f, PROFILE_KEY_PYTHON),
		.children = amount(&f, PROFILE_KEY_CHILDREN),
		.children_started = text(&f, PROFILE_KEY_CHILDREN_STARTED),
		.threads_started = amount(&f, PROFILE_KEY_THREADS_STARTED),
		.protocol = text(&f, PROFILE_KEY_PROTOCOL),
		.peer = text(&f, PROFILE_KEY_PEER),
		.upstream = text(&f, PROFILE_KEY_UPSTREAM),
		.exe = text(&f, PROFILE_KEY_EXE),
		.traceparent = text(&f, PROFILE_KEY_TRACEPARENT),
		.request_id = text(&f, PROFILE_KEY_REQUEST_ID),
		.interrupted_in = text(&f, PROFILE_KEY_INSIDE),
		.status = small(&f, PROFILE_KEY_STATUS),
		.pid = small(&f, PROFILE_KEY_PID),
		.tid = small(&f, PROFILE_KEY_TID),
		.threads = small(&f, PROFILE_KEY_THREADS),
		.rate = small(&f, PROFILE_KEY_RATE),
		.wall_ns = amount(&f, PROFILE_KEY_WALL_NS),
		.cpu_ns = amount(&f, PROFILE_KEY_CPU_NS),
		.wait_ns = amount(&f, PROFILE_KEY_WAIT_NS),
		.rest_ns = number(&f, PROFILE_KEY_REST_NS),
		.samples = amount(&f, PROFILE_KEY_SAMPLES),
		.incomplete = amount(&f, PROFILE_KEY_INCOMPLETE),
		.lost = sum_of_lost(in),
		.start_ns = in->time_ns < 0 || in->time_ns > (int64_t)1 << 62 ? 0 : in->time_ns,
		.period_ns = in->period_ns,
	};
	r->queued_ns = has(&f, PROFILE_KEY_QUEUED_NS) ? amount(&f, PROFILE_KEY_QUEUED_NS) : -1;
	read_split(r, &f);
	r->gil_free = strstr(r->python, "free-threaded") != NULL;
	r->proxy = !strcmp(r->role, "proxy");
	r->interrupted = !strcmp(r->end, PROFILE_END_INTERRUPTED);
	free(f.buf);
	return 0;
}

int request_compare_starts(const void *a, const void *b)
{
	const struct request *x = a, *y = b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return strcmp(x->file, y->file);
}
