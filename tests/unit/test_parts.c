#include "preload/emit/parts.h"

#include "format/share.h"
#include "tests/unit/tap.h"

enum { PERIOD = 1000000 };

/* A request of 100 ms with one thread's stacks. */
struct made {
	struct request r;
	struct stacks *s;
	struct parts parts;
};

static void make(struct made *m, uint64_t cpu_ns)
{
	memset(m, 0, sizeof(*m));
	m->s = stacks_new(NULL, 0);
	m->r.start_ns = 1000;
	m->r.end_ns = 1000 + 100 * PERIOD;
	m->r.cpu_ns = cpu_ns;
	m->r.waits = true;
}

static void sample(struct made *m, uint64_t at_ns)
{
	const uint64_t keys[] = { stacks_key_native(0x400000, true) };

	stacks_add(m->s, keys, 1, 1000 + at_ns, 0);
}

static void wait_for(struct made *m, enum wait_kind kind, uint64_t at_ns, uint64_t ns)
{
	const struct wait_record record = { .at_ns = 1000 + at_ns,
					    .end_ns = 1000 + at_ns + ns,
					    .ns = ns,
					    .count = 1,
					    .kind = (uint8_t)kind };

	waits_add(&m->s->waits, &record);
}

static void add_up(struct made *m)
{
	const struct parts *p = &m->parts;

	parts_of(&m->r, m->s, PERIOD, &m->parts);
	CHECK_INT(p->user + p->kernel, p->cpu);
	CHECK_INT(p->user + p->kernel + p->wait + p->runnable + p->rest - p->overlap, p->wall);
	CHECK(p->user >= 0 && p->kernel >= 0 && p->wait >= 0 && p->runnable >= 0 && p->rest >= 0);
	stacks_free(m->s);
}

static void parts_are_what_was_measured(void)
{
	struct made m;

	make(&m, 30 * PERIOD);
	for (int i = 0; i < 20; i++)
		sample(&m, (uint64_t)i * PERIOD);
	wait_for(&m, WAIT_SLEEP, 30 * PERIOD, 40 * PERIOD);
	wait_for(&m, WAIT_GIL, 75 * PERIOD, 10 * PERIOD);
	m.r.queued_ns = 5 * PERIOD;
	m.r.idle_ns = 8 * PERIOD;
	add_up(&m);
	CHECK_INT(m.parts.user, 20 * PERIOD);
	CHECK_INT(m.parts.kernel, 10 * PERIOD);
	CHECK_INT(m.parts.wait, 58 * PERIOD);
	CHECK_INT(m.parts.gil, 10 * PERIOD);
	CHECK_INT(m.parts.idle, 8 * PERIOD);
	CHECK_INT(m.parts.runnable, 5 * PERIOD);
	CHECK_INT(m.parts.rest, 7 * PERIOD);
	CHECK_INT(m.parts.overlap, 0);
}

static void samples_never_stand_for_more_than_the_cpu_time(void)
{
	struct made m;

	make(&m, PERIOD / 2);
	sample(&m, 5);
	add_up(&m);
	CHECK_INT(m.parts.user, PERIOD / 2);
	CHECK_INT(m.parts.kernel, 0);
}

static void a_run_queue_explains_no_more_than_what_is_left(void)
{
	struct made m;

	make(&m, 90 * PERIOD);
	m.r.queued_ns = 50 * PERIOD; /* most of it within waits that were timed, say */
	add_up(&m);
	CHECK_INT(m.parts.runnable, 10 * PERIOD);
	CHECK_INT(m.parts.rest, 0);
}

static void what_comes_after_the_end_is_not_the_request(void)
{
	struct made m;

	make(&m, 12 * PERIOD);
	sample(&m, 5);
	sample(&m, 101 * PERIOD);
	sample(&m, 102 * PERIOD);
	wait_for(&m, WAIT_LOCK, 90 * PERIOD, 30 * PERIOD); /* cut by the end */
	wait_for(&m, WAIT_SLEEP, 150 * PERIOD, 10 * PERIOD);
	m.r.idle_since_ns = m.r.end_ns + PERIOD;
	add_up(&m);
	CHECK_INT(m.parts.samples, 1);
	CHECK_INT(m.parts.tail, 2);
	CHECK_INT(m.parts.cpu, 10 * PERIOD);
	CHECK_INT(m.parts.wait, 10 * PERIOD);
	CHECK_INT(m.parts.waits, 1);
}

static void threads_at_the_same_time_overlap(void)
{
	struct made m;
	struct share share;
	int64_t sum = 0;

	make(&m, 150 * PERIOD);
	wait_for(&m, WAIT_SOCKET, 0, 80 * PERIOD);
	add_up(&m);
	CHECK_INT(m.parts.overlap, 130 * PERIOD);
	CHECK_INT(m.parts.rest, 0);
	/* In proportion, and exactly the wall time together. */
	share_start(&share, m.parts.wall, m.parts.overlap);
	for (int i = 0; i < 229; i++) {
		int64_t next = share_next(&share, PERIOD);

		CHECK(next == PERIOD * INT64_C(100) / 230 ||
		      next == PERIOD * INT64_C(100) / 230 + 1);
		sum += next;
	}
	sum += share_next(&share, PERIOD);
	CHECK_INT(sum, m.parts.wall);
}

static void untimed_waits_are_unaccounted(void)
{
	struct made m;

	make(&m, 10 * PERIOD);
	m.r.waits = false;
	m.r.idle_ns = 20 * PERIOD;
	add_up(&m);
	CHECK_INT(m.parts.wait, 0);
	CHECK_INT(m.parts.rest, 90 * PERIOD);
}

static void the_kernels_stacks_are_counted_apart(void)
{
	const uint64_t keys[] = { stacks_key_kernel(0xffffffff81000000, true) };
	struct made m;

	make(&m, 40 * PERIOD);
	for (int i = 0; i < 20; i++)
		sample(&m, (uint64_t)i * PERIOD);
	for (int i = 0; i < 3; i++)
		stacks_add(m.s, keys, 1, 1000 + (uint64_t)i * 50 * PERIOD, STACK_KERNEL);
	/* after the end */
	stacks_add(m.s, keys, 1, 1001 + 100 * PERIOD, STACK_KERNEL);
	m.s->kernel_lost = 5;
	add_up(&m);
	CHECK_INT(m.parts.samples, 20);
	CHECK_INT(m.parts.incomplete, 0);
	CHECK_INT(m.parts.tail, 0);
	CHECK_INT(m.parts.kernel_samples, 3);
	CHECK_INT(m.parts.kernel_lost, 5);
	CHECK_INT(m.parts.user, 20 * PERIOD);
	CHECK_INT(m.parts.kernel, 20 * PERIOD);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(parts_are_what_was_measured),
		TAP_TEST(samples_never_stand_for_more_than_the_cpu_time),
		TAP_TEST(a_run_queue_explains_no_more_than_what_is_left),
		TAP_TEST(what_comes_after_the_end_is_not_the_request),
		TAP_TEST(threads_at_the_same_time_overlap),
		TAP_TEST(untimed_waits_are_unaccounted),
		TAP_TEST(the_kernels_stacks_are_counted_apart),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
