#include "preload/control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/alive.h"
#include "preload/control/page.h"
#include "preload/directory.h"
#include "preload/ours.h"
#include "preload/sigsafe/raw.h"

enum { LOCK_TRIES = 20, LOCK_PAUSE_NS = 1000000 };
static const uint64_t RETRY_NS = 1000000000, RETRY_LOCKED_NS = 10000000;

static struct control_settings settings;
static struct control_page private_page;   /* serves until the real one is open */
static struct control_page *page = &private_page;
static struct control_process *slot = &private_page.processes[0];
/* Where it is counted, atomic: in the slot, or, while it has none in a page that is there, among those that are gone. */
static uint64_t *counters = private_page.processes[0].counters;
static bool joined;        /* atomic */
static uint64_t retry_ns;  /* atomic: not again before this */
static bool lock_awaited;  /* it was somebody else's all the time */
static uint32_t joining;   /* one thread at a time */
static uint64_t begun_before; /* profiles, by this process's former self */
static uint64_t page_inode; /* of the file that is mapped; 0: none */

/* Wishes are parsed once a change. Readers of an old one have the time of three changes. */
static struct control_wishes wishes[4];
static uint32_t wishes_current;    /* atomic */
static uint64_t wishes_generation; /* atomic: of the page they were parsed from, plus one; 0: none */
static uint32_t wishing;           /* who reads them; the others wait */

void control_configure(const struct control_settings *configured)
{
	settings = *configured;
	private_page.budget.state = CONTROL_COUNTED;
	page_wishes(&private_page, &settings, 0);
}

/* The process has executed itself anew: its slot, and the names of its files, go on. NULL: it has not. */
static struct control_process *control_former_slot(struct control_page *p, uint32_t pid, uint64_t ticks)
{
	for (int i = 0; ticks && i < CONTROL_PROCESSES - 1; i++) {
		struct control_process *old = &p->processes[i];

		if (old->pid != pid || old->start_ticks != ticks)
			continue;
		begun_before = old->counters[CONTROL_files_written] + old->counters[CONTROL_files_failed] +
			       old->counters[CONTROL_files_no_room];
		return old;
	}
	return NULL;
}

/* With the file locked. The last slot is shared by those who find no other. */
static struct control_process *control_take_slot(struct control_page *p)
{
	uint32_t pid = (uint32_t)raw_getpid();
	uint64_t ticks = alive_start_ticks(pid);
	struct control_process *found = control_former_slot(p, pid, ticks);

	if (found)
		return found;
	found = &p->processes[CONTROL_PROCESSES - 1];
	for (int i = 0; i < CONTROL_PROCESSES - 1; i++) {
		if (!p->processes[i].pid) {
			found = &p->processes[i];
			break;
		}
	}
	if (found->pid) {
		for (int i = 0; i < CONTROL_PROCESSES - 1; i++) {
			struct control_process *old = &p->processes[i];

			if (alive(old->pid, old->start_ticks))
				continue;
			for (int c = 0; c < CONTROL_COUNTER_COUNT; c++)
				__atomic_fetch_add(&p->gone[c], old->counters[c], __ATOMIC_RELAXED);
			found = old;
			break;
		}
	}
	if (found != &p->processes[CONTROL_PROCESSES - 1])
		memset(found, 0, sizeof(*found));
	found->start_ticks = ticks;
	__atomic_store_n(&found->pid, pid, __ATOMIC_RELEASE);
	return found;
}

/*
 * A stopped `ctl` may hold the lock, or another worker whom nobody gives a CPU: the host waits for it once, and
 * no longer than this. Then it looks often: while there is no page, nobody knows of what is written.
 */
static int control_lock(int fd, uint64_t now_ns)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	int tries = lock_awaited ? 1 : LOCK_TRIES;
	long result;

	while ((result = raw_syscall3(SYS_flock, fd, LOCK_EX | LOCK_NB, 0)) == -EWOULDBLOCK && --tries > 0)
		raw_syscall3(SYS_nanosleep, (long)&pause, 0, 0);
	lock_awaited = result == -EWOULDBLOCK;
	if (lock_awaited)
		__atomic_store_n(&retry_ns, now_ns + RETRY_LOCKED_NS, __ATOMIC_RELAXED);
	return (int)result;
}

