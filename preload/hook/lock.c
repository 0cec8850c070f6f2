/*
 * Locks, and the ends of threads. A lock that is free costs a look at a thread-local more; the clock
 * is read where it is not. Waiting for Python's GIL is waiting for a condition inside _PyRuntime.
 */
#include <errno.h>
#include <string.h>

#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/hook/waiting.h"
#include "preload/sample/holders.h"
#include "preload/sigsafe/python.h"
#include "preload/track/connection.h"
#include "preload/track/track.h"

/*
 * What trying says is what locking would have said, unless another has it. Locking after a try that says
 * ENOTRECOVERABLE would even hang: glibc's try leaves such a mutex locked.
 */
static bool lock_waits(int tried)
{
	return tried == EBUSY;
}

/* ---- sleeping for long ---- */

/* The calling thread is going to sleep. */
static bool lock_sleeps(void)
{
	if (!waiting_wanted() || !track_parks() || !hook_enter())
		return false;
	track_park();
	hook_leave();
	return true;
}

/* A lock that one of a pool's threads holds while it waits for work is slept in by the others. */
static bool lock_sleeps_done(void)
{
	return track_done() && lock_sleeps();
}

static void lock_woken(void)
{
	int saved = errno;

	if (hook_enter()) {
		track_woken();
		hook_leave();
	}
	errno = saved;
}

/* ---- mutexes and their kin ---- */

EXPORT int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	struct wait w;
	bool parked;
	int result;

	if (!waiting_wanted())
		return libc_pthread_mutex_lock(mutex);
	result = pthread_mutex_trylock(mutex);
	if (!lock_waits(result))
		return result;
	waiting_begin(&w);
	parked = lock_sleeps_done();
	result = libc_pthread_mutex_lock(mutex);
	if (parked)
		lock_woken();
	waiting_kind(&w, WAIT_LOCK, "mutex");
	return result;
}

EXPORT int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *deadline)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_pthread_mutex_timedlock(mutex, deadline);
	waiting_kind(&w, WAIT_LOCK, "mutex");
	return result;
}

EXPORT int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
				   const struct timespec *deadline)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_pthread_mutex_clocklock(mutex, clock, deadline);
	waiting_kind(&w, WAIT_LOCK, "mutex");
	return result;
}

EXPORT int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
	struct wait w;
	int result;

	if (!waiting_wanted())
		return libc_pthread_rwlock_rdlock(lock);
	result = pthread_rwlock_tryrdlock(lock);
	if (!lock_waits(result))
		return result;
	waiting_begin(&w);
	result = libc_pthread_rwlock_rdlock(lock);
	waiting_kind(&w, WAIT_LOCK, "read-write lock");
	return result;
}

EXPORT int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
	struct wait w;
	int result;

	if (!waiting_wanted())
		return libc_pthread_rwlock_wrlock(lock);
	result = pthread_rwlock_trywrlock(lock);
	if (!lock_waits(result))
		return result;
	waiting_begin(&w);
	result = libc_pthread_rwlock_wrlock(lock);
	waiting_kind(&w, WAIT_LOCK, "read-write lock");
	return result;
}

/* ---- waking up to another's work ---- */

/* What the thread does now may be for another request than before. */
static bool lock_in_pool(void)
{
	return __atomic_load_n(&track_pools, __ATOMIC_RELAXED) && handler_self;
}

/* What has woken it was told by who gave it work. */
static bool lock_takes(const sem_t *semaphore)
{
	return semaphore && __atomic_load_n(&track_hands, __ATOMIC_RELAXED) &&
	       track_told_by(semaphore);
}

static void lock_goes_on(const sem_t *semaphore)
{
	bool pool = lock_in_pool(), takes = lock_takes(semaphore);
	int saved = errno;

	if ((pool || takes) && hook_enter()) {
		if (pool)
			track_goes_on();
		if (takes)
			track_takes();
		hook_leave();
	}
	errno = saved;
}

