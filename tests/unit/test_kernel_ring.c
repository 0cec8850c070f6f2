/* A ring as the kernel fills it: records with a header of 8 bytes, wherever they come to lie. */
#include "preload/sigsafe/kernel_ring.h"

#include <linux/perf_event.h>
#include <stdlib.h>

#include "tests/unit/tap.h"

enum { PAGE = 4096, DATA = 4096 };

static struct made {
	char *memory;
	struct perf_event_mmap_page *page;
	struct kernel_ring ring;
	struct stacks *s;
	uint64_t head;
} m;

static void make(uint64_t start)
{
	m.memory = aligned_alloc(PAGE, PAGE + DATA); /* its end is the ring's: a reader beyond is seen */
	memset(m.memory, 0xee, PAGE + DATA);
	m.page = (struct perf_event_mmap_page *)m.memory;
	m.page->data_head = m.page->data_tail = m.head = start;
	kernel_ring_start(&m.ring, m.memory, PAGE, DATA);
	m.ring.tail = start;
	m.s = stacks_new(NULL, 0);
}

static void drain(void)
{
	static uint64_t keys[STACKS_DEPTH_MAX];

	m.page->data_head = m.head;
	kernel_ring_drain(&m.ring, m.s, keys);
	CHECK_INT(m.page->data_tail, m.head);
}

static void end(void)
{
	stacks_free(m.s);
	free(m.memory);
}

static void put(uint64_t word)
{
	memcpy(m.memory + PAGE + m.head % DATA, &word, sizeof(word));
	m.head += sizeof(word);
}

static void header(uint32_t type, uint16_t size)
{
	const struct perf_event_header h = { .type = type, .size = size };
	uint64_t word;

	memcpy(&word, &h, sizeof(word));
	put(word);
}

static void sample(uint64_t at_ns, uint64_t leaf, unsigned depth)
{
	header(PERF_RECORD_SAMPLE, (uint16_t)(8 * (4 + depth)));
	put(at_ns);
	put(depth + 1);
	put((uint64_t)PERF_CONTEXT_KERNEL);
	for (unsigned i = 0; i < depth; i++)
		put(leaf + i);
}

static uint64_t leaf_of(uint32_t i)
{
	return m.s->nodes[m.s->samples[i].node].key;
}

static void stacks_come_out_as_the_kernel_put_them_in(void)
{
	const uint64_t leaf = 0xffffffff81d7f410;
	uint32_t n;

	make(0);
	sample(77, leaf, 3);
	header(PERF_RECORD_THROTTLE, 32);
	put(1), put(2), put(3);
	sample(88, leaf + 100, 1);
	drain();
	CHECK_INT(m.s->n_samples, 2);
	CHECK_INT(m.s->incomplete, 0);
	CHECK_INT(m.s->samples[0].at_ns, 77);
	CHECK_INT(m.s->samples[0].flags, STACK_KERNEL);
	CHECK(stacks_is_kernel(leaf_of(0)));
	CHECK(leaf_of(0) & STACKS_KEY_EXACT);
	CHECK(stacks_kernel_pc(leaf_of(0)) == leaf);
	n = m.s->nodes[m.s->samples[0].node].parent;
	CHECK(m.s->nodes[n].key == stacks_key_kernel(leaf + 1, false));
	n = m.s->nodes[n].parent;
	CHECK(m.s->nodes[n].key == stacks_key_kernel(leaf + 2, false));
	CHECK_INT(m.s->nodes[n].parent, STACKS_ROOT);
	CHECK(stacks_kernel_pc(leaf_of(1)) == leaf + 100);
	end();
}

static void records_go_over_the_end_at_every_word(void)
{
	for (uint64_t before = 8; before <= 80; before += 8) {
		make(3 * (uint64_t)DATA - before);
		sample(5, 0xffffffff81000000, 6);
		sample(6, 0xffffffff81000010, 6);
		drain();
		CHECK_INT(m.s->n_samples, 2);
		CHECK_INT(m.s->samples[1].at_ns, 6);
		CHECK(stacks_kernel_pc(leaf_of(1)) == 0xffffffff81000010);
		end();
	}
}

static void what_found_no_room_is_counted(void)
{
	make(0);
	header(PERF_RECORD_LOST, 24);
	put(9), put(41);
	header(PERF_RECORD_LOST, 24);
	put(9), put(1);
	drain();
	CHECK_INT(m.s->kernel_lost, 42);
	CHECK_INT(m.s->n_samples, 0);
	end();
}

static void half_full_is_told(void)
{
	const struct kernel_ring none = { 0 };

	make(DATA);
	for (unsigned i = 0; i < DATA / 2 / 8; i++)
		put(0);
	m.page->data_head = m.head;
	CHECK(!kernel_ring_fills(&m.ring));
	put(0);
	m.page->data_head = m.head;
	CHECK(kernel_ring_fills(&m.ring));
	CHECK(!kernel_ring_fills(&none));
	end();
}

/* The kernel does not write such things; should it, nothing is read that is not there. */
static void lengths_are_not_believed(void)
{
	static const uint16_t sizes[] = { 0, 1, 7, 8, 16, 24, 25, 31, 32, 4096, 65535 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make(0);
		header(PERF_RECORD_SAMPLE, sizes[i]);
		put(1);
		put(UINT64_MAX);
		put(0xffffffff81000000);
		drain();
		CHECK_INT(m.s->n_samples, 0);
		end();
	}
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(stacks_come_out_as_the_kernel_put_them_in),
		TAP_TEST(records_go_over_the_end_at_every_word),
		TAP_TEST(what_found_no_room_is_counted),
		TAP_TEST(half_full_is_told),
		TAP_TEST(lengths_are_not_believed),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
