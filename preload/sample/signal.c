#include "preload/sample/signal.h"

#include <errno.h>
#include <string.h>
#include <ucontext.h>

#include "preload/sample/clock.h"
#include "preload/sample/libc.h"
#include "preload/sample/mask.h"
#include "preload/sample/sample.h"
#include "preload/sample/signal_fds.h"
#include "preload/sigsafe/handler.h"
#include "preload/sigsafe/raw.h"

enum {
	FIRST_CANDIDATE = 34, /* glibc keeps 32 and 33 */
	JVM_SIGNAL = 62,      /* wakes blocked threads in Java's network code */
	LAST_CANDIDATE = 64,
	RESTORER = 0x04000000, /* SA_RESTORER: glibc sets it, and it can be read back */
};

static int armed_number;	 /* written before any thread is sampled, and in a forked child */
static uint64_t queue_overflows; /* atomic */

/* All of these are guarded by `shadow_lock`. */
static struct sigaction shadow_ours, shadow_io; /* what the host believes is installed */
static bool io_guarded; /* our guard is installed on SIGIO: the host's action is the default */
static uint64_t
	held_back; /* signals with a handler on another stack, to whose masks we added ours */
static uint32_t shadow_lock;

int signal_number(void)
{
	return __atomic_load_n(&armed_number, __ATOMIC_ACQUIRE);
}

uint64_t signal_queue_overflows(void)
{
	return __atomic_load_n(&queue_overflows, __ATOMIC_RELAXED);
}

/* sigaction is for signal handlers, too: one that comes while its own thread has the lock would wait for ever. */
static void signal_lock(uint64_t *mask)
{
	const uint64_t all = ~UINT64_C(0);

	raw_sigprocmask(SIG_BLOCK, &all, mask);
	while (__atomic_exchange_n(&shadow_lock, 1, __ATOMIC_ACQUIRE))
		raw_sched_yield();
}

static void signal_unlock(const uint64_t *mask)
{
	__atomic_store_n(&shadow_lock, 0, __ATOMIC_RELEASE);
	raw_sigprocmask(SIG_SETMASK, mask, NULL);
}

static uint64_t signal_first_word(const sigset_t *set)
{
	uint64_t word;

	memcpy(&word, set, sizeof(word));
	return word;
}

static void signal_die(int number)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };

	libc_sigaction(number, &standard, NULL);
	raw_tgkill(raw_getpid(), raw_gettid(), number); /* delivered when the handler returns */
}

/* Back into the queue, now that the thread blocks it. Only the thread itself may send any code. */
static void signal_send_again(int number, const siginfo_t *info)
{
	if (info->si_code == SI_TKILL)
		raw_syscall4(SYS_rt_tgsigqueueinfo, raw_getpid(), raw_gettid(), number, (long)info);
	else
		raw_syscall3(SYS_rt_sigqueueinfo, raw_getpid(), number, (long)info);
}

static void signal_stop_clock(void)
{
	struct sample_thread *thread = sample_thread_self();

	if (thread)
		clock_stop(&thread->clock);
}

/*
 * Ticks that came before the clock was stopped wait behind the host's signal, and the host would take them for its
 * own. In the handler, which holds the number off. Keeps the order of the host's own.
 */
static void signal_send_again_without_ticks(int number, const siginfo_t *info)
{
	enum { LOOKED_AT = 64, OTHERS = 4 };
	const struct timespec at_once = { 0 };
	const uint64_t set = UINT64_C(1) << (number - 1);
	siginfo_t others[OTHERS];
	unsigned n = 0;

	for (int i = 0; i < LOOKED_AT && n < OTHERS; i++) {
		if (raw_syscall4(SYS_rt_sigtimedwait, (long)&set, (long)&others[n], (long)&at_once,
				 sizeof(set)) != number)
			break;
		n += !handler_ticked(handler_self, &others[n]);
	}
	signal_send_again(number, info);
	for (unsigned i = 0; i < n; i++)
		signal_send_again(number, &others[i]);
}

/* As the kernel would have begun the host's handler: under its mask, the first time only if it says so. */
static void signal_call_host(const struct sigaction *host, int number, siginfo_t *info,
			     ucontext_t *context)
{
	uint64_t mask = signal_first_word(&context->uc_sigmask) | signal_first_word(&host->sa_mask);

	if (!(host->sa_flags & SA_NODEFER))
		mask |= UINT64_C(1) << (number - 1);
	raw_sigprocmask(SIG_SETMASK, &mask, NULL);
	if (host->sa_flags & SA_SIGINFO)
		host->sa_sigaction(number, info, context);
	else
		host->sa_handler(number);
}

