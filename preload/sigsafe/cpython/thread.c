#include "preload/sigsafe/cpython/thread.h"

#include <errno.h>
#include <stddef.h>
#include <sys/uio.h>

#include "preload/sigsafe/cpython/load.h"
#include "preload/sigsafe/peek.h"
#include "preload/sigsafe/raw.h"

/*
 * A thread state that is not known to be ours may be freed while we look at it, even unmapped. So
 * the beginning of such a structure is copied by one system call, which cannot fault; that it is
 * ours (its cframe lies on our stack) then also proves that nobody frees it meanwhile.
 */
enum {
	COPY_WORDS =
		8, /* holds next, interpreter, cframe of a thread state; next, threads of an interpreter */
	REMEMBERED = sizeof((struct python_thread){ 0 }.thread_states) / sizeof(uintptr_t),
	LOOKED_AT = REMEMBERED + 2, /* and the attached one, and the first interpreter */
	INTERPRETERS_MAX = 32,
	SCANNED_MAX = 128,    /* thread states in a scan: 2 microseconds each */
	SCANNED_A_SAMPLE = 8, /* on average, when there is never anything new in them */
	KNOWN = 128,
	KNOWN_BATCH = 16, /* looked at with one system call */
	CANDIDATES = 20,
	WORDS_LEN_MAX = 16384, /* bytes of stack; the word is among the first 200 most often */
};

/* Thread states that scans have seen, placed by address; they may be gone by now. Written by handlers
 * of all threads, atomically. */
static uintptr_t known[KNOWN];

struct copy {
	uintptr_t words[COPY_WORDS];
};

/* Copies structures up to the first that cannot be read; how many it was. */
static size_t copy_structures(struct copy *copies, const uintptr_t *addresses, size_t count)
{
	struct iovec local = { copies, count * sizeof(*copies) }, remote[LOOKED_AT];
	ssize_t got;
	size_t done = 0;

	for (size_t i = 0; i < count; i++)
		remote[i] = (struct iovec){ (void *)addresses[i], sizeof(*copies) };
	got = raw_process_vm_readv(raw_getpid(), &local, 1, remote, count);
	if (got >= 0)
		return (size_t)got / sizeof(*copies);
	if (got == -EFAULT)
		return 0;
	/* Forbidden by a sandbox: a page's proof and a load, with a gap between the two. */
	while (done < count && peek_copy(&copies[done], addresses[done], sizeof(*copies)))
		done++;
	return done;
}

static bool copy_structure(struct copy *copy, uintptr_t address)
{
	return load_plausible(address) && copy_structures(copy, &address, 1) == 1;
}

static uintptr_t copy_word(const struct copy *copy, uint16_t offset)
{
	return copy->words[offset / sizeof(uintptr_t)];
}

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
	__atomic_store_n(&known[(state >> 4) * 0x9e3779b97f4a7c15 >> 57], state, __ATOMIC_RELAXED);
}

