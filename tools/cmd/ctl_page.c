#include "tools/cmd/ctl_page.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "format/env.h"
#include "tools/base/directory.h"
#include "tools/base/errors.h"
#include "tools/base/process.h"

static int say_cannot_open(const char *path, int error)
{
	struct stat st;

	if ((error == EACCES || error == EPERM) && !lstat(path, &st)) {
		const struct passwd *owner = getpwuid(st.st_uid);

		errors_say(
			"%s: only its owner may use it: user %s, id %u (try: sudo -u '#%u' reqprof ctl ...)",
			path, owner ? owner->pw_name : "unknown", st.st_uid, st.st_uid);
	} else if (error == ELOOP) {
		errors_say("%s: it is a symbolic link, which is not followed", path);
	} else {
		errors_say("%s: %s", path, strerror(error));
	}
	return -1;
}

/* Waits a while for a server that is just joining. */
static int lock(const struct ctl_page *p)
{
	const struct timespec pause = { 0, 10000000 };

	for (int i = 0; i < 300; i++) {
		if (!flock(p->fd, LOCK_EX | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			break;
		nanosleep(&pause, NULL);
	}
	errors_say("%s: cannot lock it: %s", p->path, strerror(errno));
	return -1;
}

static bool has_process(const struct control_page *page)
{
	for (int i = 0; i < CONTROL_PROCESSES; i++) {
		if (process_alive(page->processes[i].pid, page->processes[i].start_ticks))
			return true;
	}
	return false;
}

static enum ctl_owner owner_of(const struct control_page *page)
{
	if (page->preset)
		return CTL_PRESET;
	if (page->root_start_ticks && process_alive(page->root_pid, page->root_start_ticks))
		return CTL_RUNNING;
	return has_process(page) ? CTL_RUNNING : CTL_ENDED;
}

static int read_page(struct ctl_page *p)
{
	ssize_t got = pread(p->fd, &p->page, sizeof(p->page), 0);

	if (got < 0)
		return say_cannot_open(p->path, errno);
	if (got == 0 || (p->page.magic == 0 && p->page.version == 0)) {
		p->owner = CTL_NO_PAGE;
		return 0;
	}
	if ((size_t)got < offsetof(struct control_page, size) || p->page.magic != CONTROL_MAGIC) {
		errors_say("%s: it is no control page (remove it if nothing else needs it)",
			   p->path);
		return -1;
	}
	if (p->page.version != CONTROL_VERSION || p->page.size != sizeof(p->page)) {
		errors_say(
			"%s: another version of reqprof made it (use that one, or remove the file when no server runs)",
			p->path);
		return -1;
	}
	if ((size_t)got < sizeof(p->page)) {
		errors_say("%s: unreadable at byte %zd: it is cut short here", p->path, got);
		return -1;
	}
	p->owner = owner_of(&p->page);
	return 0;
}

static int make_directory(const char *directory)
{
	int error = directory_make(directory);

	if (error)
		errors_say("%s: %s", directory, strerror(error));
	return error ? -1 : 0;
}

/* root, asked to preset what a server of another user will open, must not lock that server out. */
static void give_to_owner(int fd, const char *directory)
{
	struct stat st, page;

	if (geteuid() == 0 && !stat(directory, &st) && st.st_uid != 0 && !fstat(fd, &page) &&
	    page.st_uid == 0 && fchown(fd, st.st_uid, st.st_gid))
		errors_say("the control page stays root's: %s", strerror(errno));
}

int ctl_page_open(struct ctl_page *p, const char *directory, bool create)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (create ? O_CREAT : 0);
	struct stat st;

	*p = (struct ctl_page){ .fd = -1 };
	if (create && make_directory(directory))
		return -1;
	if (asprintf(&p->path, "%s/%s", directory, CONTROL_NAME) < 0)
		p->path = errors_strdup(CONTROL_NAME);
	p->fd = open(p->path, flags, 0600);
	if (p->fd < 0 && errno == ENOENT && !create)
		return 0;
	if (p->fd < 0)
		return say_cannot_open(p->path, errno);
	if (fstat(p->fd, &st) || !S_ISREG(st.st_mode)) {
		errors_say("%s: it is no regular file", p->path);
		return -1;
	}
	if (create)
		give_to_owner(p->fd, directory);
	return lock(p) || read_page(p) ? -1 : 0;
}

void ctl_page_close(struct ctl_page *p)
{
	if (p->fd >= 0)
		close(p->fd); /* and with it the lock */
	free(p->path);
}

static int write_at(const struct ctl_page *p, const void *bytes, size_t len, size_t offset)
{
	ssize_t wrote = pwrite(p->fd, bytes, len, (off_t)offset);

	if (wrote == (ssize_t)len)
		return 0;
	errors_say("%s: cannot write: %s", p->path, wrote < 0 ? strerror(errno) : "disk full");
	return -1;
}

/* What a field is, where it is and how long. */
#define FIELD(flag, member) { flag, offsetof(struct control_page, member), sizeof(((struct control_page *)0)->member) }
static const struct {
	uint32_t flag;
	size_t offset, size;
} fields_of_page[] = {
	FIELD(CONTROL_SET_ENABLED, enabled),
	FIELD(CONTROL_SET_RATE, rate),
	FIELD(CONTROL_SET_KEEP, keep),
	FIELD(CONTROL_SET_KEEP, kept), /* other rules count anew */
	FIELD(CONTROL_SET_FILTER, filter),
	FIELD(CONTROL_SET_MAX_FILES, budget.max_files),
	FIELD(CONTROL_SET_MAX_BYTES, budget.max_bytes),
};
#undef FIELD

enum { FIELDS = sizeof(fields_of_page) / sizeof(fields_of_page[0]) };

int ctl_page_set(struct ctl_page *p, const struct control_page *wanted, uint32_t fields)
{
	struct control_page *page = &p->page;
	bool fresh = p->owner == CTL_NO_PAGE || p->owner == CTL_ENDED;

	if (fresh) {
		*page = (struct control_page){
			.magic = CONTROL_MAGIC,
			.version = CONTROL_VERSION,
			.size = sizeof(*page),
			.enabled = 1,
			.rate = ENV_RATE_DEFAULT,
			.budget.max_files = ENV_MAX_FILES_DEFAULT,
			.budget.max_bytes = ENV_MAX_BYTES_DEFAULT,
		};
		p->owner = CTL_PRESET;
	}
	for (int i = 0; i < FIELDS; i++)
		if (fields_of_page[i].flag & fields)
			memcpy((char *)page + fields_of_page[i].offset,
			       (const char *)wanted + fields_of_page[i].offset, fields_of_page[i].size);
	if (p->owner == CTL_PRESET)
		page->preset |= fields;
	page->generation++;
	if (fresh)
		return write_at(p, page, sizeof(*page), 0);
	/*
	 * Only what changes: the rest of the page is the server's, and may have changed meanwhile. The
	 * generation comes last: it is what makes the processes look.
	 */
	for (int i = 0; i < FIELDS; i++)
		if (fields_of_page[i].flag & fields &&
		    write_at(p, (const char *)page + fields_of_page[i].offset, fields_of_page[i].size,
			     fields_of_page[i].offset))
			return -1;
	if (p->owner == CTL_PRESET && write_at(p, &page->preset, sizeof(page->preset),
					       offsetof(struct control_page, preset)))
		return -1;
	return write_at(p, &page->generation, sizeof(page->generation),
			offsetof(struct control_page, generation));
}
