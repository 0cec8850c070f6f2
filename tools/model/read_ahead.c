#include "tools/model/read_ahead.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tools/base/errors.h"
#include "tools/base/read_file.h"

enum {
	BATCH = 16,  /* files that one thread takes at a time: a hand-over costs as much as a file */
	BATCHES = 8, /* decoded or being decoded: bounds the memory */
	THREADS_MAX = 8,
	FILES_MIN = 4 * BATCH, /* fewer are read before a thread has started */
};

struct decoded {
	struct profile_in *in;
	struct load_error error;
};

struct read_ahead {
	char *const *files;
	uint32_t n;
	unsigned what;
	struct file_bytes bytes; /* the caller's; each thread has its own */
	uint32_t given;		 /* files handed to the caller, who alone uses it */
	pthread_t threads[THREADS_MAX];
	int n_threads;
	/* Batch i is in slot i % BATCHES, that of the thread that has begun it until it is done. */
	struct decoded slots[BATCHES][BATCH];
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t room, progress;
	uint32_t begun, used; /* batches begun by somebody; used up by the caller */
	bool done[BATCHES];
	bool stop;
};

static bool may_begin(const struct read_ahead *r)
{
	return r->begun * BATCH < r->n && r->begun - r->used < BATCHES;
}

/* Decodes the next batch, with the lock held before and after. */
static void decode_batch(struct read_ahead *r, struct file_bytes *bytes)
{
	uint32_t batch = r->begun++, first = batch * BATCH;
	struct decoded *to = r->slots[batch % BATCHES];

	pthread_mutex_unlock(&r->lock);
	for (uint32_t i = 0; i < BATCH && first + i < r->n; i++)
		load_decode(r->files[first + i], bytes, r->what, &to[i].in, &to[i].error);
	pthread_mutex_lock(&r->lock);
	r->done[batch % BATCHES] = true;
}

static void *work(void *arg)
{
	struct read_ahead *r = arg;
	struct file_bytes bytes = { 0 };

	pthread_mutex_lock(&r->lock);
	while (!r->stop && r->begun * BATCH < r->n) {
		if (may_begin(r)) {
			decode_batch(r, &bytes);
			pthread_cond_signal(&r->progress);
		} else {
			pthread_cond_wait(&r->room, &r->lock);
		}
	}
	pthread_mutex_unlock(&r->lock);
	free(bytes.bytes);
	return NULL;
}

static int processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
}

struct read_ahead *read_ahead_open(char *const *files, uint32_t n, unsigned what)
{
	struct read_ahead *r = errors_alloc(1, sizeof(*r));
	int wanted = n < FILES_MIN ? 0 : processors() - 1;

	r->files = files;
	r->n = n;
	r->what = what;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->room, NULL);
	pthread_cond_init(&r->progress, NULL);
	if (wanted > THREADS_MAX)
		wanted = THREADS_MAX;
	/* A thread that cannot be had is not missed. */
	while (r->n_threads < wanted &&
	       !pthread_create(&r->threads[r->n_threads], NULL, work, r))
		r->n_threads++;
	return r;
}

static void use_up(struct read_ahead *r)
{
	pthread_mutex_lock(&r->lock);
	r->done[r->used++ % BATCHES] = false;
	pthread_cond_signal(&r->room);
	pthread_mutex_unlock(&r->lock);
}

static void want_batch(struct read_ahead *r, uint32_t batch)
{
	pthread_mutex_lock(&r->lock);
	while (!r->done[batch % BATCHES]) {
		if (may_begin(r))
			decode_batch(r, &r->bytes);
		else
			pthread_cond_wait(&r->progress, &r->lock);
	}
	pthread_mutex_unlock(&r->lock);
}

struct profile_in *read_ahead_next(struct read_ahead *r, struct load_error *error)
{
	uint32_t i = r->given++, batch = i / BATCH;
	struct profile_in *in;
	struct decoded *made = &r->slots[batch % BATCHES][i % BATCH];

	if (i % BATCH == 0) {
		if (i)
			use_up(r);
		want_batch(r, batch);
	}
	in = made->in;
	*error = made->error;
	made->in = NULL;
	return in;
}

void read_ahead_close(struct read_ahead *r)
{
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->room);
	pthread_mutex_unlock(&r->lock);
	for (int i = 0; i < r->n_threads; i++)
		pthread_join(r->threads[i], NULL);
	for (int i = 0; i < BATCHES * BATCH; i++)
		profile_free(r->slots[i / BATCH][i % BATCH].in);
	pthread_cond_destroy(&r->progress);
	pthread_cond_destroy(&r->room);
	pthread_mutex_destroy(&r->lock);
	free(r->bytes.bytes);
	free(r);
}
