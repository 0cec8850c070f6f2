#include "preload/control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "format/nanoseconds.h"
#include "preload/alive.h"
#include "preload/directory.h"
#include "preload/ours.h"
#include "preload/sigsafe/raw.h"

enum { LOCK_TRIES = 20, LOCK_PAUSE_NS = 1000000 };
static const uint64_t RETRY_NS = 1000000000, RETRY_LOCKED_NS = 10000000;

static struct control_settings settings;
static struct control_page private_page;   /* serves until the real one is open */
static struct control_page *page = &private_page;
static struct control_process *slot = &private_page.processes[0];
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
static uint32_t wishing;           /* one thread at a time */

/* From the environment, but for what ctl has set (enum control_field). */
static void control_page_wishes(struct control_page *p, uint32_t set)
{
	if (!(set & CONTROL_SET_ENABLED))
		p->enabled = settings.enabled;
	if (!(set & CONTROL_SET_RATE))
		p->rate = settings.rate;
	if (!(set & CONTROL_SET_KEEP))
		strncpy(p->keep, settings.keep, sizeof(p->keep) - 1);
	if (!(set & CONTROL_SET_FILTER))
		strncpy(p->filter, settings.filter, sizeof(p->filter) - 1);
	if (!(set & CONTROL_SET_MAX_FILES))
		p->budget.max_files = settings.max_files;
	if (!(set & CONTROL_SET_MAX_BYTES))
		p->budget.max_bytes = settings.max_bytes;
}

void control_configure(const struct control_settings *configured)
{
	settings = *configured;
	private_page.budget.state = CONTROL_COUNTED;
	control_page_wishes(&private_page, 0);
}

static bool control_page_live(const struct control_page *p)
{
	if (p->preset)
		return true;
	if (p->root_ns == settings.root_ns && p->root_pid == settings.root_pid)
		return true;
	if (p->root_start_ticks && alive(p->root_pid, p->root_start_ticks))
		return true;
	for (int i = 0; i < CONTROL_PROCESSES; i++)
		if (alive(p->processes[i].pid, p->processes[i].start_ticks))
			return true;
	return false;
}

static void control_page_start(struct control_page *p)
{
	memset(p, 0, sizeof(*p));
	p->magic = CONTROL_MAGIC;
	p->version = CONTROL_VERSION;
	p->size = sizeof(*p);
}

/* Entries in the queue of names: all files that the limits allow, and some more. */
static uint32_t control_queue_size(const struct control_budget *budget)
{
	uint64_t files = UINT64_MAX, size = CONTROL_QUEUE_MIN;

	if (budget->max_files)
		files = budget->max_files;
	if (budget->max_bytes && budget->max_bytes / CONTROL_BLOCK < files)
		files = budget->max_bytes / CONTROL_BLOCK;
	if (files == UINT64_MAX)
		return CONTROL_QUEUE_MIN;
	while (size < CONTROL_QUEUE_MAX && size < files + CONTROL_QUEUE_SPARE)
		size *= 2;
	return (uint32_t)size;
}

