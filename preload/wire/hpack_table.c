#include "preload/wire/hpack_table.h"

#include <string.h>

struct static_row {
	uint8_t name_len;
	uint8_t name; /* enum hpack_name */
	const char *value;
};

#define ROW(name)                                   \
	{                                           \
		sizeof(name) - 1, HPACK_OTHER, NULL \
	}
#define WANTED(name, id, value)             \
	{                                   \
		sizeof(name) - 1, id, value \
	}

/* RFC 7541 Appendix A, with the values of wanted fields only. */
static const struct static_row static_rows[HPACK_STATIC_ROWS] = {
	ROW(":authority"),
	WANTED(":method", HPACK_METHOD, "GET"),
	WANTED(":method", HPACK_METHOD, "POST"),
	WANTED(":path", HPACK_PATH, "/"),
	WANTED(":path", HPACK_PATH, "/index.html"),
	ROW(":scheme"),
	ROW(":scheme"),
	WANTED(":status", HPACK_STATUS, "200"),
	WANTED(":status", HPACK_STATUS, "204"),
	WANTED(":status", HPACK_STATUS, "206"),
	WANTED(":status", HPACK_STATUS, "304"),
	WANTED(":status", HPACK_STATUS, "400"),
	WANTED(":status", HPACK_STATUS, "404"),
	WANTED(":status", HPACK_STATUS, "500"),
	ROW("accept-charset"),
	ROW("accept-encoding"),
	ROW("accept-language"),
	ROW("accept-ranges"),
	ROW("accept"),
	ROW("access-control-allow-origin"),
	ROW("age"),
	ROW("allow"),
	ROW("authorization"),
	ROW("cache-control"),
	ROW("content-disposition"),
	ROW("content-encoding"),
	ROW("content-language"),
	ROW("content-length"),
	ROW("content-location"),
	ROW("content-range"),
	ROW("content-type"),
	ROW("cookie"),
	ROW("date"),
	ROW("etag"),
	ROW("expect"),
	ROW("expires"),
	ROW("from"),
	ROW("host"),
	ROW("if-match"),
	ROW("if-modified-since"),
	ROW("if-none-match"),
	ROW("if-range"),
	ROW("if-unmodified-since"),
	ROW("last-modified"),
	ROW("link"),
	ROW("location"),
	ROW("max-forwards"),
	ROW("proxy-authenticate"),
	ROW("proxy-authorization"),
	ROW("range"),
	ROW("referer"),
	ROW("refresh"),
	ROW("retry-after"),
	ROW("server"),
	ROW("set-cookie"),
	ROW("strict-transport-security"),
	ROW("transfer-encoding"),
	ROW("user-agent"),
	ROW("vary"),
	ROW("via"),
	ROW("www-authenticate"),
};

void hpack_table_start(struct hpack_table *t, struct hpack_entry *entries, uint32_t max_entries,
		       char *text, uint32_t max_text)
{
	*t = (struct hpack_table){
		.entries = entries,
		.text = text,
		.max_entries = max_entries,
		.max_text = max_text,
		.limit = HPACK_TABLE_DEFAULT,
	};
}

/* Places in a ring, of which neither is larger than its size. */
static uint32_t wrapped(uint32_t at, uint32_t size)
{
	return at < size ? at : at - size;
}

static const struct hpack_entry *entry_of_age(const struct hpack_table *t, uint32_t age)
{
	return &t->entries[wrapped(t->newest + t->max_entries - age, t->max_entries)];
}

static uint32_t kept_text(const struct hpack_entry *entry)
{
	return entry->name == HPACK_STATUS ? 0 : entry->kept;
}

/* Drops the oldest entries until this many bytes are free. */
static void evict(struct hpack_table *t, uint32_t needed)
{
	while (t->count > 0 && t->size + needed > t->limit) {
		const struct hpack_entry *oldest = entry_of_age(t, t->count - 1);

		t->size -= oldest->len + HPACK_ENTRY_OVERHEAD;
		t->text_used -= kept_text(oldest);
		t->count--;
	}
}

bool hpack_table_resize(struct hpack_table *t, uint32_t limit)
{
	if (limit > HPACK_TABLE_MAX)
		return false;
	t->limit = limit;
	evict(t, 0);
	return true;
}

static void get_static(uint32_t index, struct hpack_row *row)
{
	const struct static_row *from = &static_rows[index - 1];

	row->name = from->name;
	row->name_len = from->name_len;
	row->value[0] = from->value;
	row->value_len[0] = from->value ? strlen(from->value) : 0;
}

bool hpack_table_get(const struct hpack_table *t, uint32_t index, struct hpack_row *row)
{
	const struct hpack_entry *entry;
	uint32_t age, back = 0, start, len;

	memset(row, 0, sizeof(*row));
	if (index == 0 || index > HPACK_STATIC_ROWS + t->count)
		return false;
	if (index <= HPACK_STATIC_ROWS) {
		get_static(index, row);
		return true;
	}
	age = index - HPACK_STATIC_ROWS - 1;
	entry = entry_of_age(t, age);
	row->name = entry->name;
	row->name_len = entry->name_len;
	if (entry->name == HPACK_STATUS)
		row->status = entry->kept;
	len = kept_text(entry);
	if (len == 0)
		return true;
	for (uint32_t i = 0; i <= age; i++)
		back += kept_text(entry_of_age(t, i));
	start = wrapped(t->text_end + t->max_text - back, t->max_text);
	row->value[0] = t->text + start;
	row->value_len[0] = len < t->max_text - start ? len : t->max_text - start;
	row->value[1] = t->text;
	row->value_len[1] = len - row->value_len[0];
	return true;
}

void hpack_table_make(struct hpack_table *t)
{
	t->made_len = 0;
	t->made_text = 0;
	t->made_fits = true;
}

void hpack_table_grow(struct hpack_table *t, size_t len)
{
	if (!t->made_fits)
		return;
	if (len > HPACK_TABLE_MAX || t->made_len + len + HPACK_ENTRY_OVERHEAD > t->limit) {
		/* Larger than the table: that empties it, and is no error. */
		t->made_fits = false;
		evict(t, t->limit);
		return;
	}
	t->made_len += (uint32_t)len;
	evict(t, t->made_len + HPACK_ENTRY_OVERHEAD);
}

bool hpack_table_keep(struct hpack_table *t, const char *bytes, size_t len)
{
	uint32_t start = wrapped(t->text_end + t->made_text, t->max_text);
	size_t first = t->max_text - start;

	if (!t->made_fits || !t->text)
		return true;
	if (len > t->max_text - t->text_used - t->made_text)
		return false;
	if (first > len)
		first = len;
	memcpy(t->text + start, bytes, first);
	memcpy(t->text, bytes + first, len - first);
	t->made_text += (uint32_t)len;
	return true;
}

bool hpack_table_add(struct hpack_table *t, enum hpack_name name, uint32_t name_len,
		     uint16_t status)
{
	struct hpack_entry *entry;

	hpack_table_grow(t, 0);
	if (!t->made_fits)
		return true;
	if (t->count == t->max_entries)
		return false;
	t->newest = wrapped(t->newest + 1, t->max_entries);
	entry = &t->entries[t->newest];
	entry->name_len = (uint16_t)name_len;
	entry->len = (uint16_t)t->made_len;
	entry->name = name;
	entry->kept = name == HPACK_STATUS ? status : (uint16_t)t->made_text;
	t->count++;
	t->size += t->made_len + HPACK_ENTRY_OVERHEAD;
	t->text_end = wrapped(t->text_end + t->made_text, t->max_text);
	t->text_used += t->made_text;
	return true;
}
