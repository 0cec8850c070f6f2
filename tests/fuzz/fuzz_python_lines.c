/* Any bytes as a line table: no bad read, the same answer from memory that ends at the table's end. */
#include "format/code_lines.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int32_t lastis[] = { INT32_MIN, -2, 0, 2, 254, 256, 4096, INT32_MAX };
	int32_t some = 0;
	int first_line;
	uint8_t *table;

	if (size < 8)
		return 0;
	memcpy(&first_line, data, sizeof(first_line));
	memcpy(&some, data + 4, 2);
	data += 8;
	size -= 8;
	table = malloc(size ? size : 1);
	if (!table)
		return 0;
	memcpy(table, data, size);
	for (int format = LINES_NONE; format <= LINES_LOCATIONS; format++) {
		enum code_line_format f = (enum code_line_format)format;

		for (size_t i = 0; i < sizeof(lastis) / sizeof(lastis[0]); i++)
			lines_at(f, table, size, first_line, lastis[i]);
		if (lines_at(f, table, size, first_line, some) !=
		    lines_at(f, data, size, first_line, some))
			abort();
		if (lines_at(f, table, size, first_line, -1) != first_line)
			abort();
	}
	free(table);
	return 0;
}
