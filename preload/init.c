/*
 * Start, stop and fork, in order; connects the rooms. Read it first.
 *
 * The constructor only remembers: settings, libc's functions, the callbacks. Everything else (the
 * control page, signal, clocks, memory) waits for the process's first request, so that a process
 * that serves nothing pays nothing.
 */
#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "format/nanoseconds.h"
#include "preload/control/control.h"
#include "preload/hook/bare_fork.h"
#include "preload/hook/guard.h"
#include "preload/hook/libssl.h"
#include "preload/hook/real.h"
#include "preload/keeping.h"
#include "preload/live/live.h"
#include "preload/loop.h"
#include "preload/ours.h"
#include "preload/prepare.h"
#include "preload/requests.h"
#include "preload/sample/sample.h"
#include "preload/settings.h"
#include "preload/sigsafe/modules.h"
#include "preload/sigsafe/monotonic.h"
#include "preload/sigsafe/python.h"
#include "preload/sigsafe/raw.h"
#include "preload/track/track.h"
#include "preload/work.h"

static struct settings settings;

/* ---- fork ---- */

/* Since 1970. */
static uint64_t init_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return nanoseconds(&now);
}

/* Only the forking thread is here, and none of our locks is held by it (it is in the host's code). */
static void init_postfork_child(void)
{
	unsigned lost;

	hook_vforked = 0;
	ours_postfork_child(); /* before sample: closes what its clocks hold */
	libssl_postfork_child();
	modules_postfork_child();
	lost = track_postfork_child();
	sample_postfork_child();
	live_postfork_child(); /* after sample: unmaps what its trees stand in */
	control_postfork_child();
	prepare_postfork_child();
	keeping_process((uint32_t)raw_getpid(), init_now_ns());
	control_count(CONTROL_skipped_fork, lost);
}

/* ---- start and stop ---- */

static void init_clock(void)
{
	void *found = real_in_libc("clock_gettime");

	if (found)
		monotonic_clock = (int (*)(clockid_t, struct timespec *))found;
}

__attribute__((constructor)) static void init_start(void)
{
	struct control_settings control = {
		.directory = settings.directory,
		.keep = settings.keep,
		.filter = settings.filter,
	};
	struct live_settings live = { .directory = settings.directory };
	uint32_t process_id;
	uint64_t now;

	real_resolve();
	settings_read(&settings);
	if (!settings.usable)
		return;
	init_clock();
	process_id = (uint32_t)raw_getpid();
	now = init_now_ns();
	keeping_process(process_id, now);
	control.enabled = settings.enabled;
	control.rate = settings.rate;
	control.wrong = settings.wrong;
	control.max_files = settings.max_files;
	control.max_bytes = settings.max_bytes;
	control.root_ns = now;
	control.root_pid = process_id;
	control_configure(&control);
	live.place = settings.live;
	live_configure(&live);
	work_configure(&settings);
	prepare_configure(&settings);
	keeping_configure(&settings);
	requests_configure(&settings);
	python_serves = loop_serves;
	track_start(&requests_callbacks);
	pthread_atfork(NULL, NULL, init_postfork_child);
	bare_fork_configure(init_postfork_child);
	hook_active = true;
}

/* exit() was called: what has ended and not been written yet is written now. */
__attribute__((destructor)) static void init_stop(void)
{
	if (hook_enter()) {
		track_thread_ends();
		live_stop();
		hook_leave();
	}
}
