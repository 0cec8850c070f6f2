/*
 * eintr SECONDS: waits in every way that a signal could end early, with some computing between the
 * waits, and counts the calls that said EINTR, and the sleeps that ended before their time. No signal of
 * its own is on the way but to the calls that wait for one; so anything counted came from elsewhere.
 * Three threads, each working for an HTTP request of its own. Prints a line for each way that went wrong,
 * and how often all were tried.
 */
#include "tests/programs/waits.h"

enum { THREADS = WAITERS_MAX, WAIT_US = 1500 };

static uint64_t stop_ns;
static uint64_t tried, interrupted[WAYS], early[WAYS], odd[WAYS];

static void try(struct waits *w, int i)
{
	uint64_t start, took;
	int result, error;

	burn(1);
	/* Different times of the clock's period. */
	for (volatile unsigned n = (unsigned)(now_ns(CLOCK_MONOTONIC) % 3000); n > 0; n--)
		;
	errno = 0;
	start = now_ns(CLOCK_MONOTONIC);
	result = ways[i].wait(w);
	error = errno;
	took = now_ns(CLOCK_MONOTONIC) - start;
	if (result == EINTR || (result < 0 && error == EINTR))
		__atomic_fetch_add(&interrupted[i], 1, __ATOMIC_RELAXED);
	else if (took < WAIT_US * 1000u && !ways[i].may_be_early)
		__atomic_fetch_add(&early[i], 1, __ATOMIC_RELAXED);
	else if (result > 0 && result != ETIMEDOUT)
		__atomic_fetch_add(&odd[i], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&tried, 1, __ATOMIC_RELAXED);
}

static void *wait_all(void *asking)
{
	struct waits w = { .client = -1, .asking = asking };

	waits_begin(&w);
	while (now_ns(CLOCK_MONOTONIC) < stop_ns) {
		for (int i = 0; i < WAYS; i++) {
			waits_resume(&w);
			try(&w, i);
		}
	}
	waits_end(&w);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	uint64_t wrong = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: eintr SECONDS\n");
		return 2;
	}
	waits_start(WAIT_US);
	stop_ns = now_ns(CLOCK_MONOTONIC) + (uint64_t)atoi(argv[1]) * 1000000000u;
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, wait_all, &asked[i]))
			fatal("pthread_create");
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < WAYS; i++) {
		wrong += interrupted[i] + early[i] + odd[i];
		if (interrupted[i] + early[i] + odd[i])
			printf("%s: %llu times EINTR, %llu times too early, %llu times a strange result\n",
			       ways[i].name, (unsigned long long)interrupted[i],
			       (unsigned long long)early[i], (unsigned long long)odd[i]);
	}
	printf("%llu waits of %d kinds, %llu wrong\n", (unsigned long long)tried, WAYS,
	       (unsigned long long)wrong);
	return wrong ? 1 : 0;
}
