#include "preload/sigsafe/cpython/transport.h"

#include <stddef.h>
#include <string.h>

#include "preload/sigsafe/cpython/load.h"
#include "preload/sigsafe/peek.h"

enum {
	VARIABLES_MAX = 16,
	ATTRIBUTES_MAX = 64,
	BODY_WORDS_MAX = 40,
	HEADER = 16, /* of objects, in builds with a GIL */
	NAME_MAX_CHARS = 32,
	LOCAL_NAMES = 16, /* a code object's tuple of the names of its variables is so far before its file's name */
};

/* Type objects, the same in 3.8 to 3.15 (Include/cpython/object.h). */
enum {
	TYPE_NAME = 24,
	TYPE_FLAGS = 168,
	TYPE_LEN = 176,
	FLAG_MANAGED_DICT = 1 << 4,  /* 3.11 and later */
	FLAG_HEAP_TYPE = 1 << 9,     /* made by a class statement, or like one */
};
static const uintptr_t flag_type_subclass = (uintptr_t)1 << 31;

/* Before an object: Include/internal/pycore_object.h of 3.11. */
enum { MANAGED_DICT = 24, MANAGED_VALUES = 32 };

/* A dictionary, and its keys: Include/cpython/dictobject.h, Include/internal/pycore_dict.h of 3.11. */
enum {
	DICT_KEYS = 32,
	DICT_VALUES = 40,
	DICT_LEN = 48,
	KEYS_LOG2_INDEX_BYTES = 9,
	KEYS_KIND = 10,
	KEYS_ENTRIES = 24,
	KEYS_INDICES = 32,
	KEYS_GENERAL = 0, /* entries of hash, key, value; else of key, value, or of a split one's keys */
	KEYS_INDEX_BYTES_MAX = 20,
};

/* libuv's uv_handle_t, and uv_stream_t that begins with it, in all of its versions 1 (include/uv.h, uv/unix.h). */
enum {
	UV_DATA = 0,
	UV_TYPE = 16,
	UV_STREAM_FD = 184,
	UV_STREAM_LEN = 192,
	UV_NAMED_PIPE = 7,
	UV_TCP = 12,
};
/* uvloop's UVHandle: after the header and Cython's table of methods (uvloop/handles/handle.pxd). */
enum { TRANSPORT_HANDLE = 24, TRANSPORT_LEN = 32 };

struct words {
	unsigned count;
	uintptr_t at[ATTRIBUTES_MAX];
};

static void words_add(struct words *words, uintptr_t from, uintptr_t step, size_t count)
{
	uintptr_t word;

	for (size_t i = 0; i < count && words->count < ATTRIBUTES_MAX; i++) {
		if (!peek_word(from + i * step, &word))
			return;
		if (word)
			words->at[words->count++] = word;
	}
}

/* ---- types ---- */

/* The type of the object, if there is one at this address; 0 otherwise. */
static uintptr_t type_of(const struct cpython_layout *layout, uintptr_t object)
{
	uintptr_t type, meta;

	if (!load_plausible(object) || !peek_word(object + layout->object.type, &type) ||
	    !load_plausible(type) || !peek_ok(type, TYPE_LEN))
		return 0;
	meta = load_word(type + layout->object.type);
	if (!load_plausible(meta) || !peek_ok(meta, TYPE_LEN) ||
	    !(load_word(meta + TYPE_FLAGS) & flag_type_subclass))
		return 0;
	return type;
}

static bool is_transport(uintptr_t type)
{
	static const char first[] = "uvloop.l"; /* most names differ here */
	uintptr_t at = load_word(type + TYPE_NAME);
	char name[NAME_MAX_CHARS] = "";

	return peek_copy(name, at, sizeof(first) - 1) && memcmp(name, first, sizeof(first) - 1) == 0 &&
	       peek_copy(name, at, sizeof(name) - 1) &&
	       (strcmp(name, "uvloop.loop.TCPTransport") == 0 ||
		strcmp(name, "uvloop.loop.UnixTransport") == 0);
}

/* ---- attributes ---- */

/* Values whose number and order stand before them, in bytes: how long that is, how many, and, backwards, which. */
static void words_add_values(struct words *words, uintptr_t values)
{
	unsigned prefix, count;

	if (!load_fresh(values - 8, 16))
		return;
	prefix = load_byte(values - 1);
	count = load_byte(values - 2);
	if (count + 2 > prefix || !load_fresh(values - (prefix + 7) / 8 * 8, (prefix + 7) / 8 * 8))
		return;
	for (unsigned i = 0; i < count; i++)
		words_add(words, values + load_byte(values - 3 - i) * 8u, 8, 1);
}

