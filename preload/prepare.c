#include "preload/prepare.h"

#include <errno.h>
#include <string.h>

#include "preload/control/control.h"
#include "preload/emit/boot_id.h"
#include "preload/live/live.h"
#include "preload/sample/sample.h"
#include "preload/sigsafe/codes.h"
#include "preload/sigsafe/modules.h"
#include "preload/sigsafe/python.h"
#include "preload/track/track.h"

static const uint64_t LOOK_AGAIN_NS = 100000000; /* for newly loaded modules, an interpreter among them */

static uint32_t live_kernel_rate;
static uint64_t looked_ns; /* atomic: when modules were last looked at; 0: never */
static uint32_t preparing; /* one thread at a time */

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

void prepare_handler(uint64_t now)
{
	uint64_t looked = __atomic_load_n(&looked_ns, __ATOMIC_ACQUIRE);

	if ((looked && now - looked < LOOK_AGAIN_NS) ||
	    __atomic_exchange_n(&preparing, 1, __ATOMIC_ACQUIRE))
		return;
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
}

void prepare_postfork_child(void)
{
	preparing = 0;
	looked_ns = 0; /* the first request prepares for itself */
}
