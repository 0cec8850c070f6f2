#include "preload/sigsafe/peek.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/tap.h"

enum { PAGE = 4096 };

/* Two pages, the second without access. */
static unsigned char *page_and_wall(void)
{
	unsigned char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED || mprotect(pages + PAGE, PAGE, PROT_NONE) != 0)
		exit(1);
	return pages;
}

static void readable_memory_is_copied(void)
{
	unsigned char *pages = page_and_wall(), to[64];
	uintptr_t word;

	for (int i = 0; i < PAGE; i++)
		pages[i] = (unsigned char)(i * 7);
	for (size_t at = 0; at < 16; at++) {
		for (size_t len = 0; len <= sizeof(to); len++) {
			memset(to, 0xee, sizeof(to));
			CHECK(peek_copy(to, (uintptr_t)pages + at, len));
			CHECK(memcmp(to, pages + at, len) == 0);
			CHECK(len == sizeof(to) || to[len] == 0xee);
		}
	}
	CHECK(peek_word((uintptr_t)pages + PAGE - 8, &word));
	CHECK(memcmp(&word, pages + PAGE - 8, 8) == 0);
	munmap(pages, 2 * PAGE);
	peek_forget();
}

static void nothing_is_read_behind_the_last_readable_byte(void)
{
	unsigned char *pages = page_and_wall(), to[64];
	uintptr_t wall = (uintptr_t)pages + PAGE, word;

	CHECK(peek_ok(wall - 1, 1));
	CHECK(!peek_ok(wall, 1));
	CHECK(!peek_ok(wall - 1, 2));
	CHECK(!peek_ok(wall - PAGE, 2 * PAGE));
	CHECK(!peek_copy(to, wall - 63, 64));
	CHECK(peek_copy(to, wall - 64, 64));
	CHECK(!peek_word(wall, &word));
	munmap(pages, 2 * PAGE);
	peek_forget();
}

static void addresses_that_cannot_be_are_refused(void)
{
	static const uintptr_t bad[] = {
		0,
		8,
		4088,
		0x0000800000000000,
		0x00007ffffffff000,
		0x0100000000000000,
		0x8000000000000000,
		0xffff800000000000,
		0xffffffff81000000,
		UINTPTR_MAX - 7,
	};
	char here = 0;
	uintptr_t word;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(!peek_ok(bad[i], 1));
		CHECK(!peek_ok(bad[i], 8));
		CHECK(!peek_copy(&word, bad[i], 8));
		CHECK(!peek_word(bad[i], &word));
	}
	CHECK(!peek_ok((uintptr_t)&here, 65537));
	CHECK(!peek_ok((uintptr_t)&here, SIZE_MAX));
	CHECK(!peek_word((uintptr_t)&word + 1, &word));
}

static void what_was_unmapped_is_refused_after_forgetting(void)
{
	unsigned char *pages = page_and_wall();
	uintptr_t at = (uintptr_t)pages;

	CHECK(peek_ok(at, 8));
	munmap(pages, 2 * PAGE);
	CHECK(peek_ok(at, 8)); /* the proof is kept: this is what peek_forget is for */
	peek_forget();
	CHECK(!peek_ok(at, 8));
}

static void what_is_mapped_later_is_found(void)
{
	unsigned char *pages = page_and_wall();
	uintptr_t wall = (uintptr_t)pages + PAGE;

	CHECK(!peek_ok(wall, 8));
	mprotect(pages + PAGE, PAGE, PROT_READ);
	CHECK(peek_ok(wall, 8));
	munmap(pages, 2 * PAGE);
	peek_forget();
}

/* Pages far apart that share a slot of the cache take turns, and each answer stays right. */
static void pages_that_share_a_slot_do_not_vouch_for_each_other(void)
{
	size_t bytes = (size_t)64 << 20;
	unsigned char *big =
		mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (big == MAP_FAILED)
		exit(1);
	for (size_t at = 0; at < bytes; at += 2 * PAGE)
		mprotect(big + at, PAGE, PROT_NONE);
	for (int turn = 0; turn < 2; turn++) {
		for (size_t at = 0; at < bytes; at += PAGE) {
			if (peek_ok((uintptr_t)big + at, 1) != (at / PAGE % 2 == 1)) {
				CHECK(!"a page got another page's answer");
				return;
			}
		}
	}
	munmap(big, bytes);
	peek_forget();
}

static volatile int stop;

static void *forgetter(void *nothing)
{
	while (!stop)
		peek_forget();
	return nothing;
}

static void forgetting_beside_reading_is_safe(void)
{
	unsigned char *pages = page_and_wall();
	pthread_t threads[2];
	uintptr_t word;
	int wrong = 0;

	memset(pages, 0x5a, PAGE);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, forgetter, NULL);
	for (int i = 0; i < 100000; i++) {
		wrong += !peek_word((uintptr_t)pages + 8 * (i % 512), &word) ||
			 word != 0x5a5a5a5a5a5a5a5a;
		wrong += peek_ok((uintptr_t)pages + PAGE, 1);
	}
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	CHECK_INT(wrong, 0);
	munmap(pages, 2 * PAGE);
	peek_forget();
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(readable_memory_is_copied),
		TAP_TEST(nothing_is_read_behind_the_last_readable_byte),
		TAP_TEST(addresses_that_cannot_be_are_refused),
		TAP_TEST(what_was_unmapped_is_refused_after_forgetting),
		TAP_TEST(what_is_mapped_later_is_found),
		TAP_TEST(pages_that_share_a_slot_do_not_vouch_for_each_other),
		TAP_TEST(forgetting_beside_reading_is_safe),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
