/* What CPython says of its structures is taken when it is sane, and refused when it is not. */
#include <stdint.h>
#include <string.h>

#include "preload/sigsafe/cpython/debug_offsets.h"
#include "tests/unit/tap.h"

enum { WORDS = 112 };

/* The groups that are read, as real builds have them: 3.13.5, the same free-threaded, 3.14.10, 3.15.2. */
struct build {
	unsigned minor;
	uint64_t version, free_threaded;
	uint64_t runtime[3], interpreter[4], thread[11], frame[6], code[10], object[2], text[4],
		generator[4];
};

static const struct build builds[] = {
	{ 13,
	  0x30d05f0,
	  0,
	  { 283376, 608, 632 },
	  { 194976, 7272, 7264, 7344 },
	  { 304, 0, 8, 16, 72, 152, 160, 232, 32 },
	  { 80, 8, 0, 56, 72, 70 },
	  { 208, 112, 120, 128, 136, 68, 52, 96, 104, 200 },
	  { 16, 8 },
	  { 64, 32, 16, 40 },
	  { 0 } },
	{ 13,
	  0x30d05f0,
	  1,
	  { 328320, 608, 632 },
	  { 215616, 7272, 7264, 7344 },
	  { 304, 0, 8, 16, 72, 152, 160, 232, 32 },
	  { 80, 8, 0, 56, 72, 70 },
	  { 224, 128, 136, 144, 152, 84, 68, 112, 120, 216 },
	  { 32, 24 },
	  { 80, 48, 32, 56 },
	  { 0 } },
	{ 14,
	  0x30e0af0,
	  0,
	  { 316616, 784, 808 },
	  { 225864, 7280, 7272, 7344 },
	  { 832, 0, 8, 16, 72, 152, 160, 232, 32 },
	  { 88, 8, 0, 56, 80, 74 },
	  { 216, 112, 120, 128, 136, 68, 52, 96, 104, 208 },
	  { 16, 8 },
	  { 64, 32, 16, 40 },
	  { 160, 24, 72, 67 } },
	{ 15,
	  0x30f02f0,
	  0,
	  { 346568, 912, 936 },
	  { 226240, 7272, 7264, 7336 },
	  { 888, 0, 8, 16, 72, 80, 88, 96, 176, 184, 256 },
	  { 88, 8, 0, 56, 80, 74 },
	  { 216, 112, 120, 128, 136, 68, 52, 96, 104, 208 },
	  { 16, 8 },
	  { 64, 32, 16, 40 },
	  { 160, 24, 72, 67 } },
};
enum { BUILDS = sizeof(builds) / sizeof(builds[0]) };

static uint64_t image[WORDS];

static void put(uint16_t at, const uint64_t *words, size_t n)
{
	if (at)
		memcpy((char *)image + at, words, n * sizeof(*words));
}

/* (By memcpy: layouts are compared byte for byte.) */
static void image_make(struct cpython_layout *layout, const struct build *build)
{
	memcpy(layout, layout_find(3, build->minor), sizeof(*layout));
	memset(image, 0, sizeof(image));
	memcpy(image, "xdebugpy", 8);
	image[1] = build->version;
	image[2] = build->free_threaded;
	put(layout->given.runtime, build->runtime, 3);
	put(layout->given.interpreter, build->interpreter, 4);
	put(layout->given.thread, build->thread, 11);
	put(layout->given.frame, build->frame, 6);
	put(layout->given.code, build->code, 10);
	put(layout->given.object, build->object, 2);
	put(layout->given.text, build->text, 4);
	put(layout->given.generator, build->generator, 4);
}

static const char *apply(struct cpython_layout *layout, const struct build *build)
{
	return debug_offsets_apply(layout, (uintptr_t)image, build->version);
}

static void a_build_with_the_gil_says_what_the_table_has(void)
{
	for (size_t i = 0; i < BUILDS; i++) {
		struct cpython_layout layout, table;

		image_make(&layout, &builds[i]);
		memcpy(&table, &layout, sizeof(table));
		if (builds[i].free_threaded)
			continue;
		CHECK(!apply(&layout, &builds[i]));
		/* What only versions with late links need is not carried over. */
		table.code.stack_size = table.code.locals = table.code.frame_words =
			CPYTHON_NOWHERE;
		CHECK(memcmp(&layout, &table, sizeof(table)) == 0);
	}
}

static void a_free_threaded_build_has_larger_objects(void)
{
	struct cpython_layout layout;

	image_make(&layout, &builds[1]);
	CHECK(!apply(&layout, &builds[1]));
	CHECK_INT(layout.object.type, 24);
	CHECK_INT(layout.object.references, 12);
	CHECK_INT(layout.type_basicsize, 48);
	CHECK_INT(layout.code_basicsize, 216);
	CHECK_INT(layout.generator_basicsize, 160);
	CHECK_INT(layout.text_basicsize, 80);
	CHECK_INT(layout.text.compact, 72);
	CHECK_INT(layout.generator.state, 83);
	CHECK_INT(layout.code.units, 32);
	CHECK_INT(layout.bytes.data, 48);
}

static void a_free_threaded_build_after_3_13_is_refused(void)
{
	struct cpython_layout layout;

	image_make(&layout, &builds[2]);
	image[2] = 1;
	CHECK(apply(&layout, &builds[2]) != NULL);
}

static void another_versions_offsets_are_refused(void)
{
	for (size_t i = 0; i < BUILDS; i++) {
		struct cpython_layout layout;

		image_make(&layout, &builds[i]);
		CHECK(debug_offsets_apply(&layout, (uintptr_t)image, builds[i].version + 256) !=
		      NULL);
		image_make(&layout, &builds[i]);
		image[0] ^= 1;
		CHECK(apply(&layout, &builds[i]) != NULL);
		image_make(&layout, &builds[i]);
		image[2] = 2;
		CHECK(apply(&layout, &builds[i]) != NULL);
	}
}

/* Whatever a word says, what is taken lies inside its structure; what lies outside is refused. */
static void a_word_that_cannot_be_right_is_refused(void)
{
	for (size_t i = 0; i < BUILDS; i++) {
		struct cpython_layout intact, layout;
		unsigned refused = 0;

		image_make(&intact, &builds[i]);
		CHECK(!apply(&intact, &builds[i]));
		for (size_t word = 3; word < WORDS; word++) {
			image_make(&layout, &builds[i]);
			image[word] = UINT64_C(1) << 40;
			if (apply(&layout, &builds[i]))
				refused++;
			else
				CHECK(memcmp(&layout, &intact, sizeof(intact)) == 0);
		}
		CHECK(refused >= 30);
	}
}

static void nothing_at_that_address_is_refused(void)
{
	struct cpython_layout layout;

	image_make(&layout, &builds[3]);
	CHECK(debug_offsets_apply(&layout, 4096, builds[3].version) != NULL);
}

int main(void)
{
	const struct tap_test tests[] = {
		TAP_TEST(a_build_with_the_gil_says_what_the_table_has),
		TAP_TEST(a_free_threaded_build_has_larger_objects),
		TAP_TEST(a_free_threaded_build_after_3_13_is_refused),
		TAP_TEST(another_versions_offsets_are_refused),
		TAP_TEST(a_word_that_cannot_be_right_is_refused),
		TAP_TEST(nothing_at_that_address_is_refused),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
