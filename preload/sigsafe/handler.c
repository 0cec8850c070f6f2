#include "preload/sigsafe/handler.h"

#include <errno.h>
#include <poll.h>
#include <ucontext.h>

#include "preload/sigsafe/apart.h"
#include "preload/sigsafe/monotonic.h"

__thread struct handler_thread *handler_self;
__thread struct handler_call handler_call;
void (*handler_foreign)(int number, siginfo_t *info, void *context);
void (*handler_idle)(struct handler_thread *self);

enum { RED_ZONE = 128, STACK_TRUSTED = 64 << 20, BACKLOG_NS = 5000, ADDRESS_BITS = 47 };

static void handler_registers(struct unwind_registers *to, const ucontext_t *context)
{
	const greg_t *from = context->uc_mcontext.gregs;

	to->pc = (uintptr_t)from[REG_RIP];
	to->r[0] = (uintptr_t)from[REG_RAX];
	to->r[1] = (uintptr_t)from[REG_RDX];
	to->r[2] = (uintptr_t)from[REG_RCX];
	to->r[3] = (uintptr_t)from[REG_RBX];
	to->r[4] = (uintptr_t)from[REG_RSI];
	to->r[5] = (uintptr_t)from[REG_RDI];
	to->r[6] = (uintptr_t)from[REG_RBP];
	to->r[7] = (uintptr_t)from[REG_RSP];
	for (int i = 0; i < 8; i++)
		to->r[8 + i] = (uintptr_t)from[REG_R8 + i];
}

/*
 * Puts Python frames where their eval loops are: an activation's entry address lies in the native
 * frame between its callee's frame address and its own. Leaf first. Returns the depth.
 */
static size_t handler_merge(struct handler_thread *self, uintptr_t sp, size_t n_native,
			    size_t n_python, uint32_t *flags)
{
	uintptr_t low = sp;
	size_t depth = 0, next = 0;

	for (size_t i = 0; i < n_native; i++) {
		const struct unwind_frame *frame = &self->native[i];
		size_t last = next;

		while (last < n_python && !self->frames[last].entry)
			last++;
		if (last < n_python && self->frames[last].entry >= low &&
		    self->frames[last].entry < frame->cfa) {
			for (; next <= last; next++)
				self->keys[depth++] = stacks_key_python(self->frames[next].code,
									self->frames[next].lasti);
		}
		self->keys[depth++] = stacks_key_native(frame->pc, frame->exact);
		low = frame->cfa;
	}
	if (next < n_python) {
		/* With a truncated native walk, they are the callers that it did not reach. */
		if (!(*flags & STACK_TRUNCATED))
			*flags |= STACK_UNMERGED;
		for (; next < n_python; next++)
			self->keys[depth++] = stacks_key_python(self->frames[next].code,
								self->frames[next].lasti);
	}
	return depth;
}

/* The stack with these registers, as keys, leaf first. Returns its depth. */
static size_t handler_walk(struct handler_thread *self, const struct unwind_registers *registers,
			   size_t *n_native, uint32_t *flags)
{
	size_t n_python = 0, depth;
	uintptr_t sp = registers->r[7], high = self->stack_high;

	*n_native = 0;
	/* On another stack (sigaltstack, coroutine): its end is not known, so every read is checked. */
	if (sp >= high || high - sp > STACK_TRUSTED)
		high = 0;
	if (self->mode != HANDLER_NATIVE) {
		enum python_result result = python_walk(&self->python, sp, self->stack_high,
							self->frames, PYTHON_MAX, &n_python);

		if (result == PYTHON_BROKEN || result == PYTHON_CUT)
			*flags |= STACK_NO_PYTHON;
	}
	if (self->mode != HANDLER_PYTHON || n_python == 0) {
		const struct module_table *modules = modules_acquire();
		enum unwind_end end = UNWIND_NO_MODULE;

		if (modules)
			*n_native = unwind_stack_again(&self->memo, modules, registers,
						       sp - RED_ZONE, high, self->native,
						       UNWIND_MAX, &end);
		else
			self->native[(*n_native)++] =
				(struct unwind_frame){ registers->pc, sp, true };
		modules_release(modules);
		/* Above a greenlet's first frame lies whatever the switch left there. */
		if (*n_native > 1 && self->native[*n_native - 1].pc >> ADDRESS_BITS)
			(*n_native)--;
		if (end != UNWIND_COMPLETE)
			*flags |= STACK_TRUNCATED;
		if (end == UNWIND_NO_MODULE)
			self->module_missed = true;
	}
	depth = handler_merge(self, sp, *n_native, n_python, flags);
	if (self->mode == HANDLER_PYTHON)
		*flags &= STACK_NO_PYTHON;
	return depth;
}