/* A signal of our number that somebody else sent: the host gets it as it wanted it. */
static void signal_foreign(int number, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;
	uint64_t mask = signal_first_word(&interrupted->uc_sigmask), unused;
	struct sigaction host;

	if (mask_host_blocks(mask)) {
		mask_give_up(&mask);
		memcpy(&interrupted->uc_sigmask, &mask, sizeof(mask));
		signal_stop_clock();
		signal_fds_show();
		signal_send_again_without_ticks(number, info);
		return;
	}
	signal_lock(&unused);
	host = shadow_ours;
	if ((host.sa_flags & (int)SA_RESETHAND) && host.sa_handler != SIG_IGN)
		shadow_ours.sa_handler = SIG_DFL;
	signal_unlock(&unused);
	if (host.sa_handler == SIG_IGN)
		return;
	if (host.sa_handler != SIG_DFL)
		signal_call_host(&host, number, info, interrupted);
	/* These may be late ticks of a clock that is no more. */
	else if (info->si_code != POLL_IN && info->si_code != POLL_HUP && info->si_code != SI_TIMER)
		signal_die(number);
}

/* SI_KERNEL is the perf event whose signal found no room in the queue; anyone else's SIGIO does what it would have done. */
static void signal_io(int number, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	if (info->si_code == SI_KERNEL)
		__atomic_fetch_add(&queue_overflows, 1, __ATOMIC_RELAXED);
	else
		signal_die(number);
	errno = saved;
}

static int signal_guard_io(void)
{
	struct sigaction guard = { .sa_sigaction = signal_io, .sa_flags = SA_SIGINFO | SA_RESTART };

	sigemptyset(&guard.sa_mask);
	return libc_sigaction(SIGIO, &guard, NULL);
}

/* SA_RESTART but where the host wants its own signal of this number to interrupt. */
static int signal_install(int number, bool restart)
{
	struct sigaction ours = { .sa_sigaction = handler_tick,
				  .sa_flags = SA_SIGINFO | (restart ? SA_RESTART : 0) };

	/* All: sigfillset leaves out 32 and 33, and pthread_cancel would unwind from within our handler. */
	memset(&ours.sa_mask, 0xff, sizeof(ours.sa_mask));
	return libc_sigaction(number, &ours, NULL);
}

static bool signal_try(int number)
{
	struct sigaction host;

	if (number < FIRST_CANDIDATE || number > LAST_CANDIDATE || number == JVM_SIGNAL)
		return false;
	if (libc_sigaction(number, NULL, &host) != 0 || host.sa_handler != SIG_DFL)
		return false;
	shadow_ours = host;
	handler_foreign = signal_foreign;
	if (signal_install(number, true) != 0)
		return false;
	__atomic_store_n(&armed_number, number, __ATOMIC_RELEASE);
	return true;
}

static bool signal_needs_holding_back(const struct sigaction *action)
{
	return (action->sa_flags & SA_ONSTACK) && action->sa_handler != SIG_DFL &&
	       action->sa_handler != SIG_IGN && sigismember(&action->sa_mask, signal_number()) != 1;
}

/*
 * Handlers on a stack of their own have as little as MINSIGSTKSZ, and our signal would overrun it.
 * So it waits until they are done.
 */
static void signal_hold_back_from_handlers(void)
{
	for (int number = 1; number <= LAST_CANDIDATE; number++) {
		struct sigaction action;

		if (number == armed_number || libc_sigaction(number, NULL, &action) != 0 ||
		    !signal_needs_holding_back(&action))
			continue;
		sigaddset(&action.sa_mask, armed_number);
		if (libc_sigaction(number, &action, NULL) == 0)
			held_back |= UINT64_C(1) << (number - 1);
	}
}

int signal_arm(int preferred)
{
	int result = -EBUSY;
	uint64_t mask;

	if (signal_number())
		return 0;
	signal_lock(&mask);
	if (armed_number) {
		result = 0;
	} else {
		bool armed = signal_try(preferred);

		for (int number = LAST_CANDIDATE - 1; !armed && number >= FIRST_CANDIDATE; number--)
			armed = signal_try(number);
		if (armed) {
			result = 0;
			signal_hold_back_from_handlers();
			signal_fds_hide();
			if (libc_sigaction(SIGIO, NULL, &shadow_io) == 0 &&
			    shadow_io.sa_handler == SIG_DFL && signal_guard_io() == 0)
				io_guarded = true;
		}
	}
	signal_unlock(&mask);
	return result;
}

