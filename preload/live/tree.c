#include "preload/live/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "preload/live/live.h"
#include "preload/ours.h"
#include "preload/sigsafe/raw.h"
#include "preload/sigsafe/stacks.h"

/* What a reader finds is what the handler wrote. */
#define SAME(theirs, ours) _Static_assert(offsetof(struct live_tree, theirs) == offsetof(struct stacks, ours), #theirs)
SAME(tid, tid);
SAME(n_nodes, n_nodes);
SAME(n_samples, n_samples);
SAME(lost, lost);
SAME(incomplete, incomplete);
SAME(nested, nested);
SAME(kernel_lost, kernel_lost);
SAME(request, request);
SAME(samples_kept, samples_kept);
SAME(nodes_kept, nodes_kept);
SAME(waits_kept, waits_kept);
SAME(texts_kept, texts_kept);
SAME(waiting_ns, waiting_ns);
SAME(waiting_node, waiting_node);
SAME(waiting_flags, waiting_flags);
SAME(waiting_kind, waiting_kind);
SAME(n_waits, waits.count);
SAME(texts_used, waits.texts_used);
SAME(waits_lost, waits.lost);
_Static_assert(sizeof(struct live_sample) == sizeof(struct stack_sample) &&
		       offsetof(struct live_sample, flags) == offsetof(struct stack_sample, flags),
	       "samples");
_Static_assert(sizeof(struct live_node) == sizeof(struct stack_node) &&
		       offsetof(struct live_node, parent) == offsetof(struct stack_node, parent),
	       "nodes");
_Static_assert(sizeof(struct live_wait) == sizeof(struct wait_record) &&
		       offsetof(struct live_wait, holder) == offsetof(struct wait_record, holder) &&
		       offsetof(struct live_wait, trips) == offsetof(struct wait_record, trips) &&
		       offsetof(struct live_wait, flags) == offsetof(struct wait_record, flags),
	       "waits");
_Static_assert((int)LIVE_TREE_HEAD == (int)STACKS_HEADER_BYTES &&
		       (int)LIVE_SAMPLES_MAX == (int)STACKS_SAMPLES_MAX &&
		       (int)LIVE_NODES_MAX == (int)STACKS_NODES_MAX &&
		       (int)LIVE_WAITS_MAX == (int)WAITS_MAX &&
		       (int)LIVE_TEXTS_MAX == (int)WAITS_TEXT_BYTES &&
		       (int)LIVE_TREE_BYTES == (int)STACKS_SHARED_BYTES,
	       "the parts of a tree");
_Static_assert(LIVE_KEY_PYTHON == STACKS_KEY_PYTHON && LIVE_KEY_EXACT == STACKS_KEY_EXACT &&
		       LIVE_KEY_KERNEL == STACKS_KEY_KERNEL &&
		       LIVE_KEY_ADDRESS == STACKS_KEY_ADDRESS,
	       "keys");
_Static_assert((int)LIVE_STACK_TRUNCATED == (int)STACK_TRUNCATED &&
		       (int)LIVE_STACK_UNMERGED == (int)STACK_UNMERGED &&
		       (int)LIVE_STACK_NO_PYTHON == (int)STACK_NO_PYTHON &&
		       (int)LIVE_STACK_KERNEL == (int)STACK_KERNEL &&
		       (int)LIVE_STACK_INFERRED == (int)STACK_INFERRED,
	       "what a stack is like");

static struct {
	const char *path; /* NULL: no file */
	uint64_t inode;
	struct {
		char *memory; /* mapped; NULL: not yet. Whoever has taken it may change it */
		uint32_t taken;
	} list[LIVE_TREES];
} trees;

void tree_file(const char *path, uint64_t inode)
{
	trees.inode = inode;
	__atomic_store_n(&trees.path, path, __ATOMIC_RELEASE);
}

/* No descriptor is kept for it: the host could close that, and be given the number itself. */
static char *tree_map(uint64_t offset)
{
	char *memory = NULL;
	struct stat st;
	int fd;

	if (ours_take_here(raw_open(trees.path, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0), &fd) < 0)
		return NULL;
	if (raw_fstat(fd, &st) == 0 && st.st_ino == trees.inode && st.st_size == LIVE_BYTES)
		memory = raw_mmap(NULL, LIVE_TREE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				  (off_t)offset);
	ours_close(&fd);
	return raw_failed(memory) ? NULL : memory;
}

/* The tree's own first page. */
static bool tree_ready(char *memory, uint64_t offset)
{
	uint32_t kept = 0;
	struct shared_part part = {
		.start = memory, .offset = offset, .size = LIVE_TREE_HEAD, .kept = &kept
	};

	shared_grow(&part, LIVE_TREE_HEAD);
	return kept == LIVE_TREE_HEAD;
}

static void tree_drop(uint32_t i)
{
	raw_munmap(trees.list[i].memory, LIVE_TREE_BYTES);
	trees.list[i].memory = NULL;
	__atomic_store_n(&trees.list[i].taken, 0, __ATOMIC_RELEASE);
}

static void *tree_take(uint32_t i, uint64_t *offset)
{
	*offset = LIVE_TREES_AT + (uint64_t)i * LIVE_TREE_BYTES;
	if (!trees.list[i].memory)
		trees.list[i].memory = tree_map(*offset);
	if (!trees.list[i].memory) {
		__atomic_store_n(&trees.list[i].taken, 0, __ATOMIC_RELEASE);
		return NULL;
	}
	if (!tree_ready(trees.list[i].memory, *offset)) {
		tree_drop(i);
		return NULL;
	}
	return trees.list[i].memory;
}

void *live_take_tree(uint64_t *offset)
{
	if (!__atomic_load_n(&trees.path, __ATOMIC_ACQUIRE))
		return NULL;
	for (uint32_t i = 0; i < LIVE_TREES; i++)
		if (!__atomic_load_n(&trees.list[i].taken, __ATOMIC_RELAXED) &&
		    !__atomic_exchange_n(&trees.list[i].taken, 1, __ATOMIC_ACQUIRE))
			return tree_take(i, offset);
	return NULL;
}

void live_put_tree(void *memory)
{
	for (uint32_t i = 0; memory && i < LIVE_TREES; i++) {
		if (trees.list[i].memory != memory)
			continue;
		/* With private memory in its place it is mapped anew. */
		if (stacks_torn(memory) ||
		    raw_madvise(memory, LIVE_TREE_BYTES, MADV_REMOVE) != 0) {
			((struct stacks *)memory)->request = 0;
			tree_drop(i);
		} else {
			__atomic_store_n(&trees.list[i].taken, 0, __ATOMIC_RELEASE);
		}
		return;
	}
}

void tree_postfork_child(void)
{
	for (uint32_t i = 0; i < LIVE_TREES; i++) {
		if (trees.list[i].memory)
			raw_munmap(trees.list[i].memory, LIVE_TREE_BYTES);
		trees.list[i].memory = NULL;
		trees.list[i].taken = 0;
	}
	trees.path = NULL;
}
