#include "format/file_name.h"

#include <stdbool.h>
#include <string.h>

#include "format/profile.h"

enum { PATH_PART_MAX = 120 };

static size_t file_name_text(char *name, size_t at, const char *text)
{
	size_t len = strlen(text);

	memcpy(name + at, text, len);
	return at + len;
}

size_t file_name_number(char *name, size_t at, uint64_t number)
{
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + number % 10);
	while (number /= 10);
	while (n > 0)
		name[at++] = digits[--n];
	return at;
}

static bool file_name_keeps(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("._-~@+,", c));
}

static size_t file_name_path(char *name, size_t at, const char *path)
{
	size_t len, start = at;

	while (*path == '/')
		path++;
	len = strlen(path);
	while (len > 0 && path[len - 1] == '/')
		len--;
	if (len == 0)
		return file_name_text(name, at, "root");
	for (size_t i = 0; i < len && at - start < PATH_PART_MAX; i++)
		name[at++] = path[i] == '/' ? '.' : file_name_keeps(path[i]) ? path[i] : '_';
	return at;
}

size_t file_name_make(const struct file_name_parts *parts, char name[FILE_NAME_MAX + 1])
{
	size_t at = 0;

	for (const char *m = parts->method; *m && at < 32; m++)
		name[at++] = *m != '.' && file_name_keeps(*m) ? *m : '_';
	if (at == 0)
		at = file_name_text(name, at, "UNKNOWN");
	name[at++] = '.';
	at = file_name_path(name, at, parts->path);
	name[at++] = '.';
	at = file_name_number(name, at, (parts->wall_ns + 500000) / 1000000);
	at = file_name_text(name, at, "ms.");
	at = file_name_number(name, at, parts->start_unix_ns / 1000000000);
	name[at++] = '.';
	at += file_name_id(parts->pid, parts->counter, name + at);
	at = file_name_text(name, at, PROFILE_SUFFIX);
	name[at] = '\0';
	return at;
}

size_t file_name_id(uint32_t pid, uint64_t counter, char id[48])
{
	size_t at = file_name_number(id, 0, pid);

	id[at++] = '-';
	at = file_name_number(id, at, counter);
	id[at] = '\0';
	return at;
}

size_t file_name_temporary(uint32_t pid, uint64_t counter, char name[FILE_NAME_MAX + 1])
{
	size_t at = file_name_text(name, 0, ".reqprof-");

	at += file_name_id(pid, counter, name + at);
	at = file_name_text(name, at, ".tmp");
	name[at] = '\0';
	return at;
}
