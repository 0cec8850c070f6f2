#include "tools/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/escape.h"

json_t *json_text(const char *text)
{
	char *clean;
	json_t *value = json_string(text);

	if (value)
		return value;
	clean = escape_utf8(text, strlen(text));
	value = json_string(clean);
	free(clean);
	return value;
}

void json_print(json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(1) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(value);
}

void json_put_text(FILE *out, const char *text)
{
	json_t *value = json_text(text);

	json_dumpf(value, out, JSON_ENCODE_ANY);
	json_decref(value);
}
