#include "preload/sigsafe/modules.h"

#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>

#include "format/nanoseconds.h"
#include "preload/sigsafe/module_path.h"
#include "preload/sigsafe/module_scan.h"
#include "preload/sigsafe/peek.h"
#include "preload/sigsafe/raw.h"
#include "preload/sigsafe/unwind.h"

enum {
	MODULES_SHARDS = 16,
	MODULES_SPARE = 16, /* room for modules that appear between counting and filling */
	MODULES_TRIES = 4,
	MODULES_WITHDRAWERS = 8, /* threads that can be inside dlclose at once */
};

/* A handler interrupted for longer than this is taken for dead (a stopped thread, a debugger). */
static const uint64_t withdraw_wait_ns = 1000000000;
/* A dlclose that is not back after this (a destructor waits, or left by longjmp) is ignored. */
static const uint64_t withdraw_hold_ns = 5000000000;

struct snapshot {
	struct snapshot *next; /* in the retired list */
	size_t mapped_bytes;
	struct module_table table;
};

struct users {
	_Atomic uint32_t count;
} __attribute__((aligned(64)));

static struct {
	struct module_table *_Atomic current; /* written in one's turn and by modules_withdraw */
	_Atomic bool busy;		  /* somebody's turn: guards all fields below but users */
	struct snapshot *_Atomic retired; /* a stack; emptied in one's turn */
	unsigned long long subs;	  /* as last seen */
	const char *main_path;
	/* Threads inside dlclose, one slot per nesting; written by their owners. */
	struct {
		_Atomic pid_t tid;
		_Atomic uint64_t since_ns;
	} withdrawers[MODULES_WITHDRAWERS];
	_Atomic uint32_t withdrawals;
	/* Readers in flight, spread by thread lest handlers of different threads share a line. */
	struct users users[MODULES_SHARDS];
} modules;

static uint64_t now_ns(void)
{
	struct timespec now = { 0 };

	raw_clock_gettime(CLOCK_MONOTONIC, &now);
	return nanoseconds(&now);
}

/* ---- readers ---- */

static struct users *users_mine(void)
{
	uint64_t thread;

	/* The thread's control block holds its own address. */
	__asm__("mov %%fs:0, %0" : "=r"(thread));
	return &modules.users[(thread * 0x9e3779b97f4a7c15) >> 60];
}

const struct module_table *modules_acquire(void)
{
	struct users *users = users_mine();
	const struct module_table *table;

	/*
	 * Counted before the pointer is read: who unpublishes first and looks at the count later
	 * sees us.
	 */
	atomic_fetch_add_explicit(&users->count, 1, memory_order_seq_cst);
	table = atomic_load_explicit(&modules.current, memory_order_seq_cst);
	if (!table)
		atomic_fetch_sub_explicit(&users->count, 1, memory_order_release);
	return table;
}

void modules_release(const struct module_table *table)
{
	if (table)
		atomic_fetch_sub_explicit(&users_mine()->count, 1, memory_order_release);
}

const struct module *modules_find(const struct module_table *table, uintptr_t pc)
{
	size_t low = 0, high = table ? table->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->modules[middle].end <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	if (!table || low == table->count || pc < table->modules[low].start)
		return NULL;
	return &table->modules[low];
}

/* ---- giving old tables back ---- */

/*
 * A shard seen at zero after the table was unpublished holds no reader of it: later ones find the
 * new pointer. So the shards need not be zero all at the same moment.
 */
static bool users_gone(uint64_t wait_ns)
{
	uint64_t until = 0;

	for (size_t i = 0; i < MODULES_SHARDS; i++) {
		while (atomic_load_explicit(&modules.users[i].count, memory_order_seq_cst) != 0) {
			if (wait_ns == 0)
				return false;
			if (until == 0)
				until = now_ns() + wait_ns;
			else if (now_ns() >= until)
				return false;
			raw_sched_yield();
		}
	}
	return true;
}

/* Swaps the published table; the old one goes to the retired list. */
static void publish(struct module_table *table)
{
	struct module_table *old =
		atomic_exchange_explicit(&modules.current, table, memory_order_seq_cst);
	struct snapshot *snapshot;

	if (!old)
		return;
	snapshot = (struct snapshot *)((char *)old - offsetof(struct snapshot, table));
	snapshot->next = atomic_load_explicit(&modules.retired, memory_order_relaxed);
	while (!atomic_compare_exchange_strong_explicit(&modules.retired, &snapshot->next, snapshot,
							memory_order_seq_cst, memory_order_relaxed))
		;
}