struct lock_sleep {
	bool may;    /* the thread may sleep, and work may be passed on to it meanwhile */
	bool parked; /* it has let go of its request */
};

static struct lock_sleep lock_sleep_begins(bool may)
{
	return (struct lock_sleep){ .may = may, .parked = may && lock_sleeps() };
}

static void lock_sleep_ends(const struct lock_sleep *sleep)
{
	if (sleep->parked)
		lock_woken();
}

/* Once the wait has been told. semaphore: NULL: it was none. */
static void lock_sleep_told(const struct lock_sleep *sleep, const sem_t *semaphore)
{
	if (sleep->may)
		lock_goes_on(semaphore);
}

/* ---- conditions, the GIL's among them ---- */

/* The GIL passes no work on. */
static bool lock_is_gil(const void *condition)
{
	uintptr_t state;

	return python_is_gil(condition, &state);
}

/* A pool's thread is about to sleep: others may end the request that it worked for. */
static void lock_condition_settles(const void *condition)
{
	if (waiting_strays() && !lock_is_gil(condition))
		waiting_settle(true);
}

struct lock_gil {
	bool is;
	struct request *holder; /* with a reference; NULL: none, or nobody known */
};

/* Whose request holds it now? Asked before the wait: afterwards it is ours. */
static void lock_look(const struct wait *w, const void *condition, struct lock_gil *gil)
{
	uintptr_t state;
	struct request *holder;

	gil->is = w->target && python_is_gil(condition, &state);
	gil->holder = NULL;
	if (!gil->is)
		return;
	holder = holders_find(state);
	if (!holder || !request_try_ref(holder))
		return;
	if (holders_find(state) == holder)
		gil->holder = holder;
	else
		request_unref(holder);
}

static void lock_record_gil(const struct wait *w, const struct lock_gil *gil, bool goes_on)
{
	char text[WAITS_TEXT_MAX];
	const struct wire_facts *facts;
	size_t method, path;

	if (!gil->holder) {
		wait_record_gil(w, NULL, 0, goes_on);
		return;
	}
	facts = request_facts(gil->holder);
	method = strnlen(facts->method, sizeof(facts->method));
	memcpy(text, facts->method, method);
	text[method] = ' ';
	path = strnlen(facts->path, sizeof(facts->path));
	if (path > sizeof(text) - method - 1)
		path = sizeof(text) - method - 1;
	memcpy(text + method + 1, facts->path, path);
	wait_record_gil(w, text, method + 1 + path, goes_on);
}

static void lock_condition_done(struct wait *w, struct lock_gil *gil, int result)
{
	int saved = errno;

	if (!gil->is) {
		waiting_done_kind(w, WAIT_LOCK, "condition");
		return;
	}
	if (wait_end(w) && hook_enter()) {
		lock_record_gil(w, gil, result == ETIMEDOUT);
		hook_leave();
	}
	request_unref(gil->holder);
	errno = saved;
}

EXPORT int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
	struct lock_gil gil;
	struct lock_sleep sleep;
	struct wait w;
	int result;

	lock_condition_settles(condition);
	waiting_begin(&w);
	lock_look(&w, condition, &gil);
	sleep = lock_sleep_begins(!lock_is_gil(condition));
	result = libc_pthread_cond_wait(condition, mutex);
	lock_sleep_ends(&sleep);
	if (waiting_timed(&w))
		lock_condition_done(&w, &gil, result);
	lock_sleep_told(&sleep, NULL);
	return result;
}

EXPORT int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
				  const struct timespec *deadline)
{
	struct lock_gil gil;
	struct lock_sleep sleep;
	struct wait w;
	int result;

	lock_condition_settles(condition);
	waiting_begin(&w);
	lock_look(&w, condition, &gil);
	sleep = lock_sleep_begins(!lock_is_gil(condition));
	result = libc_pthread_cond_timedwait(condition, mutex, deadline);
	lock_sleep_ends(&sleep);
	if (waiting_timed(&w))
		lock_condition_done(&w, &gil, result);
	lock_sleep_told(&sleep, NULL);
	return result;
}

