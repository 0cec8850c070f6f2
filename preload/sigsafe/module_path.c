#include "preload/sigsafe/module_path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/sigsafe/raw.h"

enum {
	PATH_CHUNK = 65536,
	PATH_BUCKETS = 256,
	PATH_MAPS_BYTES = 64 << 20, /* give up on a maps file longer than this */
};

struct path {
	struct path *next;
	uint32_t hash, len;
	char bytes[];
};

static struct {
	struct path *buckets[PATH_BUCKETS];
	char *chunk;
	size_t left;
} paths;

static void *path_alloc(size_t size)
{
	void *got;

	size = (size + 7) & ~(size_t)7;
	if (size > PATH_CHUNK)
		return NULL;
	if (size > paths.left) {
		void *chunk = raw_mmap(NULL, PATH_CHUNK, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (raw_failed(chunk))
			return NULL;
		paths.chunk = chunk;
		paths.left = PATH_CHUNK;
	}
	got = paths.chunk;
	paths.chunk += size;
	paths.left -= size;
	return got;
}

static uint32_t path_hash(const char *bytes, size_t len)
{
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 16777619U;
	return hash;
}

const char *module_path_intern(const char *bytes, size_t len)
{
	uint32_t hash = path_hash(bytes, len);
	struct path **bucket = &paths.buckets[hash % PATH_BUCKETS], *path;

	for (path = *bucket; path; path = path->next) {
		if (path->hash == hash && path->len == len && memcmp(path->bytes, bytes, len) == 0)
			return path->bytes;
	}
	path = path_alloc(sizeof(*path) + len + 1);
	if (!path)
		return "";
	path->hash = hash;
	path->len = (uint32_t)len;
	memcpy(path->bytes, bytes, len);
	path->bytes[len] = '\0';
	path->next = *bucket;
	*bucket = path;
	return path->bytes;
}

/*
 * A file replaced while it runs (an upgrade) is still known by its name; the build id tells the two
 * apart.
 */
static const char *intern_without_deleted(const char *bytes, size_t len)
{
	static const char deleted[] = " (deleted)";
	size_t tail = sizeof(deleted) - 1;

	if (len > tail && memcmp(bytes + len - tail, deleted, tail) == 0)
		len -= tail;
	return module_path_intern(bytes, len);
}

const char *module_path_exe(void)
{
	char exe[PATH_MAX] = { 0 };
	ssize_t len = raw_readlink("/proc/self/exe", exe, sizeof(exe));

	if (len <= 0 || exe[0] != '/')
		return NULL;
	return intern_without_deleted(exe, (size_t)len);
}

/* Reads a hexadecimal number up to the byte that ends it; NULL when there is none. */
static const char *hex_parse(const char *at, uintptr_t *value)
{
	const char *from = at;

	for (*value = 0;; at++) {
		if (*at >= '0' && *at <= '9')
			*value = *value << 4 | (uintptr_t)(*at - '0');
		else if (*at >= 'a' && *at <= 'f')
			*value = *value << 4 | (uintptr_t)(*at - 'a' + 10);
		else
			return at > from ? at : NULL;
	}
}

/* One NUL-terminated line of maps: "START-END perms offset dev inode      /path". */
static const char *maps_line_path(const char *line, uintptr_t address)
{
	uintptr_t start, end;
	const char *at = hex_parse(line, &start);

	if (!at || *at != '-' || !(at = hex_parse(at + 1, &end)) || address < start ||
	    address >= end)
		return NULL;
	at = strchr(at, '/');
	return at ? intern_without_deleted(at, strlen(at)) : NULL;
}

const char *module_path_at(uintptr_t address)
{
	char buf[PATH_MAX + 128] = { 0 }; /* the longest line fits */
	const char *found = NULL;
	size_t have = 0, total = 0;
	int fd = raw_open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return NULL;
	while (!found && total < PATH_MAPS_BYTES) {
		ssize_t got = raw_read(fd, buf + have, sizeof(buf) - 1 - have);
		char *line = buf, *newline;

		if (got <= 0)
			break;
		total += (size_t)got;
		have += (size_t)got;
		while (!found && (newline = memchr(line, '\n', have))) {
			*newline = '\0';
			found = maps_line_path(line, address);
			have -= (size_t)(newline + 1 - line);
			line = newline + 1;
		}
		memmove(buf, line, have);
		if (have == sizeof(buf) - 1)
			break; /* no line is this long: not a maps file */
	}
	raw_close(fd);
	return found;
}
