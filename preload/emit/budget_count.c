#include "preload/emit/budget_count.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "format/nanoseconds.h"
#include "preload/emit/budget.h"
#include "preload/ours.h"
#include "preload/sigsafe/raw.h"

static const uint64_t COUNT_LASTS_NS = UINT64_C(60000000000), LEFT_OVER_NS = UINT64_C(60000000000);

struct found {
	uint64_t mtime_ns;
	uint32_t blocks, name; /* name: where it is in the names */
};

/* Memory for one count: reserved, touched as it fills. */
enum {
	COUNT_NAMES = 128 << 20,
	COUNT_FOUND = BUDGET_COUNT_MAX * sizeof(struct found),
	COUNT_READ = 32768,
	COUNT_BYTES = COUNT_NAMES + COUNT_FOUND + COUNT_READ,
};

struct count {
	char *names;
	struct found *found;
	char *buffer;
	size_t used, n;
	uint64_t before_ns;
	int dir;
};

uint64_t budget_now_ns(void)
{
	struct timespec now;

	raw_clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return nanoseconds(&now);
}

bool budget_count_begin(struct control_budget *shared)
{
	uint32_t state = CONTROL_UNCOUNTED;
	uint64_t since, now = budget_now_ns();

	if (__atomic_compare_exchange_n(&shared->state, &state, CONTROL_COUNTING, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		__atomic_store_n(&shared->counting_ns, now, __ATOMIC_RELEASE);
		return true;
	}
	/* Begun, and killed there? */
	since = __atomic_load_n(&shared->counting_ns, __ATOMIC_ACQUIRE);
	return state == CONTROL_COUNTING && since && now - since > COUNT_LASTS_NS &&
	       __atomic_compare_exchange_n(&shared->counting_ns, &since, now, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

void budget_count_end(struct control_budget *shared)
{
	__atomic_store_n(&shared->state, CONTROL_COUNTED, __ATOMIC_RELEASE);
}

static bool count_is_left_over(const char *name, const struct stat *st, uint64_t before_ns)
{
	return strncmp(name, ".reqprof-", 9) == 0 && S_ISREG(st->st_mode) &&
	       nanoseconds(&st->st_mtim) + LEFT_OVER_NS < before_ns;
}

static void count_one(struct count *c, const char *name)
{
	size_t len = strlen(name);
	bool profile = budget_is_profile_name(name, len);
	struct stat st;
	uint64_t mtime_ns;

	if (!profile && name[0] != '.')
		return;
	if (raw_fstatat(c->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (count_is_left_over(name, &st, c->before_ns))
		raw_unlinkat(c->dir, name, 0);
	mtime_ns = nanoseconds(&st.st_mtim);
	if (!profile || !S_ISREG(st.st_mode) || mtime_ns >= c->before_ns ||
	    c->n == BUDGET_COUNT_MAX || c->used + len + 1 > COUNT_NAMES)
		return;
	c->found[c->n++] =
		(struct found){ mtime_ns,
				(uint32_t)((st.st_size + CONTROL_BLOCK - 1) / CONTROL_BLOCK),
				(uint32_t)c->used };
	memcpy(c->names + c->used, name, len + 1);
	c->used += len + 1;
}

static void count_read(struct count *c)
{
	long got;

	while ((got = raw_syscall3(SYS_getdents64, c->dir, (long)c->buffer, COUNT_READ)) > 0) {
		for (long at = 0; at < got;) {
			const struct dirent64 *entry = (const struct dirent64 *)(c->buffer + at);

			count_one(c, entry->d_name);
			at += entry->d_reclen;
		}
	}
}

static bool count_older(const struct count *c, size_t a, size_t b)
{
	return c->found[a].mtime_ns < c->found[b].mtime_ns;
}

static void count_swap(struct count *c, size_t a, size_t b)
{
	struct found old = c->found[a];

	c->found[a] = c->found[b];
	c->found[b] = old;
}

static void count_sink(struct count *c, size_t at, size_t n)
{
	for (size_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
		if (child + 1 < n && count_older(c, child, child + 1))
			child++;
		if (!count_older(c, at, child))
			return;
		count_swap(c, at, child);
		at = child;
	}
}

/* By age, the oldest first; in place, since qsort may allocate. */
static void count_sort(struct count *c)
{
	for (size_t at = c->n / 2; at-- > 0;)
		count_sink(c, at, c->n);
	for (size_t n = c->n; n-- > 1;) {
		count_swap(c, 0, n);
		count_sink(c, 0, n);
	}
}

/* The queue holds the newest of them; for what is older there is no limit that would ask. */
static void count_enter(struct control_budget *shared, const struct count *c, int fd)
{
	size_t room = shared->capacity - CONTROL_QUEUE_SPARE;
	size_t skip = c->n > room ? c->n - room : 0;
	uint64_t ticket = CONTROL_QUEUE_START - (c->n - skip), first = ticket;
	uint64_t bytes = 0;

	for (size_t i = skip; i < c->n; i++, ticket++) {
		struct control_file entry = {
			.number = ticket + 1, .bytes = (uint64_t)c->found[i].blocks * CONTROL_BLOCK
		};

		strncpy(entry.name, c->names + c->found[i].name, sizeof(entry.name) - 1);
		raw_pwrite(fd, &entry, sizeof(entry),
			   CONTROL_QUEUE_AT +
				   (off_t)(ticket % shared->capacity) * (off_t)sizeof(entry));
		bytes += entry.bytes;
	}
	__atomic_fetch_add(&shared->bytes, bytes, __ATOMIC_ACQ_REL);
	__atomic_fetch_add(&shared->files, c->n - skip, __ATOMIC_ACQ_REL);
	__atomic_store_n(&shared->tail, first, __ATOMIC_RELEASE);
}

/* More than the queue can hold, and a limit: the oldest would never be asked about again. */
static void count_remove_excess(const struct control_budget *shared, struct count *c)
{
	size_t room = shared->capacity - CONTROL_QUEUE_SPARE;

	for (size_t i = 0; (shared->max_files || shared->max_bytes) && i + room < c->n; i++)
		raw_unlinkat(c->dir, c->names + c->found[i].name, 0);
}

void budget_count(struct control_budget *shared, const char *directory, int fd)
{
	struct count c = { .before_ns = shared->since_ns, .dir = -1 };
	void *memory = raw_mmap(NULL, COUNT_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (raw_failed(memory))
		return;
	c.names = memory;
	c.found = (struct found *)(c.names + COUNT_NAMES);
	c.buffer = (char *)c.found + COUNT_FOUND;
	if (shared->capacity > CONTROL_QUEUE_SPARE &&
	    ours_take_here(raw_open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), &c.dir) ==
		    0) {
		count_read(&c);
		count_sort(&c);
		count_remove_excess(shared, &c);
		count_enter(shared, &c, fd);
	}
	ours_close(&c.dir);
	raw_munmap(memory, COUNT_BYTES);
}
