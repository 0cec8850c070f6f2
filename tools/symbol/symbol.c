#include "tools/symbol/symbol.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/base/numbers.h"
#include "tools/symbol/cache.h"
#include "tools/symbol/code_map.h"
#include "tools/symbol/debug_file.h"
#include "tools/symbol/demangle.h"
#include "tools/symbol/inlines.h"
#include "tools/symbol/kernel_names.h"
#include "tools/symbol/names.h"
#include "tools/symbol/object.h"

struct module {
	char *path, *build_id;
	bool opened; /* tried, once */
	bool names_read;
	struct object main, debug;
	struct cache_source source;
	bool cached; /* source is told: answers can be kept */
	bool learned; /* some that the cache does not have */
	void *cache_memory;
	struct inlines *inlines;
	struct kernel_names *kernel; /* of the module that is none */
	struct code_map generated;   /* of the other one */
	struct names names;
	struct symbol_frame *frames; /* answers so far, one after the other */
	size_t n_frames, frames_room;
	struct numbers answers; /* file offset -> first frame << 8 | how many */
	struct numbers texts;	/* raw name -> index in made, plus 1; 0: good as it is */
	char **made;		/* names that had to be made */
	size_t n_made, made_room;
};

struct symbolizer {
	struct module **modules;
	size_t count, room;
	struct module *last;
	const char *debug_dir;
	char *own_debug_dir;
	char *cache_dir; /* NULL: none */
	void (*warn)(void *arg, const char *path, const char *why);
	void *warn_arg;
};

static void say(void *arg, const char *path, const char *why)
{
	errors_say("%s: %s; its functions stay unnamed", path, why);
}

struct symbolizer *symbol_open(void)
{
	struct symbolizer *s = errors_alloc(1, sizeof(*s));

	s->debug_dir = SYMBOL_DEBUG_DIR;
	s->warn = say;
	return s;
}

static void module_free(struct module *m)
{
	kernel_names_close(m->kernel);
	code_map_free(&m->generated);
	inlines_close(m->inlines);
	names_free(&m->names);
	object_close(&m->debug);
	object_close(&m->main);
	for (size_t i = 0; i < m->n_made; i++)
		free(m->made[i]);
	free(m->made);
	free(m->frames);
	free(m->cache_memory);
	numbers_free(&m->answers);
	numbers_free(&m->texts);
	free(m->path);
	free(m->build_id);
	free(m);
}

static void keep_answers(const struct symbolizer *s, const struct module *m)
{
	struct cache_answer *answers;
	size_t n = 0;

	if (!m->cached || !m->learned)
		return;
	answers = errors_alloc(m->answers.count, sizeof(*answers));
	for (size_t i = 0; i < m->answers.size; i++) {
		const struct number_slot *slot = &m->answers.slots[i];

		if (slot->used)
			answers[n++] = (struct cache_answer){ slot->key,
							      m->frames + (slot->value >> 8),
							      slot->value & 0xff };
	}
	cache_save(s->cache_dir, &m->source, answers, n);
	free(answers);
}

void symbol_close(struct symbolizer *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++) {
		keep_answers(s, s->modules[i]);
		module_free(s->modules[i]);
	}
	free(s->cache_dir);
	free(s->modules);
	free(s->own_debug_dir);
	free(s);
}

void symbol_on_warning(struct symbolizer *s,
		       void (*warn)(void *arg, const char *path, const char *why), void *arg)
{
	s->warn = warn;
	s->warn_arg = arg;
}

void symbol_set_debug_dir(struct symbolizer *s, const char *dir)
{
	free(s->own_debug_dir);
	s->own_debug_dir = errors_strdup(dir);
	s->debug_dir = s->own_debug_dir;
}

void symbol_use_cache(struct symbolizer *s, const char *dir)
{
	free(s->cache_dir);
	s->cache_dir = dir ? errors_strdup(dir) : cache_directory();
}

static bool is(const struct module *m, const char *path, const char *build_id)
{
	return strcmp(m->path, path) == 0 && strcmp(m->build_id, build_id) == 0;
}

/* Neighbours in a stack are mostly in one module, and a process has a few hundred at most. */
static struct module *find_module(struct symbolizer *s, const char *path, const char *build_id)
{
	struct module *m;

