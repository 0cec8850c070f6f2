#include "preload/alive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "format/file_name.h"
#include "preload/sigsafe/raw.h"

uint64_t alive_start_ticks(uint32_t pid)
{
	char path[32] = "/proc/", text[512];
	size_t at = 6;
	const char *p;
	ssize_t got;
	uint64_t ticks = 0;
	int fd;

	at = file_name_number(path, at, pid);
	memcpy(path + at, "/stat", 6);
	fd = raw_open(path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	got = raw_read(fd, text, sizeof(text) - 1);
	raw_close(fd);
	if (got <= 0)
		return 0;
	text[got] = '\0';
	/* The second field is a name in parentheses that may hold anything. */
	p = strrchr(text, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	for (p = p ? p + 1 : NULL; p && *p >= '0' && *p <= '9'; p++)
		ticks = ticks * 10 + (uint64_t)(*p - '0');
	return ticks;
}

bool alive(uint32_t pid, uint64_t start_ticks)
{
	long sent;

	if (!pid)
		return false;
	if (start_ticks)
		return alive_start_ticks(pid) == start_ticks;
	sent = raw_syscall3(SYS_kill, (long)pid, 0, 0);
	return sent == 0 || sent == -EPERM;
}
