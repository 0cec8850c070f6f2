/*
 * Drives the library's own objects, without a server: the handler, on a deep stack; the writing of a
 * profile; the parser.
 *
 *	engine times DIR    medians, as JSON; profiles are written to DIR
 *	engine counts DIR   under callgrind: a dump for each
 *	engine stack DIR    how much of the interrupted stack the handler uses, as JSON
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "preload/emit/emit.h"
#include "preload/sample/libc.h"
#include "preload/sigsafe/codes.h"
#include "preload/sigsafe/handler.h"
#include "preload/sigsafe/modules.h"
#include "tests/bench/deep_stack.h"
#include "tests/bench/timing.h"

enum { CLOCK_ID = 999, TIMES = 2000, FRAMES_HIGH = 64 << 20 };

/* What the hook room gives the library. */
int (*libc_sigaction)(int, const struct sigaction *, struct sigaction *) = sigaction;
bool hook_active;
__thread volatile uint8_t hook_inside, hook_vforked;
__thread int32_t hook_tid;

static const char *directory, *mode;
static struct handler_thread thread;
static siginfo_t tick = { .si_code = POLL_IN };
static struct series repeated, fresh, cold, emitted, created, parsed;
static struct request request;
static struct emit_job job;
static uint64_t files;
static void *stack_top;
static char own_stack[HANDLER_STACK] __attribute__((aligned(16)));

static void engine_prepare(void)
{
	codes_prepare();
	modules_refresh();
	python_find();
	thread.mode = HANDLER_MIXED;
	thread.clock_id = CLOCK_ID;
	thread.every = 1;
	thread.stack_high = (uintptr_t)stack_top;
	thread.own_stack = own_stack + sizeof(own_stack);
	if (!thread.target)
		thread.target = stacks_new(NULL, 0);
	stacks_reset(thread.target, 1);
	handler_self = &thread;
	python_touch(&thread.python);
	tick.si_fd = CLOCK_ID;
}

/* As if it came a period after the last one, not right behind it. */
static void engine_tick(ucontext_t *here)
{
	thread.ended_ns = 0;
	handler_tick(50, &tick, here);
}

static void engine_measure(size_t *python, size_t *native)
{
	ucontext_t here;
	const struct stacks *s;

	engine_prepare();
	getcontext(&here);
	engine_tick(&here);
	*python = *native = 0;
	s = thread.target;
	for (uint32_t node = s->samples[0].node; node != STACKS_ROOT; node = s->nodes[node].parent)
		++*(s->nodes[node].key & STACKS_KEY_PYTHON ? python : native);
}

/* ---- the handler */

static void engine_new(ucontext_t *here)
{
	stacks_reset(thread.target, 1);
	engine_tick(here);
}

static void engine_cold(ucontext_t *here)
{
	unwind_forget();
	memset(&thread.memo, 0, sizeof(thread.memo));
	engine_tick(here);
}

static void handler_times(ucontext_t *here)
{
	for (int i = 0; i < TIMES; i++) {
		uint64_t begin = timing_now();

		engine_tick(here);
		series_add(&repeated, timing_now() - begin);
		if (i % 40 == 0)
			stacks_reset(thread.target, 1);
	}
	for (int i = 0; i < TIMES; i++) {
		uint64_t begin;

		stacks_reset(thread.target, 1);
		begin = timing_now();
		engine_tick(here);
		series_add(&fresh, timing_now() - begin);
	}
	for (int i = 0; i < TIMES / 10; i++) {
		uint64_t begin = timing_now();

		engine_cold(here);
		series_add(&cold, timing_now() - begin);
	}
}

static void handler_counts(ucontext_t *here)
{
	stacks_reset(thread.target, 1);
	COUNT("sample, stack seen before", 100, engine_tick(here));
	COUNT("sample, stack new", 100, engine_new(here));
}

/* ---- the writing of a profile of DEEP_LINES samples */

static void engine_emit(void)
{
	struct budget budget = { .directory = directory };
	static struct control_budget none;
	static char *scratch;

	if (!scratch)
		scratch = mmap(NULL, EMIT_SCRATCH, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	budget.shared = &none;
	job = (struct emit_job){
		.request = &request,
		.stacks = thread.target,
		.directory = directory,
		.pid = 1000000, /* names of the same length each time */
		.counter = 1000000 + files++,
		.clock = CLOCK_PERF_USER,
		.rate = 997,
		.python = python_version(),
		.kept = KEEP_ALWAYS,
		.budget = &budget,
		.scratch = scratch,
	};
	if (emit_profile(&job) < 0)
		exit(1);
}

static void engine_empty(void)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%d-%lu.empty", directory, 1000000, 1000000 + (unsigned long)files++);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
}

static void request_make(void)
{
	static const char path[] = "/resource_providers";
	const struct stack_sample *last = &thread.target->samples[thread.target->n_samples - 1];
	struct wire_facts *facts = &request.in.any.facts;

	request.protocol = WIRE_HTTP1;
	wire_request_start(WIRE_HTTP1, &request.in);
	memcpy(facts->method, "GET", 4);
	memcpy(facts->path, path, sizeof(path));
	facts->path_len = facts->path_full_len = sizeof(path) - 1;
	request.out.any.status = 200;
	request.out_ready = request.profiled = true;
	request.start_ns = thread.target->samples[0].at_ns - 1000000;
	request.end_ns = last->at_ns + 1000000;
	request.start_unix_ns = UINT64_C(1795446911000000000);
	request.cpu_ns = request.end_ns - request.start_ns;
	request.clock = CLOCK_PERF_USER;
	request.rate = 997;
	request.threads = 1;
	request.tids[0] = 1;
	request.peer.u.in.sin_family = AF_INET;
	/* What a run's clock says may not change what is written. */
	for (uint32_t i = 0; i < thread.target->n_samples; i++)
		thread.target->samples[i].at_ns = UINT64_C(1000000000) + i * UINT64_C(1003009);
	request.start_ns = UINT64_C(999000000);
	request.end_ns = request.start_ns + DEEP_LINES * UINT64_C(1003009) + 2000000;
	request.cpu_ns = request.end_ns - request.start_ns - 500000;
}

