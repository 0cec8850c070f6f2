#include "preload/emit/locations.h"

#include <string.h>

#include "preload/emit/boot_id.h"
#include "preload/sigsafe/codes.h"

static uint32_t locations_mapping(struct locations *l, const struct module *module)
{
	size_t index = (size_t)(module - l->modules->modules);
	struct profile_text path;

	if (index < LOCATIONS_MODULES_MAX && l->of_module[index])
		return l->of_module[index];
	path = (struct profile_text){ module->path, strlen(module->path) };
	uint32_t mapping = profile_write_mapping(l->writer, module->start, module->end,
						 module->file_offset, path, module->build_id,
						 module->build_id_len);
	if (index < LOCATIONS_MODULES_MAX)
		l->of_module[index] = mapping;
	return mapping;
}

void locations_start(struct locations *l, struct profile_writer *writer, void *memory, size_t nodes)
{
	size_t modules;

	l->writer = writer;
	l->modules = modules_acquire();
	l->kernel = 0;
	l->last_module = NULL;
	l->of_frame = memory;
	l->of_node = (struct locations_suffix *)(l->of_frame + LOCATIONS_FRAMES);
	l->of_module = (uint32_t *)(l->of_node + STACKS_NODES_MAX);
	l->of_code = l->of_module + LOCATIONS_MODULES_MAX;
	l->encoded = (uint8_t *)(l->of_code + 2 * LOCATIONS_CODES);
	l->forgotten = l->used = 0;
	modules = l->modules ? l->modules->count : 0;
	memset(l->of_module, 0,
	       (modules < LOCATIONS_MODULES_MAX ? modules : LOCATIONS_MODULES_MAX) * sizeof(uint32_t));
	for (l->codes = LOCATIONS_CODES_MIN; l->codes < nodes && l->codes < LOCATIONS_CODES;)
		l->codes *= 2;
	memset(l->of_code, 0, l->codes * 2 * sizeof(uint32_t));
	l->frames = l->codes < LOCATIONS_FRAMES ? l->codes : LOCATIONS_FRAMES;
	memset(l->of_frame, 0, l->frames * sizeof(*l->of_frame));
	for (size_t i = 0; i < modules; i++)
		if (l->modules->modules[i].is_main)
			locations_mapping(l, &l->modules->modules[i]);
}

void locations_tree(struct locations *l, const struct stacks *tree)
{
	memset(l->of_node, 0, tree->n_nodes * sizeof(*l->of_node));
}

static struct profile_text locations_text(struct code_text text)
{
	return (struct profile_text){ text.bytes, text.len };
}

static uint32_t locations_function(struct locations *l, uint32_t id, const struct code *code)
{
	uint32_t *entry = &l->of_code[2 * (id & (l->codes - 1))];

	if (entry[0] != id) {
		entry[0] = id;
		entry[1] = profile_write_function(l->writer, locations_text(code->qualname),
						  locations_text(code->name),
						  locations_text(code->filename), code->first_line);
	}
	return entry[1];
}

static uint32_t locations_python(struct locations *l, uint64_t key)
{
	uint32_t id = (uint32_t)(key >> 32) & 0x7fffffffu;
	int32_t lasti = (int32_t)(uint32_t)key;
	struct code *code = codes_get(id);
	const struct profile_text unknown = { "[unknown Python function]", 25 };
	const struct profile_text none = { "", 0 };

	if (!code)
		return profile_write_line_location(
			l->writer, profile_write_function(l->writer, unknown, none, none, 0), 0);
	return profile_write_line_location(l->writer, locations_function(l, id, code),
					   codes_line(code, lasti));
}

/* The upper half of all addresses, which are their own offsets in it. */
static uint32_t locations_kernel_mapping(struct locations *l)
{
	const uint64_t start = UINT64_C(0xff) << 56;
	const struct profile_text path = { PROFILE_KERNEL_MAPPING, sizeof(PROFILE_KERNEL_MAPPING) - 1 };
	const uint8_t *id = boot_id();

	if (!l->kernel)
		l->kernel = profile_write_mapping(l->writer, start, UINT64_MAX, start, path, id,
						  id ? BOOT_ID_BYTES : 0);
	return l->kernel;
}

