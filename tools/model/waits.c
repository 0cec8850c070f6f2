#include "tools/model/waits.h"

#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/base/strings.h"

/* ---- the line that waited ---- */

/* How far a frame is from being the application's own code; less is nearer. */
enum distance { OWN, LIBRARY, PLUMBING, NATIVE, SYSTEM, NO_CODE };

/* "sqlalchemy" of ".../dist-packages/sqlalchemy/engine/default.py"; NULL outside of installed packages. */
static const char *package_of(const char *file)
{
	static const char *const places[] = { "/site-packages/", "/dist-packages/" };

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		const char *at = strstr(file, places[i]);

		if (at)
			return at + strlen(places[i]);
	}
	return NULL;
}

static bool is_standard_library(const char *file)
{
	const char *at = strstr(file, "/lib/python");

	if (*file == '<')
		return true; /* "<frozen importlib._bootstrap>", "<string>" */
	/* /lib/python3.11/json/encoder.py, and no digit but the version's before the next slash */
	return at && at[11] >= '2' && at[11] <= '9' && strchr(at + 11, '/');
}

/* Packages that wait on behalf of others: their lines say nothing about why. */
static bool is_plumbing(const char *package)
{
	static const char *const names[] = {
		"sqlalchemy",	 "psycopg",  "psycopg2",  "pymysql", "MySQLdb",	   "mysql",
		"asyncpg",	 "aiopg",    "pg8000",	  "redis",   "pymongo",	   "urllib3",
		"requests",	 "httpx",    "httpcore",  "aiohttp", "anyio",	   "gevent",
		"eventlet",	 "greenlet", "django/db", "peewee",  "pymemcache", "memcache",
		"elasticsearch", "botocore", "boto3",	  "oslo_db", "kombu",	   "amqp",
		"pika",		 "celery",   "grpc",	  "ssl",     NULL,
	};

	for (int i = 0; names[i]; i++) {
		size_t len = strlen(names[i]);

		if (!strncmp(package, names[i], len) && strchr("/.", package[len]))
			return true;
	}
	return false;
}

static bool is_system(const char *module)
{
	static const char *const names[] = { "libc.so",	   "libc-2",	"libpthread", "ld-linux",
					     "libreqprof", "libpython", NULL };
	const char *slash = strrchr(module, '/'), *base = slash ? slash + 1 : module;

	for (int i = 0; names[i]; i++) {
		if (!strncmp(base, names[i], strlen(names[i])))
			return true;
	}
	return false;
}

static enum distance distance_of(const struct function *f)
{
	const char *package;

	if (f->kind == FRAME_PSEUDO)
		return NO_CODE;
	if (f->kind == FRAME_NATIVE)
		return is_system(f->module) ? SYSTEM : NATIVE;
	package = package_of(f->file);
	if (package)
		return is_plumbing(package) ? PLUMBING : LIBRARY;
	return is_standard_library(f->file) ? PLUMBING : OWN;
}

uint32_t waits_line(const struct model *m, uint32_t stack)
{
	enum distance best = NO_CODE;
	uint32_t frame = WAITS_NO_FRAME;

	for (; stack; stack = m->stacks[stack].parent) {
		const struct location *l = &m->locations[m->stacks[stack].location];

		for (uint32_t i = 0; i < l->n_frames; i++) {
			uint32_t here = m->location_frames[l->first_frame + i];
			enum distance distance =
				distance_of(&m->functions[m->frames[here].function]);

			if (distance < best) {
				best = distance;
				frame = here;
			}
		}
	}
	return frame;
}

/* ---- sums ---- */

enum by { BY_REASON, BY_PEER, BY_LINE, BY_HOLDER };

/* "127.0.0.1:5432" of "127.0.0.1:5432 (recv)". */
static const char *peer_of(const struct model *m, const char *on)
{
	const char *how = strrchr(on, ' ');

	if (!how || how == on || how[1] != '(' || how[strlen(how) - 1] != ')')
		return on;
	return strings_add(m->strings, on, (size_t)(how - on));
}