/*
 * In one's turn. Takes the list first: what is retired while we look at the counts stays for next
 * time.
 */
static void retired_free(void)
{
	struct snapshot *list = atomic_exchange_explicit(&modules.retired, NULL,
							 memory_order_seq_cst),
			*next;
	bool gone = list && users_gone(0);

	for (; list; list = next) {
		next = list->next;
		if (gone) {
			raw_munmap(list, list->mapped_bytes);
			continue;
		}
		list->next = atomic_load_explicit(&modules.retired, memory_order_relaxed);
		while (!atomic_compare_exchange_strong_explicit(&modules.retired, &list->next, list,
								memory_order_seq_cst,
								memory_order_relaxed))
			;
	}
}

/* ---- dlclose ---- */

void modules_withdraw(void)
{
	pid_t self = raw_gettid();

	for (size_t i = 0; i < MODULES_WITHDRAWERS; i++) {
		pid_t nobody = 0;

		if (atomic_compare_exchange_strong_explicit(&modules.withdrawers[i].tid, &nobody,
							    self, memory_order_seq_cst,
							    memory_order_relaxed)) {
			atomic_store_explicit(&modules.withdrawers[i].since_ns, now_ns(),
					      memory_order_seq_cst);
			atomic_fetch_add_explicit(&modules.withdrawals, 1, memory_order_seq_cst);
			break;
		}
	}
	/*
	 * Whoever is making a table now did not know of us; it has seen us by the end of its turn.
	 */
	for (uint64_t until = now_ns() + withdraw_wait_ns;
	     atomic_load_explicit(&modules.busy, memory_order_seq_cst) && now_ns() < until;)
		raw_sched_yield();
	publish(NULL);
	users_gone(withdraw_wait_ns);
}

static void withdrawer_clear(size_t i, pid_t tid)
{
	if (atomic_compare_exchange_strong_explicit(&modules.withdrawers[i].tid, &tid, 0,
						    memory_order_seq_cst, memory_order_relaxed))
		atomic_fetch_sub_explicit(&modules.withdrawals, 1, memory_order_seq_cst);
}

/* Ends this thread's innermost withdrawal, if any. */
static void withdraw_end(void)
{
	pid_t self;

	if (atomic_load_explicit(&modules.withdrawals, memory_order_seq_cst) == 0)
		return;
	self = raw_gettid();
	for (size_t i = MODULES_WITHDRAWERS; i-- > 0;) {
		if (atomic_load_explicit(&modules.withdrawers[i].tid, memory_order_seq_cst) ==
		    self) {
			withdrawer_clear(i, self);
			return;
		}
	}
}

/* Is a thread between modules_withdraw and modules_refresh? */
static bool withdrawn(void)
{
	bool held = false;
	uint64_t now;

	if (atomic_load_explicit(&modules.withdrawals, memory_order_seq_cst) == 0)
		return false;
	now = now_ns();
	for (size_t i = 0; i < MODULES_WITHDRAWERS; i++) {
		pid_t tid = atomic_load_explicit(&modules.withdrawers[i].tid, memory_order_seq_cst);
		uint64_t since = atomic_load_explicit(&modules.withdrawers[i].since_ns,
						      memory_order_seq_cst);

		if (tid == 0)
			continue;
		if (now > since && now - since > withdraw_hold_ns)
			withdrawer_clear(i, tid);
		else
			held = true;
	}
	return held;
}

/* ---- making a table ---- */

struct scan {
	struct module_table *table; /* NULL: only count */
	size_t capacity, count;
	unsigned long long adds, subs;
	bool counters_only;
};

static int scan_one(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct scan *scan = argument;
	struct module *m;

	scan->adds = info->dlpi_adds;
	scan->subs = info->dlpi_subs;
	if (scan->counters_only)
		return 1;
	if (scan->table && scan->count < scan->capacity) {
		m = &scan->table->modules[scan->count];
		if (!module_scan(info, m))
			return 0;
		/* Only the main program has no name: the loader lists it first. */
		m->is_main = info->dlpi_name[0] == '\0' && info->dlpi_phdr != NULL &&
			     m->load_start != getauxval(AT_SYSINFO_EHDR);
		if (m->load_start == getauxval(AT_SYSINFO_EHDR))
			m->path = "[vdso]";
		else if (info->dlpi_name[0] == '/')
			m->path = module_path_intern(info->dlpi_name, strlen(info->dlpi_name));
	}
	scan->count++;
	return 0;
}

