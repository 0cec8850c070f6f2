#include "tools/symbol/code_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/nanoseconds.h"
#include "tools/base/errors.h"
#include "tools/base/read_file.h"

/* jitdump's header and records: little-endian here, as whoever wrote them on this machine. */
enum { DUMP_MAGIC = 0x4A695444, DUMP_LOAD = 0, DUMP_MOVE = 1 };

struct dump_header {
	uint32_t magic, version, size, machine, pad, pid;
	uint64_t timestamp, flags;
};

struct dump_record {
	uint32_t id, size;
	uint64_t timestamp;
};

struct dump_load { /* then a name that ends in NUL, then the code */
	uint32_t pid, tid;
	uint64_t vma, address, code_size, index;
};

struct dump_move {
	uint32_t pid, tid;
	uint64_t vma, old_address, new_address, code_size, index;
};

static void keep_text(struct code_map *map, char *text)
{
	map->texts = errors_realloc(map->texts, map->n_texts + 1, sizeof(char *));
	map->texts[map->n_texts++] = text;
}

/* "PATH:LINE:COLUMN" at text: cuts it behind PATH. 0: it is none. */
static int cut_line(char *text)
{
	char *column = strrchr(text, ':'), *line, *end;
	long number;

	if (!column || column == text)
		return 0;
	*column = '\0';
	line = strrchr(text, ':');
	*column = ':';
	if (!line || line == text)
		return 0;
	number = strtol(line + 1, &end, 10);
	if (end != column || number <= 0 || number > INT32_MAX)
		return 0;
	*line = '\0';
	return (int)number;
}

/* V8's "JS:*handler /srv/app.js:3:18", where * tells by which compiler; without a name: "JS:* /srv/app.js:1:1". */
static bool split_v8(char *text, struct code_name *to)
{
	size_t kind = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
	char *name = text + kind + 1, *file;

	if (!kind || text[kind] != ':')
		return false;
	name += strspn(name, "*~^+");
	file = strchr(name, ' ');
	to->line = file ? cut_line(file + 1) : 0;
	if (!to->line)
		return false;
	*file = '\0';
	to->name = *name ? name : "(anonymous)";
	to->file = file + 1;
	return true;
}

/* CPython's "py::Class.method:/srv/app.py" */
static bool split_python(char *text, struct code_name *to)
{
	char *file = strncmp(text, "py::", 4) == 0 ? strchr(text + 4, ':') : NULL;

	if (!file || file == text + 4 || !file[1])
		return false;
	*file = '\0';
	to->name = text + 4;
	to->file = file + 1;
	return true;
}

static void add_name(struct code_map *map, uint64_t start, uint64_t size, struct code_name name)
{
	if (map->n_names == map->room) {
		map->room = map->room ? map->room * 2 : 1024;
		map->names = errors_realloc(map->names, map->room, sizeof(*map->names));
	}
	map->names[map->n_names] = name;
	ranges_add(&map->ranges, start, start + size, map->n_names++, 0);
}

static void add(struct code_map *map, uint64_t start, uint64_t size, char *text)
{
	struct code_name name = { .name = text };

	if (!*text || !size || size > UINT64_MAX - start)
		return;
	if (!split_python(text, &name))
		split_v8(text, &name);
	add_name(map, start, size, name);
}

/* "7f1203a4 1c0 JS:*handler /srv/app.js:3:18"; some write 0x before the numbers. */
static void take_line(struct code_map *map, char *line)
{
	char *end;
	uint64_t start = strtoull(line, &end, 16), size;

	if (end == line || *end != ' ')
		return;
	line = end;
	size = strtoull(line, &end, 16);
	if (end == line || *end != ' ')
		return;
	add(map, start, size, end + 1);
}

void code_map_take_perf(struct code_map *map, char *text, size_t len)
{
	char *at = text, *end = text + len;

	keep_text(map, text);
	while (at < end) {
		char *line_end = memchr(at, '\n', (size_t)(end - at));

		/* A last line without an end is still being written. */
		if (!line_end)
			break;
		*line_end = '\0';
		take_line(map, at);
		at = line_end + 1;
	}
}

static void take_load(struct code_map *map, char *body, size_t len)
{
	struct dump_load load;

	if (len <= sizeof(load) || !memchr(body + sizeof(load), '\0', len - sizeof(load)))
		return;
	memcpy(&load, body, sizeof(load));
	add(map, load.address, load.code_size, body + sizeof(load));
}

