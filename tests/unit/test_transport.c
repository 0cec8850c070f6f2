/*
 * From a coroutine to its connection, in memory made up as CPython 3.11 and uvloop lay it out: the way, each
 * place where it can end, and any garbage in it. (With a real uvloop: attribution_loops.bats.)
 */
#include "preload/sigsafe/cpython/transport.h"

#include <string.h>
#include <sys/mman.h>

#include "tests/unit/tap.h"

enum { PAGE = 4096, WORDS = PAGE / 8, FD = 14, BLOCK = 32 /* words for each thing */ };
enum thing { META, CLASS, TRANSPORT_CLASS, DICT_CLASS, CODE, NAMES, COROUTINE, CYCLE, PROTOCOL, TRANSPORT, HANDLE, VALUES, DICT,
	     KEYS, TEXT };

static uintptr_t *memory; /* one page, with nothing before and behind it */
static struct runtime runtime;

static uintptr_t *word(enum thing thing, size_t offset)
{
	return memory + thing * BLOCK + offset / 8;
}

static uintptr_t address(enum thing thing)
{
	return (uintptr_t)word(thing, 0);
}

static bool serves_it(int fd)
{
	return fd == FD;
}

static bool serves_none(int fd)
{
	(void)fd;
	return false;
}

/* A type's name, flags and size of instances. */
static void set_type(enum thing type, uintptr_t name, uintptr_t flags, size_t size)
{
	*word(type, 8) = address(META);
	*word(type, 24) = name;
	*word(type, 32) = size;
	*word(type, 168) = flags;
}

