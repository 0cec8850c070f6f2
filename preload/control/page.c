#include "preload/control/page.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "format/nanoseconds.h"
#include "preload/alive.h"
#include "preload/sigsafe/raw.h"

void page_wishes(struct control_page *p, const struct control_settings *settings, uint32_t set)
{
	if (!(set & CONTROL_SET_ENABLED))
		p->enabled = settings->enabled;
	if (!(set & CONTROL_SET_RATE))
		p->rate = settings->rate;
	if (!(set & CONTROL_SET_KEEP))
		strncpy(p->keep, settings->keep, sizeof(p->keep) - 1);
	if (!(set & CONTROL_SET_FILTER))
		strncpy(p->filter, settings->filter, sizeof(p->filter) - 1);
	if (!(set & CONTROL_SET_MAX_FILES))
		p->budget.max_files = settings->max_files;
	if (!(set & CONTROL_SET_MAX_BYTES))
		p->budget.max_bytes = settings->max_bytes;
}

static bool page_is_page(const struct control_page *p)
{
	return p->magic == CONTROL_MAGIC && p->version == CONTROL_VERSION && p->size == sizeof(*p);
}

static bool page_is_our_servers(const struct control_page *p, const struct control_settings *settings)
{
	return __atomic_load_n(&p->root_ns, __ATOMIC_ACQUIRE) == settings->root_ns &&
	       p->root_pid == settings->root_pid;
}

static bool page_live(const struct control_page *p, const struct control_settings *settings)
{
	if (p->preset)
		return true;
	if (page_is_our_servers(p, settings))
		return true;
	if (p->root_start_ticks && alive(p->root_pid, p->root_start_ticks))
		return true;
	for (int i = 0; i < CONTROL_PROCESSES; i++)
		if (alive(p->processes[i].pid, p->processes[i].start_ticks))
			return true;
	return false;
}

static void page_start(struct control_page *p)
{
	__atomic_store_n(&p->root_ns, 0, __ATOMIC_RELEASE);
	memset(p, 0, sizeof(*p));
	p->magic = CONTROL_MAGIC;
	p->version = CONTROL_VERSION;
	p->size = sizeof(*p);
}

/* Entries in the queue of names: all files that the limits allow, and some more. */
static uint32_t page_queue_size(const struct control_budget *budget)
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

static void page_own(struct control_page *p, const struct control_settings *settings)
{
	struct timespec now;

	/* The clock that files get their times from. */
	raw_clock_gettime(CLOCK_REALTIME_COARSE, &now);
	page_wishes(p, settings, p->preset);
	p->budget.since_ns = nanoseconds(&now);
	p->budget.head = p->budget.tail = CONTROL_QUEUE_START;
	p->budget.capacity = page_queue_size(&p->budget);
	p->gone[CONTROL_settings_wrong] = settings->wrong; /* once for the whole server */
	p->preset = 0;
	p->root_pid = settings->root_pid;
	p->root_start_ticks = alive_start_ticks(settings->root_pid);
	/* Last: who comes without the lock knows by it that all of it is there. */
	__atomic_store_n(&p->root_ns, settings->root_ns, __ATOMIC_RELEASE);
}

/*
 * Makes the file as long as the page by writing zeros: of a file that was only made longer the pages
 * are given out when they are touched, and on a full disk touching them kills the process.
 */
static int page_fill(int fd, off_t size)
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

static int page_stat(int fd, struct stat *st)
{
	int result = raw_fstat(fd, st);

	if (result < 0)
		return result;
	if (!S_ISREG(st->st_mode))
		return -EINVAL;
	/* Whoever may write to it may cut it short, and what is mapped of it kills us then. */
	if ((st->st_uid != 0 && st->st_uid != (uid_t)raw_syscall3(SYS_geteuid, 0, 0, 0)) ||
	    st->st_mode & (S_IWGRP | S_IWOTH))
		return -EPERM;
	return 0;
}

/* may_make: with the file locked; without, -EAGAIN when it is not as long as a page. */
static int page_open(int fd, bool may_make, struct control_page **mapped, uint64_t *inode)
{
	struct stat st;
	int result = page_stat(fd, &st);

	if (result == 0 && st.st_size < (off_t)sizeof(**mapped))
		result = may_make ? page_fill(fd, st.st_size) : -EAGAIN;
	if (result < 0)
		return result;
	*mapped = raw_mmap(NULL, sizeof(**mapped), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	*inode = st.st_ino;
	return raw_failed(*mapped) ? (int)(intptr_t)*mapped : 0;
}

int page_map(int fd, const struct control_settings *settings, struct control_page **page,
	     uint64_t *inode)
{
	struct control_page *mapped;
	uint64_t found;
	int result = page_open(fd, true, &mapped, &found);

	if (result < 0)
		return result;
	if (!page_is_page(mapped) || !page_live(mapped, settings)) {
		/* The old queue of names goes with the page that it belonged to. */
		raw_ftruncate(fd, sizeof(*mapped));
		page_start(mapped);
		page_own(mapped, settings);
	} else if (mapped->preset) {
		page_own(mapped, settings);
	}
	*inode = found;
	*page = mapped;
	return 0;
}

int page_map_made(int fd, const struct control_settings *settings, struct control_page **page,
		  uint64_t *inode)
{
	struct control_page *mapped;
	uint64_t found;
	int result = page_open(fd, false, &mapped, &found);

	if (result < 0)
		return result;
	if (!page_is_page(mapped) || !page_is_our_servers(mapped, settings)) {
		raw_munmap(mapped, sizeof(*mapped));
		return -EAGAIN;
	}
	*inode = found;
	*page = mapped;
	return 0;
}
