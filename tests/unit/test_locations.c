/* Stacks as they stand in a file, from trees of any shape: each frame its own location, in order. */
#include "preload/emit/locations.h"

#include <string.h>

#include "tests/unit/tap.h"

enum { KEYS = 300, STACKS = 4000 };

static struct profile_writer writer;
static struct locations locations;
static uint64_t of_key[KEYS + 1]; /* the location that a frame was given */
static uint64_t keys[STACKS_DEPTH_MAX];
static uint32_t seed = 1;

static uint32_t below(uint32_t limit)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % limit;
}

static int nowhere(void *arg, const void *bytes, size_t len)
{
	(void)arg, (void)bytes, (void)len;
	return 0;
}

static struct stacks *begin(void)
{
	static char memory[PROFILE_MEMORY_GOOD] __attribute__((aligned(16)));
	static char tables[LOCATIONS_BYTES] __attribute__((aligned(16)));
	struct stacks *s = stacks_new(NULL, 0);

	memset(of_key, 0, sizeof(of_key));
	CHECK_INT(profile_write_begin(&writer, nowhere, NULL, memory, sizeof(memory)), 0);
	locations_start(&locations, &writer, tables, STACKS_NODES_MAX);
	locations_tree(&locations, s);
	return s;
}

static void end(struct stacks *s)
{
	locations_end(&locations);
	CHECK_INT(profile_write_end(&writer), 0);
	stacks_free(s);
}

/* Frame number i, from 1. */
static uint64_t key(uint32_t i)
{
	return stacks_key_native(0x10000 + 16 * (uintptr_t)i, false);
}

/* A stack whose callers are mostly those of the one before. */
static size_t next_stack(size_t depth)
{
	size_t kept = depth ? below((uint32_t)depth + 1) : 0, more = below(STACKS_DEPTH_MAX);

	if (more > STACKS_DEPTH_MAX - kept)
		more = STACKS_DEPTH_MAX - kept;
	memmove(keys + more, keys + depth - kept, kept * sizeof(*keys));
	for (size_t i = 0; i < more; i++)
		keys[i] = key(1 + below(KEYS));
	return more + kept;
}

static bool same(struct profile_encoded encoded, size_t depth)
{
	size_t at = 0;

	for (size_t i = 0; i < depth; i++) {
		uint64_t *known = &of_key[(keys[i] - 0x10000) / 16];
		uint64_t id = 0;

		for (unsigned shift = 0;; shift += 7) {
			if (at == encoded.len)
				return false;
			id |= (uint64_t)(encoded.bytes[at] & 0x7f) << shift;
			if (!(encoded.bytes[at++] & 0x80))
				break;
		}
		if (!id || (*known && *known != id))
			return false;
		*known = id;
	}
	return at == encoded.len;
}

static void every_stack_has_its_frames_however_many_were_before_it(void)
{
	static uint32_t nodes[STACKS_DEPTH_MAX];
	struct stacks *s = begin();
	size_t depth = 0, bytes = 0;
	unsigned wrong = 0;

	for (int i = 0; i < STACKS; i++) {
		struct profile_encoded encoded;
		uint32_t node;

		depth = next_stack(depth);
		node = stacks_node(s, keys, depth);
		if (depth && node == STACKS_ROOT) /* the tree is full */
			break;
		encoded = locations_stack(&locations, s, node, nodes);
		wrong += !same(encoded, depth);
		bytes += encoded.len;
		/* And once more: now it is known. */
		encoded = locations_stack(&locations, s, node, nodes);
		wrong += !same(encoded, depth);
	}
	CHECK_INT(wrong, 0);
	/* More than is remembered. */
	CHECK(bytes > 4 * LOCATIONS_ENCODED);
	for (int i = 1; i <= KEYS; i++)
		for (int j = 1; j < i; j++)
			wrong += of_key[i] && of_key[i] == of_key[j];
	CHECK_INT(wrong, 0);
	end(s);
}

static void no_frames_are_no_locations(void)
{
	static uint32_t nodes[STACKS_DEPTH_MAX];
	struct stacks *s = begin();

	CHECK_INT(locations_stack(&locations, s, STACKS_ROOT, nodes).len, 0);
	end(s);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(every_stack_has_its_frames_however_many_were_before_it),
		TAP_TEST(no_frames_are_no_locations),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
