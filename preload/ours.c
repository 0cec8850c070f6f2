#include "preload/ours.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

#include "preload/sigsafe/raw.h"

enum { OURS_LOWEST = 256 };

uint64_t ours_bits[OURS_BITS / 64];

/* Who keeps which; a slot is claimed by compare and swap of its holder. */
static int *holders[OURS_MAX];
/* And the descriptors themselves, plus 1: holders stand in memory that is gone when their threads have ended. */
static int kept[OURS_MAX];

static void ours_mark(int fd, bool set)
{
	uint64_t bit = UINT64_C(1) << (fd % 64);

	if (set)
		__atomic_fetch_or(&ours_bits[fd / 64], bit, __ATOMIC_RELEASE);
	else
		__atomic_fetch_and(&ours_bits[fd / 64], ~bit, __ATOMIC_RELEASE);
}

int ours_take_here(int fd, int *holder)
{
	*holder = -1;
	if (fd < 0)
		return fd;
	if (fd < OURS_BITS) {
		for (int i = 0; i < OURS_MAX; i++) {
			int *none = NULL;

			if (__atomic_load_n(&holders[i], __ATOMIC_RELAXED) ||
			    !__atomic_compare_exchange_n(&holders[i], &none, holder, false,
							 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
				continue;
			__atomic_store_n(holder, fd, __ATOMIC_RELEASE);
			__atomic_store_n(&kept[i], fd + 1, __ATOMIC_RELEASE);
			ours_mark(fd, true);
			return 0;
		}
	}
	raw_close(fd);
	return -EMFILE;
}

static rlim_t ours_limit(void)
{
	struct rlimit limit = { .rlim_cur = 1024 };

	raw_syscall4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit);
	return limit.rlim_cur;
}

/* Slots that the kernel's table of this process has now: FDSize of /proc/self/status; 0: not known. */
static rlim_t ours_table(void)
{
	static const char key[] = "\nFDSize:";
	char text[2048];
	int fd = raw_open("/proc/self/status", O_RDONLY | O_CLOEXEC, 0);
	ssize_t got = fd < 0 ? 0 : raw_read(fd, text, sizeof(text) - 1);
	const char *found;
	rlim_t size = 0;

	if (fd >= 0)
		raw_close(fd);
	text[got > 0 ? got : 0] = '\0';
	found = strstr(text, key);
	for (found = found ? found + strlen(key) : ""; *found == '\t' || *found == ' '; found++)
		;
	for (; *found >= '0' && *found <= '9'; found++)
		size = size * 10 + (rlim_t)(*found - '0');
	return size;
}

/*
 * High numbers: in the upper half of the table where that is large, since a table that grows makes a
 * process of several threads wait until no CPU can be looking at the old one, 10 ms; else far away,
 * for the first hundreds are the host's.
 */
static int ours_move(int fd)
{
	rlim_t limit = ours_limit(), low = ours_table() / 2;

	if (limit > OURS_BITS)
		limit = OURS_BITS;
	if (low < OURS_LOWEST || low > limit - limit / 4)
		low = limit - limit / 4;
	return raw_fcntl(fd, F_DUPFD_CLOEXEC, (int)low);
}

int ours_take(int fd, int *holder)
{
	int high;

	*holder = -1;
	if (fd < 0)
		return fd;
	/* The lowest that is free is nearly the last: the host needs what is left more than we do. */
	if ((rlim_t)fd >= ours_limit() - ours_limit() / 8) {
		raw_close(fd);
		return -EMFILE;
	}
	high = ours_move(fd);
	if (high < 0)
		return ours_take_here(fd, holder); /* a full table: a low number is better than none */
	raw_close(fd);
	return ours_take_here(high, holder);
}

static int ours_find(int fd)
{
	for (int i = 0; i < OURS_MAX; i++)
		if (__atomic_load_n(&kept[i], __ATOMIC_ACQUIRE) == fd + 1)
			return i;
	return -1;
}

/* Once *holder says nothing any more: its slot may be another's. */
static void ours_leave(int i)
{
	__atomic_store_n(&kept[i], 0, __ATOMIC_RELEASE);
	__atomic_store_n(&holders[i], NULL, __ATOMIC_RELEASE);
}

void ours_close(int *holder)
{
	int fd = *holder;
	int i;

	if (fd < 0)
		return;
	i = ours_find(fd);
	*holder = -1;
	ours_mark(fd, false);
	if (i >= 0)
		ours_leave(i);
	raw_close(fd);
}

void ours_make_way(int fd)
{
	int i = ours_find(fd);
	int moved;

	if (i < 0)
		return;
	moved = ours_move(fd);
	if (moved < 0)
		moved = raw_fcntl(fd, F_DUPFD_CLOEXEC, OURS_LOWEST);
	if (moved >= 0 && moved < OURS_BITS) {
		ours_mark(moved, true);
		__atomic_store_n(&kept[i], moved + 1, __ATOMIC_RELEASE);
		__atomic_store_n(holders[i], moved, __ATOMIC_RELEASE);
	} else {
		/* No number is left for it: it goes, and whoever keeps it does without. */
		if (moved >= 0)
			raw_close(moved);
		__atomic_store_n(holders[i], -1, __ATOMIC_RELEASE);
		ours_leave(i);
	}
	ours_mark(fd, false);
	raw_close(fd); /* the host's dup2 may fail */
}

int ours_next(unsigned first, unsigned last)
{
	for (unsigned word = first / 64; word < OURS_BITS / 64 && word * 64 <= last; word++) {
		uint64_t bits = __atomic_load_n(&ours_bits[word], __ATOMIC_RELAXED);

		if (word == first / 64)
			bits &= ~UINT64_C(0) << (first % 64);
		if (bits) {
			unsigned fd = word * 64 + (unsigned)__builtin_ctzll(bits);

			return fd <= last ? (int)fd : -1;
		}
	}
	return -1;
}

void ours_postfork_child(void)
{
	for (int i = 0; i < OURS_MAX; i++) {
		int *holder = holders[i];
		int fd = holder ? *holder : -1;

		if (!holder)
			continue;
		ours_leave(i);
		*holder = -1;
		if (fd >= 0) {
			ours_mark(fd, false);
			raw_close(fd);
		}
	}
}
