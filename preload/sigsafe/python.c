#include "preload/sigsafe/python.h"

#include <string.h>

#include "preload/sigsafe/cpython/hands.h"
#include "preload/sigsafe/cpython/load.h"
#include "preload/sigsafe/cpython/runtime.h"
#include "preload/sigsafe/cpython/symbols.h"
#include "preload/sigsafe/cpython/task.h"
#include "preload/sigsafe/cpython/thread.h"
#include "preload/sigsafe/cpython/transport.h"
#include "preload/sigsafe/cpython/walk.h"
#include "preload/sigsafe/peek.h"
#include "preload/sigsafe/raw.h"

enum {
	TEXT_LEN_MAX = 128,
	ANSWERS = 8,
	STACK_LEN_MAX =
		256 << 20, /* else sp is on another stack, and what lies between is no stack */
};

/* What a search found. Not changed once published: handlers may be reading it. */
struct answer {
	enum runtime_state state;
	struct runtime runtime;
	char text[TEXT_LEN_MAX];
};

/* Read and written with __atomic operations, but for what the turn guards. */
static struct {
	struct answer *current; /* written by whose turn it is */
	pid_t turn;		/* the process whose thread is searching: guards answers and next */
	/* Reused in a ring. An answer is replaced only when an interpreter appears or goes, so nobody
	 * can be reading the one that is written again. */
	struct answer answers[ANSWERS];
	unsigned next;
	unsigned long long adds, subs; /* the loader's counts at the last search */
	unsigned withdrawals;
} python;

bool (*python_serves)(int fd);

/* ---- what is written into text ---- */

struct writer {
	char *at, *end;
};

static void write_text(struct writer *to, const char *text)
{
	for (; *text && to->at < to->end; text++)
		*to->at++ = *text;
	*to->at = '\0';
}

static void write_number(struct writer *to, unsigned value)
{
	char digits[12];
	char *at = digits + sizeof(digits);

	*--at = '\0';
	do
		*--at = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	write_text(to, at);
}

static void answer_describe(struct answer *answer, const char *reason)
{
	struct writer to = { answer->text, answer->text + sizeof(answer->text) - 1 };

	if (answer->state == RUNTIME_NONE || answer->state == RUNTIME_ASLEEP) {
		write_text(&to, "none");
		return;
	}
	if (answer->state == RUNTIME_UNSUPPORTED)
		write_text(&to, "unsupported ");
	write_number(&to, answer->runtime.major);
	write_text(&to, ".");
	write_number(&to, answer->runtime.minor);
	write_text(&to, ".");
	write_number(&to, answer->runtime.micro);
	if (answer->state == RUNTIME_UNSUPPORTED) {
		write_text(&to, ": ");
		write_text(&to, reason);
	} else if (answer->runtime.layout->object.references) {
		write_text(&to, " free-threaded");
	}
}

static bool answer_same(const struct answer *a, const struct answer *b)
{
	return a->state == b->state && a->runtime.variables == b->runtime.variables &&
	       a->runtime.uvloop == b->runtime.uvloop &&
	       strcmp(a->text, b->text) == 0;
}

/* ---- finding ---- */

/* Could a search find anything that the last one did not? */
static bool outdated(const struct answer *answer, struct symbols_epoch epoch)
{
	uintptr_t woken;

	if (!answer || epoch.adds != __atomic_load_n(&python.adds, __ATOMIC_RELAXED) ||
	    epoch.subs != __atomic_load_n(&python.subs, __ATOMIC_RELAXED))
		return true;
	return answer->state == RUNTIME_ASLEEP && peek_word(answer->runtime.wakes, &woken) &&
	       woken != 0;
}