void signal_postfork_child(void)
{
	uint64_t mask;

	/* The forking thread held no lock; another may have, and is not here. */
	shadow_lock = 0;
	if (!armed_number)
		return;
	mask_postfork_child();
	signal_lock(&mask);
	for (int number = 1; number <= LAST_CANDIDATE; number++) {
		struct sigaction action;

		if ((held_back >> (number - 1) & 1) && libc_sigaction(number, NULL, &action) == 0) {
			sigdelset(&action.sa_mask, armed_number);
			libc_sigaction(number, &action, NULL);
		}
	}
	held_back = 0;
	libc_sigaction(armed_number, &shadow_ours, NULL);
	if (io_guarded)
		libc_sigaction(SIGIO, &shadow_io, NULL);
	io_guarded = false;
	__atomic_store_n(&armed_number, 0, __ATOMIC_RELEASE);
	signal_unlock(&mask);
}

bool signal_shadows(int number)
{
	int ours = signal_number();

	return ours && (number == ours || number == SIGIO);
}

void signal_read_shadow(int number, struct sigaction *action)
{
	const struct sigaction *shadow = number == SIGIO ? &shadow_io : &shadow_ours;

	if (number == SIGIO && !io_guarded)
		libc_sigaction(SIGIO, NULL, action);
	else
		*action = *shadow;
}

/* What the kernel and libc make of an action that is set. */
static void signal_set_shadow(struct sigaction *shadow, const struct sigaction *wanted)
{
	*shadow = *wanted;
	shadow->sa_flags |= RESTORER;
	sigdelset(&shadow->sa_mask, SIGKILL);
	sigdelset(&shadow->sa_mask, SIGSTOP);
}

static int signal_io_action(const struct sigaction *wanted, struct sigaction *old)
{
	struct sigaction before;
	int result = 0;

	signal_read_shadow(SIGIO, &before);
	if (wanted && wanted->sa_handler == SIG_DFL) {
		if (!io_guarded)
			result = signal_guard_io();
		if (result == 0) {
			io_guarded = true;
			signal_set_shadow(&shadow_io, wanted);
		}
	} else if (wanted) {
		result = libc_sigaction(SIGIO, wanted, NULL);
		if (result == 0)
			io_guarded = false;
	}
	if (result == 0 && old)
		*old = before;
	return result;
}

static int signal_our_action(int number, const struct sigaction *wanted, struct sigaction *old)
{
	struct sigaction before = shadow_ours;

	if (wanted) {
		bool handles = wanted->sa_handler != SIG_DFL && wanted->sa_handler != SIG_IGN;

		signal_set_shadow(&shadow_ours, wanted);
		signal_install(number, !handles || (wanted->sa_flags & SA_RESTART));
	}
	if (old)
		*old = before;
	return 0;
}

static int signal_other_action(int number, struct sigaction *wanted, struct sigaction *old)
{
	uint64_t bit = number >= 1 && number <= LAST_CANDIDATE ? UINT64_C(1) << (number - 1) : 0;
	bool was_held_back = held_back & bit;
	bool hold_back = wanted && signal_needs_holding_back(wanted);
	int result;

	if (hold_back)
		sigaddset(&wanted->sa_mask, signal_number());
	result = libc_sigaction(number, wanted, old);
	if (result != 0)
		return result;
	if (old && was_held_back)
		sigdelset(&old->sa_mask, signal_number());
	if (wanted)
		held_back = hold_back ? held_back | bit : held_back & ~bit;
	return 0;
}

int signal_host_action(int number, const struct sigaction *action, struct sigaction *old)
{
	struct sigaction wanted, before, *to = old ? &before : NULL,
					 *from = action ? &wanted : NULL;
	uint64_t mask;
	int result;

	/* Copied: `action` and `old` may be the same struct, or bad, and then the fault is the host's, without our lock. */
	if (action)
		wanted = *action;
	if (old)
		before = *old;
	signal_lock(&mask);
	if (number == SIGIO)
		result = signal_io_action(from, to);
	else if (number == signal_number())
		result = signal_our_action(number, from, to);
	else
		result = signal_other_action(number, from, to);
	signal_unlock(&mask);
	if (result == 0 && old)
		*old = before;
	return result;
}
