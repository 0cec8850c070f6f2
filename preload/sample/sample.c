#include "preload/sample/sample.h"

#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>

#include "preload/live/live.h"
#include "preload/sample/holders.h"
#include "preload/sample/mask.h"
#include "preload/sample/signal.h"
#include "preload/sigsafe/raw.h"

enum { FIRST_LOOK_NS = 1000000 }; /* a short request does not pay for it */

static void (*thread_ends)(void);
static pthread_key_t end_key;
static bool end_key_made;

struct sample_thread *sample_thread_self(void)
{
	return (struct sample_thread *)handler_self;
}

/* In the live file if there is room in it, where it outlives the process. */
static struct stacks *sample_tree_new(void)
{
	uint64_t offset = 0;
	void *shared = live_take_tree(&offset);
	struct stacks *tree = stacks_new(shared, offset);

	if (!tree)
		live_put_tree(shared);
	return tree;
}

static void sample_tree_free(struct stacks *tree)
{
	live_put_tree(stacks_free(tree));
}

static void sample_thread_free(struct sample_thread *thread)
{
	kernel_clock_close(&thread->kernel, &thread->handler.kernel);
	clock_close(&thread->clock);
	usage_close(&thread->usage_source);
	/* From here on a late tick finds nobody. */
	handler_self = NULL;
	__asm__ volatile("" ::: "memory");
	sample_tree_free(thread->spare);
	holders_release(thread->holder);
	if (thread->scratch)
		raw_munmap(thread->scratch, SAMPLE_SCRATCH);
	raw_munmap(thread, sizeof(*thread));
}

/* The host's thread ends. Other destructors may still do I/O after this: then a new one is made. */
static void sample_thread_ended(void *value)
{
	struct sample_thread *thread = value;

	if (thread != sample_thread_self())
		return;
	if (thread_ends)
		thread_ends();
	sample_thread_free(thread);
}

void sample_on_thread_end(void (*ends)(void))
{
	thread_ends = ends;
	if (!end_key_made)
		end_key_made = pthread_key_create(&end_key, sample_thread_ended) == 0;
}

/*
 * Where does the calling thread's stack end? glibc puts a thread's control block at the top of its
 * stack; above the main thread's first frame the kernel put 16 random bytes. The nearer one above us is ours.
 */
static uintptr_t sample_stack_end(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t control_block = (uintptr_t)__builtin_thread_pointer();
	uintptr_t main_end = (uintptr_t)getauxval(AT_RANDOM);
	uintptr_t end = 0;

	if (main_end > here)
		end = main_end;
	if (control_block > here && (!end || control_block < end))
		end = control_block;
	return end;
}

static struct sample_thread *sample_thread_make(const struct sample_settings *settings)
{
	struct sample_thread *thread =
		raw_mmap(NULL, sizeof(*thread), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (raw_failed(thread))
		return NULL;
	thread->tid = (uint32_t)raw_gettid();
	thread->clock.fd = -1;
	thread->handler.mode = settings->stacks;
	thread->handler.waits = settings->waits;
	thread->handler.wait_min_ns = settings->wait_min_ns;
	thread->handler.stack_high = sample_stack_end();
	thread->holder = holders_claim();
	if (thread->holder)
		thread->handler.python.published = &thread->holder->state;
	handler_self = &thread->handler;
	if (end_key_made)
		pthread_setspecific(end_key, thread);
	return thread;
}

struct sample_thread *sample_thread_get(const struct sample_settings *settings, bool *made)
{
	struct sample_thread *thread = sample_thread_self();
	uint32_t tid;

