/*
 * Runs python_walk from signal handlers inside a real interpreter, for tests/oracle/python_*.py to
 * compare with what the interpreter says of itself. Loaded through ctypes, built by python.sh.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <x86intrin.h>

#include "preload/sigsafe/codes.h"
#include "preload/sigsafe/cpython/runtime.h"
#include "preload/sigsafe/peek.h"
#include "preload/sigsafe/python.h"

#define EXPORT __attribute__((visibility("default")))

enum {
	RESULTS = 4,
	THREADS = 64,
	TIMES = 65536,
	EDGES = 65536,
	STACKS = 65536,
	STACK_WORDS = 4 << 20,
	TRAP_FLAG = 0x100,
};

static int signal_sample, signal_timer, signal_step, signal_bench;
static uint32_t bench_cycles;

struct oracle_frame {
	uint32_t code;
	int32_t lasti, line, unused;
	uint64_t entry;
};

struct oracle_sample {
	int32_t result, n;
	uint64_t sp, stack_high;
	struct oracle_frame frames[PYTHON_MAX];
};

/* One thread that is sampled. */
struct sampled {
	_Atomic bool taken;
	struct python_thread memory;
	uintptr_t stack_high;
	bool timer_made;
	timer_t timer;
	struct python_frame frames[PYTHON_MAX];
	size_t n;
	enum python_result result;
	uintptr_t sp;
};

static struct sampled pool[THREADS];
static pthread_key_t key;

static struct {
	_Atomic uint64_t results[RESULTS];
	_Atomic uint32_t times[TIMES]; /* cycles of single walks */
	_Atomic unsigned times_used;
	_Atomic uint64_t edges[EDGES]; /* caller id << 32 | callee id; a set */
	_Atomic uint64_t edges_lost;
	bool stacks_wanted;
	/* Distinct whole stacks, single-stepping thread only: offset of n, result, ids... */
	uint32_t stacks[STACKS];
	uint32_t words[STACK_WORDS];
	uint32_t words_used;
	uint64_t stacks_lost;
} log_;

static struct sampled *sampled_self(void)
{
	return pthread_getspecific(key);
}

static void walk(struct sampled *me, const ucontext_t *context)
{
	me->sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
	me->result =
		python_walk(&me->memory, me->sp, me->stack_high, me->frames, PYTHON_MAX, &me->n);
}

static void note_edges(const struct sampled *me)
{
	for (size_t i = 0; i < me->n; i++) {
		uint64_t caller = i + 1 < me->n ? me->frames[i + 1].code : 0;
		uint64_t edge = caller << 32 | me->frames[i].code,
			 at = (edge * 0x9e3779b97f4a7c15) >> 48;

		if (caller == 0 && me->result != PYTHON_OK)
			break;
		for (unsigned probe = 0;; probe++, at = (at + 1) % EDGES) {
			uint64_t found = __atomic_load_n(&log_.edges[at], __ATOMIC_RELAXED);

			if (found == edge)
				break;
			if (found == 0 &&
			    __atomic_compare_exchange_n(&log_.edges[at], &found, edge, false,
							__ATOMIC_RELAXED, __ATOMIC_RELAXED))
				break;
			if (found == edge)
				break;
			if (probe == 64) {
				__atomic_fetch_add(&log_.edges_lost, 1, __ATOMIC_RELAXED);
				break;
			}
		}
	}
}

static void note_stack(const struct sampled *me)
{
	uint64_t hash = (uint64_t)me->result + 1;
	uint32_t *words;

	for (size_t i = 0; i < me->n; i++)
		hash = (hash ^ me->frames[i].code) * 0x9e3779b97f4a7c15, hash ^= hash >> 29;
	for (unsigned probe = 0; probe < 256; probe++) {
		uint32_t *slot = &log_.stacks[(hash + probe) % STACKS];

		if (*slot == 0) {
			if (log_.words_used + me->n + 3 > STACK_WORDS)
				break;
			*slot = log_.words_used + 1;
			words = &log_.words[log_.words_used];
			words[0] = (uint32_t)me->n;
			words[1] = (uint32_t)me->result;
			for (size_t i = 0; i < me->n; i++)
				words[2 + i] = me->frames[i].code;
			log_.words_used += (uint32_t)me->n + 2;
			return;
		}
		words = &log_.words[*slot - 1];
		if (words[0] != me->n || words[1] != (uint32_t)me->result)
			continue;
		bool same = true;
		for (size_t i = 0; i < me->n && same; i++)
			same = words[2 + i] == me->frames[i].code;
		if (same)
			return;
	}
	log_.stacks_lost++;
}

