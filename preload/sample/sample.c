#include "preload/sample/sample.h"

#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>

#include "format/nanoseconds.h"
#include "preload/live/live.h"
#include "preload/sample/held.h"
#include "preload/sample/holders.h"
#include "preload/sample/mask.h"
#include "preload/sample/signal.h"
#include "preload/sigsafe/monotonic.h"
#include "preload/sigsafe/raw.h"

enum { FIRST_LOOK_NS = 1000000 }; /* a short request does not pay for it */
enum { SPARES_MAX = 16 };

/*
 * Two things that make short requests cheap on a busy thread. Starting and stopping a perf event costs as much
 * as all else (a timer of the machine is set each time), so a clock is left running when a
 * request ends: ticks that come between requests are nobody's. Should the thread do other work for long,
 * they are waste: then the clock is stopped, and for a while at the end of each request. (Not stopped at
 * an idle tick and started at the next request each time: a request that is shorter than what was
 * left of the other work's period would never be sampled.) And the last readings serve for the start of the next
 * request when that follows within near_ns: as if the thread had been on its CPU all the time.
 */
enum { STOP_AT_ONCE = 1000 };

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

static struct stacks *sample_take_spare(struct sample_thread *thread)
{
	struct stacks *spare = thread->spare;

	if (spare) {
		thread->spare = spare->next;
		thread->spares--;
	}
	return spare;
}

static void sample_put_spare(struct sample_thread *thread, struct stacks *tree)
{
	/* An event loop has as many requests at a time. */
	if (!thread || thread->spares >= (thread->held ? SPARES_MAX : 1) || stacks_torn(tree)) {
		sample_tree_free(tree);
		return;
	}
	tree->next = thread->spare;
	thread->spare = tree;
	thread->spares++;
}

/* Below a thread's memory lies the stack that its samples are taken on, and a page that stops one that grows out of it. */
enum { SAMPLE_GUARD = 4096, SAMPLE_BELOW_THREAD = SAMPLE_GUARD + HANDLER_STACK };

static void *sample_thread_mapping(struct sample_thread *thread)
{
	return (char *)thread - SAMPLE_BELOW_THREAD;
}

