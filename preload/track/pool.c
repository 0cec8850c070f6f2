#include "preload/track/pool.h"

#include <stdbool.h>
#include <sys/mman.h>

#include "preload/sigsafe/raw.h"
#include "preload/track/spin.h"

enum { SLAB_BYTES = 64 * 1024 };

/* Threads' control blocks lie a stack's size apart. */
static unsigned pool_own_shelf(void)
{
	return (unsigned)((uintptr_t)__builtin_thread_pointer() * UINT64_C(0x9e3779b97f4a7c15) >>
			  60) %
	       POOL_SHELVES;
}

static bool shelf_try_lock(struct pool_shelf *shelf)
{
	return !__atomic_load_n(&shelf->lock, __ATOMIC_RELAXED) &&
	       !__atomic_exchange_n(&shelf->lock, 1, __ATOMIC_ACQUIRE);
}

/* The first one from the thread's own on that nobody else is at, locked. */
static struct pool_shelf *pool_lock_any(struct pool *pool)
{
	unsigned own = pool_own_shelf();

	for (unsigned i = 0; i < POOL_SHELVES; i++) {
		struct pool_shelf *shelf = &pool->shelves[(own + i) % POOL_SHELVES];

		if (shelf_try_lock(shelf))
			return shelf;
	}
	spin_lock(&pool->shelves[own].lock);
	return &pool->shelves[own];
}

/* waits: for those who are at a shelf. Else such a shelf is passed by. */
static void *pool_take(struct pool *pool, bool waits)
{
	unsigned own = pool_own_shelf();

	for (unsigned i = 0; i < POOL_SHELVES; i++) {
		struct pool_shelf *shelf = &pool->shelves[(own + i) % POOL_SHELVES];
		void **object;

		if (!__atomic_load_n(&shelf->free_list, __ATOMIC_RELAXED))
			continue;
		if (waits)
			spin_lock(&shelf->lock);
		else if (!shelf_try_lock(shelf))
			continue;
		object = shelf->free_list;
		if (object)
			__atomic_store_n(&shelf->free_list, *object, __ATOMIC_RELAXED);
		spin_unlock(&shelf->lock);
		if (object)
			return object;
	}
	return NULL;
}

static void shelf_add(struct pool_shelf *shelf, void **object)
{
	*object = shelf->free_list;
	__atomic_store_n(&shelf->free_list, object, __ATOMIC_RELAXED);
}

/* Makes a slab of objects and returns one; the others go to a shelf. */
static void *pool_grow(struct pool *pool)
{
	size_t count = SLAB_BYTES / pool->object_size;
	char *slab = raw_mmap(NULL, SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
	struct pool_shelf *shelf;

	if (raw_failed(slab))
		return NULL;
	shelf = pool_lock_any(pool);
	for (size_t i = 1; i < count; i++)
		shelf_add(shelf, (void **)(slab + i * pool->object_size));
	spin_unlock(&shelf->lock);
	__atomic_fetch_add(&pool->objects, count, __ATOMIC_RELAXED);
	return slab;
}

void *pool_get(struct pool *pool)
{
	void *object = pool_take(pool, false);

	/* Only what is nowhere is made: a shelf that is passed by for ever would make memory grow for ever. */
	if (!object)
		object = pool_take(pool, true);
	return object ? object : pool_grow(pool);
}

void pool_put(struct pool *pool, void *object)
{
	struct pool_shelf *shelf;

	if (!object)
		return;
	shelf = pool_lock_any(pool);
	shelf_add(shelf, object);
	spin_unlock(&shelf->lock);
}

void pool_postfork_child(struct pool *pool)
{
	for (unsigned i = 0; i < POOL_SHELVES; i++)
		__atomic_store_n(&pool->shelves[i].lock, 0, __ATOMIC_RELEASE);
}
