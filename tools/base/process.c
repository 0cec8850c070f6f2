#include "tools/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The fields of /proc/PID/stat behind the name, which may hold spaces and parentheses: from field
 * 3, the state.
 */
static const char *read_stat(uint32_t pid, char text[1024])
{
	char path[40];
	ssize_t got;
	char *name_end;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	got = read(fd, text, 1023);
	close(fd);
	if (got <= 0)
		return NULL;
	text[got] = '\0';
	name_end = strrchr(text, ')');
	return name_end && name_end[1] == ' ' ? name_end + 2 : NULL;
}

static uint64_t start_ticks_of(const char *fields)
{
	for (int field = 3; fields && field < 22; field++) {
		fields = strchr(fields, ' ');
		if (fields)
			fields++;
	}
	return fields ? strtoull(fields, NULL, 10) : 0;
}

uint64_t process_start_ticks(uint32_t pid)
{
	char text[1024];

	return start_ticks_of(read_stat(pid, text));
}

bool process_alive(uint32_t pid, uint64_t start_ticks)
{
	char text[1024];
	const char *fields;

	if (!pid || pid > INT32_MAX)
		return false;
	fields = read_stat(pid, text);
	if (!fields)
		/* hidepid hides processes of others that are there */
		return !start_ticks && (!kill((pid_t)pid, 0) || errno == EPERM);
	if (*fields == 'Z' || *fields == 'X')
		return false;
	return !start_ticks || start_ticks_of(fields) == start_ticks;
}