static struct sample_thread *sample_thread_map(void)
{
	size_t len = SAMPLE_BELOW_THREAD + sizeof(struct sample_thread);
	char *mapping = raw_mmap(NULL, len, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct sample_thread *thread;

	if (raw_failed(mapping))
		return NULL;
	if (raw_mprotect(mapping, SAMPLE_GUARD, PROT_NONE) < 0) {
		raw_munmap(mapping, len);
		return NULL;
	}
	thread = (struct sample_thread *)(mapping + SAMPLE_BELOW_THREAD);
	thread->handler.own_stack = thread;
	return thread;
}

static void sample_thread_free(struct sample_thread *thread)
{
	kernel_clock_close(&thread->kernel, &thread->handler.kernel);
	clock_close(&thread->clock);
	usage_close(&thread->usage_source);
	/* From here on a late tick finds nobody. */
	handler_self = NULL;
	__asm__ volatile("" ::: "memory");
	while (thread->spare)
		sample_tree_free(sample_take_spare(thread));
	held_free(thread->held);
	holders_release(thread->holder);
	if (thread->scratch)
		raw_munmap(thread->scratch, SAMPLE_SCRATCH);
	raw_munmap(sample_thread_mapping(thread), SAMPLE_BELOW_THREAD + sizeof(*thread));
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

/* In the signal handler. */
static void sample_idle(struct handler_thread *self)
{
	struct sample_thread *thread = (struct sample_thread *)self;

	clock_stop(&thread->clock);
	self->left_running = false;
	thread->stop_at_once = STOP_AT_ONCE;
}

static struct sample_thread *sample_thread_make(const struct sample_settings *settings)
{
	struct sample_thread *thread = sample_thread_map();

	if (!thread)
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
	handler_idle = sample_idle;
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
	/* Not at its first request when another thread was still preparing the process. */
	if (!thread->end_known && end_key_made)
		thread->end_known = pthread_setspecific(end_key, thread) == 0;
	/* Once per rate: a refused clock is not asked for again at each request. */
	if (thread->clock.asked != settings->rate) {
		tid = (uint32_t)raw_gettid();
		thread->tid = tid;
		kernel_clock_close(&thread->kernel, &thread->handler.kernel);
		clock_close(&thread->clock);
		thread->handler.left_running = false;
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
	return nanoseconds(&now);
}

struct stacks *sample_tree(struct sample_thread *thread, struct stacks **list)
{
	struct stacks *target;

	for (target = __atomic_load_n(list, __ATOMIC_ACQUIRE); target; target = target->next)
		if (target->tid == thread->tid)
			return target;
	target = sample_take_spare(thread);
	if (!target)
		target = sample_tree_new();
	if (target)
		stacks_reset(target, thread->tid);
	return target;
}

uint32_t sample_tid(void)
{
	const struct sample_thread *thread = sample_thread_self();

	return thread && thread->tid ? thread->tid : (uint32_t)raw_gettid();
}

static void sample_read(struct sample_thread *thread)
{
	usage_read(&thread->usage_source, &thread->reading.usage);
	thread->reading.cpu_ns = sample_cpu_ns();
	thread->reading.at_ns = monotonic_ns();
}

/* Where the thread stands, in what it has used so far. */
static void sample_read_start(struct sample_thread *thread)
{
	uint64_t now = monotonic_ns();

	if (now - thread->reading.at_ns >= thread->near_ns) {
		sample_read(thread);
		now = thread->reading.at_ns;
	}
	thread->usage_start = thread->reading.usage;
	thread->cpu_start_ns = thread->reading.cpu_ns + (now - thread->reading.at_ns);
	thread->mark_ns = now;
	thread->mark_cpu_ns = thread->cpu_start_ns;
}

static void sample_read_end(struct sample_thread *thread, struct sample_used *used)
{
	*used = (struct sample_used){ 0 };
	sample_read(thread);
	used->usage = usage_since(&thread->usage_start, &thread->reading.usage);
	if (thread->reading.cpu_ns > thread->cpu_start_ns)
		used->cpu_ns = thread->reading.cpu_ns - thread->cpu_start_ns;
}

void sample_clock_run(struct sample_thread *thread)
{
	if (mask_given_up()) {
		clock_stop(&thread->clock);
	} else {
		kernel_ring_skip(&thread->handler.kernel);
		clock_run(&thread->clock);
	}
}

void sample_clock_leave(struct sample_thread *thread)
{
	thread->handler.left_running = thread->clock.kind == CLOCK_PERF_USER &&
				       !thread->stop_at_once && !mask_given_up();
	if (thread->handler.left_running)
		return;
	clock_stop(&thread->clock);
	if (thread->stop_at_once)
		thread->stop_at_once--;
}

void sample_rest(void)
{
	struct sample_thread *thread = sample_thread_self();

	if (thread && thread->handler.left_running && !thread->handler.target) {
		clock_stop(&thread->clock);
		thread->handler.left_running = false;
	}
}

bool sample_start(struct sample_thread *thread, struct stacks **list)
{
	struct stacks *target = sample_tree(thread, list);

	if (!target)
		return false;
	python_touch(&thread->handler.python);
	sample_read_start(thread);
	thread->look_ns = thread->mark_ns + FIRST_LOOK_NS;
	__atomic_store_n(&thread->handler.target, target, __ATOMIC_RELEASE);
	sample_clock_run(thread);
	return true;
}

static bool sample_listed(struct stacks **list, const struct stacks *target)
{
	for (struct stacks *s = __atomic_load_n(list, __ATOMIC_ACQUIRE); s; s = s->next)
		if (s == target)
			return true;
	return false;
}

void sample_list(struct stacks **list, struct stacks *tree)
{
	if (sample_listed(list, tree))
		return;
	tree->next = __atomic_load_n(list, __ATOMIC_ACQUIRE);
	while (!__atomic_compare_exchange_n(list, &tree->next, tree, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE))
		;
}

static bool sample_empty(const struct stacks *tree)
{
	return !tree->n_samples && !tree->lost && !tree->nested && !tree->kernel_lost &&
	       !tree->waits.count && !tree->waits.lost;
}

void sample_stop(struct sample_thread *thread, struct stacks **list, struct sample_used *used)
{
	struct stacks *target = thread->handler.target;

	if (!target)
		return;
	sample_clock_leave(thread);
	__atomic_store_n(&thread->handler.target, NULL, __ATOMIC_RELEASE);
	kernel_ring_drain(&thread->handler.kernel, target, thread->handler.keys);
	if (!sample_empty(target))
		sample_list(list, target);
	else if (!sample_listed(list, target))
		sample_put_spare(thread, target);
	if (used)
		sample_read_end(thread, used);
}

uint64_t sample_park(struct sample_thread *thread, struct stacks **list)
{
	struct stacks *target = thread->handler.target;
	uint64_t cpu_ns = 0, now = sample_cpu_ns();

	if (!target)
		return 0;
	__atomic_store_n(&thread->handler.target, NULL, __ATOMIC_RELEASE);
	thread->handler.left_running = thread->clock.running;
	kernel_ring_drain(&thread->handler.kernel, target, thread->handler.keys);
	if (!sample_empty(target))
		sample_list(list, target);
	thread->parked = target;
	thread->parked_listed = sample_listed(list, target);
	if (now > thread->cpu_start_ns) {
		cpu_ns = now - thread->cpu_start_ns;
		thread->cpu_start_ns = now;
	}
	return cpu_ns;
}

void sample_unpark(struct sample_thread *thread, bool goes_on)
{
	struct stacks *target = thread->parked;

	if (!target)
		return;
	thread->parked = NULL;
	if (goes_on) {
		__atomic_store_n(&thread->handler.target, target, __ATOMIC_RELEASE);
		thread->handler.left_running = false;
		/* Its ticks may have stopped it meanwhile. */
		if (!thread->clock.running)
			sample_clock_run(thread);
		return;
	}
	if (!thread->parked_listed)
		sample_put_spare(thread, target);
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

		if (thread && !stacks_torn(list))
			stacks_reset(list, thread->tid);
		sample_put_spare(thread, list);
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
	for (struct stacks **spare = &thread->spare; *spare;) {
		struct stacks *tree = *spare;

		if (!tree->shared) {
			spare = &tree->next;
			continue;
		}
		*spare = tree->next;
		thread->spares--;
		stacks_free(tree);
	}
	thread->reading.at_ns = 0;
	thread->parked = NULL;
	thread->handler.left_running = false;
	thread->handler.target = NULL;
	thread->handler.held = NULL;
	thread->handler.stray = false;
	if (thread->held) {
		thread->held->kept = 0;
		stacks_reset(thread->held->stacks, thread->tid);
	}
	thread->handler.inside = false;
	thread->tid = (uint32_t)raw_gettid();
}