	if (s->last && is(s->last, path, build_id))
		return s->last;
	for (size_t i = 0; i < s->count; i++)
		if (is(s->modules[i], path, build_id))
			return s->last = s->modules[i];
	if (s->count == s->room) {
		s->room = s->room ? s->room * 2 : 64;
		s->modules = errors_realloc(s->modules, s->room, sizeof(struct module *));
	}
	m = errors_alloc(1, sizeof(*m));
	m->path = errors_strdup(path);
	m->build_id = errors_strdup(build_id);
	m->main.fd = m->debug.fd = -1;
	s->modules[s->count++] = m;
	return s->last = m;
}

char *symbol_process(uint32_t pid, uint64_t start_ns, uid_t owner)
{
	char *text;

	if (asprintf(&text, "%08" PRIx32 "%016" PRIx64 "%08" PRIx32, pid, start_ns, (uint32_t)owner) < 0)
		return errors_strdup("");
	return text;
}

static bool build_id_is(const struct object *o, const char *hex)
{
	const uint8_t *id;
	size_t len = object_build_id(o, &id);
	char byte[3];

	if (strlen(hex) != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		snprintf(byte, sizeof(byte), "%02x", id[i]);
		if (memcmp(byte, hex + 2 * i, 2) != 0)
			return false;
	}
	return true;
}

static void warn_once(struct symbolizer *s, const struct module *m, const char *why)
{
	/* A server that was upgraded in the middle leaves the same path with several build ids. */
	for (size_t i = 0; i < s->count; i++)
		if (s->modules[i] != m && s->modules[i]->opened && !s->modules[i]->main.elf &&
		    strcmp(s->modules[i]->path, m->path) == 0)
			return;
	if (s->warn)
		s->warn(s->warn_arg, m->path, why);
}

/* Room for the frames of one more answer. */
static struct symbol_frame *want_frames(struct module *m)
{
	if (m->n_frames + SYMBOL_FRAMES_MAX > m->frames_room) {
		m->frames_room = m->frames_room * 2 + SYMBOL_FRAMES_MAX;
		m->frames = errors_realloc(m->frames, m->frames_room, sizeof(*m->frames));
	}
	return m->frames + m->n_frames;
}

static void take_answer(void *arg, uint64_t offset, const struct symbol_frame *frames, size_t count)
{
	struct module *m = arg;
	bool fresh;
	uint64_t *answer = numbers_at(&m->answers, offset, &fresh);

	memcpy(want_frames(m), frames, count * sizeof(*frames));
	*answer = (uint64_t)m->n_frames << 8 | count;
	m->n_frames += count;
}

static void open_generated(struct symbolizer *s, struct module *m)
{
	struct code_map_of of = { 0 };
	uint32_t owner = 0;
	const char *why;
	char *path;

	if (sscanf(m->build_id, "%8" SCNx32 "%16" SCNx64 "%8" SCNx32, &of.pid, &of.start_ns, &owner) != 3 ||
	    !of.pid)
		return;
	of.owner = (uid_t)owner;
	if (!code_map_open(&m->generated, &of, &path, &why) && path && s->warn)
		s->warn(s->warn_arg, path, why);
	free(path);
}

static void open_module(struct symbolizer *s, struct module *m)
{
	const char *why;

	m->opened = true;
	if (strcmp(m->path, SYMBOL_KERNEL) == 0) {
		m->kernel = kernel_names_open(KERNEL_NAMES_LIST, KERNEL_NAMES_BOOT, m->build_id,
					      &why);
		if (!m->kernel)
			warn_once(s, m, why);
		return;
	}
	if (strcmp(m->path, SYMBOL_GENERATED) == 0) {
		open_generated(s, m);
		return;
	}
	switch (object_open(&m->main, m->path)) {
	case OBJECT_ABSENT:
		return;
	case OBJECT_NOT_ELF:
		warn_once(s, m, "not an ELF file any more");
		return;
	case OBJECT_OPEN:
		break;
	}
	if (!build_id_is(&m->main, m->build_id)) {
		object_close(&m->main);
		/* The kernel has been upgraded since: nobody replaced a file. */
		if (strcmp(m->path, "[vdso]") != 0)
			warn_once(s, m,
				  m->build_id[0] ? "replaced since it ran (its build id differs)"
						 : "it has a build id, the profile says none");
		return;
	}
	if (!object_has_dwarf(&m->main))
		debug_file_find(&m->main, m->path, s->debug_dir, &m->debug);
	m->cached = s->cache_dir && cache_source_of(&m->main, &m->debug, &m->source);
	if (m->cached)
		cache_load(s->cache_dir, &m->source, take_answer, m, &m->cache_memory);
}

