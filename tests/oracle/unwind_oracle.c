/*
 * Preloaded into any program: samples its main thread (and its forked children's), unwinds each
 * sample by our tables and by libunwind on the same context, compares pc by pc, and writes a
 * summary with the first differing stacks to $ORACLE_OUT.PID at exit. ORACLE_HZ: samples a second.
 * ORACLE_ALONE: do not run libunwind, to time ours with the caches that the program leaves it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <x86intrin.h>

#include "preload/sigsafe/eh_frame.h"
#include "preload/sigsafe/modules.h"
#include "preload/sigsafe/peek.h"
#include "preload/sigsafe/raw.h"
#include "preload/sigsafe/unwind.h"

enum {
	DEPTH = UNWIND_MAX,
	KEPT_MAX = 48,
	COST_MAX = 1 << 18,
	ORACLE_SIGNAL = 44,
	CURSOR_BYTES = 8192, /* unw_cursor_t is 127 words */
	LIBUNWIND_RIP = 16,
	LIBUNWIND_INIT_SIGNAL_FRAME = 1,
};

/* Why two stacks may differ: what the frames that both agree on have among them. */
enum cause {
	CAUSE_NO_MODULE, /* code that no module had then: made at run time, or of a module that is being loaded */
	CAUSE_NO_TABLE,  /* code of a module that says nothing about it */
	CAUSE_RESUME,    /* libgcc, where it installs another frame's registers one by one */
	CAUSE_UNKNOWN,
	CAUSES,
};

struct kept {
	enum cause cause;
	size_t ours, theirs, at;
	enum unwind_end end;
	struct unwind_frame our[DEPTH];
	uintptr_t their[DEPTH];
	unsigned long seen;
};

enum { COST_COLD, COST_FIRST, COST_AGAIN, COST_STEP, COST_BACKTRACE, COSTS };

/* Ticks a frame, times 16, of each walk: the median tells more than the mean on a busy machine. */
struct cost {
	size_t count;
	uint32_t each[COST_MAX];
};

static struct {
	int (*init_local2)(void *cursor, void *context, int flags);
	int (*step)(void *cursor);
	int (*get_reg)(void *cursor, int reg, uintptr_t *value);
	int (*backtrace)(void **pcs, int size);
	unsigned long samples, equal, frames, prefix, longer, different;
	unsigned long causes[CAUSES];
	/* Of those that differ: how many reach the thread's first frame. */
	unsigned long our_whole, their_whole;
	unsigned long ends[UNWIND_ENDS], their_frames, busy, their_errors;
	struct cost cost[COSTS];
	int kept_count;
	struct kept kept[KEPT_MAX];
	volatile int inside;
	bool alone;
	uintptr_t first_frame;	 /* where the main thread's stacks end; 0: not known yet */
	const char *out; /* kept: nginx clears its environment */
	uint64_t hz;
	int event;
} oracle;

static size_t walk_theirs(ucontext_t *context, uintptr_t *pcs)
{
	static _Thread_local unsigned char cursor[CURSOR_BYTES] __attribute__((aligned(16)));
	size_t n = 0;
	int result = 0;

	if (oracle.init_local2(cursor, context, LIBUNWIND_INIT_SIGNAL_FRAME) < 0)
		return 0;
	do {
		if (oracle.get_reg(cursor, LIBUNWIND_RIP, &pcs[n]) < 0)
			break;
		n++;
		result = oracle.step(cursor);
	} while (result > 0 && n < DEPTH);
	oracle.their_errors += result < 0;
	return n;
}

/* Of the first `at` frames. */
static enum cause cause_of(const struct unwind_frame *our, size_t at)
{
	static struct eh_rule rule;
	const struct module_table *table = modules_acquire();
	enum cause cause = CAUSE_UNKNOWN;

	for (size_t i = at; i > 0 && cause == CAUSE_UNKNOWN; i--) {
		uintptr_t key = our[i - 1].pc - !our[i - 1].exact;
		const struct module *m = modules_find(table, key);

		if (!m)
			cause = CAUSE_NO_MODULE;
		else if (eh_find(m, key, &rule) == EH_NONE)
			cause = CAUSE_NO_TABLE;
		else if (i == at && strstr(m->path, "/libgcc_s.so"))
			cause = CAUSE_RESUME;
	}
	modules_release(table);
	return cause;
}

