#include "preload/prepare.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "preload/control/control.h"
#include "preload/emit/boot_id.h"
#include "preload/live/live.h"
#include "preload/sample/sample.h"
#include "preload/sigsafe/codes.h"
#include "preload/sigsafe/modules.h"
#include "preload/sigsafe/python.h"
#include "preload/sigsafe/raw.h"
#include "preload/track/track.h"

static const uint64_t LOOK_AGAIN_NS = 100000000; /* for newly loaded modules, an interpreter among them */

static uint32_t live_kernel_rate;
static uint64_t looked_ns; /* atomic: when modules were last looked at; 0: never */
static uint32_t preparing; /* one thread at a time; a futex at first */
static bool awaited_in_vain; /* atomic */

void prepare_configure(const struct settings *settings)
{
	live_kernel_rate = settings->kernel_rate;
}

static void prepare_live(void)
{
	int error = -live_start();
	struct live_head *head = live_head();

	if (error && error != ECANCELED)
		control_count(CONTROL_live_refused, 1);
	if (!head)
		return;
	head->kernel_rate = live_kernel_rate;
	if (boot_id()) {
		memcpy(head->boot_id, boot_id(), BOOT_ID_BYTES);
		head->boot_id_len = BOOT_ID_BYTES;
	}
}

/*
 * Another thread prepares the process. A request that begins before that is done would have no record in the live file,
 * no names and half its stacks, so its thread waits: as long as its own preparing would take it, or, when the other has
 * no CPU, a second once.
 */
static void prepare_await(void)
{
	const struct timespec most = { .tv_sec = 1 };
	int result = -EINTR;

	while (result == -EINTR && !__atomic_load_n(&awaited_in_vain, __ATOMIC_RELAXED))
		result = raw_futex(&preparing, FUTEX_WAIT_PRIVATE, 1, &most);
	if (result == -ETIMEDOUT)
		__atomic_store_n(&awaited_in_vain, true, __ATOMIC_RELAXED);
}

void prepare_handler(uint64_t now)
{
	uint64_t looked = __atomic_load_n(&looked_ns, __ATOMIC_ACQUIRE);

	if (looked && now - looked < LOOK_AGAIN_NS)
		return;
	if (__atomic_exchange_n(&preparing, 1, __ATOMIC_ACQUIRE)) {
		if (!looked)
			prepare_await();
		return;
	}
	/* It may have become so since. */
	looked = __atomic_load_n(&looked_ns, __ATOMIC_ACQUIRE);
	if (!looked) {
		codes_prepare();
		sample_on_thread_end(track_thread_ends);
		prepare_live();
	}
	modules_refresh();
	python_find();
	live_note_modules();
	control_note_python(python_version());
	if (live_head())
		strncpy(live_head()->python, python_version(), sizeof(live_head()->python) - 1);
	__atomic_store_n(&looked_ns, now, __ATOMIC_RELEASE);
	__atomic_store_n(&preparing, 0, __ATOMIC_RELEASE);
	if (!looked)
		raw_futex(&preparing, FUTEX_WAKE_PRIVATE, INT_MAX, NULL);
}

void prepare_postfork_child(void)
{
	preparing = 0;
	awaited_in_vain = false;
	looked_ns = 0; /* the first request prepares for itself */
}