static void control_page_own(struct control_page *p)
{
	struct timespec now;

	/* The clock that files get their times from. */
	raw_clock_gettime(CLOCK_REALTIME_COARSE, &now);
	control_page_wishes(p, p->preset);
	p->budget.since_ns = nanoseconds(&now);
	p->budget.head = p->budget.tail = CONTROL_QUEUE_START;
	p->budget.capacity = control_queue_size(&p->budget);
	p->gone[CONTROL_settings_wrong] = settings.wrong; /* once for the whole server */
	p->preset = 0;
	p->root_ns = settings.root_ns;
	p->root_pid = settings.root_pid;
	p->root_start_ticks = alive_start_ticks(settings.root_pid);
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
				p->gone[c] += old->counters[c];
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
 * no longer than this. Then it looks often, since what it writes meanwhile is in no one's budget.
 */
static int control_lock(int fd, uint64_t now_ns)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	int tries = lock_awaited ? 1 : LOCK_TRIES;
	long result;

	while ((result = raw_syscall3(SYS_flock, fd, LOCK_EX | LOCK_NB, 0)) != 0 && --tries > 0)
		raw_syscall3(SYS_nanosleep, (long)&pause, 0, 0);
	lock_awaited = result != 0;
	if (result == -EWOULDBLOCK)
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

/*
 * Makes the file as long as the page by writing zeros: of a file that was only made longer the pages
 * are given out when they are touched, and on a full disk touching them kills the process.
 */
static int control_fill(int fd, off_t size)
{
	static const char zeros[4096];

	while (size < (off_t)sizeof(struct control_page)) {
		size_t left = sizeof(struct control_page) - (size_t)size;
		ssize_t wrote = raw_pwrite(fd, zeros, left < sizeof(zeros) ? left : sizeof(zeros), size);

		if (wrote <= 0) {
			/* An empty file is not in anybody's way, half a page is. */
			raw_ftruncate(fd, 0);
			return wrote < 0 ? (int)wrote : -ENOSPC;
		}
		size += wrote;
	}
	return 0;
}

static int control_map(int fd)
{
	struct control_page *mapped;
	struct stat st;
	int result = raw_fstat(fd, &st);

	if (result < 0)
		return result;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	/* Whoever may write to it may cut it short, and what is mapped of it kills us then. */
	if ((st.st_uid != 0 && st.st_uid != (uid_t)raw_syscall3(SYS_geteuid, 0, 0, 0)) ||
	    st.st_mode & (S_IWGRP | S_IWOTH))
		return -EPERM;
	if (st.st_size < (off_t)sizeof(*mapped)) {
		result = control_fill(fd, st.st_size);
		if (result < 0)
			return result;
	}
	mapped = raw_mmap(NULL, sizeof(*mapped), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (raw_failed(mapped))
		return (int)(intptr_t)mapped;
	if (mapped->magic != CONTROL_MAGIC || mapped->version != CONTROL_VERSION ||
	    mapped->size != sizeof(*mapped) || !control_page_live(mapped)) {
		/* The old queue of names goes with the page that it belonged to. */
		raw_ftruncate(fd, sizeof(*mapped));
		control_page_start(mapped);
		control_page_own(mapped);
	} else if (mapped->preset) {
		control_page_own(mapped);
	}
	page_inode = st.st_ino;
	page = mapped;
	return 0;
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
	if (result == 0 && page == &private_page)
		result = control_map(fd);
	if (result == 0) {
		struct control_process *taken = control_take_slot(page);

		__atomic_store_n(&wishes_generation, 0, __ATOMIC_RELEASE); /* of another page */
		for (int c = 0; c < CONTROL_COUNTER_COUNT; c++)
			taken->counters[c] += private_page.processes[0].counters[c];
		memset(&private_page.processes[0], 0, sizeof(private_page.processes[0]));
		slot = taken;
		__atomic_store_n(&joined, true, __ATOMIC_RELEASE);
	}
	/* Closing would not: the mapping keeps the open file, and with it the lock. */
	if (fd >= 0)
		raw_syscall3(SYS_flock, fd, LOCK_UN, 0);
	ours_close(&fd);
	__atomic_store_n(&joining, 0, __ATOMIC_RELEASE);
}

void control_lost(void)
{
	if (!__atomic_load_n(&joined, __ATOMIC_ACQUIRE) ||
	    __atomic_exchange_n(&joining, 1, __ATOMIC_ACQUIRE))
		return;
	/* The old page stays mapped: other threads may be at it. */
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

const struct control_wishes *control_wishes(void)
{
	uint64_t generation = (uint64_t)__atomic_load_n(&page->generation, __ATOMIC_ACQUIRE) + 1;

	if (__atomic_load_n(&wishes_generation, __ATOMIC_ACQUIRE) != generation &&
	    !__atomic_exchange_n(&wishing, 1, __ATOMIC_ACQUIRE)) {
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
	if (n)
		__atomic_fetch_add(&slot->counters[counter], n, __ATOMIC_RELAXED);
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
	joined = false;
	begun_before = 0;
	joining = 0;
	retry_ns = 0;
	lock_awaited = false;
	wishing = 0;
}
