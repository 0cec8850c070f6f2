#include "preload/track/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "tests/unit/tap.h"

enum { OBJECT = 1024, THREADS = 8, TURNS = 20000, HELD = 4, A_SLAB = 65536 / OBJECT };

struct object {
	void *link;	/* the pool's while it is free */
	uint32_t owner; /* atomic; 0: nobody */
};

static struct pool pool;
static uint32_t taken_twice;

static void begin(void)
{
	pool = (struct pool){ .object_size = OBJECT };
	taken_twice = 0;
}

static void *take_and_put(void *number)
{
	struct object *held[HELD];

	for (int turn = 0; turn < TURNS; turn++) {
		for (int i = 0; i < HELD; i++) {
			held[i] = pool_get(&pool);
			if (__atomic_exchange_n(&held[i]->owner, (uint32_t)(uintptr_t)number,
						__ATOMIC_ACQ_REL))
				__atomic_fetch_add(&taken_twice, 1, __ATOMIC_RELAXED);
		}
		for (int i = 0; i < HELD; i++) {
			__atomic_store_n(&held[i]->owner, 0, __ATOMIC_RELEASE);
			pool_put(&pool, held[i]);
		}
	}
	return NULL;
}

static void an_object_has_one_owner_at_a_time(void)
{
	pthread_t threads[THREADS];

	begin();
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, take_and_put, (void *)(i + 1));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK_INT(taken_twice, 0);
	/* No more than were ever held at once, and a slab for each thread that may have come at the same time. */
	CHECK(pool.objects <= THREADS * (HELD + A_SLAB));
}

static struct object *handed_over; /* atomic */

static void *put_what_comes(void *unused)
{
	for (int turn = 0; turn < TURNS;) {
		struct object *object = __atomic_exchange_n(&handed_over, NULL, __ATOMIC_ACQ_REL);

		if (!object) {
			sched_yield();
			continue;
		}
		pool_put(&pool, object);
		turn++;
	}
	return NULL;
}

/* The close is often on another thread: what is given back there serves the others. */
static void what_one_thread_takes_and_another_puts_is_enough(void)
{
	pthread_t other;

	begin();
	handed_over = NULL;
	pthread_create(&other, NULL, put_what_comes, NULL);
	for (int turn = 0; turn < TURNS; turn++) {
		struct object *object = pool_get(&pool);

		while (__atomic_load_n(&handed_over, __ATOMIC_ACQUIRE))
			sched_yield();
		__atomic_store_n(&handed_over, object, __ATOMIC_RELEASE);
	}
	pthread_join(other, NULL);
	CHECK_INT(pool.objects, A_SLAB);
}

static void a_thread_passes_by_a_shelf_that_another_is_at(void)
{
	void *object;

	begin();
	object = pool_get(&pool);
	for (int i = 0; i < POOL_SHELVES; i++)
		pool.shelves[i].lock = pool.shelves[i].free_list != NULL;
	pool_put(&pool, object); /* would wait for ever */
	for (int i = 0; i < POOL_SHELVES; i++)
		CHECK(!pool.shelves[i].lock || pool.shelves[i].free_list != object);
	CHECK(pool_get(&pool) == object);
	pool_postfork_child(&pool);
	for (int i = 0; i < POOL_SHELVES; i++)
		CHECK_INT(pool.shelves[i].lock, 0);
	CHECK(pool_get(&pool) != NULL);
	CHECK_INT(pool.objects, A_SLAB);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(an_object_has_one_owner_at_a_time),
		TAP_TEST(what_one_thread_takes_and_another_puts_is_enough),
		TAP_TEST(a_thread_passes_by_a_shelf_that_another_is_at),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
