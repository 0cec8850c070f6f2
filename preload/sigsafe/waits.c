#include "preload/sigsafe/waits.h"

#include <string.h>

void waits_place(struct waits *w, void *shared, void *own)
{
	w->records = shared;
	w->texts = (char *)shared + WAITS_RECORDS_BYTES;
	w->index = own;
	w->text_index = w->index + WAITS_SLOTS;
	w->records_part = (struct shared_part){ .start = (char *)w->records,
						.size = WAITS_RECORDS_BYTES,
						.ready = WAITS_RECORDS_BYTES };
	w->texts_part = (struct shared_part){ .start = w->texts,
					      .size = WAITS_TEXT_BYTES,
					      .ready = WAITS_TEXT_BYTES };
}

/* Entries of the indices count only if what they name points back at them. */
void waits_reset(struct waits *w)
{
	w->count = w->lost = w->last = 0;
	w->goes_on = false;
	w->texts_used = 1; /* 0 is no text */
}

/* ---- texts: slot number (4 bytes), length (1 byte), bytes, NUL ---- */

enum { TEXT_HEAD = sizeof(uint32_t) + 1 };

static uint32_t text_slot(const struct waits *w, uint32_t text)
{
	uint32_t slot;

	memcpy(&slot, w->texts + text, sizeof(slot));
	return slot;
}

static uint8_t text_len(const struct waits *w, uint32_t text)
{
	return (uint8_t)w->texts[text + sizeof(uint32_t)];
}

static uint32_t text_hash(const char *bytes, size_t len)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)bytes[i]) * 16777619u;
	return hash ^ hash >> 15;
}

static bool text_slot_used(const struct waits *w, uint32_t slot)
{
	uint32_t text = w->text_index[slot];

	return text && text + TEXT_HEAD < w->texts_used && text_slot(w, text) == slot;
}

uint32_t waits_intern(struct waits *w, const char *bytes, size_t len)
{
	uint32_t slot, text;

	if (len > WAITS_TEXT_MAX)
		len = WAITS_TEXT_MAX;
	if (len == 0)
		return 0;
	slot = text_hash(bytes, len) % WAITS_TEXT_SLOTS;
	while (text_slot_used(w, slot)) {
		text = w->text_index[slot];
		if (text_len(w, text) == len &&
		    memcmp(w->texts + text + TEXT_HEAD, bytes, len) == 0)
			return text;
		slot = (slot + 1) % WAITS_TEXT_SLOTS;
	}
	/* A text takes 7 bytes at least, so the index cannot fill up. */
	if (w->texts_used + TEXT_HEAD + len + 1 > WAITS_TEXT_BYTES ||
	    w->texts_used >= WAITS_TEXT_SLOTS * 6)
		return 0;
	text = w->texts_used;
	shared_need(&w->texts_part, (uint32_t)(text + TEXT_HEAD + len + 1));
	memcpy(w->texts + text, &slot, sizeof(slot));
	w->texts[text + sizeof(uint32_t)] = (char)len;
	memcpy(w->texts + text + TEXT_HEAD, bytes, len);
	w->texts[text + TEXT_HEAD + len] = '\0';
	w->texts_used += (uint32_t)(TEXT_HEAD + len + 1);
	w->text_index[slot] = text;
	return text;
}

const char *waits_text(const struct waits *w, uint32_t text)
{
	return text ? w->texts + text + TEXT_HEAD : "";
}

/* ---- records ---- */

bool waits_extend(struct waits *w, enum wait_kind kind, uint32_t holder, uint64_t at_ns,
		  uint64_t end_ns, uint64_t ns)
{
	struct wait_record *last = w->last ? &w->records[w->last - 1] : NULL;

	if (!last || !w->goes_on || last->summed || last->kind != kind || last->holder != holder ||
	    at_ns < last->end_ns)
		return false;
	last->end_ns = end_ns;
	last->ns += ns;
	return true;
}

static uint32_t wait_hash(const struct wait_record *wait)
{
	uint64_t h = ((uint64_t)wait->node << 32 | wait->on) ^
		     ((uint64_t)wait->holder << 8 | wait->kind) * UINT64_C(0x9e3779b97f4a7c15);

	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	return (uint32_t)(h ^ h >> 33) % WAITS_SLOTS;
}

static bool wait_slot_used(const struct waits *w, uint32_t slot)
{
	uint32_t at = w->index[slot];

	return at < w->count && w->records[at].summed && w->records[at].slot == slot;
}

static bool wait_same(const struct wait_record *a, const struct wait_record *b)
{
	return a->kind == b->kind && a->on == b->on && a->node == b->node && a->holder == b->holder;
}

static struct wait_record *waits_next(struct waits *w)
{
	shared_need(&w->records_part, (w->count + 1) * (uint32_t)sizeof(*w->records));
	return &w->records[w->count++];
}

static bool waits_sum(struct waits *w, const struct wait_record *wait)
{
	uint32_t slot = wait_hash(wait);
	struct wait_record *record;

	while (wait_slot_used(w, slot)) {
		record = &w->records[w->index[slot]];
		if (wait_same(record, wait)) {
			record->end_ns = wait->end_ns;
			record->ns += wait->ns;
			record->count += wait->count;
			record->trips += wait->trips;
			w->last = w->index[slot] + 1;
			return true;
		}
		slot = (slot + 1) % WAITS_SLOTS;
	}
	if (w->count == WAITS_MAX) {
		w->lost += wait->count;
		return false;
	}
	w->index[slot] = w->count;
	record = waits_next(w);
	*record = *wait;
	record->slot = slot;
	w->last = w->count;
	return true;
}

bool waits_add(struct waits *w, const struct wait_record *wait)
{
	struct wait_record summed;

	if (w->apart && w->count == WAITS_MAX) {
		w->lost += wait->count;
		return false;
	}
	/* The last half is for sums: thousands of long waits of one kind become one rather than lost. */
	if (w->apart || (!wait->summed && w->count < WAITS_MAX / 2)) {
		*waits_next(w) = *wait;
		w->last = w->count;
		return true;
	}
	summed = *wait;
	summed.summed = true;
	return waits_sum(w, &summed);
}

bool waits_take(struct waits *w, const struct waits *from, const struct wait_record *wait,
		uint32_t node, uint8_t flags)
{
	struct wait_record record = *wait;
	const char *on = waits_text(from, wait->on), *holder = waits_text(from, wait->holder);

	record.node = node;
	record.flags = flags;
	record.on = waits_intern(w, on, strlen(on));
	record.holder = waits_intern(w, holder, strlen(holder));
	return waits_add(w, &record);
}
