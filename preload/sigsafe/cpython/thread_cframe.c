#include "preload/sigsafe/cpython/thread.h"

#include <errno.h>
#include <stddef.h>
#include <sys/uio.h>

#include "preload/sigsafe/cpython/load.h"
#include "preload/sigsafe/cpython/state_copy.h"
#include "preload/sigsafe/peek.h"
#include "preload/sigsafe/raw.h"

/*
 * The thread state whose cframe lies on our stack is ours, and that it is proves that nobody frees
 * it meanwhile. Until then it is looked at through copies.
 */
enum {
	REMEMBERED = sizeof((struct python_thread){ 0 }.thread_states) / sizeof(uintptr_t),
	LOOKED_AT = REMEMBERED + 2, /* and the attached one, and the first interpreter */
	SCANNED_A_SAMPLE = 8,	    /* on average, when there is never anything new in the lists */
	KNOWN = 256,
	KNOWN_PLACES = 16, /* that one thread state may be in: its own, or the next free one */
	KNOWN_BATCH = 16,  /* looked at with one system call */
	ACTIVATIONS = 64,  /* so many that fit are enough */
};

_Static_assert((int)LOOKED_AT <= (int)STATE_COPIES_MAX, "all are copied at once");

/* Thread states that scans have seen, placed by address; they may be gone by now: one whose places are all
 * taken drives out another. Written by handlers of all threads, atomically. */
static uintptr_t known[KNOWN];

static bool cframe_on_stack(const struct cpython_layout *layout, const struct c_stack *stack,
			    uintptr_t cframe)
{
	return cframe % 8 == 0 && c_stack_has(stack, cframe, layout->cframe.previous + 8u);
}

static bool remembered(const struct python_thread *memory, uintptr_t state)
{
	for (size_t i = 0; i < REMEMBERED; i++)
		if (memory->thread_states[i] == state)
			return true;
	return false;
}

static void remember(struct python_thread *memory, uintptr_t state)
{
	if (!remembered(memory, state))
		memory->thread_states[memory->next++ % REMEMBERED] = state;
}

/* The innermost wins: an interpreter may run code of another one on the same thread. */
struct choice {
	uintptr_t state, cframe;
};

static void choice_offer(struct choice *choice, uintptr_t state, uintptr_t cframe)
{
	if (!choice->state || cframe < choice->cframe)
		*choice = (struct choice){ state, cframe };
}

static void known_add(uintptr_t state)
{
	size_t own = (state >> 4) * 0x9e3779b97f4a7c15 >> 56, at = own;

	for (int i = 0; i < KNOWN_PLACES; i++) {
		uintptr_t there = __atomic_load_n(&known[(own + i) % KNOWN], __ATOMIC_RELAXED);

		if (there == state)
			return;
		if (!there) {
			at = (own + i) % KNOWN;
			break;
		}
	}
	__atomic_store_n(&known[at], state, __ATOMIC_RELAXED);
}

/*
 * Does what a state says of its native activations fit, down to the first of them? A state may be gone.
 * It may also be in the lists and have nobody: of a thread that a fork left behind, in an interpreter that
 * uwsgi made, with its stack now another thread's.
 */
static bool fits(const struct cpython_layout *layout, const struct c_stack *stack, uintptr_t state,
		 uintptr_t cframe)
{
	for (int i = 0; i < ACTIVATIONS; i++) {
		uintptr_t previous;

		if (!cframe_on_stack(layout, stack, cframe))
			return false;
		previous = load_word(cframe + layout->cframe.previous);
		if (previous == state + layout->thread.root_cframe)
			return true;
		if (previous <= cframe)
			return false;
		cframe = previous;
	}
	return true;
}

/* One system call for many: only the word that decides is copied. */
static __attribute__((noinline)) void known_look(const struct cpython_layout *layout,
						 const struct c_stack *stack, struct choice *choice)
{
	uintptr_t cframes[KNOWN_BATCH];
	struct iovec remote[KNOWN_BATCH];
	size_t at = 0, count, done;
	ssize_t got;

	while (at < KNOWN) {
		for (count = 0; at < KNOWN && count < KNOWN_BATCH; at++) {
			uintptr_t state = __atomic_load_n(&known[at], __ATOMIC_RELAXED);

			if (state)
				remote[count++] =
					(struct iovec){ (void *)(state + layout->thread.cframe),
							sizeof(uintptr_t) };
		}
		for (done = 0; done < count; done++) {
			struct iovec local = { &cframes[done], (count - done) * sizeof(uintptr_t) };

			got = raw_process_vm_readv(raw_getpid(), &local, 1, &remote[done],
						   count - done);
			if (got < 0 && got != -EFAULT)
				return;
			/* Past one that is unmapped, go on behind it. */
			for (; got >= (ssize_t)sizeof(uintptr_t);
			     got -= (ssize_t)sizeof(uintptr_t), done++) {
				uintptr_t state =
					(uintptr_t)remote[done].iov_base - layout->thread.cframe;

				if (fits(layout, stack, state, cframes[done]))
					choice_offer(choice, state, cframes[done]);
			}
		}
	}
}