/* The newest function that began there is at another place now. */
static void take_move(struct code_map *map, const char *body, size_t len)
{
	struct dump_move move;

	if (len < sizeof(move))
		return;
	memcpy(&move, body, sizeof(move));
	for (size_t i = map->ranges.count; i-- > 0;) {
		const struct range *r = &map->ranges.all[i];

		if (r->start != move.old_address)
			continue;
		if (move.code_size && move.code_size <= UINT64_MAX - move.new_address)
			add_name(map, move.new_address, move.code_size, map->names[r->item]);
		return;
	}
}

void code_map_take_dump(struct code_map *map, char *bytes, size_t len)
{
	struct dump_header header;
	struct dump_record record;
	size_t at;

	keep_text(map, bytes);
	if (len < sizeof(header))
		return;
	memcpy(&header, bytes, sizeof(header));
	if (header.magic != DUMP_MAGIC || header.size < sizeof(header) || header.size > len)
		return;
	for (at = header.size; len - at >= sizeof(record); at += record.size) {
		char *body = bytes + at + sizeof(record);

		memcpy(&record, bytes + at, sizeof(record));
		if (record.size < sizeof(record) || record.size > len - at)
			break; /* still being written */
		if (record.id == DUMP_LOAD)
			take_load(map, body, record.size - sizeof(record));
		else if (record.id == DUMP_MOVE)
			take_move(map, body, record.size - sizeof(record));
	}
}

void code_map_ready(struct code_map *map)
{
	ranges_sort(&map->ranges, true);
}

/* Why a file that is there is not the process's; NULL when it is, or there is no file. */
static const char *distrust(const struct stat *st, const struct code_map_of *of)
{
	uint64_t written = nanoseconds(&st->st_mtim);

	if (!S_ISREG(st->st_mode))
		return "no regular file";
	if (st->st_uid != 0 && st->st_uid != geteuid() && st->st_uid != of->owner)
		return "belongs to another user than the profile";
	if (of->start_ns && written < of->start_ns)
		return "of an earlier process with the same id";
	return NULL;
}

/* True when there was one and it was taken. path is taken over. */
static bool take_file(struct code_map *map, const struct code_map_of *of,
		      void (*take)(struct code_map *, char *, size_t), char *path, char **left,
		      const char **why)
{
	struct file_bytes bytes = { 0 };
	const char *reason = NULL;
	struct stat st;
	size_t offset;
	int error;
	bool taken = false;

	if (lstat(path, &st) == 0) {
		reason = distrust(&st, of);
		taken = !reason && read_file(path, &bytes, &error, &reason, &offset) == 0;
		if (!taken && !reason)
			reason = strerror(error);
	}
	if (taken)
		take(map, bytes.bytes, bytes.len);
	if (!reason) {
		free(path);
		return taken;
	}
	free(bytes.bytes);
	free(*left);
	*left = path;
	*why = reason;
	return false;
}

enum { PLACES = 4 };

/* Freed by the caller. */
static char *place(int i, uint32_t pid)
{
	char *path = NULL;
	int len = i == 0   ? asprintf(&path, "/tmp/perf-%u.map", pid)
		  : i == 1 ? asprintf(&path, "/tmp/jit-%u.dump", pid)
		  : i == 2 ? asprintf(&path, "/proc/%u/cwd/jit-%u.dump", pid, pid)
			   : asprintf(&path, "jit-%u.dump", pid);

	return len < 0 ? errors_strdup("") : path;
}

bool code_map_open(struct code_map *map, const struct code_map_of *of, char **path,
		   const char **why)
{
	bool taken = false;

	*path = NULL;
	for (int i = 0; i < PLACES; i++)
		taken |= take_file(map, of, i == 0 ? code_map_take_perf : code_map_take_dump,
				   place(i, of->pid), path, why);
	code_map_ready(map);
	if (taken) {
		free(*path);
		*path = NULL;
	}
	return taken;
}

const struct code_name *code_map_find(const struct code_map *map, uint64_t address)
{
	const struct range *r = ranges_find_newest(&map->ranges, address);

	return r ? &map->names[r->item] : NULL;
}

void code_map_free(struct code_map *map)
{
	for (size_t i = 0; i < map->n_texts; i++)
		free(map->texts[i]);
	free(map->texts);
	free(map->names);
	ranges_free(&map->ranges);
	*map = (struct code_map){ 0 };
}