	*made = false;
	if (!thread)
		thread = sample_thread_make(settings);
	if (!thread)
		return NULL;
	/* Once per rate: a refused clock is not asked for again at each request. */
	if (thread->clock.asked != settings->rate) {
		tid = (uint32_t)raw_gettid();
		thread->tid = tid;
		kernel_clock_close(&thread->kernel, &thread->handler.kernel);
		clock_close(&thread->clock);
		signal_arm(settings->signal);
		mask_watch();
		clock_open(&thread->clock, settings->rate, signal_number());
		kernel_clock_open(&thread->kernel, &thread->handler.kernel, &thread->clock,
				  settings->kernel_rate);
		thread->handler.every = thread->clock.every;
		thread->handler.clock_is_timer = thread->clock.kind == CLOCK_THREAD_TIMER;
		thread->handler.clock_id =
			thread->handler.clock_is_timer ? thread->clock.timer : thread->clock.fd;
		*made = true;
	}
	return thread;
}

uint64_t sample_cpu_ns(void)
{
	struct timespec now;

	raw_clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct stacks *sample_take_target(struct sample_thread *thread, struct stacks **list)
{
	struct stacks *target;

	for (target = __atomic_load_n(list, __ATOMIC_ACQUIRE); target; target = target->next)
		if (target->tid == thread->tid)
			return target;
	target = thread->spare ? thread->spare : sample_tree_new();
	thread->spare = NULL;
	if (target)
		stacks_reset(target, thread->tid);
	return target;
}

bool sample_start(struct sample_thread *thread, struct stacks **list)
{
	struct stacks *target = sample_take_target(thread, list);
	struct timespec now;

	if (!target)
		return false;
	python_touch(&thread->handler.python);
	usage_read(&thread->usage_source, &thread->usage_start);
	clock_gettime(CLOCK_MONOTONIC, &now);
	thread->mark_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	thread->look_ns = thread->mark_ns + FIRST_LOOK_NS;
	thread->cpu_start_ns = thread->mark_cpu_ns = sample_cpu_ns();
	__atomic_store_n(&thread->handler.target, target, __ATOMIC_RELEASE);
	if (!mask_given_up())
		clock_run(&thread->clock);
	return true;
}

static bool sample_listed(struct stacks **list, const struct stacks *target)
{
	for (struct stacks *s = __atomic_load_n(list, __ATOMIC_ACQUIRE); s; s = s->next)
		if (s == target)
			return true;
	return false;
}

void sample_stop(struct sample_thread *thread, struct stacks **list, struct sample_used *used)
{
	struct stacks *target = thread->handler.target;
	struct usage now;

	*used = (struct sample_used){ 0 };
	if (!target)
		return;
	clock_stop(&thread->clock);
	__atomic_store_n(&thread->handler.target, NULL, __ATOMIC_RELEASE);
	kernel_ring_drain(&thread->handler.kernel, target, thread->handler.keys);
	if (!sample_listed(list, target)) {
		if (target->n_samples || target->lost || target->nested || target->kernel_lost ||
		    target->waits.count || target->waits.lost) {
			target->next = __atomic_load_n(list, __ATOMIC_ACQUIRE);
			while (!__atomic_compare_exchange_n(list, &target->next, target, false,
							    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
				;
		} else if (!thread->spare) {
			thread->spare = target;
		} else {
			sample_tree_free(target);
		}
	}
	usage_read(&thread->usage_source, &now);
	used->usage = usage_since(&thread->usage_start, &now);
	used->cpu_ns = sample_cpu_ns() - thread->cpu_start_ns;
}

void *sample_scratch(struct sample_thread *thread)
{
	void *memory;

	if (thread && thread->scratch)
		return thread->scratch;
	memory = raw_mmap(NULL, SAMPLE_SCRATCH, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (raw_failed(memory))
		return NULL;
	if (thread)
		thread->scratch = memory;
	return memory;
}

void sample_scratch_done(struct sample_thread *thread, void *scratch)
{
	if (!thread && scratch)
		raw_munmap(scratch, SAMPLE_SCRATCH);
}

void sample_discard(struct sample_thread *thread, struct stacks *list)
{
	while (list) {
		struct stacks *next = list->next;

		if (thread && !thread->spare && !stacks_torn(list)) {
			stacks_reset(list, thread->tid);
			thread->spare = list;
		} else {
			sample_tree_free(list);
		}
		list = next;
	}
}

void sample_postfork_child(void)
{
	struct sample_thread *thread = sample_thread_self();

	signal_postfork_child();
	holders_postfork_child(thread ? thread->holder : NULL);
	if (!thread)
		return;
	/* The descriptor was closed with all of ours; timers are not inherited. */
	thread->clock = (struct clock){ .fd = -1 };
	/* Its ring is not mapped here. */
	thread->kernel = (struct kernel_clock){ .state = KERNEL_OFF };
	thread->handler.kernel = (struct kernel_ring){ 0 };
	thread->usage_source = (struct usage_source){ 0 };
	/* What stands in the parent's live file is the parent's. */
	if (thread->spare && thread->spare->shared) {
		stacks_free(thread->spare);
		thread->spare = NULL;
	}
	thread->handler.target = NULL;
	thread->handler.inside = false;
	thread->tid = (uint32_t)raw_gettid();
}
