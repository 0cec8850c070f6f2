#include "preload/emit/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "preload/directory.h"
#include "preload/ours.h"
#include "preload/sigsafe/raw.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

/* A link that another user put there would have us write where that user wants. Root's are the administrator's. */
static bool file_directory_is_foreign(const char *directory)
{
	struct stat st;

	return raw_fstatat(AT_FDCWD, directory, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) &&
	       st.st_uid != 0 && st.st_uid != (uid_t)raw_syscall3(SYS_geteuid, 0, 0, 0);
}

int file_open(struct file *file, const char *directory, const char *temporary, void *buffer,
	      size_t buffer_size)
{
	size_t len = strlen(directory), name_len = strlen(temporary);
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd;

	file->fd = -1;
	file->used = 0;
	file->written = 0;
	file->room = NULL;
	file->buffer = buffer;
	file->buffer_size = buffer_size;
	if (len + 1 + name_len >= sizeof(file->path))
		return file->error = -ENAMETOOLONG;
	memcpy(file->path, directory, len);
	file->path[len] = '/';
	file->dir_len = len + 1;
	memcpy(file->path + file->dir_len, temporary, name_len + 1);
	if (file_directory_is_foreign(directory))
		return file->error = -ELOOP;
	fd = raw_open(file->path, flags, 0600);
	if (fd == -ENOENT && directory_make(directory) == 0)
		fd = raw_open(file->path, flags, 0600);
	if (fd == -EEXIST && raw_unlinkat(AT_FDCWD, file->path, 0) == 0)
		fd = raw_open(file->path, flags, 0600); /* left by a killed process that had our pid */
	return file->error = ours_take_here(fd, &file->fd);
}

static void file_flush(struct file *file)
{
	size_t done = 0;

	if (!file->error && file->room)
		file->error = file->room(file->room_arg, file->written + file->used);
	while (done < file->used && !file->error) {
		ssize_t wrote = raw_write(file->fd, file->buffer + done, file->used - done);

		if (wrote < 0 && wrote != -EINTR)
			file->error = (int)wrote;
		else if (wrote > 0)
			done += (size_t)wrote;
		else if (wrote == 0)
			file->error = -EIO;
	}
	file->written += done;
	file->used = 0;
}

int file_sink(void *arg, const void *bytes, size_t len)
{
	struct file *file = arg;
	const uint8_t *p = bytes;

	while (len > 0 && !file->error) {
		size_t room = file->buffer_size - file->used;
		size_t part = len < room ? len : room;

		memcpy(file->buffer + file->used, p, part);
		file->used += part;
		p += part;
		len -= part;
		if (file->used == file->buffer_size)
			file_flush(file);
	}
	return file->error;
}

static int file_rename(const char *from, const char *to)
{
	int result = raw_renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);

	if (result != -EINVAL && result != -ENOSYS && result != -EPERM)
		return result;
	/* A file system that cannot refuse to replace, or a filter on new system calls: a hard link can. */
	result = raw_linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
	return result < 0 ? result : raw_unlinkat(AT_FDCWD, from, 0);
}

int file_finish(struct file *file, const char *name)
{
	char final[PATH_MAX];
	size_t len = strlen(name);

	if (file->fd < 0)
		return file->error;
	file_flush(file);
	ours_close(&file->fd);
	if (!file->error && file->dir_len + len >= sizeof(final))
		file->error = -ENAMETOOLONG;
	if (!file->error) {
		memcpy(final, file->path, file->dir_len);
		memcpy(final + file->dir_len, name, len + 1);
		file->error = file_rename(file->path, final);
	}
	if (file->error)
		raw_unlinkat(AT_FDCWD, file->path, 0);
	return file->error;
}
