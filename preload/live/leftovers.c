#include "preload/live/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "format/live.h"
#include "preload/alive.h"
#include "preload/ours.h"
#include "preload/sigsafe/raw.h"

struct search {
	int dir;
	uint32_t pid, found;
	uint64_t pid_namespace, oldest_ticks;
	char oldest[64];
};

static const char *leftovers_number(const char *at, uint64_t *number)
{
	*number = 0;
	if (*at < '0' || *at > '9')
		return NULL;
	for (; *at >= '0' && *at <= '9'; at++)
		*number = *number * 10 + (uint64_t)(*at - '0');
	return *at == '.' ? at + 1 : NULL;
}

/* How many requests stand in it; -1 when it is not ours to judge. */
static long leftovers_open(const struct search *s, const char *name)
{
	struct live_head head;
	struct stat st;
	ssize_t got;
	int fd;

	if (raw_fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_uid != (uid_t)raw_syscall3(SYS_geteuid, 0, 0, 0))
		return -1;
	if (ours_take_here(raw_openat(s->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0), &fd) < 0)
		return -1;
	got = raw_pread(fd, &head, offsetof(struct live_head, python), 0);
	ours_close(&fd);
	if (got != (ssize_t)offsetof(struct live_head, python) || head.magic != LIVE_MAGIC ||
	    head.version != LIVE_VERSION)
		return 0; /* killed while it was made; one of another version is nobody's any more, too */
	return head.pid_namespace == s->pid_namespace ? (long)head.open : -1;
}

static void leftovers_look(struct search *s, const char *name)
{
	const size_t prefix = strlen(LIVE_PREFIX);
	uint64_t pid, ticks;
	const char *at;
	long open;

	if (strncmp(name, LIVE_PREFIX, prefix) != 0 || strlen(name) >= sizeof(s->oldest))
		return;
	at = leftovers_number(name + prefix, &pid);
	if (!at || !leftovers_number(at, &ticks))
		return;
	if (pid != s->pid && alive((uint32_t)pid, ticks))
		return;
	open = leftovers_open(s, name);
	if (open == 0) {
		raw_unlinkat(s->dir, name, 0);
	} else if (open > 0) {
		s->found++;
		if (s->found == 1 || ticks < s->oldest_ticks) {
			s->oldest_ticks = ticks;
			strcpy(s->oldest, name);
		}
	}
}

void leftovers_remove(int dir, uint32_t pid, uint64_t pid_namespace)
{
	struct search s = { .dir = dir, .pid = pid, .pid_namespace = pid_namespace };
	char buffer[2048] __attribute__((aligned(8)));
	long got;

	while ((got = raw_syscall3(SYS_getdents64, dir, (long)buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < got;) {
			const struct dirent64 *entry = (const struct dirent64 *)(buffer + at);

			leftovers_look(&s, entry->d_name);
			at += entry->d_reclen;
		}
	}
	if (s.found > LEFTOVERS_MAX)
		raw_unlinkat(dir, s.oldest, 0);
}
