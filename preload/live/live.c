#include "preload/live/live.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "format/file_name.h"
#include "preload/alive.h"
#include "preload/live/leftovers.h"
#include "preload/live/tree.h"
#include "preload/ours.h"
#include "preload/sigsafe/codes_copy.h"
#include "preload/sigsafe/modules.h"
#include "preload/sigsafe/raw.h"
#include "preload/sigsafe/shared.h"

/* Set by live_start on one thread and then constant, but for the parts and what is in the file. */
static struct {
	struct live_settings settings;
	bool started;
	uint64_t inode;
	struct live_head *head; /* NULL: there is no file */
	struct shared_part requests, modules[2], codes;
	unsigned long long adds, subs; /* of the loader, when the modules were noted */
	uint32_t noting;	       /* one thread at a time */
	char path[256];
} live;

void live_configure(const struct live_settings *settings)
{
	live.settings = *settings;
}

struct live_head *live_head(void)
{
	return __atomic_load_n(&live.head, __ATOMIC_ACQUIRE);
}

/* ---- making it ---- */

/* The last number is one that other users cannot guess, so as to take the name before us. */
static int live_name(uint32_t pid, uint64_t ticks)
{
	size_t at = strlen(live.settings.place);
	struct timespec now;

	if (at + sizeof("/" LIVE_PREFIX) + 64 > sizeof(live.path))
		return -ENAMETOOLONG;
	memcpy(live.path, live.settings.place, at);
	memcpy(live.path + at, "/" LIVE_PREFIX, sizeof("/" LIVE_PREFIX) - 1);
	at += sizeof("/" LIVE_PREFIX) - 1;
	at = file_name_number(live.path, at, pid);
	live.path[at++] = '.';
	at = file_name_number(live.path, at, ticks);
	live.path[at++] = '.';
	raw_clock_gettime(CLOCK_REALTIME, &now);
	at = file_name_number(live.path, at, (uint64_t)now.tv_nsec);
	live.path[at] = '\0';
	return 0;
}

/* A disk would hold the host up, and kill it when it is full. */
static bool live_in_memory(int dir)
{
	struct statfs fs;

	return raw_syscall3(SYS_fstatfs, dir, (long)&fs, 0) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* A file longer than the host's limit would have the kernel send it a signal. */
static bool live_may_be_so_long(void)
{
	struct rlimit limit;

	return raw_syscall4(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, (long)&limit) == 0 &&
	       limit.rlim_cur >= (rlim_t)LIVE_BYTES;
}

static int live_size(int fd)
{
	struct stat st;
	int result = raw_ftruncate(fd, LIVE_BYTES);

	if (result == 0)
		result = (int)raw_syscall4(SYS_fallocate, fd, 0, 0, LIVE_HEAD_BYTES);
	if (result == 0)
		result = (int)raw_syscall3(SYS_fchmod, fd, 0600, 0); /* whatever the umask */
	if (result == 0)
		result = raw_fstat(fd, &st);
	live.inode = st.st_ino;
	return result;
}

static uint64_t live_pid_namespace(void)
{
	struct stat st;

	return raw_fstatat(AT_FDCWD, "/proc/self/ns/pid", &st, 0) == 0 ? st.st_ino : 0;
}

static void live_fill(struct live_head *head, uint32_t pid, uint64_t ticks, uint64_t pid_namespace)
{
	size_t len = strlen(live.settings.directory);
	struct stat st;

	head->version = LIVE_VERSION;
	head->size = sizeof(*head);
	head->pid = pid;
	head->start_ticks = ticks;
	head->pid_namespace = pid_namespace;
	if (raw_fstatat(AT_FDCWD, live.settings.directory, &st, 0) == 0) {
		head->directory_device = st.st_dev;
		head->directory_inode = st.st_ino;
	}
	memcpy(head->directory, live.settings.directory, len < LIVE_PATH_MAX ? len : 0);
	__atomic_store_n(&head->magic, LIVE_MAGIC, __ATOMIC_RELEASE);
}

static void live_parts(char *memory)
{
	live.requests = (struct shared_part){ .start = memory + LIVE_REQUESTS_AT,
					      .offset = LIVE_REQUESTS_AT,
					      .size = LIVE_REQUESTS_BYTES };
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t at = LIVE_MODULES_AT + i * LIVE_MODULES_BYTES;

		live.modules[i] = (struct shared_part){ .start = memory + at,
							.offset = at,
							.size = LIVE_MODULES_BYTES };
	}
	live.codes = (struct shared_part){ .start = memory + LIVE_CODES_AT,
					   .offset = LIVE_CODES_AT,
					   .size = LIVE_CODES_BYTES };
	live.adds = live.subs = 0;
}