static uint32_t locations_of_kernel(struct locations *l, uint64_t key)
{
	uint64_t pc = stacks_kernel_pc(key);

	return profile_write_native_location(l->writer, locations_kernel_mapping(l),
					     key & STACKS_KEY_EXACT ? pc : pc - 1);
}

/* Frames that follow each other are mostly of the same module. */
static const struct module *locations_module(struct locations *l, uintptr_t address)
{
	const struct module *last = l->last_module;

	if (last && address >= last->start && address < last->end)
		return last;
	return l->last_module = l->modules ? modules_find(l->modules, address) : NULL;
}

static uint32_t locations_native(struct locations *l, uint64_t key)
{
	uintptr_t pc = (uintptr_t)(key & ~STACKS_KEY_EXACT);
	/* Of a return address, the instruction before it: it may be the first of another line or function. */
	uintptr_t address = key & STACKS_KEY_EXACT ? pc : pc - 1;
	const struct module *module = locations_module(l, address);

	l->generated |= !module;
	return profile_write_native_location(l->writer, module ? locations_mapping(l, module) : 0,
					     address);
}

static uint32_t locations_of(struct locations *l, uint64_t key)
{
	uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);
	struct locations_frame *frame = &l->of_frame[(uint32_t)(hash >> 40) & (l->frames - 1)];

	if (frame->key != key || !frame->location) {
		frame->key = key;
		frame->location = key & STACKS_KEY_PYTHON ? locations_python(l, key) :
				  stacks_is_kernel(key)   ? locations_of_kernel(l, key) :
							    locations_native(l, key);
	}
	return frame->location;
}

/* Has the node's stack been encoded, and is it still there? */
static bool locations_known(const struct locations *l, uint32_t node)
{
	return l->of_node[node].len && l->of_node[node].at >= l->forgotten;
}

/* The nodes' locations, then what is known of the caller's. */
static void locations_encode(struct locations *l, const struct stacks *tree, const uint32_t *nodes,
			     size_t n, struct locations_suffix caller)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t location = locations_of(l, tree->nodes[nodes[i]].key);

		l->of_node[nodes[i]].at = l->forgotten + l->used;
		/* 0 after an error, when nothing is written any more. */
		l->used += (uint32_t)profile_encode_locations(l->encoded + l->used, &location, 1);
	}
	memcpy(l->encoded + l->used, l->encoded + (caller.at - l->forgotten), caller.len);
	l->used += caller.len;
	for (size_t i = 0; i < n; i++)
		l->of_node[nodes[i]].len = l->forgotten + l->used - l->of_node[nodes[i]].at;
}

struct profile_encoded locations_stack(struct locations *l, const struct stacks *tree, uint32_t node,
				       uint32_t nodes[STACKS_DEPTH_MAX])
{
	struct locations_suffix known = { .at = l->forgotten };
	uint32_t newest = node;
	size_t n = 0;

	if (LOCATIONS_ENCODED - l->used < STACKS_DEPTH_MAX * PROFILE_LOCATION_BYTES) {
		l->forgotten += l->used;
		l->used = 0;
		known.at = l->forgotten;
	}
	for (; node != STACKS_ROOT && n < STACKS_DEPTH_MAX; node = tree->nodes[node].parent) {
		if (locations_known(l, node)) {
			known = l->of_node[node];
			break;
		}
		nodes[n++] = node;
	}
	if (n > 0) {
		locations_encode(l, tree, nodes, n, known);
		known = l->of_node[newest];
	}
	return (struct profile_encoded){ l->encoded + (known.at - l->forgotten), known.len };
}

void locations_end(struct locations *l)
{
	modules_release(l->modules);
}

const char *locations_executable(void)
{
	const struct module_table *modules = modules_acquire();
	const char *path = "";

	for (size_t i = 0; modules && i < modules->count; i++)
		if (modules->modules[i].is_main)
			path = modules->modules[i].path; /* paths live as long as the process */
	modules_release(modules);
	return path;
}