EXPORT int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
				  clockid_t clock, const struct timespec *deadline)
{
	struct lock_gil gil;
	struct lock_sleep sleep;
	struct wait w;
	int result;

	lock_condition_settles(condition);
	waiting_begin(&w);
	lock_look(&w, condition, &gil);
	sleep = lock_sleep_begins(!lock_is_gil(condition));
	result = libc_pthread_cond_clockwait(condition, mutex, clock, deadline);
	lock_sleep_ends(&sleep);
	if (waiting_timed(&w))
		lock_condition_done(&w, &gil, result);
	lock_sleep_told(&sleep, NULL);
	return result;
}

/* A semaphore whose value is not zero is taken at once. It stands in the first word, since glibc 2.21. */
static bool lock_is_taken(const sem_t *semaphore)
{
	return __atomic_load_n((const uint32_t *)semaphore, __ATOMIC_RELAXED) == 0;
}

static void lock_semaphore_settles(const sem_t *semaphore)
{
	if (waiting_strays() && lock_is_taken(semaphore))
		waiting_settle(true);
}

static void lock_semaphore_done(struct wait *w)
{
	if (!waiting_timed(w))
		return;
	waiting_done_kind(w, WAIT_LOCK, "semaphore");
}

/* Locks of Python's that are released may say that there is work, or that it is done. */
static bool lock_tells(void)
{
	return hook_active && !hook_inside &&
	       (wait_wanted() || __atomic_load_n(&track_hands, __ATOMIC_RELAXED));
}

static __attribute__((noinline)) void lock_telling(const sem_t *semaphore)
{
	int saved = errno;

	if (hook_enter()) {
		track_tells(semaphore);
		hook_leave();
	}
	errno = saved;
}

EXPORT int sem_post(sem_t *semaphore)
{
	if (lock_tells())
		lock_telling(semaphore);
	return libc_sem_post(semaphore);
}

EXPORT int sem_wait(sem_t *semaphore)
{
	struct wait w;
	struct lock_sleep sleep;
	int result;

	lock_semaphore_settles(semaphore);
	waiting_begin(&w);
	sleep = lock_sleep_begins(lock_is_taken(semaphore));
	result = libc_sem_wait(semaphore);
	lock_sleep_ends(&sleep);
	lock_semaphore_done(&w);
	lock_sleep_told(&sleep, semaphore);
	return result;
}

EXPORT int sem_timedwait(sem_t *semaphore, const struct timespec *deadline)
{
	struct wait w;
	struct lock_sleep sleep;
	int result;

	lock_semaphore_settles(semaphore);
	waiting_begin(&w);
	sleep = lock_sleep_begins(lock_is_taken(semaphore));
	result = libc_sem_timedwait(semaphore, deadline);
	lock_sleep_ends(&sleep);
	lock_semaphore_done(&w);
	lock_sleep_told(&sleep, semaphore);
	return result;
}

EXPORT int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *deadline)
{
	struct wait w;
	struct lock_sleep sleep;
	int result;

	lock_semaphore_settles(semaphore);
	waiting_begin(&w);
	sleep = lock_sleep_begins(lock_is_taken(semaphore));
	result = libc_sem_clockwait(semaphore, clock, deadline);
	lock_sleep_ends(&sleep);
	lock_semaphore_done(&w);
	lock_sleep_told(&sleep, semaphore);
	return result;
}

EXPORT int pthread_join(pthread_t thread, void **value)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_pthread_join(thread, value);
	waiting_kind(&w, WAIT_THREAD, "");
	return result;
}

EXPORT int __pthread_mutex_lock(pthread_mutex_t *) __attribute__((alias("pthread_mutex_lock")));
EXPORT int __pthread_rwlock_rdlock(pthread_rwlock_t *)
	__attribute__((alias("pthread_rwlock_rdlock")));
EXPORT int __pthread_rwlock_wrlock(pthread_rwlock_t *)
	__attribute__((alias("pthread_rwlock_wrlock")));
