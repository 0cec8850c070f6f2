#include "preload/sigsafe/codes.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/sigsafe/cpython/layout.h"
#include "format/code_lines.h"
#include "preload/sigsafe/cpython/load.h"
#include "preload/sigsafe/cpython/text.h"
#include "preload/sigsafe/peek.h"
#include "preload/sigsafe/raw.h"

enum {
	UNIT = 64, /* entries are found by their offset in these: 19 bits for 32 MiB */
	UNIT_BITS = 19,
	SLOTS_MAX = 65536,
	SLOTS_MIN = 2048,
	ARENA_PER_SLOT = 512, /* an entry with its texts and line table takes about as much */
	PROBES_MAX = 64,
	FILENAMES = 1024,
	FILENAME_SHARED = 8, /* references to one that belongs to a file with functions */
	FILENAME_LEN_MAX = 1024,
	NAME_LEN_MAX = 512,
	LINE_TABLE_LEN_MAX = 256 << 10,
	PEEK_LEN = 32 << 10, /* one peek_ok proves twice that */
};

/*
 * What tells code objects apart. Their addresses are reused soon after they die, and where the same
 * program compiles one piece of text after the other those of strings and tables are too, all
 * together: such code has a filename object of its own, and counts by content as well.
 */
struct key {
	uintptr_t code, filename, name, qualname, line_table;
	uint64_t content; /* a hash, or 0 where many code objects have the filename */
	int32_t first_line;
};

struct entry {
	struct key key; /* with id: the first cache line */
	uint32_t id;
	struct code code;
	/* line table and texts follow */
} __attribute__((aligned(UNIT)));

/*
 * All in one mapping: this header, slots, index, arena. Its first four members are constant once the
 * table is published, an entry once its slot or index word is. The rest is written by handlers of
 * all threads, with __atomic operations only.
 */
struct table {
	uint32_t slots, ids; /* how many there are, a power of two; and may be given */
	size_t arena_len;
	uint8_t *arena;

	uint32_t *slot;	 /* entry's unit | tag << UNIT_BITS; 0: free. Open addressing */
	uint32_t *index; /* by id: entry's unit */
	size_t used;	 /* of the arena; unit 0 is not given, so that 0 can mean none */
	uint32_t count;	 /* ids given */
	uint64_t full;
	uint32_t filenames[FILENAMES]; /* by address: unit of an entry with this filename */
};

static struct table *codes_table; /* set once by codes_prepare */
void (*codes_added)(uint32_t id, const struct code *code);