static void words_add_dict(struct words *words, const struct cpython_layout *layout, uintptr_t dict)
{
	uintptr_t keys, values, entries;
	unsigned index_bytes;

	if (!type_of(layout, dict) || !load_fresh(dict, DICT_LEN))
		return;
	keys = load_word(dict + DICT_KEYS);
	values = load_word(dict + DICT_VALUES);
	if (values) {
		words_add_values(words, values);
		return;
	}
	if (!load_fresh(keys, KEYS_INDICES))
		return;
	index_bytes = load_byte(keys + KEYS_LOG2_INDEX_BYTES);
	if (index_bytes > KEYS_INDEX_BYTES_MAX)
		return;
	entries = keys + KEYS_INDICES + ((uintptr_t)1 << index_bytes);
	if (load_byte(keys + KEYS_KIND) == KEYS_GENERAL)
		words_add(words, entries + 16, 24, load_word(keys + KEYS_ENTRIES));
	else
		words_add(words, entries + 8, 16, load_word(keys + KEYS_ENTRIES));
}

static void words_add_managed(struct words *words, const struct cpython_layout *layout, uintptr_t object,
			      uintptr_t type)
{
	uintptr_t flags = load_word(type + TYPE_FLAGS), dict, values;

	if (!(flags & FLAG_MANAGED_DICT) || !peek_word(object - MANAGED_DICT, &dict))
		return;
	if (peek_word(object - MANAGED_VALUES, &values) && values)
		words_add_values(words, values);
	else if (dict)
		words_add_dict(words, layout, dict);
}

/* Of an object of a class that is written in Python: those in slots, and those in its dictionary. */
static void attributes_of(struct words *words, const struct cpython_layout *layout, uintptr_t object,
			  uintptr_t type)
{
	uintptr_t size = load_word(type + layout->type_basicsize);

	words->count = 0;
	if (!(load_word(type + TYPE_FLAGS) & FLAG_HEAP_TYPE))
		return;
	if (size > HEADER && size <= HEADER + BODY_WORDS_MAX * 8)
		words_add(words, object + HEADER, 8, (size - HEADER) / 8);
	words_add_managed(words, layout, object, type);
}

/* ---- transports ---- */

/* Of an open transport; -1: it is none, or not open. */
static int transport_descriptor(uintptr_t transport)
{
	uintptr_t handle;
	uint32_t type;

	if (!peek_ok(transport, TRANSPORT_LEN))
		return -1;
	handle = load_word(transport + TRANSPORT_HANDLE);
	if (!load_fresh(handle, UV_STREAM_LEN) || load_word(handle + UV_DATA) != transport)
		return -1;
	type = (uint32_t)load_int(handle + UV_TYPE);
	return type == UV_TCP || type == UV_NAMED_PIPE ? load_int(handle + UV_STREAM_FD) : -1;
}

/* Is it the protocol of this transport, or an attribute of that? The words are used for that. */
static bool leads_back(const struct cpython_layout *layout, uintptr_t transport, uintptr_t type,
		       uintptr_t object, struct words *words)
{
	uintptr_t size = load_word(type + layout->type_basicsize), word;

	for (uintptr_t at = HEADER; at + 8 <= size && at < BODY_WORDS_MAX * 8; at += 8) {
		uintptr_t word_type;

		if (!peek_word(transport + at, &word))
			return false;
		if (word == object)
			return true;
		word_type = at == TRANSPORT_HANDLE ? 0 : type_of(layout, word);
		if (!word_type)
			continue;
		attributes_of(words, layout, word, word_type);
		for (unsigned i = 0; i < words->count; i++)
			if (words->at[i] == object)
				return true;
	}
	return false;
}

/* The descriptor that the object's transport has, or one of enum transport. */
static int transport_of(const struct cpython_layout *layout, uintptr_t object, bool (*serves)(int fd))
{
	uintptr_t type = type_of(layout, object);
	struct words words;

	if (!type)
		return TRANSPORT_NONE;
	attributes_of(&words, layout, object, type);
	for (unsigned i = 0; i < words.count; i++) {
		uintptr_t transport = words.at[i];
		int fd;

		type = type_of(layout, transport);
		fd = type && is_transport(type) ? transport_descriptor(transport) : -1;
		if (fd >= 0 && serves(fd))
			return leads_back(layout, transport, type, object, &words) ? fd : TRANSPORT_PAST;
	}
	return TRANSPORT_NONE;
}

int transport_find(const struct runtime *runtime, uintptr_t coroutine, bool (*serves)(int fd))
{
	const struct cpython_layout *layout = runtime->layout;
	uintptr_t frame = coroutine + layout->generator.frame, code, names, count, object;
	int found = TRANSPORT_NONE;

	code = load_word(frame + layout->frame.code);
	if (!load_plausible(code) || !peek_word(code + layout->code.filename - LOCAL_NAMES, &names) ||
	    !load_plausible(names) || !peek_word(names + HEADER, &count))
		return found;
	for (uintptr_t i = 0; i < count && i < VARIABLES_MAX && found < 0; i++) {
		int fd = TRANSPORT_NONE;

		if (peek_word(frame + layout->frame.size + i * 8, &object) && object)
			fd = transport_of(layout, object, serves);
		found = fd == TRANSPORT_NONE ? found : fd;
	}
	return found;
}