enum {
	CALLER_BYTES = 2048, /* from one call in a function to the next, at most */
	CALLBACK_FRAMES = 3, /* what is called back goes deeper than a look at errno, or at what is left to read */
};

/*
 * Event loops in C read, and then call back, in one and the same function. Is that still on the
 * stack? What it calls begins where what it called then began; but from where it reads it calls nothing back.
 */
static bool handler_inside(const struct handler_thread *self, size_t n_native)
{
	for (size_t i = CALLBACK_FRAMES; self->call.pc && i + 1 < n_native; i++) {
		uintptr_t from_call = self->native[i + 1].pc - self->call.pc;

		if (self->native[i].cfa == self->call.cfa)
			return from_call && from_call + CALLER_BYTES < 2 * CALLER_BYTES;
	}
	return false;
}

static void handler_mark(struct handler_thread *self, size_t n_native)
{
	struct handler_mark *mark = &self->held[self->target->n_samples];

	if (self->mode == HANDLER_NATIVE)
		self->python.task = python_task_here(&self->python);
	*mark = (struct handler_mark){ self->python.task, handler_inside(self, n_native) };
}

/* A sample of the stack in self->keys and self->native. */
static void handler_add(struct handler_thread *self, size_t depth, size_t n_native, uint64_t at_ns,
			uint32_t flags)
{
	struct stacks *target = self->target;

	if (self->held && target->n_samples >= HANDLER_HELD_MAX) {
		target->lost++;
		if (self->stray && handler_idle)
			handler_idle(self);
		return;
	}
	if (self->held)
		handler_mark(self, n_native);
	stacks_add(target, self->keys, depth, at_ns, flags);
}

/* What a tick is for. On a stack of ours: see handler_thread.own_stack. */
static void handler_sample(void *thread, const void *context)
{
	struct handler_thread *self = thread;
	struct unwind_registers registers;
	size_t n_native, depth;
	uint32_t flags = 0;
	uint64_t now = monotonic_ns();

	if (kernel_ring_fills(&self->kernel))
		kernel_ring_drain(&self->kernel, self->target, self->keys);

	/*
	 * Ticks that came while the last one was handled queue up and are delivered at its end. A walk that
	 * takes longer than a period (its memory has to be paged in, the machine stands still) would be
	 * followed by the next for ever, and the host would not get on. One more is walked, which is quick
	 * now if the first was only cold; the others are our own time, not the host's.
	 */
	if (now - self->ended_ns >= BACKLOG_NS) {
		self->queued = false;
	} else if (self->queued) {
		self->target->nested++;
		return;
	} else {
		self->queued = true;
	}
	handler_registers(&registers, context);
	depth = handler_walk(self, &registers, &n_native, &flags);
	handler_add(self, depth, n_native, now, flags);
	self->ended_ns = monotonic_ns();
}

