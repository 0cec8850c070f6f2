#include "preload/track/elders.h"

#include <stddef.h>

#include "preload/track/connection.h"

static struct elder *elder_of(struct elders *elders, uint64_t task)
{
	for (unsigned i = 0; task && i < ELDERS_MAX; i++)
		if (elders->known[i].task == task)
			return &elders->known[i];
	return NULL;
}

const struct elder *elders_find(const struct elders *elders, uint64_t task)
{
	return elder_of((struct elders *)elders, task);
}

static void elder_forget(struct elder *e)
{
	request_unref(e->request);
	*e = (struct elder){ 0 };
}

/* Its own, a free one, or another's. */
static struct elder *elder_get(struct elders *elders, uint64_t task, uintptr_t coroutine, uint64_t at_ns)
{
	struct elder *e = elder_of(elders, task);

	if (e && (e->coroutine == coroutine || !coroutine))
		return e;
	if (!task || !coroutine)
		return NULL;
	for (unsigned i = 0; !e && i < ELDERS_MAX; i++)
		if (!elders->known[i].task)
			e = &elders->known[i];
	if (!e)
		e = &elders->known[elders->next++ % ELDERS_MAX];
	elder_forget(e);
	*e = (struct elder){ .task = task, .coroutine = coroutine, .since_ns = at_ns };
	return e;
}

void elders_worked(struct elders *elders, uint64_t task, uintptr_t coroutine, uint64_t at_ns)
{
	struct elder *e = elder_get(elders, task, coroutine, at_ns);

	if (e && e->worked_ns < at_ns)
		e->worked_ns = at_ns;
}

static bool elder_same_connection(const struct elder *e, const struct request *r)
{
	return e->request->connection && e->request->connection == r->connection;
}

void elders_did(struct elders *elders, uint64_t task, uintptr_t coroutine, uint64_t at_ns, struct request *r)
{
	struct elder *e = elder_get(elders, task, coroutine, at_ns);

	if (!e || e->request == r)
		return;
	if (e->request && elder_same_connection(e, r))
		e->serves = true;
	request_ref(r);
	request_unref(e->request);
	e->request = r;
	e->followed = false;
}

void elders_follow(struct elders *elders, const struct request *r)
{
	for (unsigned i = 0; i < ELDERS_MAX; i++) {
		struct elder *e = &elders->known[i];

		if (e->request && e->request != r && elder_same_connection(e, r))
			e->followed = true;
	}
}

void elders_check(struct elders *elders, bool (*waits)(uintptr_t coroutine))
{
	for (unsigned i = 0; i < ELDERS_MAX; i++)
		if (elders->known[i].task && !waits(elders->known[i].coroutine))
			elder_forget(&elders->known[i]);
}

void elders_forget(struct elders *elders)
{
	for (unsigned i = 0; i < ELDERS_MAX; i++)
		elder_forget(&elders->known[i]);
}

/* Has it answered another request, and cannot have gone on with this one of the same connection? */
static bool elder_has_answered(const struct elder *e, const struct request *r)
{
	return e->request && !request_is_open(e->request) && !(e->serves && elder_same_connection(e, r));
}

/* Is somebody at work beside it, whose tasks may have begun others? */
static bool elders_beside(const struct elders *elders, const struct request *r)
{
	for (unsigned i = 0; i < ELDERS_MAX; i++) {
		const struct elder *e = &elders->known[i];

		if (e->task && e->worked_ns >= r->start_ns && elder_has_answered(e, r) && !elder_same_connection(e, r))
			return true;
	}
	return false;
}

bool elders_allow(const struct elders *elders, uint64_t task, const struct request *r)
{
	const struct elder *e = elders_find(elders, task);

	if (!e)
		return !elders_beside(elders, r);
	if (request_is_open(e->request))
		return e->request == r;
	if (e->request)
		return !elder_has_answered(e, r);
	return e->since_ns >= r->start_ns;
}

bool elders_may_tell(const struct elders *elders, uint64_t task)
{
	const struct elder *e = elders_find(elders, task);

	return !e || !e->request || request_is_open(e->request) || e->followed || e->serves;
}
