/* Any bytes as perf's map and as jitdump: both at once, and every address of theirs asked for. */
#include "tools/symbol/code_map.h"

#include <stdlib.h>

#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static char *copy(const uint8_t *bytes, size_t size)
{
	char *text = malloc(size ? size : 1);

	REQUIRE(text);
	memcpy(text, bytes, size);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct code_map map = { 0 };

	code_map_take_perf(&map, copy(bytes, size), size);
	code_map_take_dump(&map, copy(bytes, size), size);
	code_map_ready(&map);
	for (size_t i = 0; i < map.ranges.count; i++) {
		const struct range *r = &map.ranges.all[i];
		const struct code_name *name = code_map_find(&map, r->start);

		REQUIRE(name && *name->name && strlen(name->name) <= size);
		REQUIRE(code_map_find(&map, r->end - 1));
		REQUIRE(!name->file || strlen(name->file) <= size);
	}
	code_map_free(&map);
	return 0;
}