static void keep(const struct unwind_frame *our, size_t ours, const uintptr_t *their, size_t theirs,
		 size_t at, enum unwind_end end, enum cause cause)
{
	uintptr_t place = at > 0 ? our[at - 1].pc : 0;
	struct kept *k;

	for (int i = 0; i < oracle.kept_count; i++) {
		k = &oracle.kept[i];
		if (k->cause == cause && (k->at > 0 ? k->our[k->at - 1].pc : 0) == place) {
			k->seen++;
			return;
		}
	}
	if (oracle.kept_count == KEPT_MAX)
		return;
	k = &oracle.kept[oracle.kept_count++];
	k->cause = cause;
	k->ours = ours;
	k->theirs = theirs;
	k->at = at;
	k->end = end;
	k->seen = 1;
	memcpy(k->our, our, ours * sizeof(*our));
	memcpy(k->their, their, theirs * sizeof(*their));
}

static void compare(const struct unwind_frame *our, size_t ours, const uintptr_t *their,
		    size_t theirs, enum unwind_end end)
{
	size_t same = 0;
	enum cause cause;

	/* libunwind ends some stacks with a frame of pc 0. */
	while (theirs > 0 && their[theirs - 1] == 0)
		theirs--;
	while (same < ours && same < theirs && our[same].pc == their[same])
		same++;
	oracle.samples++;
	oracle.frames += ours;
	oracle.their_frames += theirs;
	oracle.ends[end]++;
	if (same == ours && same == theirs) {
		oracle.equal++;
		if (end != UNWIND_COMPLETE)
			keep(our, ours, their, theirs, same, end, cause_of(our, same));
		else if (!oracle.first_frame)
			oracle.first_frame = our[ours - 1].pc;
		return;
	}
	cause = cause_of(our, same);
	oracle.causes[cause]++;
	oracle.our_whole += our[ours - 1].pc == oracle.first_frame;
	oracle.their_whole += theirs > 0 && their[theirs - 1] == oracle.first_frame;
	if (same == ours)
		oracle.prefix++;
	else if (same == theirs)
		oracle.longer++;
	else
		oracle.different++;
	keep(our, ours, their, theirs, same, end, cause);
}

static void registers_of(const ucontext_t *context, struct unwind_registers *registers)
{
	static const int order[16] = {
		REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP,
		REG_R8,	 REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
	};

	for (int i = 0; i < 16; i++)
		registers->r[i] = (uintptr_t)context->uc_mcontext.gregs[order[i]];
	registers->pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
}

static void cost_add(int which, uint64_t ticks, size_t frames)
{
	struct cost *cost = &oracle.cost[which];

	if (frames > 0 && cost->count < COST_MAX)
		cost->each[cost->count++] = (uint32_t)(ticks * 16 / frames);
}

