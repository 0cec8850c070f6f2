#include "preload/sigsafe/codes_copy.h"

#include <string.h>

#include "format/live.h"
#include "preload/sigsafe/codes.h"

static struct shared_part *part;
static uint64_t *used; /* atomic: in the live file */

static char *copy_text(char *at, struct code_text text)
{
	memcpy(at, text.bytes, text.len);
	return at + text.len;
}

/* The length first, then the content, then the id: a reader finds the next one whatever is missing. */
static void copy_entry(struct live_code *to, uint32_t id, const struct code *code, uint32_t len)
{
	char *at = (char *)(to + 1);

	__atomic_store_n(&to->len, len, __ATOMIC_RELEASE);
	to->first_line = code->first_line;
	to->table_len = code->line_table_len;
	to->filename_len = (uint16_t)code->filename.len;
	to->name_len = (uint16_t)code->name.len;
	to->qualname_len = (uint16_t)code->qualname.len;
	to->line_format = code->line_format;
	if (code->line_table_len)
		memcpy(at, code->line_table, code->line_table_len);
	at = copy_text(at + code->line_table_len, code->filename);
	at = copy_text(at, code->name);
	copy_text(at, code->qualname);
	__atomic_store_n(&to->id, id, __ATOMIC_RELEASE);
}

/* From the handler, any number at once. */
static void copy_added(uint32_t id, const struct code *code)
{
	uint32_t len = (uint32_t)sizeof(struct live_code) + code->line_table_len +
		       code->filename.len + code->name.len + code->qualname.len;
	uint64_t at = __atomic_load_n(used, __ATOMIC_RELAXED);

	len = (len + 7) / 8 * 8;
	do {
		if (at + len > part->size)
			return; /* its name will not be known */
	} while (!__atomic_compare_exchange_n(used, &at, at + len, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	shared_need(part, (uint32_t)(at + len));
	copy_entry((struct live_code *)(part->start + at), id, code, len);
}

/* One that comes meanwhile may be copied twice. */
void codes_copy_start(struct shared_part *into, uint64_t *count)
{
	uint32_t known;

	part = into;
	used = count;
	__atomic_store_n(&codes_added, copy_added, __ATOMIC_SEQ_CST);
	known = codes_count();
	for (uint32_t id = 1; id <= known; id++) {
		const struct code *code = codes_get(id);

		if (code)
			copy_added(id, code);
	}
}

void codes_copy_stop(void)
{
	__atomic_store_n(&codes_added, NULL, __ATOMIC_RELEASE);
}