/* The innermost frames of a wait are our own wrappers: not the host's stack. How many? */
static size_t handler_own_frames(const struct handler_thread *self, size_t depth)
{
	const struct module_table *modules = modules_acquire();
	const struct module *ours = modules ? modules_find(modules, (uintptr_t)handler_here) : NULL;
	size_t n = 0;

	while (ours && n < depth && !(self->keys[n] & STACKS_KEY_PYTHON)) {
		uintptr_t pc = (uintptr_t)(self->keys[n] & ~STACKS_KEY_EXACT);

		if (pc < ours->start || pc > ours->end)
			break;
		n++;
	}
	modules_release(modules);
	return n;
}

uint32_t handler_here(struct handler_thread *self, uint32_t *flags)
{
	struct unwind_registers registers = { 0 };
	size_t n_native, depth, own;
	uint32_t node;

	*flags = 0;
	self->inside = true;
	__asm__ volatile("leaq 0f(%%rip), %%rax\n"
			 "0:	movq %%rax, %0\n"
			 "	movq %%rbx, %1\n"
			 "	movq %%rbp, %2\n"
			 "	movq %%rsp, %3\n"
			 "	movq %%r12, %4\n"
			 "	movq %%r13, %5\n"
			 "	movq %%r14, %6\n"
			 "	movq %%r15, %7\n"
			 : "=m"(registers.pc), "=m"(registers.r[3]), "=m"(registers.r[6]),
			   "=m"(registers.r[7]), "=m"(registers.r[12]), "=m"(registers.r[13]),
			   "=m"(registers.r[14]), "=m"(registers.r[15])
			 :
			 : "rax", "memory");
	depth = handler_walk(self, &registers, &n_native, flags);
	own = handler_own_frames(self, depth);
	node = stacks_node(self->target, self->keys + own, depth - own);
	/* A tick came in the middle: it is for what the thread was doing, which is this. */
	while (__atomic_exchange_n(&self->deferred, false, __ATOMIC_RELAXED))
		handler_add(self, depth, n_native, monotonic_ns(), *flags);
	__asm__ volatile("" ::: "memory");
	self->inside = false;
	return node;
}

struct python_task handler_task(struct handler_thread *self)
{
	struct python_task task;
	size_t n;

	self->inside = true;
	__asm__ volatile("" ::: "memory");
	python_walk(&self->python, (uintptr_t)__builtin_frame_address(0), self->stack_high, self->frames,
		    PYTHON_MAX, &n);
	task = self->python.task;
	if (__atomic_exchange_n(&self->deferred, false, __ATOMIC_RELAXED) && self->target)
		self->target->nested++;
	__asm__ volatile("" ::: "memory");
	self->inside = false;
	return task;
}

/* The host may have timers and descriptors that send our number, too. */
bool handler_ticked(const struct handler_thread *self, const siginfo_t *info)
{
	if (!self)
		return false;
	if (self->clock_is_timer)
		return info->si_code == SI_TIMER && info->si_timerid == self->clock_id;
	return (info->si_code == POLL_IN || info->si_code == POLL_HUP) &&
	       info->si_fd == self->clock_id;
}

void handler_tick(int number, siginfo_t *info, void *context)
{
	int saved = errno;
	struct handler_thread *self = handler_self;

#ifdef REQPROF_EMPTY_HANDLER /* for the bench: what the clock alone costs */
	return;
#endif
	if (!handler_ticked(self, info)) {
		if (self)
			self->foreign++;
		if (handler_foreign)
			handler_foreign(number, info, context);
	} else if (self && !self->target) {
		if (!self->left_running)
			self->late++;
		else if (++self->idle_ticks >= HANDLER_IDLE_MAX && handler_idle)
			handler_idle(self);
	} else if (self && self->inside) {
		if (self->deferred)
			self->target->nested++;
		self->deferred = true;
	} else if (self && ++self->ticks >= self->every) {
		self->ticks = 0;
		self->idle_ticks = 0;
		self->inside = true;
		__asm__ volatile("" ::: "memory");
		apart_call(handler_sample, self, context, self->own_stack);
		__asm__ volatile("" ::: "memory");
		self->inside = false;
	}
	errno = saved;
}