static void on_sample(int number, siginfo_t *info, void *context)
{
	int saved = errno;
	struct sampled *me = sampled_self();

	if (me)
		walk(me, context);
	errno = saved;
}

static void on_timer(int number, siginfo_t *info, void *context)
{
	int saved = errno;
	struct sampled *me = sampled_self();
	uint64_t begun, ended;

	if (!me)
		return;
	begun = __rdtsc();
	walk(me, context);
	ended = __rdtsc();
	__atomic_fetch_add(&log_.results[me->result], 1, __ATOMIC_RELAXED);
	log_.times[__atomic_fetch_add(&log_.times_used, 1, __ATOMIC_RELAXED) % TIMES] =
		(uint32_t)(ended - begun);
	note_edges(me);
	errno = saved;
}

static void on_trap(int number, siginfo_t *info, void *context)
{
	int saved = errno;
	struct sampled *me = sampled_self();

	walk(me, context);
	log_.results[me->result]++;
	note_stack(me);
	errno = saved;
}

/* Walks again and again: what a warm walk costs when nothing else wants the machine. */
static void on_bench(int number, siginfo_t *info, void *context)
{
	enum { WALKS = 4000 };
	struct sampled *me = sampled_self();
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < WALKS; i++) {
		uint64_t begun = __rdtsc(), took;

		walk(me, context);
		took = __rdtsc() - begun;
		if (took < best)
			best = took;
	}
	bench_cycles = (uint32_t)best;
}

static void on_step(int number, siginfo_t *info, void *context)
{
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] ^= TRAP_FLAG;
}

static void install(int number, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };

	sigfillset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

static void thread_end(void *argument)
{
	struct sampled *me = argument;

	if (me->timer_made)
		timer_delete(me->timer);
	memset(&me->memory, 0, sizeof(me->memory));
	me->timer_made = false;
	__atomic_store_n(&me->taken, false, __ATOMIC_RELEASE);
}

EXPORT int oracle_start(void)
{
	static bool started;

	if (started)
		return 0;
	started = true;
	signal_sample = SIGRTMIN + 3;
	signal_timer = SIGRTMIN + 4;
	signal_step = SIGRTMIN + 5;
	signal_bench = SIGRTMIN + 6;
	if (pthread_key_create(&key, thread_end))
		return -1;
	install(signal_sample, on_sample);
	install(signal_timer, on_timer);
	install(signal_step, on_step);
	install(signal_bench, on_bench);
	install(SIGTRAP, on_trap);
	python_find();
	return codes_prepare();
}

EXPORT const char *oracle_version(void)
{
	python_find();
	return python_version();
}

EXPORT int oracle_thread_begin(void)
{
	struct sampled *me = sampled_self();
	pthread_attr_t attr;
	sigset_t mine;
	void *low;
	size_t size;

	if (me)
		return 0;
	for (me = pool; me < pool + THREADS; me++)
		if (!__atomic_exchange_n(&me->taken, true, __ATOMIC_ACQUIRE))
			break;
	if (me == pool + THREADS)
		return -1;
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstack(&attr, &low, &size);
	pthread_attr_destroy(&attr);
	me->stack_high = (uintptr_t)low + size;
	pthread_setspecific(key, me);
	python_touch(&me->memory);
	/* uwsgi's threads block all signals. */
	sigemptyset(&mine);
	for (int number = signal_sample; number <= signal_bench; number++)
		sigaddset(&mine, number);
	pthread_sigmask(SIG_UNBLOCK, &mine, NULL);
	return 0;
}

EXPORT int oracle_take(struct oracle_sample *sample)
{
	struct sampled *me;

	if (oracle_thread_begin())
		return -1;
	me = sampled_self();
	me->n = 0;
	syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), signal_sample);
	sample->result = (int)me->result;
	sample->n = (int)me->n;
	sample->sp = me->sp;
	sample->stack_high = me->stack_high;
	for (size_t i = 0; i < me->n; i++) {
		struct code *code = codes_get(me->frames[i].code);

		sample->frames[i].code = me->frames[i].code;
		sample->frames[i].lasti = me->frames[i].lasti;
		sample->frames[i].entry = me->frames[i].entry;
		sample->frames[i].line = code ? codes_line(code, me->frames[i].lasti) : -1;
	}
	return 0;
}

