#include "tools/base/strings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"

enum { BLOCK_BYTES = 64 << 10 };

struct block {
	struct block *next;
	size_t used, len;
	char bytes[];
};

struct slot {
	const char *text;
	uint32_t hash, len;
};

struct strings {
	struct block *blocks;
	struct slot *slots;
	uint32_t n_slots, used;
};

struct strings *strings_new(void)
{
	struct strings *s = errors_alloc(1, sizeof(*s));

	s->n_slots = 256;
	s->slots = errors_alloc(s->n_slots, sizeof(*s->slots));
	return s;
}

void strings_free(struct strings *s)
{
	struct block *next;

	if (!s)
		return;
	for (struct block *block = s->blocks; block; block = next) {
		next = block->next;
		free(block);
	}
	free(s->slots);
	free(s);
}

/* Eight bytes at a time: paths are long, and a profile has hundreds of them. */
static uint32_t hash_bytes(const char *bytes, size_t len)
{
	uint64_t hash = len, word;

	for (; len >= sizeof(word); bytes += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		hash = (hash ^ word) * 0x9fb21c651e98df25u;
		hash ^= hash >> 32;
	}
	word = 0;
	memcpy(&word, bytes, len);
	hash = (hash ^ word) * 0x9fb21c651e98df25u;
	return (uint32_t)(hash ^ hash >> 32);
}

static char *copy_text(struct strings *s, const char *bytes, size_t len)
{
	struct block *block = s->blocks;
	char *copy;

	if (!block || block->len - block->used < len + 1) {
		size_t room = len + 1 > BLOCK_BYTES ? len + 1 : BLOCK_BYTES;

		block = errors_alloc(1, sizeof(*block) + room);
		block->len = room;
		block->next = s->blocks;
		s->blocks = block;
	}
	copy = block->bytes + block->used;
	if (len)
		memcpy(copy, bytes, len);
	block->used += len + 1;
	return copy;
}

static void grow(struct strings *s)
{
	struct slot *old = s->slots;
	uint32_t n_old = s->n_slots;

	s->n_slots *= 2;
	s->slots = errors_alloc(s->n_slots, sizeof(*s->slots));
	for (uint32_t i = 0; i < n_old; i++) {
		uint32_t at = old[i].hash & (s->n_slots - 1);

		if (!old[i].text)
			continue;
		while (s->slots[at].text)
			at = (at + 1) & (s->n_slots - 1);
		s->slots[at] = old[i];
	}
	free(old);
}

const char *strings_add(struct strings *s, const char *bytes, size_t len)
{
	uint32_t hash = hash_bytes(len ? bytes : "", len), at;

	for (at = hash & (s->n_slots - 1); s->slots[at].text; at = (at + 1) & (s->n_slots - 1)) {
		if (s->slots[at].hash == hash && s->slots[at].len == len &&
		    (!len || !memcmp(s->slots[at].text, bytes, len)))
			return s->slots[at].text;
	}
	s->slots[at] = (struct slot){ copy_text(s, bytes, len), hash, (uint32_t)len };
	const char *text = s->slots[at].text;

	if (++s->used > s->n_slots / 2)
		grow(s);
	return text;
}

const char *strings_addz(struct strings *s, const char *text)
{
	return strings_add(s, text, strlen(text));
}