struct scan {
	const struct cpython_layout *layout;
	const struct c_stack *stack;
	struct choice *choice;
};

static bool scan_state(void *argument, uintptr_t state, const struct state_copy *copy)
{
	const struct scan *scan = argument;
	uintptr_t cframe = state_copy_word(copy, scan->layout->thread.cframe);

	known_add(state);
	if (fits(scan->layout, scan->stack, state, cframe))
		choice_offer(scan->choice, state, cframe);
	return true;
}

/* All thread states of all interpreters. Returns how many there were. */
static __attribute__((noinline)) size_t scan(const struct runtime *runtime,
					     const struct c_stack *stack, uintptr_t interpreter,
					     struct choice *choice)
{
	struct scan scan = { runtime->layout, stack, choice };

	return state_copy_all(runtime, interpreter, scan_state, &scan);
}

struct look {
	struct choice choice;
	uintptr_t interpreter; /* the first of the list */
	bool several, known;   /* interpreters; is a thread state of the only one remembered? */
};

/* At what we remember and at the attached one, with one system call. */
static __attribute__((noinline)) struct look look(const struct runtime *runtime,
						  struct python_thread *memory,
						  const struct c_stack *stack, uintptr_t attached)
{
	const struct cpython_layout *layout = runtime->layout;
	struct look look = { 0 };
	uintptr_t addresses[LOOKED_AT], *slots[LOOKED_AT];
	struct state_copy copies[LOOKED_AT];
	size_t count = 0, got;

	peek_word(runtime->variables + layout->runtime.interpreters, &look.interpreter);
	if (!load_plausible(look.interpreter))
		return look;
	slots[count] = NULL;
	addresses[count++] = look.interpreter;
	if (load_plausible(attached) && !remembered(memory, attached)) {
		slots[count] = NULL;
		addresses[count++] = attached;
	}
	for (size_t i = 0; i < REMEMBERED; i++) {
		if (memory->thread_states[i]) {
			slots[count] = &memory->thread_states[i];
			addresses[count++] = memory->thread_states[i];
		}
	}
	got = state_copy(copies, addresses, count);
	if (got < count && slots[got])
		*slots[got] = 0; /* unmapped: without it the others can be read next time */
	look.several = got == 0 || state_copy_word(&copies[0], layout->interpreter.next) != 0;
	for (size_t i = 1; i < got; i++) {
		uintptr_t cframe = state_copy_word(&copies[i], layout->thread.cframe);

		if (slots[i] &&
		    state_copy_word(&copies[i], layout->thread.interpreter) == look.interpreter)
			look.known = true;
		if (fits(layout, stack, addresses[i], cframe))
			choice_offer(&look.choice, addresses[i], cframe);
	}
	return look;
}

uintptr_t thread_by_cframe(const struct runtime *runtime, struct python_thread *memory,
			   const struct c_stack *stack)
{
	const struct cpython_layout *layout = runtime->layout;
	uintptr_t attached = 0, interpreters = 0, before;
	struct look seen;
	struct choice found;
	size_t scanned;

	peek_word(runtime->variables + layout->runtime.current_thread, &attached);
	if (attached && remembered(memory, attached) &&
	    peek_ok(attached, sizeof(struct state_copy)) &&
	    cframe_on_stack(layout, stack, load_word(attached + layout->thread.cframe)))
		return attached;

	seen = look(runtime, memory, stack, attached);
	found = seen.choice;
	if ((found.state && found.state == attached) ||
	    (!seen.several && (found.state || seen.known)))
		goto out;
	/*
	 * Without the GIL, in a thread state that this thread never had before, or inside one that
	 * is: another thread may have seen it in the lists, or else only they tell. Most often they
	 * tell nothing new (the thread runs no Python), so long ones are not asked every time, but
	 * always after an interpreter was made.
	 */
	known_look(layout, stack, &found);
	peek_word(runtime->variables + layout->runtime.next_id, &interpreters);
	if (memory->interpreters == interpreters && memory->wait > 0) {
		memory->wait--;
		goto out;
	}
	memory->interpreters = interpreters;
	before = found.state;
	scanned = scan(runtime, stack, seen.interpreter, &found);
	memory->wait = found.state == before ? (unsigned)scanned / SCANNED_A_SAMPLE : 0;
out:
	if (found.state)
		remember(memory, found.state);
	return found.state;
}