static int compare_keys(const struct wait_sum *a, const struct wait_sum *b)
{
	int order;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	order = a->on == b->on ? 0 : strcmp(a->on, b->on);
	if (!order)
		order = a->holder == b->holder ? 0 : strcmp(a->holder, b->holder);
	if (!order)
		order = a->frame < b->frame ? -1 : a->frame > b->frame;
	return order;
}

static int compare_by_key(const void *a, const void *b)
{
	return compare_keys(a, b);
}

static int compare_by_time(const void *a, const void *b)
{
	const struct wait_sum *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return compare_keys(x, y);
}

static void take(struct wait_sum *to, const struct wait_sum *from)
{
	to->count += from->count;
	to->trips += from->trips;
	to->ns += from->ns;
	to->wall_ns += from->wall_ns;
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
}

static struct wait_sum sum_of(const struct model *m, const struct sample *s, enum by by,
			      const uint32_t *lines)
{
	return (struct wait_sum){
		.kind = s->kind,
		.on = by == BY_REASON	? s->on
		      : by == BY_HOLDER ? ""
					: peer_of(m, s->on),
		.frame = by == BY_LINE ? lines[s->stack] : WAITS_NO_FRAME,
		.holder = by == BY_HOLDER ? s->holder : "",
		.count = s->count,
		.trips = s->trips,
		.ns = s->values[PROFILE_WAIT],
		.wall_ns = s->share_ns,
	};
}

/* The innermost frames differ in what waits; the line is worked out once for each stack that waited. */
static uint32_t *lines_of_waits(const struct model *m)
{
	uint32_t *lines = errors_alloc(m->n_stacks, sizeof(*lines));
	bool *done = errors_alloc(m->n_stacks, sizeof(*done));

	for (uint32_t i = 0; i < m->n_samples; i++) {
		uint32_t stack = m->samples[i].stack;

		if (m->samples[i].state != STATE_WAIT || done[stack])
			continue;
		lines[stack] = waits_line(m, stack);
		done[stack] = true;
	}
	free(done);
	return lines;
}

static size_t add_up(const struct model *m, enum by by, struct wait_sum **out)
{
	uint32_t *lines = by == BY_LINE ? lines_of_waits(m) : NULL;
	size_t n = 0, kept = 0;
	struct wait_sum *sums;
	int64_t length = 0;

	for (uint32_t i = 0; i < m->n_samples; i++)
		n += m->samples[i].state == STATE_WAIT;
	sums = errors_alloc(n, sizeof(*sums));
	n = 0;
	for (uint32_t i = 0; i < m->n_samples; i++) {
		const struct sample *s = &m->samples[i];

		if (s->state != STATE_WAIT || (by == BY_HOLDER && s->kind != WAIT_GIL))
			continue;
		/* A count of 0 goes on with the wait before it. */
		length = s->count ? s->values[PROFILE_WAIT] / s->count
				  : length + s->values[PROFILE_WAIT];
		sums[n] = sum_of(m, s, by, lines);
		sums[n++].max_ns = by == BY_HOLDER ? s->values[PROFILE_WAIT] : length;
	}
	qsort(sums, n, sizeof(*sums), compare_by_key);
	for (size_t i = 0; i < n; i++) {
		if (kept && !compare_keys(&sums[kept - 1], &sums[i]))
			take(&sums[kept - 1], &sums[i]);
		else
			sums[kept++] = sums[i];
	}
	qsort(sums, kept, sizeof(*sums), compare_by_time);
	free(lines);
	*out = sums;
	return kept;
}

size_t waits_by_reason(const struct model *m, struct wait_sum **out)
{
	return add_up(m, BY_REASON, out);
}

size_t waits_by_peer(const struct model *m, struct wait_sum **out)
{
	return add_up(m, BY_PEER, out);
}

size_t waits_by_line(const struct model *m, struct wait_sum **out)
{
	return add_up(m, BY_LINE, out);
}

size_t waits_by_holder(const struct model *m, struct wait_sum **out)
{
	return add_up(m, BY_HOLDER, out);
}
