#include "preload/sample/signal_fds.h"

#include <stdbool.h>

#include "preload/sample/signal.h"
#include "preload/sigsafe/raw.h"

enum { SIGNAL_FDS_MAX = 16 }; /* a server has one or two; of more the first are forgotten */

/*
 * Fields are atomic, each for itself: whoever sees half of an entry gives a descriptor a mask that its
 * writer, who has yet to look whether the signal has come or gone, corrects. An entry outlives its
 * descriptor: the kernel refuses to treat a file of another kind as a signalfd.
 */
static struct {
	int next;     /* entry to be used by a new one */
	bool showing; /* the host has its mask as it is */
	struct {
		int known; /* descriptor + 1, 0: none */
		uint64_t wanted;
	} entries[SIGNAL_FDS_MAX];
} fds;

uint64_t signal_fds_mask(uint64_t wanted)
{
	int number = signal_number();

	if (!number || __atomic_load_n(&fds.showing, __ATOMIC_ACQUIRE))
		return wanted;
	return wanted & ~(UINT64_C(1) << (number - 1));
}

static void signal_fds_set(int fd, uint64_t wanted)
{
	uint64_t mask = signal_fds_mask(wanted);

	raw_syscall4(SYS_signalfd4, fd, (long)&mask, sizeof(mask), 0);
}

void signal_fds_made(int fd, uint64_t wanted)
{
	int i;

	for (i = 0; i < SIGNAL_FDS_MAX; i++)
		if (__atomic_load_n(&fds.entries[i].known, __ATOMIC_ACQUIRE) == fd + 1)
			break;
	if (i == SIGNAL_FDS_MAX) {
		i = (int)((unsigned)__atomic_fetch_add(&fds.next, 1, __ATOMIC_RELAXED) %
			  SIGNAL_FDS_MAX);
		__atomic_store_n(&fds.entries[i].known, 0, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&fds.entries[i].wanted, wanted, __ATOMIC_RELAXED);
	__atomic_store_n(&fds.entries[i].known, fd + 1, __ATOMIC_SEQ_CST);
	/* The number may have been chosen since the call was made. */
	if (wanted != signal_fds_mask(wanted))
		signal_fds_set(fd, wanted);
}

/* Those alone whose mask is another than the host's. */
static void signal_fds_set_all(void)
{
	int number = signal_number();

	for (int i = 0; number && i < SIGNAL_FDS_MAX; i++) {
		int known = __atomic_load_n(&fds.entries[i].known, __ATOMIC_SEQ_CST);
		uint64_t wanted = __atomic_load_n(&fds.entries[i].wanted, __ATOMIC_RELAXED);

		if (known && (wanted >> (number - 1) & 1))
			signal_fds_set(known - 1, wanted);
	}
}

void signal_fds_hide(void)
{
	signal_fds_set_all();
}

void signal_fds_show(void)
{
	__atomic_store_n(&fds.showing, true, __ATOMIC_RELEASE);
	signal_fds_set_all();
}
