#include "preload/emit/kept.h"

#include <string.h>

#include "format/route.h"

enum { ROUTE_BYTES = 256, PROBES_MAX = 32 };

bool kept_head_known(const struct request *r)
{
	return r->in.any.stage != WIRE_HEAD;
}

/* FNV-1a; 0 means a free slot and is nobody's. */
static uint64_t kept_hash(uint64_t hash, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t kept_key(const struct request *r)
{
	const struct wire_facts *facts = request_facts(r);
	char route[ROUTE_BYTES];
	size_t len = route_fold(facts->path, facts->path_len, route, sizeof(route));
	uint64_t hash = UINT64_C(0xcbf29ce484222325) + (uint64_t)r->role;

	hash = kept_hash(hash, facts->method, strlen(facts->method) + 1);
	hash = kept_hash(hash, route, len);
	return hash ? hash : 1;
}

/* The route's slot, claimed if need be; NULL when the table is full where it would be. */
static struct control_route *kept_route(struct control_keep *shared, uint64_t key)
{
	for (uint64_t i = 0; i < PROBES_MAX; i++) {
		struct control_route *route = &shared->routes[(key + i) % CONTROL_ROUTES];
		uint64_t found = __atomic_load_n(&route->key, __ATOMIC_ACQUIRE);

		if (!found && __atomic_compare_exchange_n(&route->key, &found, key, false,
							  __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return route;
		if (found == key)
			return route;
	}
	return NULL;
}

/* Takes the place of the fastest of the slowest so far, if it is slower than that. */
static bool kept_worst(struct control_route *route, uint32_t worst, uint64_t wall_ns)
{
	uint64_t wall = wall_ns / 1000 + 1;
	uint32_t wall_us = wall > UINT32_MAX ? UINT32_MAX : (uint32_t)wall;

	for (;;) {
		uint32_t least = UINT32_MAX, at = 0;

		for (uint32_t i = 0; i < worst && i < KEEP_WORST_MAX; i++) {
			uint32_t other = __atomic_load_n(&route->worst_us[i], __ATOMIC_RELAXED);

			if (other < least) {
				least = other;
				at = i;
			}
		}
		if (wall_us <= least)
			return false;
		if (__atomic_compare_exchange_n(&route->worst_us[at], &least, wall_us, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	}
}

static uint32_t kept_by_route(const struct keep_rules *rules, struct control_keep *shared,
			      const struct request *r, bool *full)
{
	uint64_t wall_ns = r->end_ns - r->start_ns;
	struct control_route *route = kept_route(shared, kept_key(r));
	uint32_t kept = 0;

	if (!route) {
		*full = true;
		return 0;
	}
	if (!__atomic_exchange_n(&route->first, 1, __ATOMIC_RELAXED))
		kept |= KEEP_FIRST;
	if (rules->rules & KEEP_WORST && kept_worst(route, rules->worst, wall_ns))
		kept |= KEEP_WORST;
	return kept & rules->rules;
}

/* Those that look at the request alone. */
static uint32_t kept_by_itself(const struct keep_rules *rules, const struct request *r)
{
	unsigned status = r->out_ready ? r->out.any.status : 0;
	uint32_t kept = rules->rules & KEEP_ALWAYS;

	if (rules->rules & KEEP_SLOWER && r->end_ns - r->start_ns >= rules->slower_ns)
		kept |= KEEP_SLOWER;
	if (rules->rules & KEEP_FAILED && (status == 0 || status >= 500))
		kept |= KEEP_FAILED;
	if (rules->rules & KEEP_ASKED && request_facts(r)->asked)
		kept |= KEEP_ASKED;
	return kept;
}

bool kept_by_none(const struct keep_rules *rules, const struct request *r)
{
	return !(rules->rules & (KEEP_FIRST | KEEP_EVERY | KEEP_WORST)) && !kept_by_itself(rules, r);
}

uint32_t kept_by(const struct keep_rules *rules, struct control_keep *shared,
		 const struct request *r, bool *full)
{
	uint32_t kept = kept_by_itself(rules, r);

	/* The first one, then every so many. */
	if (rules->rules & KEEP_EVERY &&
	    __atomic_fetch_add(&shared->counts[r->role == REQUEST_PROXY], 1, __ATOMIC_RELAXED) %
			    rules->every ==
		    0)
		kept |= KEEP_EVERY;
	if (rules->rules & (KEEP_FIRST | KEEP_WORST))
		kept |= kept_by_route(rules, shared, r, full);
	return kept;
}

size_t kept_names(uint32_t rules, char text[KEEP_TEXT_MAX])
{
	size_t at = 0;

	for (uint32_t rule = KEEP_ALWAYS; rule <= KEEP_ASKED; rule *= 2) {
		const char *name = rules & rule ? keep_name((enum keep_rule)rule) : NULL;

		if (!name)
			continue;
		if (at > 0)
			text[at++] = ',';
		memcpy(text + at, name, strlen(name));
		at += strlen(name);
	}
	text[at] = '\0';
	return at;
}