static struct table *table_map(uint32_t slots)
{
	size_t slot_len = slots * sizeof(uint32_t);
	size_t header_len = (sizeof(struct table) + UNIT - 1) / UNIT * UNIT;
	size_t arena_len = (size_t)slots * ARENA_PER_SLOT,
	       len = header_len + 2 * slot_len + arena_len;
	uint8_t *base = raw_mmap(NULL, len, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct table *table = (struct table *)base;

	if (raw_failed(base))
		return NULL;
	table->slots = slots;
	table->ids = slots / 4 * 3;
	table->slot = (uint32_t *)(base + header_len);
	table->index = (uint32_t *)(base + header_len + slot_len);
	table->arena = base + header_len + 2 * slot_len;
	table->arena_len = arena_len;
	table->used = UNIT;
	return table;
}

static void table_unmap(struct table *table)
{
	raw_munmap(table, (size_t)(table->arena + table->arena_len - (uint8_t *)table));
}

int codes_prepare(void)
{
	struct table *table = NULL, *none = NULL;

	if (__atomic_load_n(&codes_table, __ATOMIC_ACQUIRE))
		return 0;
	for (uint32_t slots = SLOTS_MAX; !table && slots >= SLOTS_MIN; slots /= 2)
		table = table_map(slots);
	if (!table)
		return -ENOMEM;
	if (!__atomic_compare_exchange_n(&codes_table, &none, table, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		table_unmap(table); /* another thread was first */
	return 0;
}

static struct entry *entry_at(const struct table *table, uint32_t unit)
{
	return (struct entry *)(table->arena + (size_t)unit * UNIT);
}

/* ---- adding an entry ---- */

static bool claim_units(struct table *table, size_t len, size_t *offset)
{
	*offset = __atomic_load_n(&table->used, __ATOMIC_RELAXED);
	do {
		if (len > table->arena_len - *offset)
			return false;
	} while (!__atomic_compare_exchange_n(&table->used, offset, *offset + len, true,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

static uint32_t claim_id(struct table *table)
{
	uint32_t count = __atomic_load_n(&table->count, __ATOMIC_RELAXED);

	do {
		if (count + 1 >= table->ids)
			return 0;
	} while (!__atomic_compare_exchange_n(&table->count, &count, count + 1, true,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return count + 1;
}

struct bytes {
	uintptr_t data;
	size_t len;
};

static struct bytes bytes_open(const struct cpython_layout *layout, uintptr_t object)
{
	struct bytes bytes = { 0 };
	size_t len;

	if (!load_plausible(object) || !peek_ok(object, layout->bytes.data))
		return bytes;
	len = load_word(object + layout->bytes.length);
	if (len > LINE_TABLE_LEN_MAX)
		return bytes;
	for (size_t at = 0; at < len; at += PEEK_LEN)
		if (!peek_ok(object + layout->bytes.data + at,
			     len - at < PEEK_LEN ? len - at : PEEK_LEN))
			return bytes;
	bytes.data = object + layout->bytes.data;
	bytes.len = len;
	return bytes;
}

static uint32_t *filename_slot(struct table *table, uintptr_t filename)
{
	return &table->filenames[(filename >> 4) * 0x9e3779b97f4a7c15 >> 54];
}

/* Functions of one file have one filename object; its text is kept once. */
static const char *filename_known(struct table *table, uintptr_t object, const struct text *text)
{
	uint32_t unit = __atomic_load_n(filename_slot(table, object), __ATOMIC_ACQUIRE);
	const struct entry *entry = entry_at(table, unit);

	if (unit == 0 || !text->ascii || entry->key.filename != object ||
	    entry->code.filename.len != text->chars ||
	    memcmp(entry->code.filename.bytes, (const void *)text->data, text->chars) != 0)
		return NULL;
	return entry->code.filename.bytes;
}

static struct code_text append(const struct text *text, size_t len, char **at)
{
	struct code_text result = { *at, (uint32_t)len };

	text_write(text, *at, len);
	(*at)[len] = '\0';
	*at += len + 1;
	return result;
}

/* The unit of a new entry; 0 when there is no room. */
static uint32_t entry_make(struct table *table, const struct cpython_layout *layout,
			   const struct key *key)
{
	struct text filename = text_open(layout, key->filename, FILENAME_LEN_MAX);
	struct text name = text_open(layout, key->name, NAME_LEN_MAX);
	struct text qualname = text_open(layout, key->qualname, NAME_LEN_MAX);
	struct bytes lines = bytes_open(layout, key->line_table);
	const char *known = filename_known(table, key->filename, &filename);
	size_t filename_len = text_write(&filename, NULL, FILENAME_LEN_MAX);
	size_t name_len = text_write(&name, NULL, NAME_LEN_MAX);
	size_t qualname_len = text_write(&qualname, NULL, NAME_LEN_MAX);
	bool one_name = key->name == key->qualname;
	size_t len = sizeof(struct entry) + lines.len + (known ? 0 : filename_len + 1) + name_len +
		     1 + (one_name ? 0 : qualname_len + 1);
	size_t offset;
	struct entry *entry;
	char *at;

	len = (len + UNIT - 1) / UNIT * UNIT;
	if (!claim_units(table, len, &offset))
		return 0;
	entry = entry_at(table, (uint32_t)(offset / UNIT));
	entry->id = claim_id(table);
	if (entry->id == 0)
		return 0;
	entry->key = *key;
	at = (char *)(entry + 1);
	if (lines.len)
		memcpy(at, (const void *)lines.data, lines.len);
	entry->code.first_line = key->first_line;
	entry->code.line_format = lines.len ? layout->line_format : LINES_NONE;
	entry->code.line_table = (const uint8_t *)at;
	entry->code.line_table_len = (uint32_t)lines.len;
	at += lines.len;
	entry->code.name = append(&name, name_len, &at);
	entry->code.qualname = one_name ? entry->code.name : append(&qualname, qualname_len, &at);
	if (known)
		entry->code.filename = (struct code_text){ known, (uint32_t)filename_len };
	else
		entry->code.filename = append(&filename, filename_len, &at);

	__atomic_store_n(&table->index[entry->id], (uint32_t)(offset / UNIT), __ATOMIC_RELEASE);
	__atomic_store_n(filename_slot(table, key->filename), (uint32_t)(offset / UNIT),
			 __ATOMIC_RELEASE);
	return (uint32_t)(offset / UNIT);
}

/* ---- looking up ---- */

static uint64_t hash_mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15;
	return hash ^ hash >> 29;
}

/* Of its length and its last words, which is where texts made by a program differ. What lies before
 * a shorter one is its object's header. */
static uint64_t hash_tail(uint64_t hash, uintptr_t data, size_t len)
{
	const size_t tail = 24;
	uintptr_t end = (data + len + 7) / 8 * 8;

	hash = hash_mix(hash, len);
	if (len == 0 || !load_plausible(end - tail) || !peek_ok(end - tail, tail))
		return hash;
	for (uintptr_t at = end - tail; at < end; at += 8)
		hash = hash_mix(hash, load_word(at));
	return hash;
}

static __attribute__((noinline)) uint64_t content_hash(const struct cpython_layout *layout,
						       const struct key *key)
{
	struct text filename = text_open(layout, key->filename, FILENAME_LEN_MAX);
	struct text qualname = text_open(layout, key->qualname, NAME_LEN_MAX);
	struct bytes lines = bytes_open(layout, key->line_table);
	uint64_t hash = 0;

	hash = hash_tail(hash, filename.data, filename.chars * filename.width);
	hash = hash_tail(hash, qualname.data, qualname.chars * qualname.width);
	hash = hash_tail(hash, lines.data, lines.len);
	return hash | 1;
}

/* By the filename's reference count. */
static inline bool filename_shared(const struct cpython_layout *layout, uintptr_t filename)
{
	return load_plausible(filename) &&
	       (uint32_t)load_int(filename + layout->object.references) > FILENAME_SHARED;
}

static inline void key_read(struct key *key, const struct cpython_layout *layout, uintptr_t code)
{
	key->code = code;
	key->filename = load_word(code + layout->code.filename);
	key->name = load_word(code + layout->code.name);
	key->qualname = key->name;
	if (layout->code.qualname != CPYTHON_NOWHERE)
		key->qualname = load_word(code + layout->code.qualname);
	key->line_table = load_word(code + layout->code.line_table);
	key->first_line = load_int(code + layout->code.first_line);
	key->content = filename_shared(layout, key->filename) ? 0 : content_hash(layout, key);
}

static inline bool key_equal(const struct key *a, const struct key *b)
{
	return a->code == b->code && a->filename == b->filename && a->name == b->name &&
	       a->qualname == b->qualname && a->line_table == b->line_table &&
	       a->content == b->content && a->first_line == b->first_line;
}

static inline uint64_t key_hash(const struct key *key)
{
	uint64_t hash =
		(key->code ^ key->line_table << 20 ^ key->content) + (uint32_t)key->first_line;

	hash *= 0x9e3779b97f4a7c15;
	return hash ^ hash >> 29;
}

/* The entry in a slot when it has this key. */
static inline const struct entry *slot_entry(const struct table *table, uint32_t slot, uint32_t tag,
					     const struct key *key)
{
	const struct entry *entry = entry_at(table, slot & ((1u << UNIT_BITS) - 1));

	return (slot ^ tag) >> UNIT_BITS == 0 && key_equal(&entry->key, key) ? entry : NULL;
}

/* From the first free slot on: another handler may be adding the same code now. */
static __attribute__((noinline)) uint32_t add(struct table *table,
					      const struct cpython_layout *layout,
					      const struct key *key, uint32_t at, uint32_t tag)
{
	uint32_t unit = entry_make(table, layout, key);
	void (*added)(uint32_t, const struct code *) = __atomic_load_n(&codes_added, __ATOMIC_ACQUIRE);
	const struct entry *entry;

	if (unit != 0 && added)
		added(entry_at(table, unit)->id, &entry_at(table, unit)->code);
	for (unsigned probe = 0; unit != 0 && probe < PROBES_MAX; probe++, at++) {
		uint32_t found = 0;

		if (__atomic_compare_exchange_n(&table->slot[at & (table->slots - 1)], &found,
						unit | tag, false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE))
			return entry_at(table, unit)->id;
		entry = slot_entry(table, found, tag, key);
		if (entry)
			return entry->id; /* and ours stays unused */
	}
	__atomic_fetch_add(&table->full, 1, __ATOMIC_RELAXED);
	return 0;
}

uint32_t codes_intern(const struct cpython_layout *layout, uintptr_t code)
{
	struct table *table = __atomic_load_n(&codes_table, __ATOMIC_ACQUIRE);
	const struct entry *entry;
	uint32_t tag, at, found;
	struct key key;
	uint64_t hash;

	if (!table)
		return 0;
	key_read(&key, layout, code);
	hash = key_hash(&key);
	tag = (uint32_t)(hash >> 32) >> UNIT_BITS << UNIT_BITS;
	at = (uint32_t)hash;
	for (unsigned probe = 0; probe < PROBES_MAX; probe++, at++) {
		found = __atomic_load_n(&table->slot[at & (table->slots - 1)], __ATOMIC_ACQUIRE);
		if (found == 0)
			return add(table, layout, &key, at, tag);
		entry = slot_entry(table, found, tag, &key);
		if (entry)
			return entry->id;
	}
	__atomic_fetch_add(&table->full, 1, __ATOMIC_RELAXED);
	return 0;
}

/* ---- reading ---- */

uint32_t codes_count(void)
{
	const struct table *table = __atomic_load_n(&codes_table, __ATOMIC_ACQUIRE);

	return table ? __atomic_load_n(&table->count, __ATOMIC_RELAXED) : 0;
}

uint64_t codes_full(void)
{
	const struct table *table = __atomic_load_n(&codes_table, __ATOMIC_ACQUIRE);

	return table ? __atomic_load_n(&table->full, __ATOMIC_RELAXED) : 0;
}

struct code *codes_get(uint32_t id)
{
	const struct table *table = __atomic_load_n(&codes_table, __ATOMIC_ACQUIRE);
	uint32_t unit;

	if (!table || id == 0 || id >= table->ids)
		return NULL;
	unit = __atomic_load_n(&table->index[id], __ATOMIC_ACQUIRE);
	return unit ? &entry_at(table, unit)->code : NULL;
}

int codes_line(struct code *code, int32_t lasti)
{
	enum { REMEMBERED = sizeof(code->lines) / sizeof(code->lines[0]) };
	uint64_t *last = &code->lines[((uint32_t)lasti / 2) % REMEMBERED];
	uint64_t key = (uint64_t)((uint32_t)lasti + 1) << 32, known = __atomic_load_n(last, __ATOMIC_RELAXED);
	int line;

	if (lasti >= 0 && known >> 32 << 32 == key)
		return (int)(uint32_t)known;
	line = lines_at(code->line_format, code->line_table, code->line_table_len, code->first_line,
			lasti);
	__atomic_store_n(last, key | (uint32_t)line, __ATOMIC_RELAXED);
	return line;
}