/* What is costly: only for an address that no cache has. */
static void read_names(struct module *m)
{
	m->names_read = true;
	if (!m->main.elf)
		return;
	if (m->debug.elf || object_has_dwarf(&m->main))
		m->inlines = inlines_open(m->debug.elf ? m->debug.elf : m->main.elf);
	names_add(&m->names, &m->main);
	if (m->debug.elf)
		names_add(&m->names, &m->debug);
	names_ready(&m->names);
}

static const char *keep(struct module *m, char *text)
{
	if (m->n_made == m->made_room) {
		m->made_room = m->made_room ? m->made_room * 2 : 64;
		m->made = errors_realloc(m->made, m->made_room, sizeof(char *));
	}
	m->made[m->n_made++] = text;
	return text;
}

/* A raw name as it is shown: demangled, and without the version that .symtab writes behind it. */
static const char *readable(struct module *m, const char *raw)
{
	bool fresh;
	uint64_t *index = numbers_at(&m->texts, (uintptr_t)raw, &fresh);
	size_t bare = strcspn(raw, "@");
	char *copy, *better;

	if (!fresh)
		return *index ? m->made[*index - 1] : raw;
	copy = bare && raw[bare] ? strndup(raw, bare) : NULL;
	better = demangle_name(copy ? copy : raw);
	if (better)
		free(copy);
	else
		better = copy;
	if (!better)
		return raw;
	keep(m, better);
	*index = m->n_made;
	return better;
}

/* The name of what is at vaddr, without DWARF; NULL when nothing tells it. */
static const char *plain_name(struct module *m, uint64_t vaddr, uint64_t file_offset)
{
	const char *name = names_find(&m->names, &m->main, vaddr), *slash;
	char *made = NULL;
	uint64_t start;
	int len;

	if (name)
		return readable(m, name);
	name = names_plt(&m->main, vaddr);
	if (name) {
		len = asprintf(&made, "%s@plt", readable(m, name));
	} else if (names_function_start(&m->names, &m->main, vaddr, &start) &&
		   vaddr - start <= file_offset) {
		slash = strrchr(m->path, '/');
		len = asprintf(&made, "[%s+0x%" PRIx64 "]", slash ? slash + 1 : m->path,
			       file_offset - (vaddr - start));
	} else {
		return NULL;
	}
	return len < 0 ? NULL : keep(m, made);
}

static size_t look_up_generated(const struct module *m, uint64_t address, struct symbol_frame *out)
{
	const struct code_name *name = code_map_find(&m->generated, address);

	if (!name)
		return 0;
	*out = (struct symbol_frame){
		.name = name->name,
		.file = name->file,
		.start_line = name->line,
	};
	return 1;
}

static size_t look_up(struct module *m, uint64_t file_offset, struct symbol_frame *out, size_t max)
{
	uint64_t vaddr;
	size_t count = 0;

	if (m->kernel) {
		out[0] = (struct symbol_frame){ .name = kernel_names_find(m->kernel, file_offset) };
		return out[0].name ? 1 : 0;
	}
	if (m->generated.n_names)
		return look_up_generated(m, file_offset, out);
	if (!m->main.elf || !object_vaddr(&m->main, file_offset, &vaddr))
		return 0;
	if (m->inlines)
		count = inlines_at(m->inlines, vaddr, out, max);
	for (size_t i = 0; i < count; i++)
		out[i].name = out[i].name ? readable(m, out[i].name) : NULL;
	if (!count)
		out[count++] = (struct symbol_frame){ 0 };
	if (!out[count - 1].name)
		out[count - 1].name = plain_name(m, vaddr, file_offset);
	if (!out[count - 1].name)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (!out[i].name)
			out[i].name = out[count - 1].name;
	return count;
}

size_t symbol_resolve(struct symbolizer *s, const char *module_path, const char *build_id_hex,
		      uint64_t file_offset, struct symbol_frame *out, size_t max)
{
	struct module *m = find_module(s, module_path, build_id_hex ? build_id_hex : "");
	uint64_t *answer;
	size_t count;
	bool fresh;

	if (!m->opened)
		open_module(s, m);
	answer = numbers_at(&m->answers, file_offset, &fresh);
	if (fresh) {
		if (!m->names_read)
			read_names(m);
		count = look_up(m, file_offset, want_frames(m), SYMBOL_FRAMES_MAX);
		*answer = (uint64_t)m->n_frames << 8 | count;
		m->n_frames += count;
		m->learned = true;
	}
	count = *answer & 0xff;
	if (count > max)
		count = max;
	if (count)
		memcpy(out, m->frames + (*answer >> 8), count * sizeof(*out));
	return count;
}