static int compare_cost(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Ticks a frame that this part (0..1) of the walks stayed under. */
static double cost_at(int which, double part)
{
	struct cost *cost = &oracle.cost[which];

	if (cost->count == 0)
		return 0;
	qsort(cost->each, cost->count, sizeof(cost->each[0]), compare_cost);
	return cost->each[(size_t)((double)(cost->count - 1) * part)] / 16.0;
}

static void on_sample(int number, siginfo_t *info, void *context)
{
	static struct unwind_frame first[DEPTH], our[DEPTH];
	static uintptr_t their[DEPTH];
	static void *pcs[DEPTH];
	static struct unwind_memo memo;
	static unsigned turn;
	int saved = errno, got;
	const struct module_table *table;
	struct unwind_registers registers;
	enum unwind_end end;
	uint64_t t0, t1, t2, t3, t4;
	size_t ours, theirs;

	if (__atomic_exchange_n(&oracle.inside, 1, __ATOMIC_ACQUIRE)) {
		oracle.busy++;
		return;
	}
	/* A walk that takes longer than a period would be followed by the next for ever. */
	ioctl(oracle.event, PERF_EVENT_IOC_DISABLE, 0);
	table = modules_acquire();
	registers_of(context, &registers);
	/* Every 1024th sample starts from nothing, to time the cold walk. */
	turn++;
	if (turn % 1024 == 0)
		unwind_forget();
	t0 = __rdtsc();
	ours = unwind_stack_again(&memo, table, &registers, registers.r[7] - 128, 0, first, DEPTH,
				  &end);
	t1 = __rdtsc();
	ours = unwind_stack(table, &registers, registers.r[7] - 128, 0, our, DEPTH, &end);
	t2 = __rdtsc();
	modules_release(table);
	theirs = oracle.alone ? 0 : walk_theirs(context, their);
	t3 = __rdtsc();
	got = oracle.alone ? 1 : oracle.backtrace(pcs, DEPTH);
	t4 = __rdtsc();
	cost_add(turn % 1024 == 0 ? COST_COLD : COST_FIRST, t1 - t0, ours);
	cost_add(COST_AGAIN, t2 - t1, ours);
	cost_add(COST_STEP, t3 - t2, theirs);
	cost_add(COST_BACKTRACE, t4 - t3, got > 0 ? (size_t)got : 0);
	if (oracle.alone) {
		theirs = ours;
		for (size_t i = 0; i < ours; i++)
			their[i] = our[i].pc;
	}
	compare(our, ours, their, theirs, end);
	if (memcmp(first, our, ours * sizeof(*our)) != 0)
		abort(); /* the cache gave another answer than the table */
	ioctl(oracle.event, PERF_EVENT_IOC_ENABLE, 0);
	__atomic_store_n(&oracle.inside, 0, __ATOMIC_RELEASE);
	errno = saved;
}

static void start(void)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = oracle.hz,
		.exclude_kernel = 1,
		.wakeup_events = 1,
	};
	struct f_owner_ex owner = { F_OWNER_TID, raw_gettid() };

	oracle.event = raw_perf_event_open(&attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (oracle.event < 0)
		return;
	fcntl(oracle.event, F_SETFL, O_ASYNC);
	fcntl(oracle.event, F_SETSIG, ORACLE_SIGNAL);
	fcntl(oracle.event, F_SETOWN_EX, &owner);
}

static void forked(void)
{
	modules_postfork_child();
	close(oracle.event);
	memset(&oracle.samples, 0,
	       offsetof(__typeof__(oracle), alone) - offsetof(__typeof__(oracle), samples));
	start();
}

/* As the library does: what a module does when it is loaded is seen by tables that have it. */
__attribute__((visibility("default"))) void *dlopen(const char *name, int flags)
{
	static void *(*real)(const char *, int);
	void *handle;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "dlopen");
	handle = real(name, flags);
	if (oracle.out)
		modules_refresh();
	return handle;
}

/* Modules loaded otherwise are found in passing. */
static void *refresher(void *nothing)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (;;) {
		usleep(2000);
		modules_refresh();
	}
	return nothing;
}

__attribute__((constructor)) static void oracle_start(void)
{
	struct sigaction action = { .sa_sigaction = on_sample,
				    .sa_flags = SA_SIGINFO | SA_RESTART };
	void *libunwind;
	pthread_t thread;

	if (!getenv("ORACLE_OUT"))
		return;
	oracle.out = strdup(getenv("ORACLE_OUT"));
	oracle.hz = getenv("ORACLE_HZ") ? strtoul(getenv("ORACLE_HZ"), NULL, 10) : 2000;
	libunwind = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
	if (!libunwind)
		return;
	*(void **)&oracle.init_local2 = dlsym(libunwind, "_ULx86_64_init_local2");
	*(void **)&oracle.step = dlsym(libunwind, "_ULx86_64_step");
	*(void **)&oracle.get_reg = dlsym(libunwind, "_ULx86_64_get_reg");
	*(void **)&oracle.backtrace = dlsym(libunwind, "unw_backtrace");
	oracle.alone = getenv("ORACLE_ALONE") != NULL;
	/* Its thread-local storage is made by malloc at the first use, which deadlocks in a handler. */
	oracle.backtrace((void *[4]){ NULL }, 4);
	modules_refresh();
	sigfillset(&action.sa_mask);
	sigaction(ORACLE_SIGNAL, &action, NULL);
	pthread_atfork(NULL, NULL, forked);
	if (!getenv("ORACLE_NO_THREAD"))
		pthread_create(&thread, NULL, refresher, NULL);
	start();
}

