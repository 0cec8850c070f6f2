#include "preload/track/handed.h"

#include <stddef.h>
#include <string.h>

#include "preload/track/connection.h"
#include "preload/track/holds.h"
#include "preload/track/spin.h"

enum { PROBES = 8, HASH_SHIFT = 54 }; /* 10 bits: HANDED_MAX */

enum entry_state { ENTRY_FREE, ENTRY_KNOWN, ENTRY_LATER };

struct entry {
	enum entry_state state;
	uintptr_t item; /* 0: its work is done, and only the owner asks for it */
	/* ENTRY_KNOWN: without a reference, its memory may be another's by now. */
	struct request *request;
	uint64_t serial;
	const void *owner; /* ENTRY_LATER */
	struct handed_task task; /* at_ns: of both */
	struct handed_work work;
};

static struct {
	uint32_t lock; /* guards all */
	struct entry entries[HANDED_MAX];
} handed;

static struct entry *entry_probe(uintptr_t item, unsigned i)
{
	uint64_t hash = item * UINT64_C(0x9e3779b97f4a7c15) >> HASH_SHIFT;

	return &handed.entries[(hash + i) % HANDED_MAX];
}

static struct entry *entry_find(uintptr_t item)
{
	for (unsigned i = 0; i < PROBES; i++) {
		struct entry *e = entry_probe(item, i);

		if (e->state != ENTRY_FREE && e->item == item)
			return e;
	}
	return NULL;
}

/* A free one, or that of what was given away longest ago; NULL: each has an owner that will ask. */
static struct entry *entry_new(uintptr_t item)
{
	struct entry *oldest = NULL;

	for (unsigned i = 0; i < PROBES; i++) {
		struct entry *e = entry_probe(item, i);

		if (e->state == ENTRY_FREE)
			return e;
		if (e->state == ENTRY_KNOWN && (!oldest || e->task.at_ns < oldest->task.at_ns))
			oldest = e;
	}
	return oldest;
}

/* The object is another item from now on, or none. */
static void entry_done(struct entry *e)
{
	if (e && e->state == ENTRY_LATER)
		e->item = 0;
	else if (e)
		e->state = ENTRY_FREE;
}

static void entry_give(uintptr_t item, struct request *r, uint64_t serial, uint64_t now_ns)
{
	struct entry *e = entry_find(item);

	/* One hand-over is told of several times. */
	if (e && e->state == ENTRY_KNOWN && e->request == r && e->serial == serial)
		return;
	entry_done(e);
	e = r ? entry_new(item) : NULL;
	if (e)
		*e = (struct entry){ .state = ENTRY_KNOWN,
				     .item = item,
				     .request = r,
				     .serial = serial,
				     .task.at_ns = now_ns };
}

void handed_give(uintptr_t item, struct request *r, uint64_t now_ns)
{
	spin_lock(&handed.lock);
	entry_give(item, r, r ? r->serial : 0, now_ns);
	spin_unlock(&handed.lock);
}

void handed_share(uintptr_t item, uintptr_t other, uint64_t now_ns)
{
	const struct entry *e;

	spin_lock(&handed.lock);
	e = other ? entry_find(other) : NULL;
	if (e && e->state == ENTRY_KNOWN)
		entry_give(item, e->request, e->serial, now_ns);
	else
		entry_give(item, NULL, 0, now_ns);
	spin_unlock(&handed.lock);
}

void handed_done(uintptr_t item)
{
	spin_lock(&handed.lock);
	entry_done(entry_find(item));
	spin_unlock(&handed.lock);
}

/* With the lock, which it lets go of. */
static struct handed_answer entry_whose(const struct entry *e)
{
	struct handed_answer answer = { HANDED_NOBODYS, NULL, 0 };
	struct request *r = NULL;

	if (e) {
		answer.since_ns = e->task.at_ns;
		if (e->state == ENTRY_LATER)
			answer.whose = HANDED_LATER;
		else if (request_try_ref(e->request))
			r = e->request;
		if (r && r->serial == e->serial && holds_take(r))
			answer.whose = HANDED_KNOWN, answer.request = r;
	}
	spin_unlock(&handed.lock);
	if (r && !answer.request)
		request_unref(r);
	return answer;
}

bool handed_is(uintptr_t item)
{
	bool is;

	spin_lock(&handed.lock);
	is = entry_find(item) != NULL;
	spin_unlock(&handed.lock);
	return is;
}

struct handed_answer handed_whose(uintptr_t item)
{
	spin_lock(&handed.lock);
	return entry_whose(entry_find(item));
}

void handed_let_go(const struct handed_answer *answer)
{
	if (!answer->request)
		return;
	holds_drop(answer->request);
	request_unref(answer->request);
}

/* ---- event loops ---- */

int handed_give_later(uintptr_t item, const void *owner, const struct handed_task *task)
{
	struct entry *e;
	int number = -1;

	spin_lock(&handed.lock);
	e = entry_find(item);
	if (!e || e->state != ENTRY_LATER || e->owner != owner || e->task.task != task->task) {
		entry_done(e);
		e = entry_new(item);
		if (e) {
			*e = (struct entry){
				.state = ENTRY_LATER, .item = item, .owner = owner, .task = *task
			};
			number = (int)(e - handed.entries);
		}
	}
	spin_unlock(&handed.lock);
	return number;
}

bool handed_later(unsigned number, const void *owner, struct handed_task *task)
{
	const struct entry *e = &handed.entries[number % HANDED_MAX];
	bool is;

	spin_lock(&handed.lock);
	is = e->state == ENTRY_LATER && e->owner == owner;
	*task = e->task;
	spin_unlock(&handed.lock);
	return is;
}

struct handed_work handed_told(unsigned number, const void *owner, struct request *r)
{
	struct entry *e = &handed.entries[number % HANDED_MAX];
	struct handed_work work = { 0 };

	spin_lock(&handed.lock);
	if (e->state == ENTRY_LATER && e->owner == owner) {
		work = e->work;
		e->work = (struct handed_work){ 0 };
		e->state = r && e->item ? ENTRY_KNOWN : ENTRY_FREE;
		e->request = r;
		e->serial = r ? r->serial : 0;
	}
	spin_unlock(&handed.lock);
	return work;
}

struct handed_answer handed_worked(uintptr_t item, struct handed_work *work,
				   void (*join)(void **to, void *from))
{
	struct entry *e;

	spin_lock(&handed.lock);
	e = entry_find(item);
	if (e && e->state == ENTRY_LATER) {
		join(&e->work.samples, work->samples);
		e->work.count += work->count;
		e->work.cpu_ns += work->cpu_ns;
		e->work.wall_ns += work->wall_ns;
		*work = (struct handed_work){ 0 };
	}
	return entry_whose(e);
}

void handed_postfork_child(void)
{
	memset(&handed, 0, sizeof(handed));
}