/*
 * Names that the loader does not have: the main program's, and those of modules found through a
 * relative path. "ld.so program" leaves ld.so in /proc/self/exe; the kernel then gave no AT_BASE.
 */
static void table_name(struct module_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		struct module *m = &table->modules[i];

		if (m->path)
			continue;
		if (!m->is_main) {
			m->path = module_path_at(m->start);
		} else {
			if (!modules.main_path)
				modules.main_path = getauxval(AT_BASE) ? module_path_exe()
								       : module_path_at(m->start);
			m->path = modules.main_path;
		}
		if (!m->path)
			m->path = "";
	}
}

/*
 * Shell sort: the loader's order is nearly by address, and nothing here may call malloc (qsort
 * may).
 */
static void table_sort(struct module_table *table)
{
	struct module *m = table->modules, moving;

	for (size_t gap = table->count / 2; gap > 0; gap /= 2) {
		for (size_t i = gap; i < table->count; i++) {
			size_t at = i;

			moving = m[i];
			for (; at >= gap && m[at - gap].start > moving.start; at -= gap)
				m[at] = m[at - gap];
			m[at] = moving;
		}
	}
	for (size_t i = 1; i < table->count; i++) {
		if (m[i - 1].end > m[i].start)
			m[i - 1].end = m[i].start;
	}
}

static int table_make(struct module_table **made)
{
	for (int try = 0; try < MODULES_TRIES; try++) {
		struct scan scan = { 0 };
		struct snapshot *snapshot;
		size_t bytes;

		dl_iterate_phdr(scan_one, &scan);
		scan.capacity = scan.count + MODULES_SPARE;
		bytes = sizeof(*snapshot) + scan.capacity * sizeof(struct module);
		snapshot = raw_mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (raw_failed(snapshot))
			return -ENOMEM;
		snapshot->mapped_bytes = bytes;
		scan.table = &snapshot->table;
		scan.count = 0;
		dl_iterate_phdr(scan_one, &scan);
		if (scan.count > scan.capacity) {
			raw_munmap(snapshot, bytes);
			continue;
		}
		snapshot->table.count = scan.count;
		snapshot->table.adds = scan.adds;
		snapshot->table.subs = scan.subs;
		table_name(&snapshot->table);
		table_sort(&snapshot->table);
		*made = &snapshot->table;
		return 0;
	}
	return -EAGAIN;
}

static void forget(void)
{
	unwind_forget();
	peek_forget();
}

int modules_refresh(void)
{
	struct scan scan = { .counters_only = true };
	struct module_table *table;
	int result = 0;

	withdraw_end();
	if (withdrawn() || atomic_exchange_explicit(&modules.busy, true, memory_order_acquire))
		return 0;
	dl_iterate_phdr(scan_one, &scan);
	/* The table may be withdrawn but is not freed while this is our turn. */
	table = atomic_load_explicit(&modules.current, memory_order_seq_cst);
	if (table && table->adds == scan.adds && table->subs == scan.subs)
		goto out;
	result = table_make(&table);
	if (result != 0)
		goto out;
	/*
	 * What was known of addresses that are another module's by now, or nobody's, goes before
	 * the new table can be used; what handlers learned meanwhile from the old one, after it.
	 */
	if (table->subs != modules.subs)
		forget();
	publish(table);
	if (table->subs != modules.subs)
		forget();
	modules.subs = table->subs;
	/* A dlclose that began meanwhile did not find this table to withdraw. */
	if (withdrawn())
		publish(NULL);
out:
	retired_free();
	atomic_store_explicit(&modules.busy, false, memory_order_release);
	return result;
}

void modules_postfork_child(void)
{
	for (size_t i = 0; i < MODULES_SHARDS; i++)
		atomic_store_explicit(&modules.users[i].count, 0, memory_order_relaxed);
	for (size_t i = 0; i < MODULES_WITHDRAWERS; i++)
		atomic_store_explicit(&modules.withdrawers[i].tid, 0, memory_order_relaxed);
	atomic_store_explicit(&modules.withdrawals, 0, memory_order_relaxed);
	atomic_store_explicit(&modules.busy, false, memory_order_release);
}