/* With the place open at dir. */
static int live_make(int dir)
{
	uint32_t pid = (uint32_t)raw_getpid();
	uint64_t ticks = alive_start_ticks(pid), pid_namespace = live_pid_namespace();
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	char *memory = NULL;
	int fd, result;

	if (!live_in_memory(dir) || !live_may_be_so_long())
		return -EOPNOTSUPP;
	leftovers_remove(dir, pid, pid_namespace);
	result = live_name(pid, ticks);
	if (result == 0)
		result = ours_take_here(raw_open(live.path, flags, 0600), &fd);
	if (result < 0)
		return result;
	result = live_size(fd);
	if (result == 0) {
		memory = raw_mmap(NULL, LIVE_TREES_AT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		result = raw_failed(memory) ? (int)(intptr_t)memory : 0;
	}
	ours_close(&fd);
	if (result < 0) {
		raw_unlinkat(AT_FDCWD, live.path, 0);
		return result;
	}
	shared_file(live.path, live.inode);
	live_parts(memory);
	live_fill((struct live_head *)memory, pid, ticks, pid_namespace);
	__atomic_store_n(&live.head, (struct live_head *)memory, __ATOMIC_RELEASE);
	return 0;
}

int live_start(void)
{
	int dir, result;

	if (live.started)
		return live.head ? 0 : -ECANCELED;
	live.started = true;
	if (strcmp(live.settings.place, "off") == 0)
		return -ECANCELED;
	result = ours_take_here(raw_open(live.settings.place, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0),
				&dir);
	if (result == 0) {
		result = live_make(dir);
		ours_close(&dir);
	}
	if (result == 0) {
		tree_file(live.path, live.inode);
		codes_copy_start(&live.codes, &live.head->codes_used);
	}
	return result;
}

/* ---- its end ---- */

void live_stop(void)
{
	struct live_head *head = live_head();

	/* What is open was interrupted by this. */
	if (head && __atomic_load_n(&head->open, __ATOMIC_ACQUIRE) == 0)
		raw_unlinkat(AT_FDCWD, live.path, 0);
}

void live_postfork_child(void)
{
	codes_copy_stop();
	tree_postfork_child();
	if (live.head)
		raw_munmap(live.head, LIVE_TREES_AT);
	shared_file(NULL, 0);
	live.head = NULL;
	live.started = false;
	live.noting = 0;
}

/* ---- requests ---- */

struct live_request *live_take_request(void)
{
	struct live_head *head = live_head();
	struct live_request *list;

	if (!head)
		return NULL;
	list = (struct live_request *)live.requests.start;
	/* Before it is there, and after it is gone: a file that has one never looks as if it had none. */
	__atomic_fetch_add(&head->open, 1, __ATOMIC_ACQ_REL);
	for (uint32_t i = 0; i < LIVE_REQUESTS; i++) {
		struct live_request *r = &list[i];
		uint32_t state = LIVE_FREE;

		shared_need(&live.requests, (i + 1) * (uint32_t)sizeof(*r));
		if (__atomic_load_n(&r->state, __ATOMIC_RELAXED) != LIVE_FREE ||
		    !__atomic_compare_exchange_n(&r->state, &state, LIVE_OPEN, false,
						 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		memset(&r->counter, 0, offsetof(struct live_request, protocol) -
					       offsetof(struct live_request, counter));
		r->protocol[0] = r->method[0] = r->traceparent[0] = r->request_id[0] =
			r->path[0] = '\0';
		return r;
	}
	__atomic_fetch_sub(&head->open, 1, __ATOMIC_ACQ_REL);
	return NULL;
}

void live_put_request(struct live_request *r)
{
	if (!r)
		return;
	__atomic_store_n(&r->state, LIVE_FREE, __ATOMIC_RELEASE);
	__atomic_fetch_sub(&live_head()->open, 1, __ATOMIC_ACQ_REL);
}

uint32_t live_request_number(const struct live_request *r)
{
	return r ? (uint32_t)(r - (const struct live_request *)live.requests.start) + 1 : 0;
}

/* ---- modules ---- */

static uint64_t live_write_module(struct shared_part *part, uint64_t at, const struct module *m)
{
	size_t path_len = strlen(m->path);
	size_t len = sizeof(struct live_module) + (path_len + 7) / 8 * 8;
	struct live_module *to = (struct live_module *)(part->start + at);

	if (path_len > LIVE_PATH_MAX || at + len > part->size)
		return at;
	shared_need(part, (uint32_t)(at + len));
	*to = (struct live_module){ .start = m->start,
				    .end = m->end,
				    .file_offset = m->file_offset,
				    .path_len = (uint16_t)path_len,
				    .build_id_len = m->build_id_len,
				    .is_main = m->is_main };
	memcpy(to->build_id, m->build_id, sizeof(to->build_id));
	memcpy(to + 1, m->path, path_len);
	return at + len;
}

/* Into the half that does not count, which counts when it is whole. */
static void live_write_modules(struct live_head *head, const struct module_table *table)
{
	uint32_t half = !head->modules_half;
	uint64_t used = 0;

	for (size_t i = 0; i < table->count; i++)
		used = live_write_module(&live.modules[half], used, &table->modules[i]);
	head->modules_used[half] = used;
	__atomic_store_n(&head->modules_half, half, __ATOMIC_RELEASE);
	live.adds = table->adds;
	live.subs = table->subs;
}

void live_note_modules(void)
{
	struct live_head *head = live_head();
	const struct module_table *table;

	if (!head || __atomic_exchange_n(&live.noting, 1, __ATOMIC_ACQUIRE))
		return;
	table = modules_acquire();
	if (table && (table->adds != live.adds || table->subs != live.subs))
		live_write_modules(head, table);
	modules_release(table);
	__atomic_store_n(&live.noting, 0, __ATOMIC_RELEASE);
}
