#include "preload/track/pool.h"

#include <sys/mman.h>

#include "preload/sigsafe/raw.h"
#include "preload/track/spin.h"

enum { SLAB_BYTES = 64 * 1024 };

/* Makes a slab of objects and returns one; the others go to the free list. */
static void *pool_grow(struct pool *pool)
{
	size_t count = SLAB_BYTES / pool->object_size;
	char *slab = raw_mmap(NULL, SLAB_BYTES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (raw_failed(slab))
		return NULL;
	spin_lock(&pool->lock);
	for (size_t i = 1; i < count; i++) {
		void **object = (void **)(slab + i * pool->object_size);

		*object = pool->free_list;
		pool->free_list = object;
	}
	pool->objects += count;
	spin_unlock(&pool->lock);
	return slab;
}

void *pool_get(struct pool *pool)
{
	void **object;

	spin_lock(&pool->lock);
	object = pool->free_list;
	if (object)
		pool->free_list = *object;
	spin_unlock(&pool->lock);
	return object ? object : pool_grow(pool);
}

void pool_put(struct pool *pool, void *object)
{
	if (!object)
		return;
	spin_lock(&pool->lock);
	*(void **)object = pool->free_list;
	pool->free_list = object;
	spin_unlock(&pool->lock);
}

void pool_postfork_child(struct pool *pool)
{
	__atomic_store_n(&pool->lock, 0, __ATOMIC_RELEASE);
}