/* self, a uvicorn cycle whose transport is in its values, and the transport's protocol has the cycle in a slot. */
static void start(void)
{
	static const char name[] = "uvloop.loop.TCPTransport";
	enum { HEAP = 1 << 9, MANAGED = 1 << 4 };
	unsigned char *values;

	if (!memory) {
		char *pages = mmap(NULL, (size_t)3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(pages != MAP_FAILED);
		memory = (uintptr_t *)(pages + PAGE);
		CHECK(mprotect(memory, PAGE, PROT_READ | PROT_WRITE) == 0);
	}
	memset(memory, 0, PAGE);
	runtime.layout = layout_find(3, 11);
	memcpy(word(TEXT, 0), name, sizeof(name));
	set_type(META, 0, 1UL << 31, 0);
	set_type(CLASS, address(TEXT) + 1, HEAP | MANAGED, 24);
	set_type(TRANSPORT_CLASS, address(TEXT), 0, 120);
	set_type(DICT_CLASS, address(TEXT) + 1, 0, 48);

	*word(COROUTINE, runtime.layout->generator.frame + runtime.layout->frame.code) = address(CODE);
	*word(CODE, runtime.layout->code.filename - 16u) = address(NAMES);
	*word(NAMES, 16) = 2;
	*word(COROUTINE, runtime.layout->generator.frame + runtime.layout->frame.size + 8) = address(CYCLE) + 32;

	/* The cycle begins 32 bytes into its place: its two pointers stand before it. */
	*word(CYCLE, 0) = address(VALUES) + 16;
	*word(CYCLE, 40) = address(CLASS);
	values = (unsigned char *)word(VALUES, 16);
	values[-1] = 16; /* as long as what stands before them */
	values[-2] = 2;
	values[-3] = 0;
	values[-4] = 3;
	*word(VALUES, 16) = address(TEXT);
	*word(VALUES, 16 + 24) = address(TRANSPORT);

	*word(TRANSPORT, 8) = address(TRANSPORT_CLASS);
	*word(TRANSPORT, 24) = address(HANDLE);
	*word(TRANSPORT, 64) = address(PROTOCOL) + 32;
	*word(HANDLE, 0) = address(TRANSPORT);
	*word(HANDLE, 16) = 12;
	*word(HANDLE, 184) = FD;
	*word(PROTOCOL, 40) = address(CLASS);
	*word(PROTOCOL, 48) = address(CYCLE) + 32;
}

static int find(void)
{
	return transport_find(&runtime, address(COROUTINE), serves_it);
}

static void a_variable_s_attribute_leads_to_the_connection(void)
{
	start();
	CHECK_INT(find(), FD);
	*word(HANDLE, 16) = 7; /* a UNIX socket's */
	CHECK_INT(find(), FD);
	/* The protocol itself, as aiohttp's tasks have it. */
	*word(TRANSPORT, 64) = address(CYCLE) + 32;
	CHECK_INT(find(), FD);
}

static void attributes_are_found_in_slots_and_dictionaries(void)
{
	unsigned char *keys;

	start();
	*word(CYCLE, 0) = 0;
	CHECK_INT(find(), TRANSPORT_NONE);
	*word(CYCLE, 48) = address(TRANSPORT);
	CHECK_INT(find(), FD);
	*word(CYCLE, 48) = 0;

	*word(CYCLE, 8) = address(DICT);
	*word(DICT, 8) = address(DICT_CLASS);
	*word(DICT, 32) = address(KEYS);
	keys = (unsigned char *)word(KEYS, 0);
	keys[9] = 3; /* eight bytes of indices */
	*word(KEYS, 24) = 2;
	keys[10] = 1; /* pairs of key and value */
	*word(KEYS, 40 + 16 + 8) = address(TRANSPORT);
	CHECK_INT(find(), FD);
	keys[10] = 0; /* hash, key and value */
	CHECK_INT(find(), TRANSPORT_NONE);
	*word(KEYS, 40 + 24 + 16) = address(TRANSPORT);
	CHECK_INT(find(), FD);
	*word(DICT, 40) = address(VALUES) + 16; /* keys that are shared: the values are elsewhere */
	*word(KEYS, 24) = 0;
	CHECK_INT(find(), FD);
}

static void a_connection_that_has_turned_to_the_next_request_is_past(void)
{
	start();
	*word(PROTOCOL, 48) = address(TEXT);
	CHECK_INT(find(), TRANSPORT_PAST);
}

static void what_is_no_open_transport_of_a_client_is_none(void)
{
	start();
	CHECK_INT(transport_find(&runtime, address(COROUTINE), serves_none), TRANSPORT_NONE);
	*word(HANDLE, 0) = address(CYCLE);
	CHECK_INT(find(), TRANSPORT_NONE);
	start();
	*word(HANDLE, 16) = 13; /* a timer */
	CHECK_INT(find(), TRANSPORT_NONE);
	start();
	*word(TRANSPORT, 24) = 0; /* closed */
	CHECK_INT(find(), TRANSPORT_NONE);
	start();
	((char *)word(TEXT, 0))[12] = 'U';
	CHECK_INT(find(), TRANSPORT_NONE);
	start();
	*word(META, 168) = 0; /* no type */
	CHECK_INT(find(), TRANSPORT_NONE);
	start();
	*word(NAMES, 16) = 1; /* it is no variable, but on the coroutine's stack */
	CHECK_INT(find(), TRANSPORT_NONE);
}

static uint64_t random_word(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return *seed >> 16;
}

/* Numbers, addresses in the page, at its ends, and wild ones, anywhere: no fault, and no other descriptor. */
static void garbage_is_survived(void)
{
	uint64_t seed = 1;

	for (int round = 0; round < 200000; round++) {
		start();
		for (uint64_t n = 1 + random_word(&seed) % 4; n-- > 0;) {
			uintptr_t *at = memory + random_word(&seed) % WORDS;
			uint64_t kind = random_word(&seed) % 5, value = random_word(&seed);

			*at = kind == 0	  ? value % 300
			      : kind == 1 ? (uintptr_t)memory + value % PAGE / 8 * 8
			      : kind == 2 ? (uintptr_t)memory - 40 + value % 80
			      : kind == 3 ? (uintptr_t)memory + PAGE - 40 + value % 80
					  : value << 16 | value;
		}
		int fd = find();

		if (fd != FD && fd != TRANSPORT_NONE && fd != TRANSPORT_PAST)
			CHECK_INT(fd, TRANSPORT_NONE);
	}
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(a_variable_s_attribute_leads_to_the_connection),
		TAP_TEST(attributes_are_found_in_slots_and_dictionaries),
		TAP_TEST(a_connection_that_has_turned_to_the_next_request_is_past),
		TAP_TEST(what_is_no_open_transport_of_a_client_is_none),
		TAP_TEST(garbage_is_survived),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