/* Of a state that may be gone: does what it says of its native activations fit? */
static bool fits(const struct cpython_layout *layout, const struct c_stack *stack, uintptr_t state,
		 uintptr_t cframe)
{
	uintptr_t previous;

	if (!cframe_on_stack(layout, stack, cframe))
		return false;
	previous = load_word(cframe + layout->cframe.previous);
	return previous == state + layout->thread.root_cframe ||
	       (previous > cframe && cframe_on_stack(layout, stack, previous));
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

/* All thread states of all interpreters. Returns how many it read. */
static __attribute__((noinline)) size_t scan(const struct runtime *runtime,
					     const struct c_stack *stack, uintptr_t interpreter,
					     struct choice *choice)
{
	const struct cpython_layout *layout = runtime->layout;
	struct copy copy;
	size_t seen = 0;

	for (size_t i = 0; i < INTERPRETERS_MAX && copy_structure(&copy, interpreter); i++) {
		uintptr_t next = copy_word(&copy, layout->interpreter.next);
		uintptr_t state = copy_word(&copy, layout->interpreter.threads);

		for (; seen < SCANNED_MAX && copy_structure(&copy, state); seen++) {
			uintptr_t cframe = copy_word(&copy, layout->thread.cframe);

			known_add(state);
			if (copy_word(&copy, layout->thread.interpreter) == interpreter &&
			    cframe_on_stack(layout, stack, cframe))
				choice_offer(choice, state, cframe);
			state = copy_word(&copy, layout->thread.next);
		}
		interpreter = next;
	}
	return seen;
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
	struct copy copies[LOOKED_AT];
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
	got = copy_structures(copies, addresses, count);
	if (got < count && slots[got])
		*slots[got] = 0; /* unmapped: without it the others can be read next time */
	look.several = got == 0 || copy_word(&copies[0], layout->interpreter.next) != 0;
	for (size_t i = 1; i < got; i++) {
		uintptr_t cframe = copy_word(&copies[i], layout->thread.cframe);

		if (slots[i] &&
		    copy_word(&copies[i], layout->thread.interpreter) == look.interpreter)
			look.known = true;
		if (cframe_on_stack(layout, stack, cframe))
			choice_offer(&look.choice, addresses[i], cframe);
	}
	return look;
}

static uintptr_t find_by_cframe(const struct runtime *runtime, struct python_thread *memory,
				const struct c_stack *stack)
{
	const struct cpython_layout *layout = runtime->layout;
	uintptr_t attached = 0, interpreters = 0, before;
	struct look seen;
	struct choice found;
	size_t scanned;

	peek_word(runtime->variables + layout->runtime.current_thread, &attached);
	if (attached && remembered(memory, attached) && peek_ok(attached, sizeof(struct copy)) &&
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

/* ---- by words on the stack ---- */

struct candidate {
	uintptr_t state, frame;
	bool own; /* made by this thread */
};

/* Thread states that run Python now; *own: is there one, running or not, that this thread made? */
static __attribute__((noinline)) size_t candidates_find(const struct runtime *runtime,
							struct candidate *candidates, bool *own)
{
	const struct cpython_layout *layout = runtime->layout;
	uintptr_t interpreter = 0,
		  self = (uintptr_t)__builtin_thread_pointer(); /* pthread_self() */
	size_t seen = 0, count = 0;
	struct copy copy;

	peek_word(runtime->variables + layout->runtime.interpreters, &interpreter);
	for (size_t i = 0; i < INTERPRETERS_MAX && copy_structure(&copy, interpreter); i++) {
		uintptr_t next = copy_word(&copy, layout->interpreter.next);
		uintptr_t state = copy_word(&copy, layout->interpreter.threads);

		for (; seen < SCANNED_MAX && count < CANDIDATES && copy_structure(&copy, state);
		     seen++) {
			uintptr_t id = 0, frame = copy_word(&copy, layout->thread.frame);

			/* The rest of the structure was there a moment ago: a proof for the page will do. */
			peek_word(state + layout->thread.id, &id);
			*own |= id == self;
			if (frame && copy_word(&copy, layout->thread.interpreter) == interpreter)
				candidates[count++] =
					(struct candidate){ state, frame, id == self };
			state = copy_word(&copy, layout->thread.next);
		}
		interpreter = next;
	}
	return count;
}

/*
 * Before 3.10 nothing that a thread state points to lies on the C stack. But the innermost native
 * activation keeps its frame's address there, so the first word that is the newest frame of a
 * thread state tells. The collector has everybody's frames in its hands; it runs attached, so for
 * the attached state any word counts. And a thread that made thread states uses those (uwsgi makes
 * all of them on one thread). With one interpreter the GIL-state API is right.
 */
static uintptr_t find_by_words(const struct runtime *runtime, const struct c_stack *stack)
{
	const struct cpython_layout *layout = runtime->layout;
	struct candidate candidates[CANDIDATES];
	uintptr_t interpreter = 0, next = 0, attached = 0, filter = 0, first = 0;
	bool own = false;
	size_t count;

	peek_word(runtime->variables + layout->runtime.interpreters, &interpreter);
	peek_word(interpreter + layout->interpreter.next, &next);
	if (!next)
		return runtime->this_thread();
	peek_word(runtime->variables + layout->runtime.current_thread, &attached);
	count = candidates_find(runtime, candidates, &own);
	for (size_t i = 0; i < count; i++)
		filter |= (uintptr_t)1 << (candidates[i].frame >> 4 & 63);
	for (uintptr_t at = (stack->sp + 7) & ~(uintptr_t)7;
	     c_stack_has(stack, at, 8) && at - stack->sp < WORDS_LEN_MAX; at += 8) {
		uintptr_t word = load_word(at);

		if (!(filter >> (word >> 4 & 63) & 1))
			continue;
		for (size_t i = 0; i < count; i++) {
			if (candidates[i].frame != word || candidates[i].own != own)
				continue;
			if (candidates[i].state == attached)
				return attached;
			if (!first)
				first = candidates[i].state;
		}
	}
	return first;
}

static uintptr_t readable_state(const struct runtime *runtime, uintptr_t state)
{
	return load_plausible(state) && peek_ok(state, runtime->layout->thread.size) ? state : 0;
}

uintptr_t thread_find(const struct runtime *runtime, struct python_thread *memory,
		      const struct c_stack *stack)
{
	switch (runtime->layout->thread_rule) {
	case THREAD_BY_CFRAME:
		return find_by_cframe(runtime, memory, stack);
	case THREAD_BY_API:
		return readable_state(runtime, runtime->this_thread());
	case THREAD_BY_WORDS:
		return readable_state(runtime, find_by_words(runtime, stack));
	default:
		return 0;
	}
}