static void emit_times(void)
{
	for (int i = 0; i < TIMES / 4; i++) {
		uint64_t begin = timing_now();

		engine_emit();
		series_add(&emitted, timing_now() - begin);
		begin = timing_now();
		engine_empty();
		series_add(&created, timing_now() - begin);
	}
}

/* ---- the parser */

static const char head[] =
	"GET /resource_providers/0000002a-0000-4000-8000-00000000002a/inventories?limit=20 HTTP/1.1\r\n"
	"Host: placement.example.net:8778\r\n"
	"User-Agent: openstacksdk/1.0.1 keystoneauth1/5.0.0 python-requests/2.28.1 CPython/3.11.2\r\n"
	"Accept: application/json\r\nAccept-Encoding: gzip, deflate\r\n"
	"OpenStack-API-Version: placement 1.39\r\nX-Auth-Token: gAAAAABexampleexampleexampleexampleexam\r\n"
	"X-Request-Id: req-3f0c9b1e-5d1a-4a3a-9f0e-8a7e6f5d4c3b\r\n"
	"Connection: keep-alive\r\nX-Forwarded-For: 192.0.2.17\r\nX-Padding: 12345678\r\n\r\n";
_Static_assert(sizeof(head) - 1 == 500, "the head is said to have 500 bytes");

static void engine_parse(void)
{
	static union wire_request in;

	wire_request_start(WIRE_HTTP1, &in);
	if (wire_request_feed(WIRE_HTTP1, &in, head, sizeof(head) - 1) != sizeof(head) - 1)
		exit(1);
}

static void parse_times(void)
{
	for (int i = 0; i < TIMES; i++) {
		uint64_t begin = timing_now();

		engine_parse();
		series_add(&parsed, timing_now() - begin);
	}
}

/* ---- the stack that the handler uses: it runs on a painted one, by a signal that looks like its clock's */

enum { PAINTED = 256 << 10, PAINT = 0xa5 };

static unsigned char *painted;
static uintptr_t frame_at; /* where the kernel's frame ends, below which the handler begins */

static void engine_remember(int number, siginfo_t *info, void *context)
{
	frame_at = (uintptr_t)context - sizeof(void *);
}

static void engine_raise(void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	memset(painted, PAINT, PAINTED);
	thread.ended_ns = 0;
	sigaction(50, &action, NULL);
	syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), 50, &tick);
}

static size_t engine_used(void)
{
	size_t at = 0;

	while (at < PAINTED && painted[at] == PAINT)
		at++;
	return frame_at - (uintptr_t)(painted + at);
}

static void engine_stack(void)
{
	stack_t stack;
	size_t warm, from_nothing;

	painted = mmap(NULL, PAINTED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack = (stack_t){ .ss_sp = painted, .ss_size = PAINTED };
	sigaltstack(&stack, NULL);
	engine_raise(engine_remember);
	unwind_forget();
	memset(&thread.memo, 0, sizeof(thread.memo));
	memset(&thread.python, 0, sizeof(thread.python));
	engine_raise(handler_tick);
	from_nothing = engine_used();
	engine_raise(handler_tick);
	warm = engine_used();
	printf("{\"samples\": %u, \"cold_bytes\": %zu, \"warm_bytes\": %zu}\n",
	       thread.target->n_samples, from_nothing, warm);
}

/* ---- */

static void engine_at_leaf(int line)
{
	ucontext_t here;

	getcontext(&here);
	if (line == 0) {
		engine_prepare();
		if (strcmp(mode, "stack") == 0) {
			engine_stack();
			return;
		}
		if (strcmp(mode, "times") == 0)
			handler_times(&here);
		else
			handler_counts(&here);
		stacks_reset(thread.target, 1);
	}
	engine_tick(&here);
}

static void print_times(void)
{
	printf("{\"repeated_ns\": %.0f, \"new_ns\": %.0f, \"cold_ns\": %.0f, \"parse_ns\": %.0f, "
	       "\"emit_ns\": %.0f, \"create_ns\": %.0f, \"samples\": %u, \"lost\": %u, \"incomplete\": %u}\n",
	       series_median(&repeated), series_median(&fresh), series_median(&cold),
	       series_median(&parsed), series_median(&emitted), series_median(&created),
	       thread.target->n_samples, thread.target->lost, thread.target->incomplete);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	mode = argv[1];
	directory = argv[2];
	stack_top = __builtin_frame_address(0);
	stack_top = (char *)stack_top + 4096;
	deep_stack_measure = engine_measure;
	if (deep_stack_run(DEEP_PYTHON, DEEP_NATIVE, engine_at_leaf) < 0)
		return 1;
	if (strcmp(mode, "stack") == 0)
		return 0;
	if (thread.target->n_samples != DEEP_LINES)
		return 1;
	request_make();
	if (strcmp(mode, "times") == 0) {
		emit_times();
		parse_times();
		print_times();
	} else {
		COUNT("write a profile of 40 samples", 20, engine_emit());
		COUNT("parse a head of 500 bytes", 100, engine_parse());
	}
	return 0;
}