/* Cycles of one warm walk from here; *frames of it. */
EXPORT unsigned oracle_bench(unsigned *frames)
{
	if (oracle_thread_begin())
		return 0;
	syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), signal_bench);
	*frames = (unsigned)sampled_self()->n;
	return bench_cycles;
}

EXPORT const char *oracle_filename(uint32_t id)
{
	return codes_get(id) ? codes_get(id)->filename.bytes : NULL;
}

EXPORT const char *oracle_name(uint32_t id)
{
	return codes_get(id) ? codes_get(id)->name.bytes : NULL;
}

EXPORT const char *oracle_qualname(uint32_t id)
{
	return codes_get(id) ? codes_get(id)->qualname.bytes : NULL;
}

EXPORT int oracle_first_line(uint32_t id)
{
	return codes_get(id) ? codes_get(id)->first_line : -1;
}

EXPORT int oracle_line(uint32_t id, int lasti)
{
	return codes_get(id) ? codes_line(codes_get(id), lasti) : -1;
}

/* The id of a code object, and the lines of its code units 0..n. */
EXPORT uint32_t oracle_lines(uintptr_t code, int32_t *lines, unsigned n)
{
	static struct runtime runtime;
	const char *reason;
	const struct cpython_layout *layout;
	uint32_t id;

	if (!runtime.layout && runtime_find(&runtime, &reason) != RUNTIME_READY)
		return 0;
	layout = runtime.layout;
	id = codes_intern(layout, code);

	for (unsigned i = 0; id != 0 && i < n; i++)
		lines[i] = codes_line(codes_get(id), (int32_t)i * 2);
	return id;
}

EXPORT unsigned oracle_codes(void)
{
	return codes_count();
}

EXPORT uint64_t oracle_codes_full(void)
{
	return codes_full();
}

/* Sends this thread a signal hz times a second of wall time until oracle_timer_end. */
EXPORT int oracle_timer_begin(int hz)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal_timer };
	struct itimerspec every = { { 0, 1000000000 / hz }, { 0, 1000000000 / hz } };
	struct sampled *me;

	if (oracle_thread_begin())
		return -1;
	me = sampled_self();
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &me->timer))
		return -errno;
	me->timer_made = true;
	return timer_settime(me->timer, 0, &every, NULL) ? -errno : 0;
}

EXPORT void oracle_timer_end(void)
{
	struct sampled *me = sampled_self();

	if (me && me->timer_made)
		timer_delete(me->timer);
	if (me)
		me->timer_made = false;
}

/* Turns tracing of every machine instruction of this thread on, and off again. */
EXPORT int oracle_step(void)
{
	if (oracle_thread_begin())
		return -1;
	return (int)syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), signal_step);
}

EXPORT void oracle_forget(void)
{
	peek_forget();
}

EXPORT void oracle_reset(void)
{
	memset(&log_, 0, sizeof(log_));
}

EXPORT uint64_t oracle_result(unsigned which)
{
	return which < RESULTS ? log_.results[which] : 0;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The walk's time, in cycles, that per_mille of all samples took at most. */
EXPORT unsigned oracle_cycles(unsigned per_mille)
{
	static uint32_t sorted[TIMES];
	unsigned n = log_.times_used < TIMES ? log_.times_used : TIMES;

	if (n == 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		sorted[i] = log_.times[i];
	qsort(sorted, n, sizeof(sorted[0]), by_value);
	return sorted[(uint64_t)(n - 1) * per_mille / 1000];
}

EXPORT double oracle_cycles_per_ns(void)
{
	struct timespec a, b;
	uint64_t from, to;
	double ns;

	clock_gettime(CLOCK_MONOTONIC, &a);
	from = __rdtsc();
	do {
		clock_gettime(CLOCK_MONOTONIC, &b);
		to = __rdtsc();
		ns = (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
	} while (ns < 20e6);
	return (double)(to - from) / ns;
}

/* The i-th slot of the set of edges: 0 when free. */
EXPORT uint64_t oracle_edge(unsigned i)
{
	return i < EDGES ? log_.edges[i] : 0;
}

EXPORT unsigned oracle_edges(void)
{
	return EDGES;
}

EXPORT uint64_t oracle_lost(void)
{
	return log_.edges_lost + log_.stacks_lost;
}

EXPORT const uint32_t *oracle_stacks(uint32_t *words)
{
	*words = log_.words_used;
	return log_.words;
}
