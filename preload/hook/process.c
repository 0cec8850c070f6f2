/* The process: its end, its vfork children, its modules, and calls made by number. */
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/hook/bare_fork.h"
#include "preload/hook/guard.h"
#include "preload/hook/libssl.h"
#include "preload/hook/real.h"
#include "preload/hook/spawn.h"
#include "preload/hook/waiting.h"
#include "preload/live/live.h"
#include "preload/sigsafe/modules.h"
#include "preload/sigsafe/python.h"
#include "preload/sigsafe/raw.h"
#include "preload/track/track.h"

bool hook_active;
__thread volatile uint8_t hook_inside;
__thread volatile uint8_t hook_vforked;
__thread int32_t hook_tid;

/* The thread's last vfork: its child says who it is, in memory made for that, and the parent sleeps meanwhile. */
static __thread struct {
	struct wait wait;
	int32_t child; /* 0: it has made no call that we see */
} vforked;

/* Only if it becomes another program does the parent go on before the child has ended. */
static void process_after_vfork(void)
{
	const char *name;

	if (!waiting_timed(&vforked.wait))
		return;
	spawn_started(vforked.child, "");
	name = vforked.child ? spawn_name(vforked.child) : "";
	waiting_kind(&vforked.wait, WAIT_CHILD, name);
}

bool hook_in_vfork_child(void)
{
	int32_t tid = raw_gettid();

	if (tid != hook_tid) {
		if (hook_vforked & HOOK_VFORKED)
			vforked.child = tid;
		return true;
	}
	if (hook_vforked & HOOK_VFORKED) {
		hook_vforked &= (uint8_t)~HOOK_VFORKED; /* the parent is back */
		process_after_vfork();
	}
	return false;
}

void hook_shares(void)
{
	hook_tid = raw_gettid();
	hook_vforked |= HOOK_SHARED;
}

/* Called by the stub below, too, in the parent, before it vforks. */
__attribute__((used)) void process_before_vfork(void)
{
	if (!libc_vfork)
		real_resolve();
	vforked.child = 0;
	waiting_begin_unheld(&vforked.wait);
	hook_tid = raw_gettid();
	hook_vforked |= HOOK_VFORKED;
}

/*
 * The child of vfork returns on the parent's stack: a C wrapper's frame would be gone when the
 * parent returns through it. So this jumps to libc's own, with the caller's return address on top.
 */
__asm__(".text\n"
	".globl vfork\n"
	".type vfork, @function\n"
	"vfork:\n"
	"	.cfi_startproc\n"
	"	subq $8, %rsp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	call process_before_vfork\n"
	"	addq $8, %rsp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	jmp *libc_vfork(%rip)\n"
	"	.cfi_endproc\n"
	".size vfork, . - vfork\n"
	".globl __vfork\n"
	".type __vfork, @function\n"
	".set __vfork, vfork\n");

/* Before the call: there is no afterwards. Destructors do not run either, so what has ended is written here. */
static void process_ends(void)
{
	if (hook_enter()) {
		track_thread_ends();
		live_stop();
		hook_leave();
	}
}

EXPORT void _exit(int status)
{
	process_ends();
	libc__exit(status);
	__builtin_unreachable();
}

EXPORT void _Exit(int status)
{
	process_ends();
	libc__Exit(status);
	__builtin_unreachable();
}

/* Has a request made the handler know modules? Before that there is nothing to forget. */
static bool process_knows_modules(void)
{
	const struct module_table *table = modules_acquire();

	modules_release(table);
	return table != NULL;
}

/*
 * The unwind tables and the interpreter of what is unmapped must not be read any more, by a handler
 * on another thread neither. The library's own destructors run in between, and are the host's.
 */
EXPORT int dlclose(void *handle)
{
	int result, saved = errno;
	bool known = false;

	if (hook_enter()) {
		libssl_withdraw();
		known = process_knows_modules();
		if (known) {
			python_withdraw();
			modules_withdraw();
		}
		hook_leave();
	}
	errno = saved;
	result = libc_dlclose(handle);
	saved = errno;
	if (known && hook_enter()) {
		modules_refresh();
		python_find();
		hook_leave();
	}
	errno = saved;
	return result;
}

