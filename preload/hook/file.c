/* Files, which may be on a slow disk, and their locks. */
#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/hook/waiting.h"

EXPORT ssize_t pread(int fd, void *buf, size_t size, off_t offset)
{
	struct wait w;
	ssize_t result;

	waiting_begin(&w);
	result = libc_pread(fd, buf, size, offset);
	waiting_file(&w, fd, "read");
	return result;
}

EXPORT ssize_t __pread_chk(int fd, void *buf, size_t size, off_t offset, size_t buf_size)
{
	struct wait w;
	ssize_t result;

	waiting_begin(&w);
	result = libc___pread_chk(fd, buf, size, offset, buf_size);
	waiting_file(&w, fd, "read");
	return result;
}

EXPORT ssize_t pread64(int fd, void *buf, size_t size, off64_t offset)
{
	struct wait w;
	ssize_t result;

	waiting_begin(&w);
	result = libc_pread64(fd, buf, size, offset);
	waiting_file(&w, fd, "read");
	return result;
}

EXPORT ssize_t __pread64_chk(int fd, void *buf, size_t size, off64_t offset, size_t buf_size)
{
	struct wait w;
	ssize_t result;

	waiting_begin(&w);
	result = libc___pread64_chk(fd, buf, size, offset, buf_size);
	waiting_file(&w, fd, "read");
	return result;
}

EXPORT ssize_t preadv(int fd, const struct iovec *parts, int count, off_t offset)
{
	struct wait w;
	ssize_t result;

	waiting_begin(&w);
	result = libc_preadv(fd, parts, count, offset);
	waiting_file(&w, fd, "read");
	return result;
}

EXPORT ssize_t preadv64(int fd, const struct iovec *parts, int count, off64_t offset)
{
	struct wait w;
	ssize_t result;

	waiting_begin(&w);
	result = libc_preadv64(fd, parts, count, offset);
	waiting_file(&w, fd, "read");
	return result;
}

EXPORT ssize_t pwrite(int fd, const void *buf, size_t size, off_t offset)
{
	struct wait w;
	ssize_t result;

	waiting_begin(&w);
	result = libc_pwrite(fd, buf, size, offset);
	waiting_file(&w, fd, "write");
	return result;
}

EXPORT ssize_t pwrite64(int fd, const void *buf, size_t size, off64_t offset)
{
	struct wait w;
	ssize_t result;

	waiting_begin(&w);
	result = libc_pwrite64(fd, buf, size, offset);
	waiting_file(&w, fd, "write");
	return result;
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	struct wait w;
	ssize_t result;

	waiting_begin(&w);
	result = libc_pwritev(fd, parts, count, offset);
	waiting_file(&w, fd, "write");
	return result;
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
	struct wait w;
	ssize_t result;

	waiting_begin(&w);
	result = libc_pwritev64(fd, parts, count, offset);
	waiting_file(&w, fd, "write");
	return result;
}

EXPORT int fsync(int fd)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_fsync(fd);
	waiting_file(&w, fd, "sync");
	return result;
}

EXPORT int fdatasync(int fd)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_fdatasync(fd);
	waiting_file(&w, fd, "sync");
	return result;
}

EXPORT int flock(int fd, int operation)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_flock(fd, operation);
	waiting_lock_file(&w, fd);
	return result;
}

EXPORT int lockf(int fd, int command, off_t len)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_lockf(fd, command, len);
	waiting_lock_file(&w, fd);
	return result;
}

EXPORT int lockf64(int fd, int command, off64_t len)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_lockf64(fd, command, len);
	waiting_lock_file(&w, fd);
	return result;
}

/* A memory file system gives up at any signal. */
EXPORT int fallocate(int fd, int mode, off_t offset, off_t len)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_fallocate(fd, mode, offset, len);
	waiting_file(&w, fd, "write");
	return result;
}

EXPORT int fallocate64(int fd, int mode, off64_t offset, off64_t len)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_fallocate64(fd, mode, offset, len);
	waiting_file(&w, fd, "write");
	return result;
}

EXPORT int posix_fallocate(int fd, off_t offset, off_t len)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_posix_fallocate(fd, offset, len);
	waiting_file(&w, fd, "write");
	return result;
}

EXPORT int posix_fallocate64(int fd, off64_t offset, off64_t len)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_posix_fallocate64(fd, offset, len);
	waiting_file(&w, fd, "write");
	return result;
}

EXPORT ssize_t vmsplice(int fd, const struct iovec *parts, size_t count, unsigned flags)
{
	struct wait w;
	ssize_t result;

	waiting_begin(&w);
	result = libc_vmsplice(fd, parts, count, flags);
	waiting_file(&w, fd, "write");
	return result;
}

EXPORT ssize_t tee(int in, int out, size_t size, unsigned flags)
{
	struct wait w;
	ssize_t result;

	waiting_begin(&w);
	result = libc_tee(in, out, size, flags);
	waiting_file(&w, out, "write");
	return result;
}

EXPORT int tcdrain(int fd)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_tcdrain(fd);
	waiting_file(&w, fd, "write");
	return result;
}

EXPORT ssize_t __pread64(int, void *, size_t, off64_t) __attribute__((alias("pread64")));
EXPORT ssize_t __pwrite64(int, const void *, size_t, off64_t) __attribute__((alias("pwrite64")));
