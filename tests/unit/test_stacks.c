#include "preload/sigsafe/stacks.h"

#include "tests/unit/tap.h"

static size_t read_back(const struct stacks *s, uint32_t sample, uint64_t *keys)
{
	size_t depth = 0;

	for (uint32_t n = s->samples[sample].node; n != STACKS_ROOT; n = s->nodes[n].parent)
		keys[depth++] = s->nodes[n].key;
	return depth;
}

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void stacks_come_back_as_they_went_in(void)
{
	enum { SAMPLES = 5000, DEPTH = 60 };
	static uint64_t put[SAMPLES][DEPTH];
	static size_t depths[SAMPLES];
	uint64_t got[STACKS_DEPTH_MAX];
	struct stacks *s = stacks_new(NULL, 0);
	int wrong = 0;

	stacks_reset(s, 7);
	for (int i = 0; i < SAMPLES; i++) {
		depths[i] = 1 + next_random() % DEPTH;
		for (size_t d = 0; d < depths[i]; d++)
			put[i][d] = stacks_key_native(0x400000 + next_random() % 3 * 16, d == 0);
		CHECK(stacks_add(s, put[i], depths[i], (uint64_t)i, 0));
	}
	CHECK_INT(s->n_samples, SAMPLES);
	for (int i = 0; i < SAMPLES; i++) {
		size_t depth = read_back(s, (uint32_t)i, got);

		wrong += depth != depths[i] || memcmp(got, put[i], depth * sizeof(got[0])) != 0;
	}
	CHECK_INT(wrong, 0);
	stacks_free(s);
}

static void common_callers_stand_once(void)
{
	struct stacks *s = stacks_new(NULL, 0);
	uint64_t a[] = { 1, 10, 20 }, b[] = { 2, 10, 20 };

	stacks_add(s, a, 3, 0, 0);
	stacks_add(s, b, 3, 1, 0);
	stacks_add(s, a, 3, 2, 0);
	CHECK_INT(s->n_nodes, 1 + 4);
	CHECK_INT(s->samples[0].node, s->samples[2].node);
	stacks_free(s);
}

static void a_reset_forgets_without_clearing(void)
{
	struct stacks *s = stacks_new(NULL, 0);
	uint64_t got[8], a[] = { 1, 2, 3 }, b[] = { 1, 9, 3 };

	for (int round = 0; round < 1000; round++) {
		stacks_reset(s, 1);
		CHECK(stacks_add(s, round % 2 ? a : b, 3, 0, 0));
		CHECK_INT(s->n_nodes, 4);
		CHECK_INT(read_back(s, 0, got), 3);
		CHECK(memcmp(got, round % 2 ? a : b, sizeof(a)) == 0);
	}
	stacks_free(s);
}

static void full_is_counted_not_written_over(void)
{
	struct stacks *s = stacks_new(NULL, 0);
	uint64_t key;
	uint32_t added = 0;

	for (uint32_t i = 0; i < STACKS_SAMPLES_MAX + 10; i++) {
		key = i + 1;
		added += stacks_add(s, &key, 1, i, 0);
	}
	CHECK_INT(added, STACKS_SAMPLES_MAX);
	CHECK_INT(s->lost, 10);
	stacks_reset(s, 1);
	for (uint32_t i = 0; s->n_nodes < STACKS_NODES_MAX; i++) {
		uint64_t deep[STACKS_DEPTH_MAX];

		for (size_t d = 0; d < STACKS_DEPTH_MAX; d++)
			deep[d] = next_random();
		if (!stacks_add(s, deep, STACKS_DEPTH_MAX, i, 0))
			break;
	}
	CHECK_INT(s->n_nodes, STACKS_NODES_MAX);
	CHECK_INT(s->lost, 1);
	stacks_free(s);
}

static void keys_tell_native_from_python(void)
{
	uint64_t native = stacks_key_native(0x7fffffffffff, true);
	uint64_t python = stacks_key_python(0x7fffffff, -2);

	CHECK(!(native & STACKS_KEY_PYTHON));
	CHECK(python & STACKS_KEY_PYTHON);
	/* Registers of a program that went astray. */
	CHECK(!(stacks_key_native(UINTPTR_MAX, false) & (STACKS_KEY_PYTHON | STACKS_KEY_EXACT)));
	CHECK(!stacks_is_kernel(stacks_key_native(0x2020202020202020, false)));
	CHECK_INT((int32_t)(uint32_t)python, -2);
	CHECK_INT((python >> 32) & 0x7fffffff, 0x7fffffff);
}

static void keys_tell_the_kernel_from_both(void)
{
	static const uint64_t pcs[] = { 0xffffffff81d7f410, 0xffff888000000000, UINT64_MAX - 4096,
					0xff11000000000000 };

	for (size_t i = 0; i < sizeof(pcs) / sizeof(pcs[0]); i++) {
		CHECK(stacks_is_kernel(stacks_key_kernel(pcs[i], true)));
		CHECK(stacks_kernel_pc(stacks_key_kernel(pcs[i], true)) == pcs[i]);
		CHECK(stacks_kernel_pc(stacks_key_kernel(pcs[i], false)) == pcs[i]);
		CHECK(stacks_key_kernel(pcs[i], true) & STACKS_KEY_EXACT);
		CHECK(!(stacks_key_kernel(pcs[i], false) & (STACKS_KEY_EXACT | STACKS_KEY_PYTHON)));
	}
	CHECK(!stacks_is_kernel(stacks_key_native(0x7fffffffffff, true)));
	CHECK(!stacks_is_kernel(stacks_key_python(0x7fffffff, -2)));
	CHECK(!stacks_is_kernel(stacks_key_python(0, 0)));
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(stacks_come_back_as_they_went_in),
		TAP_TEST(common_callers_stand_once),
		TAP_TEST(a_reset_forgets_without_clearing),
		TAP_TEST(full_is_counted_not_written_over),
		TAP_TEST(keys_tell_native_from_python),
		TAP_TEST(keys_tell_the_kernel_from_both),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
