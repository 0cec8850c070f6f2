#include "preload/sigsafe/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "preload/sigsafe/raw.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { PAGE = 4096 };

static const char *shared_path;
static uint64_t shared_inode;

void shared_file(const char *path, uint64_t inode)
{
	shared_path = path;
	shared_inode = inode;
}

/* A kernel that does not know MADV_POPULATE_WRITE, or a filter that refuses it. */
static bool shared_allocate(uint64_t offset, uint32_t len)
{
	struct stat st;
	bool done;
	int fd;

	fd = shared_path ? raw_open(shared_path, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0) : -ENOENT;
	if (fd < 0)
		return false;
	done = raw_fstat(fd, &st) == 0 && st.st_ino == shared_inode &&
	       raw_syscall4(SYS_fallocate, fd, 0, (long)offset, (long)len) == 0;
	raw_close(fd);
	return done;
}

static bool shared_populate(const struct shared_part *part, uint32_t from, uint32_t to)
{
	int result = raw_madvise(part->start + from, to - from, MADV_POPULATE_WRITE);

	if (result == -EINVAL || result == -EPERM || result == -ENOSYS)
		return shared_allocate(part->offset + from, to - from);
	return result == 0;
}

/* Twice as much each time, so that filling a part costs a few calls. */
void shared_grow(struct shared_part *part, uint32_t bytes)
{
	uint32_t from = __atomic_load_n(&part->ready, __ATOMIC_ACQUIRE), to = 2 * from;

	if (to < bytes)
		to = (bytes + PAGE - 1) / PAGE * PAGE;
	if (to > part->size)
		to = part->size;
	if (shared_populate(part, from, to)) {
		if (part->kept)
			__atomic_store_n(part->kept, to, __ATOMIC_RELEASE);
	} else {
		to = part->size;
		raw_mmap(part->start + from, to - from, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	}
	__atomic_store_n(&part->ready, to, __ATOMIC_RELEASE);
}

bool shared_empty(struct shared_part *part)
{
	if (shared_left(part) || raw_madvise(part->start, part->size, MADV_REMOVE) != 0)
		return false;
	part->ready = 0;
	if (part->kept)
		*part->kept = 0;
	return true;
}
