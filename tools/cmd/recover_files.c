#include "tools/cmd/recover_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/file_name.h"
#include "tools/base/errors.h"
#include "tools/base/process.h"

int recover_open_directory(struct recover_directory *d, const char *path)
{
	struct stat st;

	*d = (struct recover_directory){ .path = path };
	d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->fd < 0 || fstat(d->fd, &st) != 0) {
		errors_say("%s: %s", path, strerror(errno));
		return -1;
	}
	d->device = st.st_dev;
	d->inode = st.st_ino;
	d->uid = st.st_uid;
	d->absolute = realpath(path, NULL);
	return 0;
}

void recover_close_directory(struct recover_directory *d)
{
	if (d->fd >= 0)
		close(d->fd);
	free(d->absolute);
}

/* ---- live files ---- */

int recover_list_start(struct recover_list *list, const char *place)
{
	*list = (struct recover_list){ place, opendir(place) };
	if (list->dir)
		return 0;
	errors_say("%s: %s", place, strerror(errno));
	return -1;
}

static void read_head(struct recover_file *file)
{
	if (pread(file->fd, &file->head, sizeof(file->head), 0) != (ssize_t)sizeof(file->head))
		memset(&file->head, 0, sizeof(file->head));
	file->head.directory[sizeof(file->head.directory) - 1] = '\0';
}

/* Another user's file says of itself what that user likes. */
static bool may_take(uid_t uid, const struct recover_directory *d)
{
	return uid == geteuid() || (geteuid() == 0 && uid == d->uid);
}

bool recover_list_next(struct recover_list *list, const struct recover_directory *d,
		       struct recover_file *file)
{
	const struct dirent *entry;
	struct stat st;

	while ((entry = readdir(list->dir))) {
		if (strncmp(entry->d_name, LIVE_PREFIX, strlen(LIVE_PREFIX)) != 0)
			continue;
		*file = (struct recover_file){ .fd = openat(dirfd(list->dir), entry->d_name,
							    O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
								    O_CLOEXEC) };
		if (file->fd < 0)
			continue;
		if (fstat(file->fd, &st) != 0 || !S_ISREG(st.st_mode) || !may_take(st.st_uid, d)) {
			close(file->fd);
			continue;
		}
		if (asprintf(&file->path, "%s/%s", list->place, entry->d_name) < 0)
			file->path = errors_strdup(entry->d_name);
		file->uid = st.st_uid;
		file->gid = st.st_gid;
		read_head(file);
		return true;
	}
	return false;
}

void recover_list_end(struct recover_list *list)
{
	if (list->dir)
		closedir(list->dir);
}

void recover_file_close(struct recover_file *file)
{
	close(file->fd);
	free(file->path);
}

static int source_read(void *arg, void *to, size_t len, uint64_t offset)
{
	const struct recover_file *file = arg;

	for (size_t done = 0; done < len;) {
		ssize_t got = pread(file->fd, (char *)to + done, len - done, (off_t)(offset + done));

		if (got <= 0)
			return -1;
		done += (size_t)got;
	}
	return 0;
}

struct live_source recover_source(const struct recover_file *file)
{
	return (struct live_source){ source_read, (void *)file };
}

bool recover_is_of(const struct recover_file *file, const struct recover_directory *d)
{
	const struct live_head *head = &file->head;

	return (head->directory_device == d->device && head->directory_inode == d->inode) ||
	       (d->absolute && strcmp(head->directory, d->absolute) == 0);
}

enum recover_state recover_state_of(const struct recover_file *file)
{
	const struct live_head *head = &file->head;
	struct stat st;

	if (head->pid_namespace && stat("/proc/self/ns/pid", &st) == 0 &&
	    st.st_ino != head->pid_namespace)
		return RECOVER_ELSEWHERE;
	return process_alive(head->pid, head->start_ticks) ? RECOVER_ALIVE : RECOVER_DEAD;
}

/* ---- profiles ---- */

bool recover_has_profile(const struct recover_directory *d, const struct live_head *head,
			 const struct recover_request *r)
{
	int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool found = false;
	char end[100];
	size_t len;

	len = (size_t)snprintf(end, sizeof(end), ".%llu.%u-%llu" PROFILE_SUFFIX,
			       (unsigned long long)r->request->facts.start_unix_ns / 1000000000,
			       head->pid, (unsigned long long)r->counter);
	while (!found && dir && (entry = readdir(dir))) {
		size_t n = strlen(entry->d_name);

		found = n > len && strcmp(entry->d_name + n - len, end) == 0;
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	return found;
}

static int sink(void *arg, const void *bytes, size_t len)
{
	int fd = *(const int *)arg;

	for (size_t done = 0; done < len;) {
		ssize_t wrote = write(fd, (const char *)bytes + done, len - done);

		if (wrote < 0 && errno != EINTR)
			return -errno;
		if (wrote > 0)
			done += (size_t)wrote;
	}
	return 0;
}

/* As the library does: whole under its name, or not at all, and never over another. */
int recover_write(const struct recover_directory *d, const struct recover_file *file,
		  const struct recover_request *r, char **name)
{
	const struct live_request *facts = &r->request->facts;
	const struct file_name_parts parts = {
		.method = facts->method,
		.path = facts->path,
		.wall_ns = (uint64_t)r->wall,
		.start_unix_ns = facts->start_unix_ns,
		.pid = file->head.pid,
		.counter = r->counter,
	};
	char temporary[64], whole[FILE_NAME_MAX + 1];
	int error = 0, fd;

	file_name_make(&parts, whole);
	snprintf(temporary, sizeof(temporary), ".reqprof-recover-%ld.tmp", (long)getpid());
	fd = openat(d->fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	error = -recover_profile_write(r, sink, &fd);
	if (!error && file->uid != geteuid() && fchown(fd, file->uid, file->gid) != 0)
		error = errno;
	if (close(fd) != 0 && !error)
		error = errno;
	if (!error && renameat2(d->fd, temporary, d->fd, whole, RENAME_NOREPLACE) != 0)
		error = errno;
	if (error == EINVAL && linkat(d->fd, temporary, d->fd, whole, 0) == 0) {
		error = 0; /* a file system that cannot rename so */
		unlinkat(d->fd, temporary, 0);
	}
	if (error)
		unlinkat(d->fd, temporary, 0);
	*name = error ? NULL : errors_strdup(whole);
	return error;
}
