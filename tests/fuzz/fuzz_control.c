/*
 * Any bytes as the control page and its queue of names: what `ctl`, another version or a bad disk left
 * there. The library joins it, asks it what to do, keeps the budget and the rules by it, and `ctl` shows
 * and changes it. The input is pieces of the file: where (a byte; odd: once it is mapped), which (a
 * byte), length (a byte), bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/control/control.h"
#include "preload/emit/budget.h"
#include "preload/emit/budget_count.h"
#include "preload/emit/kept.h"
#include "tests/fuzz/pieces.h"
#include "tools/cmd/ctl_page.h"
#include "tools/cmd/ctl_status.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { ENTRIES = 64, QUEUE_BYTES = ENTRIES * (int)sizeof(struct control_file) };

static char directory[64], path[96];
static FILE *nowhere; /* for what the tool says */
static const char old_profile[] = "GET.old.36ms.1795446911.8368-42.pprof";
static const char kept_file[] = "not-a-profile";
static uint64_t now_ns = 1;
static struct request request = { .role = REQUEST_SERVER, .start_ns = 1, .end_ns = 5000000 };

static void remove_all(void)
{
	const char *const names[] = { CONTROL_NAME, old_profile, kept_file };
	char file[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(file, sizeof(file), "%s/%s", directory, names[i]);
		unlink(file);
	}
	rmdir(directory);
}

static void touch(const char *name)
{
	char file[256];
	int fd;

	snprintf(file, sizeof(file), "%s/%s", directory, name);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0);
	close(fd);
}

static bool there(const char *name)
{
	char file[256];

	snprintf(file, sizeof(file), "%s/%s", directory, name);
	return access(file, F_OK) == 0;
}

/*
 * libFuzzer ends without atexit() at a finding, and may be killed: a child that waits for the end of a
 * pipe removes the directory, whatever ends the fuzzer. It holds nothing else that anyone waits for.
 */
