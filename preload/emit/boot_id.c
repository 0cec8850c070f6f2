#include "preload/emit/boot_id.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/types.h>

#include "preload/ours.h"
#include "preload/sigsafe/raw.h"

enum { UNREAD, READ, UNKNOWN };

static int boot_id_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "5eaab08a-48a3-4ad5-87a7-1e0fa5652778" */
static int boot_id_read(uint8_t id[BOOT_ID_BYTES])
{
	char text[64];
	int fd, digits = 0;
	ssize_t got;

	if (ours_take_here(raw_open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC, 0), &fd))
		return UNKNOWN;
	got = raw_read(fd, text, sizeof(text));
	ours_close(&fd);
	for (ssize_t i = 0; i < got && digits < 2 * BOOT_ID_BYTES; i++) {
		int digit = boot_id_digit(text[i]);

		if (digit < 0)
			continue;
		id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | digit);
		digits++;
	}
	return digits == 2 * BOOT_ID_BYTES ? READ : UNKNOWN;
}

const uint8_t *boot_id(void)
{
	static uint8_t known[BOOT_ID_BYTES];
	static int state; /* atomic */
	uint8_t id[BOOT_ID_BYTES];
	int now = __atomic_load_n(&state, __ATOMIC_ACQUIRE);

	if (now == UNREAD) {
		now = boot_id_read(id);
		/* Whoever else reads it at this moment writes the same. */
		for (int i = 0; now == READ && i < BOOT_ID_BYTES; i++)
			__atomic_store_n(&known[i], id[i], __ATOMIC_RELAXED);
		__atomic_store_n(&state, now, __ATOMIC_RELEASE);
	}
	return now == READ ? known : NULL;
}