static int control_open(char *path, size_t size)
{
	size_t len = strlen(settings.directory);
	int result = directory_make(settings.directory);

	if (result < 0)
		return result;
	if (len + sizeof("/" CONTROL_NAME) > size)
		return -ENAMETOOLONG;
	memcpy(path, settings.directory, len);
	memcpy(path + len, "/" CONTROL_NAME, sizeof("/" CONTROL_NAME));
	return raw_open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* What was counted in the private page. */
static void control_move_count(uint64_t *private, uint64_t *to)
{
	uint64_t n = __atomic_exchange_n(private, 0, __ATOMIC_SEQ_CST);

	if (n)
		__atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

static void control_count_in(uint64_t *to)
{
	uint64_t *private = private_page.processes[0].counters;

	__atomic_store_n(&counters, to, __ATOMIC_SEQ_CST);
	for (int c = 0; c < CONTROL_COUNTER_COUNT; c++)
		control_move_count(&private[c], &to[c]);
}

static void control_move_error(int32_t *private, int32_t *to)
{
	int32_t error = __atomic_exchange_n(private, 0, __ATOMIC_RELAXED);

	if (error)
		__atomic_store_n(to, error, __ATOMIC_RELAXED);
}

static void control_move_notes(struct control_process *private, struct control_process *to)
{
	if (private->python[0])
		memcpy(to->python, private->python, sizeof(to->python));
	control_move_error(&private->file_error, &to->file_error);
	control_move_error(&private->clock_error, &to->clock_error);
	control_move_error(&private->kernel_error, &to->kernel_error);
}

static bool control_maps(int fd)
{
	struct stat st;

	return page != &private_page && raw_fstat(fd, &st) == 0 && st.st_ino == page_inode;
}

/* With the file locked. */
static int control_enter(int fd)
{
	struct control_process *before = slot, *taken;
	int result = control_maps(fd) ? 0 : page_map(fd, &settings, &page, &page_inode);

	if (result < 0)
		return result;
	taken = control_take_slot(page);
	__atomic_store_n(&wishes_generation, 0, __ATOMIC_RELEASE); /* of another page */
	__atomic_store_n(&slot, taken, __ATOMIC_RELEASE);
	control_move_notes(before, taken);
	control_count_in(taken->counters);
	__atomic_store_n(&joined, true, __ATOMIC_RELEASE);
	return 0;
}

/*
 * Somebody else holds the lock. The page may be there all the same, and then this process needs no slot in it to keep
 * to what it says, to the budget above all. It may end before it has one.
 */
static void control_share(int fd)
{
	if (page != &private_page || page_map_made(fd, &settings, &page, &page_inode) < 0)
		return;
	__atomic_store_n(&wishes_generation, 0, __ATOMIC_RELEASE);
	control_count_in(page->gone);
}

void control_join(uint64_t now_ns)
{
	char path[PATH_MAX];
	int fd = -1;
	int result;

	if (__atomic_load_n(&joined, __ATOMIC_ACQUIRE) ||
	    now_ns < __atomic_load_n(&retry_ns, __ATOMIC_RELAXED) ||
	    __atomic_exchange_n(&joining, 1, __ATOMIC_ACQUIRE))
		return;
	__atomic_store_n(&retry_ns, now_ns + RETRY_NS, __ATOMIC_RELAXED);
	result = ours_take_here(control_open(path, sizeof(path)), &fd);
	if (result == 0)
		result = control_lock(fd, now_ns);
	if (result == 0) {
		control_enter(fd);
		/* Closing would not: the mapping keeps the open file, and with it the lock. */
		raw_syscall3(SYS_flock, fd, LOCK_UN, 0);
	} else if (result == -EWOULDBLOCK) {
		control_share(fd);
	}
	ours_close(&fd);
	__atomic_store_n(&joining, 0, __ATOMIC_RELEASE);
}

void control_lost(void)
{
	if (page == &private_page || __atomic_exchange_n(&joining, 1, __ATOMIC_ACQUIRE))
		return;
	/* The old page stays mapped: other threads may be at it. */
	__atomic_store_n(&counters, private_page.processes[0].counters, __ATOMIC_SEQ_CST);
	slot = &private_page.processes[0];
	page = &private_page;
	page_inode = 0;
	private_page.budget.files = private_page.budget.bytes = 0;
	__atomic_store_n(&joined, false, __ATOMIC_RELEASE);
	__atomic_store_n(&joining, 0, __ATOMIC_RELEASE);
}

bool control_enabled(void)
{
	return __atomic_load_n(&page->enabled, __ATOMIC_RELAXED) != 0;
}

bool control_off(void)
{
	return !control_enabled() && __atomic_load_n(&joined, __ATOMIC_ACQUIRE);
}

uint32_t control_rate(void)
{
	uint32_t rate = __atomic_load_n(&page->rate, __ATOMIC_RELAXED);

	return rate ? rate : settings.rate;
}

/* Reads the page's words. Texts that make no sense (half written, or not by ctl) change nothing. */
static void control_read_wishes(uint64_t generation)
{
	uint32_t next = (__atomic_load_n(&wishes_current, __ATOMIC_RELAXED) + 1) % 4;
	struct control_wishes *w = &wishes[next];
	char keep[KEEP_TEXT_MAX];
	size_t len;

	memcpy(keep, page->keep, sizeof(keep));
	memcpy(w->filter, page->filter, sizeof(w->filter));
	len = strnlen(keep, sizeof(keep));
	w->filter_len = (uint32_t)strnlen(w->filter, sizeof(w->filter));
	if (keep_parse(keep, len, &w->keep, NULL) && !filter_problem(w->filter, w->filter_len))
		__atomic_store_n(&wishes_current, next, __ATOMIC_RELEASE);
	__atomic_store_n(&wishes_generation, generation, __ATOMIC_RELEASE);
}

/*
 * Reading them is work in memory alone, so another thread has soon done it; at first there are no older ones that would
 * do meanwhile. Asleep, since a thread of a real-time priority that tried again and again would leave the other no
 * CPU; and not for ever. False: it has not been done.
 */
static bool control_may_read_wishes(void)
{
	enum { TRIES = 200, PAUSE_NS = 100000 };
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	for (int i = 0; i < TRIES; i++) {
		if (!__atomic_exchange_n(&wishing, 1, __ATOMIC_ACQUIRE))
			return true;
		raw_syscall3(SYS_nanosleep, (long)&pause, 0, 0);
	}
	return false;
}

const struct control_wishes *control_wishes(void)
{
	uint64_t generation = (uint64_t)__atomic_load_n(&page->generation, __ATOMIC_ACQUIRE) + 1;

	if (__atomic_load_n(&wishes_generation, __ATOMIC_ACQUIRE) != generation &&
	    control_may_read_wishes()) {
		if (__atomic_load_n(&wishes_generation, __ATOMIC_RELAXED) != generation)
			control_read_wishes(generation);
		__atomic_store_n(&wishing, 0, __ATOMIC_RELEASE);
	}
	return &wishes[__atomic_load_n(&wishes_current, __ATOMIC_ACQUIRE)];
}

struct control_budget *control_budget(uint64_t *queue_inode)
{
	*queue_inode = page_inode;
	return &page->budget;
}

uint64_t control_begun_before(void)
{
	return begun_before;
}

struct control_keep *control_keep(void)
{
	return &page->kept;
}

void control_count(enum control_counter counter, uint64_t n)
{
	uint64_t *private = private_page.processes[0].counters;
	uint64_t *to = __atomic_load_n(&counters, __ATOMIC_ACQUIRE), *now;

	if (!n)
		return;
	__atomic_fetch_add(&to[counter], n, __ATOMIC_SEQ_CST);
	if (to != private)
		return;
	/* Was the page joined just now? Then nobody looks at the private one any more. */
	now = __atomic_load_n(&counters, __ATOMIC_SEQ_CST);
	if (now != private)
		control_move_count(&private[counter], &now[counter]);
}

void control_note_python(const char *version)
{
	strncpy(slot->python, version, sizeof(slot->python) - 1);
}

void control_note_file_error(int error)
{
	__atomic_store_n(&slot->file_error, error, __ATOMIC_RELAXED);
}

void control_note_clock_error(int error)
{
	__atomic_store_n(&slot->clock_error, error, __ATOMIC_RELAXED);
}

void control_note_kernel_error(int error)
{
	__atomic_store_n(&slot->kernel_error, error, __ATOMIC_RELAXED);
}

void control_postfork_child(void)
{
	memset(&private_page.processes[0], 0, sizeof(private_page.processes[0]));
	slot = &private_page.processes[0];
	counters = slot->counters;
	joined = false;
	begun_before = 0;
	joining = 0;
	retry_ns = 0;
	lock_awaited = false;
	wishing = 0;
}
