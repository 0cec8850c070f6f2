#include "preload/emit/budget.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "format/profile.h"
#include "preload/emit/budget_count.h"
#include "preload/emit/budget_early.h"
#include "preload/ours.h"
#include "preload/sigsafe/raw.h"

/* Of a queue that somebody damaged no more is looked at: names that are not there may be as many as it has entries. */
enum { BUDGET_RACES_MAX = 1000, BUDGET_PASSED_MAX = 1000 };

static uint64_t budget_load(const uint64_t *count)
{
	return __atomic_load_n(count, __ATOMIC_ACQUIRE);
}

/* Never below zero, whatever somebody wrote into the page. */
static void budget_sub(uint64_t *count, uint64_t n)
{
	uint64_t before = budget_load(count);

	while (!__atomic_compare_exchange_n(count, &before, before > n ? before - n : 0, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
}

static bool budget_path(const char *directory, const char *name, char path[PATH_MAX])
{
	size_t len = strlen(directory), name_len = strlen(name);

	if (len + 1 + name_len >= PATH_MAX)
		return false;
	memcpy(path, directory, len);
	path[len] = '/';
	memcpy(path + len + 1, name, name_len + 1);
	return true;
}

/* Opened for each use: a descriptor that stays could be closed by the host and be its own file then. */
static int budget_open_queue(struct budget *b, int *fd)
{
	char path[PATH_MAX];
	struct stat st;
	int result;

	*fd = -1;
	if (!b->queue_inode || !b->shared->capacity)
		return -ENOENT;
	if (!budget_path(b->directory, CONTROL_NAME, path))
		return -ENAMETOOLONG;
	result = ours_take_here(raw_open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0), fd);
	if (result == 0)
		result = raw_fstat(*fd, &st);
	if (result == 0 && st.st_ino != b->queue_inode)
		result = -ESTALE;
	if (result < 0)
		ours_close(fd);
	b->lost |= result == -ENOENT || result == -ESTALE;
	return result;
}

static off_t budget_entry_at(const struct budget *b, uint64_t ticket)
{
	uint32_t capacity = b->shared->capacity;

	return CONTROL_QUEUE_AT +
	       (off_t)(ticket % (capacity ? capacity : 1)) * (off_t)sizeof(struct control_file);
}

static bool budget_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits that end before `end`; where they begin. */
static size_t budget_digits_before(const char *name, size_t end)
{
	while (end > 0 && budget_is_digit(name[end - 1]))
		end--;
	return end;
}

bool budget_is_profile_name(const char *name, size_t len)
{
	/* METHOD.path.36ms.1795446911.8368-42.pprof, from its end. */
	static const char *const between[] = { "-", ".", "ms.", "." };
	size_t suffix = strlen(PROFILE_SUFFIX), at;

	if (len <= suffix || name[0] == '.' || memchr(name, '/', len) ||
	    memcmp(name + len - suffix, PROFILE_SUFFIX, suffix) != 0)
		return false;
	at = len - suffix;
	for (size_t i = 0; i < sizeof(between) / sizeof(between[0]); i++) {
		size_t digits = budget_digits_before(name, at), n = strlen(between[i]);

		if (digits == at || digits < n || memcmp(name + digits - n, between[i], n) != 0)
			return false;
		at = digits - n;
	}
	return at > 0;
}

/* False: it was not there. */
static bool budget_unlink(const struct budget *b, struct control_file *entry)
{
	char path[PATH_MAX];

	entry->name[sizeof(entry->name) - 1] = '\0';
	return budget_is_profile_name(entry->name, strlen(entry->name)) &&
	       budget_path(b->directory, entry->name, path) && raw_unlinkat(AT_FDCWD, path, 0) == 0;
}

/*
 * No more names than there are entries: in one step, whatever somebody wrote into the page. The end is
 * read after the beginning, which is never past it.
 */
static void budget_forget(struct control_budget *shared)
{
	uint64_t tail, head, capacity = shared->capacity;

	do {
		tail = budget_load(&shared->tail);
		head = budget_load(&shared->head);
	} while (head - tail > capacity &&
		 !__atomic_compare_exchange_n(&shared->tail, &tail, head - capacity, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
}

static bool budget_read(const struct budget *b, int fd, uint64_t ticket, struct control_file *entry)
{
	return raw_pread(fd, entry, sizeof(*entry), budget_entry_at(b, ticket)) == (ssize_t)sizeof(*entry) &&
	       entry->number == ticket + 1;
}

/*
 * The turn of a ticket has come whose entry was not whole: its writer has no CPU, or was killed there. Nobody waits for
 * it. A writer that comes later sees that its turn is over, and removes the file itself (budget_enter); one that came
 * just now may see it too, and then the bytes are taken off by whoever removes the file.
 */
static void budget_pass_over(struct budget *b, int fd, uint64_t ticket)
{
	struct control_file entry;

	budget_sub(&b->shared->files, 1);
	if (budget_read(b, fd, ticket, &entry) && budget_unlink(b, &entry))
		budget_sub(&b->shared->bytes, entry.bytes);
}

/* Removes the oldest. False: there is none that could be. */
static bool budget_evict(struct budget *b, int fd)
{
	struct control_budget *shared = b->shared;

	budget_forget(shared);
	for (int i = 0; i < BUDGET_RACES_MAX; i++) {
		uint64_t ticket = budget_load(&shared->tail), head = budget_load(&shared->head);
		struct control_file entry;
		bool whole;

		if (ticket >= head)
			return false;
		whole = budget_read(b, fd, ticket, &entry);
		if (!whole && b->passed_over++ == BUDGET_PASSED_MAX)
			return false;
		if (!__atomic_compare_exchange_n(&shared->tail, &ticket, ticket + 1, false,
						 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			continue;
		if (whole) {
			budget_unlink(b, &entry);
			/* Gone: by us, or by somebody before. */
			budget_sub(&shared->files, 1);
			budget_sub(&shared->bytes, entry.bytes);
		} else {
			budget_pass_over(b, fd, ticket);
		}
		return true;
	}
	return false;
}

/* Evicts until the count is within the limit. */
static int budget_make_room(struct budget *b, const uint64_t *count, const uint64_t *limit,
			    uint64_t *evicted)
{
	int fd = -1, result = 0;

	for (;;) {
		uint64_t most = budget_load(limit);

		if (!most || budget_load(count) <= most)
			break;
		/* Until what is there has been counted nothing is removed, since that is to go first: new ones alone are too many. */
		if (__atomic_load_n(&b->shared->state, __ATOMIC_ACQUIRE) != CONTROL_COUNTED ||
		    (fd < 0 && budget_open_queue(b, &fd) < 0) || !budget_evict(b, fd)) {
			result = -EDQUOT;
			break;
		}
		++*evicted;
	}
	ours_close(&fd);
	b->refused |= result < 0;
	return result;
}

static void budget_count_existing(struct budget *b)
{
	int fd;

	if (__atomic_load_n(&b->shared->state, __ATOMIC_ACQUIRE) == CONTROL_COUNTED ||
	    !budget_count_begin(b->shared))
		return;
	if (budget_open_queue(b, &fd) == 0)
		budget_count(b->shared, b->directory, fd);
	ours_close(&fd);
	budget_count_end(b->shared);
}

/* Behind the youngest; the queue is open as fd. */
static void budget_enter(struct budget *b, int fd, struct control_file *entry)
{
	struct control_budget *shared = b->shared;
	uint64_t ticket;

	/* Limits that were raised later allow more than the queue was made for. */
	if ((shared->max_files || shared->max_bytes) &&
	    budget_load(&shared->head) - budget_load(&shared->tail) + CONTROL_QUEUE_SPARE >=
		    shared->capacity &&
	    budget_evict(b, fd))
		b->evicted_files++;
	ticket = __atomic_fetch_add(&shared->head, 1, __ATOMIC_ACQ_REL);
	entry->number = ticket + 1;
	/* Without limits the queue runs over, and forgets the oldest. */
	budget_forget(shared);
	raw_pwrite(fd, entry, sizeof(*entry), budget_entry_at(b, ticket));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (budget_load(&shared->tail) > ticket && (shared->max_files || shared->max_bytes) &&
	    budget_unlink(b, entry))
		budget_sub(&shared->bytes, entry->bytes);
}

/* Those that were there before the page was are counted by whoever counts what is there. */
static bool budget_is_uncounted(const struct budget *b, const struct control_file *entry, uint64_t at_ns)
{
	char path[PATH_MAX];
	struct stat st;

	return at_ns >= b->shared->since_ns && budget_path(b->directory, entry->name, path) &&
	       raw_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What this process wrote while it had no queue. */
static void budget_enter_early(struct budget *b)
{
	struct control_file entry;
	uint64_t at_ns;
	int fd;

	if (!budget_early_take(&entry, &at_ns))
		return;
	if (budget_open_queue(b, &fd) < 0) {
		budget_early_put(&entry, at_ns);
		return;
	}
	do {
		if (!budget_is_uncounted(b, &entry, at_ns))
			continue;
		__atomic_fetch_add(&b->shared->files, 1, __ATOMIC_ACQ_REL);
		__atomic_fetch_add(&b->shared->bytes, entry.bytes, __ATOMIC_ACQ_REL);
		budget_enter(b, fd, &entry);
	} while (budget_early_take(&entry, &at_ns));
	ours_close(&fd);
}

int budget_take_file(struct budget *b)
{
	b->bytes = 0;
	if (b->queue_inode)
		budget_enter_early(b);
	__atomic_fetch_add(&b->shared->files, 1, __ATOMIC_ACQ_REL);
	b->taken = true;
	budget_count_existing(b);
	if (budget_make_room(b, &b->shared->files, &b->shared->max_files, &b->evicted_files) == 0 &&
	    budget_make_room(b, &b->shared->bytes, &b->shared->max_bytes, &b->evicted_bytes) == 0)
		return 0;
	budget_give_back(b);
	return -EDQUOT;
}

int budget_take_bytes(struct budget *b, uint64_t size)
{
	uint64_t blocks = (size + CONTROL_BLOCK - 1) / CONTROL_BLOCK * CONTROL_BLOCK;

	uint64_t most = budget_load(&b->shared->max_bytes);

	if (blocks <= b->bytes)
		return 0;
	if (most && blocks > most) {
		b->refused = true; /* and nothing goes for it in vain */
		return -EDQUOT;
	}
	__atomic_fetch_add(&b->shared->bytes, blocks - b->bytes, __ATOMIC_ACQ_REL);
	b->bytes = blocks;
	return budget_make_room(b, &b->shared->bytes, &b->shared->max_bytes, &b->evicted_bytes);
}

void budget_written(struct budget *b, const char *name)
{
	struct control_file entry = { .bytes = b->bytes };
	size_t len = strlen(name);
	int fd;

	b->taken = false;
	if (len >= sizeof(entry.name))
		return;
	memcpy(entry.name, name, len);
	if (budget_open_queue(b, &fd) == 0) {
		budget_enter(b, fd, &entry);
		ours_close(&fd);
	} else if (!b->queue_inode || b->lost) {
		budget_early_put(&entry, budget_now_ns());
	}
}

void budget_give_back(struct budget *b)
{
	if (!b->taken)
		return;
	b->taken = false;
	budget_sub(&b->shared->files, 1);
	budget_sub(&b->shared->bytes, b->bytes);
}
