#include "tools/symbol/debug_file.h"

#include <elfutils/libdwelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static bool same_file(const struct object *a, const struct object *b)
{
	struct stat x, y;

	return fstat(a->fd, &x) == 0 && fstat(b->fd, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static bool checksum_is(const struct object *o, GElf_Word want)
{
	uLong sum = crc32(0, NULL, 0);
	uint8_t *chunk = malloc(1 << 16);
	off_t at = 0;
	ssize_t got = -1;

	if (!chunk)
		return false;
	while ((got = pread(o->fd, chunk, 1 << 16, at)) > 0) {
		sum = crc32(sum, chunk, (uInt)got);
		at += got;
	}
	free(chunk);
	return got == 0 && sum == want;
}

/* Build ids decide when both have one; else the checksum, if there is one to compare with. */
static bool belongs(const struct object *module, const struct object *found, const GElf_Word *sum)
{
	const uint8_t *ours, *theirs;
	size_t our_len = object_build_id(module, &ours);
	size_t their_len = object_build_id(found, &theirs);

	/* A link that leads back to the module itself. */
	if (same_file(module, found))
		return false;
	if (our_len && their_len)
		return our_len == their_len && memcmp(ours, theirs, our_len) == 0;
	return sum && checksum_is(found, *sum);
}

static bool open_if_belongs(const struct object *module, const char *path, const GElf_Word *sum,
			    struct object *found)
{
	if (object_open(found, path) != OBJECT_OPEN)
		return false;
	if (belongs(module, found, sum))
		return true;
	object_close(found);
	return false;
}

static bool by_build_id(const struct object *module, const char *debug_dir, struct object *found)
{
	char path[PATH_MAX];
	const uint8_t *id;
	size_t len = object_build_id(module, &id), used;

	if (len < 2 || len > 64)
		return false;
	used = (size_t)snprintf(path, sizeof(path), "%s/.build-id/%02x/", debug_dir, id[0]);
	if (used + 2 * len + sizeof(".debug") > sizeof(path))
		return false;
	for (size_t i = 1; i < len; i++)
		used += (size_t)sprintf(path + used, "%02x", id[i]);
	memcpy(path + used, ".debug", sizeof(".debug"));
	return open_if_belongs(module, path, NULL, found);
}

/* Where gdb looks too, in its order: beside the module, in .debug there, in the debug tree. */
static bool by_link_from(const struct object *module, const char *module_path, const char *name,
			 GElf_Word sum, const char *debug_dir, struct object *found)
{
	static const char *const between[] = { "", ".debug/" };
	const char *slash = strrchr(module_path, '/');
	int directory_len = slash ? (int)(slash + 1 - module_path) : 0;
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(between) / sizeof(*between); i++) {
		int len = snprintf(path, sizeof(path), "%.*s%s%s", directory_len, module_path,
				   between[i], name);

		if (len < (int)sizeof(path) && open_if_belongs(module, path, &sum, found))
			return true;
	}
	if (module_path[0] != '/')
		return false;
	if (snprintf(path, sizeof(path), "%s%.*s%s", debug_dir, directory_len, module_path, name) >=
	    (int)sizeof(path))
		return false;
	return open_if_belongs(module, path, &sum, found);
}

bool debug_file_find(const struct object *module, const char *path, const char *debug_dir,
		     struct object *found)
{
	GElf_Word sum;
	const char *name;
	char *real;
	bool opened = false;

	if (module->fd < 0)
		return false;
	if (by_build_id(module, debug_dir, found))
		return true;
	name = dwelf_elf_gnu_debuglink(module->elf, &sum);
	if (!name || !*name || strchr(name, '/'))
		return false;
	if (by_link_from(module, path, name, sum, debug_dir, found))
		return true;
	real = realpath(path, NULL);
	if (real && strcmp(real, path) != 0)
		opened = by_link_from(module, real, name, sum, debug_dir, found);
	free(real);
	return opened;
}
