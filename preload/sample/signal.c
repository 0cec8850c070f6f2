#include "preload/sample/signal.h"

#include <errno.h>
#include <string.h>

#include "preload/sample/libc.h"
#include "preload/sigsafe/handler.h"
#include "preload/sigsafe/raw.h"

enum {
	FIRST_CANDIDATE = 34, /* glibc keeps 32 and 33 */
	JVM_SIGNAL = 62,      /* wakes blocked threads in Java's network code */
	LAST_CANDIDATE = 64,
};

static int armed_number;      /* written once, before any thread is sampled */
static uint64_t queue_overflows; /* atomic */

/* What the host believes is installed. Guarded by `shadow_lock`. */
static struct sigaction shadow_ours, shadow_io;
static bool io_guarded;       /* our guard is installed on SIGIO: the host's action is the default */
static uint32_t shadow_lock;

static __thread bool mask_watched;
static __thread bool mask_host_blocks;

int signal_number(void)
{
	return __atomic_load_n(&armed_number, __ATOMIC_ACQUIRE);
}

uint64_t signal_queue_overflows(void)
{
	return __atomic_load_n(&queue_overflows, __ATOMIC_RELAXED);
}

static void signal_lock(void)
{
	while (__atomic_exchange_n(&shadow_lock, 1, __ATOMIC_ACQUIRE))
		raw_sched_yield();
}

static void signal_unlock(void)
{
	__atomic_store_n(&shadow_lock, 0, __ATOMIC_RELEASE);
}

/* A signal of our number that somebody else sent: the host gets it as it wanted it. */
static void signal_foreign(int number, siginfo_t *info, void *context)
{
	struct sigaction host = shadow_ours;

	if (host.sa_handler == SIG_DFL || host.sa_handler == SIG_IGN)
		return;
	if (host.sa_flags & SA_SIGINFO)
		host.sa_sigaction(number, info, context);
	else
		host.sa_handler(number);
}

/* SI_KERNEL is the perf event whose signal found no room in the queue; anyone else's SIGIO does what it would have done. */
static void signal_io(int number, siginfo_t *info, void *context)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };
	int saved = errno;

	if (info->si_code == SI_KERNEL) {
		__atomic_fetch_add(&queue_overflows, 1, __ATOMIC_RELAXED);
	} else {
		libc_sigaction(SIGIO, &standard, NULL);
		raw_tgkill(raw_getpid(), raw_gettid(), SIGIO);
	}
	errno = saved;
}

static int signal_guard_io(void)
{
	struct sigaction guard = { .sa_sigaction = signal_io, .sa_flags = SA_SIGINFO | SA_RESTART };

	sigemptyset(&guard.sa_mask);
	return libc_sigaction(SIGIO, &guard, NULL);
}

static bool signal_try(int number)
{
	struct sigaction ours = { .sa_sigaction = handler_tick,
				  .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction host;

	if (number < FIRST_CANDIDATE || number > LAST_CANDIDATE || number == JVM_SIGNAL)
		return false;
	if (libc_sigaction(number, NULL, &host) != 0 || host.sa_handler != SIG_DFL)
		return false;
	sigfillset(&ours.sa_mask);
	shadow_ours = host;
	handler_foreign = signal_foreign;
	if (libc_sigaction(number, &ours, NULL) != 0)
		return false;
	__atomic_store_n(&armed_number, number, __ATOMIC_RELEASE);
	return true;
}

int signal_arm(int preferred)
{
	int result = -EBUSY;

	signal_lock();
	if (armed_number) {
		result = 0;
	} else {
		bool armed = signal_try(preferred);

		for (int number = LAST_CANDIDATE - 1; !armed && number >= FIRST_CANDIDATE; number--)
			armed = signal_try(number);
		if (armed) {
			result = 0;
			if (libc_sigaction(SIGIO, NULL, &shadow_io) == 0 &&
			    shadow_io.sa_handler == SIG_DFL && signal_guard_io() == 0)
				io_guarded = true;
		}
	}
	signal_unlock();
	return result;
}

bool signal_shadows(int number)
{
	int ours = signal_number();

	return ours && (number == ours || number == SIGIO);
}

int signal_host_action(int number, const struct sigaction *action, struct sigaction *old)
{
	struct sigaction wanted;
	int result = 0;

	/* Copied first: `action` and `old` may be the same struct, or bad, and then the fault is the host's. */
	if (action)
		wanted = *action;
	signal_lock();
	if (number == SIGIO && !(io_guarded && (!action || wanted.sa_handler == SIG_DFL))) {
		if (action && wanted.sa_handler == SIG_DFL) {
			result = libc_sigaction(SIGIO, NULL, old);
			shadow_io = wanted;
			if (result == 0 && signal_guard_io() == 0)
				io_guarded = true;
		} else {
			struct sigaction before = shadow_io;
			bool guarded = io_guarded;

			result = libc_sigaction(SIGIO, action ? &wanted : NULL, old);
			if (result == 0 && guarded) {
				if (old)
					*old = before;
				io_guarded = !action;
			}
		}
	} else {
		struct sigaction *shadow = number == SIGIO ? &shadow_io : &shadow_ours;
		struct sigaction before = *shadow;

		if (action)
			*shadow = wanted;
		if (old)
			*old = before;
	}
	signal_unlock();
	return result;
}

void signal_unblock(void)
{
	uint64_t bit = UINT64_C(1) << (signal_number() - 1), old = 0;

	if (!signal_number() || raw_sigprocmask(SIG_UNBLOCK, &bit, &old) < 0)
		return;
	if (!mask_watched)
		mask_host_blocks = old & bit;
	mask_watched = true;
}

bool signal_mask_watched(void)
{
	return mask_watched;
}

bool signal_mask_host_blocks(void)
{
	return mask_host_blocks;
}

void signal_mask_edit(int how, const sigset_t *set)
{
	bool member = sigismember(set, signal_number()) == 1;

	if (how == SIG_SETMASK)
		mask_host_blocks = member;
	else if (member)
		mask_host_blocks = how == SIG_BLOCK;
}