static void print_pc(FILE *out, uintptr_t pc, bool exact)
{
	const struct module_table *table = modules_acquire();
	const struct module *m = modules_find(table, pc - !exact);
	Dl_info info = { 0 };

	fprintf(out, "%#lx", pc);
	if (m)
		fprintf(out, " %s+%#lx", m->path, pc - m->bias);
	if (dladdr((void *)(pc - !exact), &info) && info.dli_sname)
		fprintf(out, " %s+%#lx", info.dli_sname, pc - (uintptr_t)info.dli_saddr);
	fputc('\n', out);
	modules_release(table);
}

static double ticks_per_ns(void)
{
	struct timespec a, b;
	uint64_t t = __rdtsc();

	clock_gettime(CLOCK_MONOTONIC, &a);
	do
		clock_gettime(CLOCK_MONOTONIC, &b);
	while ((b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec < 50000000);
	return (double)(__rdtsc() - t) /
	       (double)((b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec);
}

static void print_kept(FILE *out, const struct kept *k)
{
	static const char *const causes[CAUSES] = { "no module", "no table", "resume", "unexplained" };

	fprintf(out, "\n%s %zu frames (%lu times, %s), we ended by %d:\n",
		k->at == k->ours && k->at == k->theirs ? "equal but incomplete," : "differs after",
		k->at, k->seen, causes[k->cause], k->end);
	for (size_t i = k->at > 3 ? k->at - 3 : 0; i < k->ours && i < k->at + 4; i++) {
		fprintf(out, "  ours   %3zu cfa %#lx pc ", i, k->our[i].cfa);
		print_pc(out, k->our[i].pc, k->our[i].exact);
	}
	for (size_t i = k->at > 3 ? k->at - 3 : 0; i < k->theirs && i < k->at + 4; i++) {
		fprintf(out, "  theirs %3zu pc ", i);
		print_pc(out, k->their[i], i == 0);
	}
}

__attribute__((destructor)) static void oracle_stop(void)
{
	static const char *const names[COSTS] = { "ours, nothing cached", "ours",
						  "ours, again at once", "unw_step",
						  "unw_backtrace" };
	char name[4096];
	double tick;
	FILE *out;

	if (!oracle.out || oracle.samples == 0)
		return;
	ioctl(oracle.event, PERF_EVENT_IOC_DISABLE, 0);
	modules_refresh();
	snprintf(name, sizeof(name), "%s.%d", oracle.out, raw_getpid());
	out = fopen(name, "w");
	if (!out)
		return;
	tick = ticks_per_ns();
	fprintf(out,
		"samples %lu equal %lu (%.4f %%) ours-shorter %lu ours-longer %lu different %lu busy %lu\n",
		oracle.samples, oracle.equal, 100.0 * (double)oracle.equal / (double)oracle.samples,
		oracle.prefix, oracle.longer, oracle.different, oracle.busy);
	fprintf(out,
		"our ends: complete %lu no-module %lu no-rule %lu bad-stack %lu too-deep %lu; their errors %lu\n",
		oracle.ends[UNWIND_COMPLETE], oracle.ends[UNWIND_NO_MODULE],
		oracle.ends[UNWIND_NO_RULE], oracle.ends[UNWIND_BAD_STACK],
		oracle.ends[UNWIND_TOO_DEEP], oracle.their_errors);
	fprintf(out,
		"differences: no-module %lu no-table %lu resume %lu unexplained %lu; whole: ours %lu theirs %lu\n",
		oracle.causes[CAUSE_NO_MODULE], oracle.causes[CAUSE_NO_TABLE],
		oracle.causes[CAUSE_RESUME], oracle.causes[CAUSE_UNKNOWN], oracle.our_whole,
		oracle.their_whole);
	fprintf(out, "frames a stack: %.1f\n", (double)oracle.frames / (double)oracle.samples);
	for (int i = 0; i < COSTS; i++)
		fprintf(out, "%s: ns a frame, median %.1f, 10 %% %.1f, 90 %% %.1f\n", names[i],
			cost_at(i, 0.5) / tick, cost_at(i, 0.1) / tick, cost_at(i, 0.9) / tick);
	for (int i = 0; i < oracle.kept_count; i++)
		print_kept(out, &oracle.kept[i]);
	fclose(out);
}