static void remove_at_the_end(void)
{
	int pipes[2];
	char byte;

	REQUIRE(pipe2(pipes, O_CLOEXEC) == 0);
	switch (fork()) {
	case -1:
		REQUIRE(!"fork");
		break;
	case 0:
		setsid();
		dup2(pipes[0], 3);
		close_range(0, 2, 0);
		close_range(4, ~0u, 0);
		while (read(3, &byte, 1) < 0 && errno == EINTR)
			;
		remove_all();
		_exit(0);
	default:
		close(pipes[0]);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct control_settings settings = {
		.directory = directory,
		.enabled = true,
		.rate = 997,
		.max_files = 10,
		.max_bytes = 1 << 20,
		.keep = "always",
		.filter = "",
		.root_ns = 77,
		.root_pid = 1,
	};

	(void)argc;
	(void)argv;
	snprintf(directory, sizeof(directory), "/dev/shm/fuzz_control.XXXXXX");
	if (!mkdtemp(directory)) {
		snprintf(directory, sizeof(directory), "/tmp/fuzz_control.XXXXXX");
		REQUIRE(mkdtemp(directory));
	}
	snprintf(path, sizeof(path), "%s/%s", directory, CONTROL_NAME);
	remove_at_the_end();
	touch(kept_file);
	memcpy(request.in.any.facts.method, "GET", 4);
	nowhere = fopen("/dev/null", "w");
	REQUIRE(nowhere);
	stdout = nowhere;
	control_configure(&settings);
	return 0;
}

/* A page of this server's that makes sense, to be damaged. */
static void page_make(uint8_t *file)
{
	struct control_page *page = (struct control_page *)file;
	struct control_file *queue = (struct control_file *)(file + CONTROL_QUEUE_AT);

	memset(file, 0, CONTROL_QUEUE_AT + QUEUE_BYTES);
	page->magic = CONTROL_MAGIC;
	page->version = CONTROL_VERSION;
	page->size = sizeof(*page);
	page->root_ns = 77;
	page->root_pid = 1;
	page->enabled = 1;
	page->rate = 997;
	page->budget = (struct control_budget){ .max_files = 10,
						.max_bytes = 1 << 20,
						.files = 10,
						.bytes = 40960,
						.head = CONTROL_QUEUE_START + 10,
						.tail = CONTROL_QUEUE_START,
						.state = CONTROL_COUNTED,
						.capacity = ENTRIES };
	memcpy(page->keep, "always", 7);
	for (unsigned i = 0; i < 10; i++) {
		uint64_t ticket = CONTROL_QUEUE_START + i;

		queue[ticket % ENTRIES].number = ticket + 1;
		queue[ticket % ENTRIES].bytes = 4096;
		memcpy(queue[ticket % ENTRIES].name, i ? kept_file : old_profile,
		       i ? sizeof(kept_file) : sizeof(old_profile));
	}
}

/* Where a piece goes: the parts of the page alike, though some are 1,000 times as large as others. */
static size_t place(uint8_t part, uint8_t which)
{
	switch (part / 2 % 8) {
	case 0:
		return which % offsetof(struct control_page, budget);
	case 1:
	case 2:
		return offsetof(struct control_page, budget) +
		       which % sizeof(struct control_budget);
	case 3:
		return offsetof(struct control_page, keep);
	case 4:
		return offsetof(struct control_page, filter);
	case 5:
		return offsetof(struct control_page, kept) + which * (size_t)8;
	case 6:
		return offsetof(struct control_page, processes) + which * (size_t)8;
	default:
		return CONTROL_QUEUE_AT + which * (size_t)64;
	}
}

static void damage(uint8_t *file, size_t size, const uint8_t *bytes, size_t len, bool mapped)
{
	while (len > 3) {
		size_t n = bytes[2] < len - 3 ? bytes[2] : len - 3, at = place(bytes[0], bytes[1]);

		if ((bytes[0] & 1) == mapped && at + n <= size)
			memcpy(file + at, bytes + 3, n);
		bytes += 3 + n;
		len -= 3 + n;
	}
}

/* One request's way through it, as work.c and emit.c go. */
static void library(void)
{
	const struct control_wishes *wishes = control_wishes();
	struct budget budget = { .directory = directory };
	bool full = false;

	control_enabled();
	REQUIRE(control_rate() != 0);
	REQUIRE(!(wishes->keep.rules & KEEP_EVERY) || wishes->keep.every);
	REQUIRE(wishes->filter_len <= sizeof(wishes->filter));
	filter_takes(wishes->filter, wishes->filter_len, "GET", "/a", 2);
	kept_by(&wishes->keep, control_keep(), &request, &full);
	budget.shared = control_budget(&budget.queue_inode);
	if (budget_take_file(&budget) == 0 && budget_take_bytes(&budget, 5000) == 0)
		budget_written(&budget, old_profile);
	else
		budget_give_back(&budget);
	control_count(CONTROL_requests_seen, 1);
	control_note_python("3.11.2");
}

static void tool(void)
{
	static struct control_page wanted = { .rate = 500 };
	struct ctl_page page;
	FILE *said = stderr;

	stderr = nowhere;
	if (ctl_page_open(&page, directory, false) == 0) {
		ctl_status_text(&page, directory);
		ctl_status_json(&page, directory);
		if (page.owner != CTL_NO_PAGE)
			ctl_page_set(&page, &wanted, CONTROL_SET_RATE);
	}
	ctl_page_close(&page);
	stderr = said;
}

static void unmap(void)
{
	uint64_t inode;
	struct control_budget *budget = control_budget(&inode);

	if (inode)
		munmap((char *)budget - offsetof(struct control_page, budget),
		       sizeof(struct control_page));
	/* The file of the next input is not this one. */
	control_lost();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t file[CONTROL_QUEUE_AT + QUEUE_BYTES];
	uint64_t inode;
	int fd;

	touch(old_profile);
	page_make(file);
	damage(file, sizeof(file), bytes, len, false);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0 && write(fd, file, sizeof(file)) == sizeof(file));
	close(fd);
	control_join(now_ns += UINT64_C(2000000000));
	library();
	if (control_budget(&inode) && inode)
		damage((uint8_t *)control_budget(&inode) - offsetof(struct control_page, budget),
		       sizeof(struct control_page), bytes, len, true);
	library();
	tool();
	library();
	unmap();
	REQUIRE(there(kept_file));
	return 0;
}