/* One thread at a time; not one of a parent process whose turn fork has copied. */
static bool turn_take(void)
{
	pid_t self = raw_getpid(), holder = __atomic_load_n(&python.turn, __ATOMIC_RELAXED);

	return holder != self && __atomic_compare_exchange_n(&python.turn, &holder, self, false,
							     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void python_find(void)
{
	struct symbols_epoch epoch = symbols_epoch();
	struct answer *current = __atomic_load_n(&python.current, __ATOMIC_ACQUIRE), *found;
	unsigned withdrawals = __atomic_load_n(&python.withdrawals, __ATOMIC_SEQ_CST);
	const char *reason = NULL;

	if (!outdated(current, epoch) || !turn_take())
		return;
	found = &python.answers[python.next % ANSWERS];
	if (found == current)
		found = &python.answers[++python.next % ANSWERS];
	memset(found, 0, sizeof(*found));
	found->state = runtime_find(&found->runtime, &reason);
	answer_describe(found, reason);
	current = __atomic_load_n(&python.current, __ATOMIC_SEQ_CST);
	if (!current || !answer_same(found, current)) {
		__atomic_store_n(&python.current, found, __ATOMIC_SEQ_CST);
		python.next++;
	}
	/* A dlclose that began meanwhile may not have found this answer to withdraw. */
	if (__atomic_load_n(&python.withdrawals, __ATOMIC_SEQ_CST) != withdrawals)
		__atomic_store_n(&python.current, NULL, __ATOMIC_SEQ_CST);
	__atomic_store_n(&python.adds, epoch.adds, __ATOMIC_RELAXED);
	__atomic_store_n(&python.subs, epoch.subs, __ATOMIC_RELAXED);
	__atomic_store_n(&python.turn, 0, __ATOMIC_RELEASE);
}

void python_withdraw(void)
{
	__atomic_fetch_add(&python.withdrawals, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&python.current, NULL, __ATOMIC_SEQ_CST);
}

const char *python_version(void)
{
	const struct answer *answer = __atomic_load_n(&python.current, __ATOMIC_ACQUIRE);

	return answer ? answer->text : "none";
}

/* ---- the GIL ---- */

/*
 * All conditions inside _PyRuntime are the GIL's: its own, and that of a forced switch. Who holds
 * it stands before the first of them, in all versions (research on CPython's frames, section 11).
 */
enum { GIL_CONDITION = 32, GIL_LAST_HOLDER = 8 };

bool python_is_gil(const void *condition, uintptr_t *holder)
{
	const struct answer *answer = __atomic_load_n(&python.current, __ATOMIC_ACQUIRE);
	uintptr_t at = (uintptr_t)condition;

	if (!answer || answer->state != RUNTIME_READY || at < answer->runtime.variables ||
	    at - answer->runtime.variables >= answer->runtime.variables_size)
		return false;
	if (!peek_word(at - GIL_CONDITION + GIL_LAST_HOLDER, holder))
		*holder = 0;
	return true;
}

/* ---- walking ---- */

void python_touch(struct python_thread *thread)
{
	const struct answer *answer = __atomic_load_n(&python.current, __ATOMIC_ACQUIRE);

	if (!answer || thread->touched == answer || answer->state != RUNTIME_READY)
		return;
	if (answer->runtime.layout->touch)
		answer->runtime.this_thread();
	__atomic_store_n(&thread->touched, answer, __ATOMIC_RELEASE);
}

static void publish(const struct python_thread *thread, uintptr_t state)
{
	if (thread->published)
		__atomic_store_n(thread->published, state, __ATOMIC_RELAXED);
}

void python_publish(struct python_thread *thread, uintptr_t sp, uintptr_t stack_high)
{
	const struct answer *answer = __atomic_load_n(&python.current, __ATOMIC_ACQUIRE);
	const struct c_stack stack = { sp, stack_high };
	uintptr_t state;

	if (!answer || answer->state != RUNTIME_READY || stack_high <= sp ||
	    stack_high - sp > STACK_LEN_MAX)
		return;
	state = thread_find(&answer->runtime, thread, &stack);
	if (state)
		publish(thread, state);
}

enum python_result python_walk(struct python_thread *thread, uintptr_t sp, uintptr_t stack_high,
			       struct python_frame *frames, size_t max, size_t *n)
{
	const struct answer *answer = __atomic_load_n(&python.current, __ATOMIC_ACQUIRE);
	const struct c_stack stack = { sp, stack_high };
	enum python_result result;
	uintptr_t state;

	*n = 0;
	thread->task = (struct python_task){ 0 };
	if (!answer || answer->state != RUNTIME_READY || stack_high <= sp ||
	    stack_high - sp > STACK_LEN_MAX)
		return PYTHON_NONE;
	if (answer->runtime.layout->touch && thread->touched != answer)
		return PYTHON_NONE;
	state = thread_find(&answer->runtime, thread, &stack);
	if (!state)
		return PYTHON_NONE;
	publish(thread, state);
	task_look(&answer->runtime, state, &thread->task);
	if (answer->runtime.layout->chain == CHAIN_HEAP)
		result = walk_heap_frames(&answer->runtime, state, &stack, frames, max, n);
	else
		result = walk_stack_frames(&answer->runtime, state, &stack, frames, max, n,
					   &thread->task.coroutine);
	if (thread->task.coroutine && answer->runtime.uvloop && python_serves &&
	    answer->runtime.holder() == state)
		thread->task.transport =
			transport_find(&answer->runtime, thread->task.coroutine, python_serves) + 1;
	if (thread->pooled && result == PYTHON_OK && answer->runtime.layout->lock_semaphores)
		thread->task.item = hands_item_of(&answer->runtime, frames, *n);
	return result;
}

/* ---- tasks ---- */

/* A state that another thread made may be the wrong one of several. */
static bool is_callers(const struct runtime *runtime, uintptr_t state)
{
	return load_plausible(state) && peek_ok(state, runtime->layout->thread.size) &&
	       load_word(state + runtime->layout->thread.id) == (uintptr_t)__builtin_thread_pointer();
}

/* The calling thread's state; 0: not known. */
static uintptr_t state_here(const struct answer *answer, const struct python_thread *thread)
{
	uintptr_t state;

	if (answer->runtime.layout->thread_rule != THREAD_BY_API)
		state = thread->published ? *thread->published : 0;
	else if (answer->runtime.layout->touch && thread->touched != answer)
		state = 0;
	else
		state = answer->runtime.this_thread();
	return is_callers(&answer->runtime, state) ? state : 0;
}

struct python_task python_task_here(const struct python_thread *thread)
{
	const struct answer *answer = __atomic_load_n(&python.current, __ATOMIC_ACQUIRE);
	struct python_task task = { 0 };
	uintptr_t state;

	if (!answer || answer->state != RUNTIME_READY)
		return task;
	state = state_here(answer, thread);
	if (state)
		task_look(&answer->runtime, state, &task);
	return task;
}

bool python_task_waits(uintptr_t coroutine)
{
	const struct answer *answer = __atomic_load_n(&python.current, __ATOMIC_ACQUIRE);

	return coroutine && answer && answer->state == RUNTIME_READY &&
	       task_suspended(&answer->runtime, coroutine);
}

/* ---- work that is handed over ---- */

enum python_hands python_hands_here(uintptr_t *item)
{
	const struct answer *answer = __atomic_load_n(&python.current, __ATOMIC_ACQUIRE);
	const struct cpython_layout *layout;
	uintptr_t state;

	if (!answer || answer->state != RUNTIME_READY || !answer->runtime.layout->lock_semaphores)
		return PYTHON_HANDS_NOTHING;
	layout = answer->runtime.layout;
	/* Who releases one of Python's locks has the GIL. */
	if (layout->runtime.current_thread != CPYTHON_NOWHERE)
		state = load_word(answer->runtime.variables + layout->runtime.current_thread);
	else
		state = answer->runtime.this_thread();
	return is_callers(&answer->runtime, state) ? hands_look(&answer->runtime, state, item)
						   : PYTHON_HANDS_NOTHING;
}

uintptr_t python_item_here(const struct python_thread *thread)
{
	const struct answer *answer = __atomic_load_n(&python.current, __ATOMIC_ACQUIRE);
	uintptr_t state;

	if (!answer || answer->state != RUNTIME_READY || !answer->runtime.layout->lock_semaphores)
		return 0;
	state = state_here(answer, thread);
	return state ? hands_item(&answer->runtime, state) : 0;
}
