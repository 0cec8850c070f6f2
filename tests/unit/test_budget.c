/* The disk budget, with files of its own in a fresh directory. */
#include "preload/emit/budget.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/tap.h"

static char directory[] = "/tmp/reqprof-budget-XXXXXX";
static struct control_budget *shared;
static uint64_t inode;
static int numbers; /* of names */

static const char *in_directory(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static uint64_t unix_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A new server: an empty page, limits, nothing counted. */
static void start(uint64_t max_files, uint64_t max_bytes)
{
	int fd = open(in_directory(CONTROL_NAME), O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct stat st;

	fstat(fd, &st);
	close(fd);
	inode = st.st_ino;
	memset(shared, 0, sizeof(*shared));
	shared->max_files = max_files;
	shared->max_bytes = max_bytes;
	shared->capacity = CONTROL_QUEUE_MIN;
	shared->head = shared->tail = CONTROL_QUEUE_START;
	shared->since_ns = unix_now();
}

static void make_file(const char *name, size_t size)
{
	int fd = open(in_directory(name), O_WRONLY | O_CREAT, 0600);

	if (ftruncate(fd, (off_t)size))
		perror("ftruncate");
	close(fd);
}

static const char *name_of(int number)
{
	static char name[64];

	snprintf(name, sizeof(name), "GET.a.1ms.1795446911.%d-%d.pprof", (int)getpid(), number);
	return name;
}

static int write_one(size_t size)
{
	struct budget b = { .shared = shared, .queue_inode = inode, .directory = directory };
	int result = budget_take_file(&b);
	char name[64];

	if (result == 0)
		result = budget_take_bytes(&b, size);
	if (result < 0) {
		budget_give_back(&b);
		return result;
	}
	strcpy(name, name_of(++numbers));
	make_file(name, size);
	budget_written(&b, name);
	return 0;
}

static bool there(const char *name)
{
	return access(in_directory(name), F_OK) == 0;
}

/* Profiles in the directory; removes them too when asked. */
static int count(bool empty)
{
	DIR *d = opendir(directory);
	const struct dirent *entry;
	int n = 0;

	while ((entry = readdir(d))) {
		size_t len = strlen(entry->d_name);

		n += len > 6 && !strcmp(entry->d_name + len - 6, ".pprof");
		if (empty && entry->d_name[0] != '.')
			unlink(in_directory(entry->d_name));
	}
	closedir(d);
	return n;
}

static void the_oldest_goes_when_there_are_too_many(void)
{
	count(true);
	start(3, 0);
	numbers = 0;
	for (int i = 0; i < 10; i++)
		CHECK_INT(write_one(100), 0);
	CHECK_INT(count(false), 3);
	CHECK(there(name_of(10)) && there(name_of(9)) && there(name_of(8)));
	CHECK_INT(shared->files, 3);
	CHECK_INT(shared->bytes, 3 * CONTROL_BLOCK);
}

static void bytes_count_as_the_disk_counts_them(void)
{
	count(true);
	start(0, 10 * CONTROL_BLOCK);
	for (int i = 0; i < 20; i++)
		CHECK_INT(write_one(CONTROL_BLOCK + 1), 0);
	CHECK_INT(count(false), 5);
	CHECK(write_one(11 * CONTROL_BLOCK) < 0);
	CHECK_INT(count(false), 5);
	CHECK_INT(shared->bytes, 10 * CONTROL_BLOCK);
	CHECK_INT(shared->files, 5);
}

static void what_was_there_is_counted_and_goes_first(void)
{
	struct timespec times[2] = { { 0 } };

	count(true);
	make_file("GET.older.1ms.1795446911.7-2.pprof", 10);
	make_file("GET.oldest.1ms.1795446912.7-1.pprof", 5000);
	make_file("notes.pprof", 10);
	times[0].tv_sec = times[1].tv_sec = 1000;
	utimensat(AT_FDCWD, in_directory("GET.oldest.1ms.1795446912.7-1.pprof"), times, 0);
	times[0].tv_sec = times[1].tv_sec = 2000;
	utimensat(AT_FDCWD, in_directory("GET.older.1ms.1795446911.7-2.pprof"), times, 0);
	start(3, 0);
	numbers = 100;
	CHECK_INT(write_one(1), 0);
	CHECK_INT(shared->files, 3);
	CHECK_INT(shared->bytes, 4 * CONTROL_BLOCK);
	CHECK_INT(write_one(1), 0);
	CHECK(!there("GET.oldest.1ms.1795446912.7-1.pprof"));
	CHECK(there("GET.older.1ms.1795446911.7-2.pprof"));
	for (int i = 0; i < 5; i++)
		CHECK_INT(write_one(1), 0);
	CHECK(there("notes.pprof")); /* not ours to remove */
	CHECK_INT(count(false), 4);
	CHECK(there(name_of(numbers)));
}

static void too_many_at_the_start_are_brought_within_the_limit(void)
{
	count(true);
	numbers = 0;
	for (int i = 0; i < 50; i++)
		make_file(name_of(++numbers), 1);
	usleep(20000); /* the coarse clock's tick */
	start(10, 0);
	CHECK_INT(write_one(1), 0);
	CHECK_INT(count(false), 10);
}

static void temporary_files_of_the_killed_are_removed(void)
{
	struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

	count(true);
	make_file(".reqprof-7-1.tmp", 1);
	utimensat(AT_FDCWD, in_directory(".reqprof-7-1.tmp"), times, 0);
	make_file(".reqprof-7-2.tmp", 1);
	start(10, 0);
	CHECK_INT(write_one(1), 0);
	CHECK(!there(".reqprof-7-1.tmp"));
	CHECK(there(".reqprof-7-2.tmp"));
	unlink(in_directory(".reqprof-7-2.tmp"));
}

static void files_that_somebody_removed_are_no_trouble(void)
{
	count(true);
	start(5, 0);
	for (int i = 0; i < 5; i++)
		CHECK_INT(write_one(1), 0);
	count(true);
	make_file(CONTROL_NAME, 0);
	start(5, 0);
	for (int i = 0; i < 12; i++)
		CHECK_INT(write_one(1), 0);
	CHECK_INT(count(false), 5);
}

/* As in a process that could not join the page: five files, nothing to count. The inode of the queue that it has not. */
static uint64_t start_without_queue(void)
{
	uint64_t with_queue;

	count(true);
	start(5, 0);
	shared->state = CONTROL_COUNTED;
	with_queue = inode;
	inode = 0;
	return with_queue;
}

static void without_a_queue_nothing_is_written_beyond_the_limit(void)
{
	start_without_queue();
	for (int i = 0; i < 5; i++)
		CHECK_INT(write_one(1), 0);
	CHECK(write_one(1) < 0);
	CHECK_INT(count(false), 5);
	CHECK_INT(shared->files, 5);
}

static void what_was_written_without_a_queue_enters_the_next_one(void)
{
	uint64_t with_queue = start_without_queue();
	int first;

	first = numbers + 1;
	for (int i = 0; i < 4; i++)
		CHECK_INT(write_one(1), 0);
	unlink(in_directory(name_of(first + 1)));
	shared->files = shared->bytes = 0; /* of another page than this was */
	inode = with_queue;
	shared->since_ns = 0;
	CHECK_INT(write_one(1), 0);
	CHECK_INT(shared->files, 4);
	CHECK_INT(shared->bytes, 4 * CONTROL_BLOCK);
	for (int i = 0; i < 3; i++)
		CHECK_INT(write_one(1), 0);
	CHECK_INT(count(false), 5);
	CHECK(!there(name_of(first)) && !there(name_of(first + 2)) && there(name_of(first + 3)));
}

/* The count of what is there has them. */
static void what_is_older_than_the_page_enters_it_once(void)
{
	uint64_t with_queue = start_without_queue();

	CHECK_INT(write_one(1), 0);
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL); /* the file system's clock ticks */
	start(5, 0);
	inode = with_queue;
	CHECK_INT(write_one(1), 0);
	CHECK_INT(shared->files, 2);
}

/* The count has come before the name, and the last bytes before the count: whoever wrote them had no CPU meanwhile. */
static void what_got_its_name_after_the_count_enters_too(void)
{
	struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct budget b = { .shared = shared, .directory = directory };
	char name[64];

	count(true);
	start(5, 0);
	shared->state = CONTROL_COUNTED;
	CHECK_INT(budget_take_file(&b), 0);
	strcpy(name, name_of(++numbers));
	make_file(name, 1);
	/* No queue: it is private, and then there is the page. */
	utimensat(AT_FDCWD, in_directory(name), times, 0);
	budget_written(&b, name);
	shared->files = shared->bytes = 0;
	CHECK_INT(write_one(1), 0);
	CHECK_INT(shared->files, 2);
}

/* The queue was the former page's when its turn came. */
static void what_was_written_while_the_page_became_another_enters_that(void)
{
	struct budget b = { .shared = shared, .directory = directory };
	char name[64];

	count(true);
	start(5, 0);
	shared->state = CONTROL_COUNTED;
	b.queue_inode = inode;
	CHECK_INT(budget_take_file(&b), 0);
	strcpy(name, name_of(++numbers));
	make_file(name, 1);
	unlink(in_directory(CONTROL_NAME));
	budget_written(&b, name);
	CHECK(b.lost);
	start(5, 0);
	shared->state = CONTROL_COUNTED;
	shared->since_ns = 0;
	for (int i = 0; i < 5; i++)
		CHECK_INT(write_one(1), 0);
	CHECK_INT(shared->files, 5);
	CHECK(!there(name));
}

/* By a process that has not come far, or was killed there. */
static void while_others_count_new_ones_alone_are_not_too_many(void)
{
	struct timespec now;

	count(true);
	start(5, 0);
	clock_gettime(CLOCK_REALTIME, &now);
	shared->state = CONTROL_COUNTING;
	shared->counting_ns = (uint64_t)now.tv_sec * 1000000000u;
	for (int i = 0; i < 5; i++)
		CHECK_INT(write_one(1), 0);
	CHECK_INT(write_one(1), -EDQUOT);
	CHECK_INT(count(false), 5);
	shared->state = CONTROL_COUNTED;
	CHECK_INT(write_one(1), 0);
	CHECK_INT(count(false), 5);
}

static void eight_processes_keep_within_one_percent(void)
{
	count(true);
	start(400, 0);
	for (int p = 0; p < 8; p++) {
		if (fork() == 0) {
			numbers = 0;
			for (int i = 0; i < 300; i++)
				write_one(100);
			_exit(0);
		}
	}
	for (int most = 0; waitpid(-1, NULL, WNOHANG) >= 0;) {
		int n = count(false);

		if (n > most)
			most = n;
		if (n > 404)
			printf("# %d files\n", n);
		CHECK(n <= 404);
	}
	CHECK(count(false) > 400 - 8); /* each of the 8 may remove one for the same newcomer */
	CHECK(count(false) <= 400);
	CHECK_INT(shared->files, count(false));
}

static void a_writer_that_was_killed_holds_nobody_up(void)
{
	count(true);
	start(10, 0);
	for (int i = 0; i < 5; i++)
		CHECK_INT(write_one(1), 0);
	shared->files++;
	shared->head++; /* a ticket without an entry */
	for (int i = 0; i < 30; i++)
		CHECK_INT(write_one(1), 0);
	CHECK_INT(count(false), 10);
	CHECK_INT(shared->files, 10);
}

/* A child that writes one and is stopped when it is about to put its name into the queue. */
static pid_t writer_stopped_at_its_entry(void)
{
	struct user_regs_struct registers = { 0 };
	pid_t child = fork();
	int status;

	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(write_one(1) == 0 ? 0 : 1);
	}
	while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		ptrace(PTRACE_GETREGS, child, NULL, &registers);
		if (registers.orig_rax == SYS_pwrite64)
			return child;
		ptrace(PTRACE_SYSCALL, child, NULL, NULL);
	}
	return -1;
}

static void a_writer_that_has_no_cpu_meanwhile_removes_its_file_itself(void)
{
	pid_t child;
	int status = -1;

	count(true);
	start(3, 0);
	shared->state = CONTROL_COUNTED;
	child = writer_stopped_at_its_entry();
	CHECK(child > 0);
	numbers++; /* the child's */
	for (int i = 0; i < 8; i++)
		CHECK_INT(write_one(1), 0);
	CHECK_INT(count(false), 4);
	CHECK_INT(shared->files, 3);
	ptrace(PTRACE_DETACH, child, NULL, NULL);
	waitpid(child, &status, 0);
	CHECK_INT(status, 0);
	CHECK_INT(count(false), 3);
	CHECK_INT(shared->files, 3);
	CHECK_INT(shared->bytes, 3 * CONTROL_BLOCK);
	for (int i = 0; i < 8; i++)
		CHECK_INT(write_one(1), 0);
	CHECK_INT(count(false), 3);
	CHECK_INT(shared->bytes, 3 * CONTROL_BLOCK);
}

/* A name at a time, it would take years. */
static void a_queue_longer_than_can_be_is_cut_in_one_step(void)
{
	count(true);
	start(0, 0);
	shared->head = UINT64_C(1) << 63;
	shared->tail = 5;
	CHECK_INT(write_one(1), 0);
	CHECK_INT(shared->head - shared->tail, CONTROL_QUEUE_MIN);
	/* Nothing of it is there: a thousand are looked at for each file, and it is refused. */
	start(10, 0);
	shared->head += CONTROL_QUEUE_MIN;
	shared->files = UINT64_MAX / 2;
	shared->state = CONTROL_COUNTED;
	CHECK_INT(write_one(1), -EDQUOT);
	CHECK_INT(shared->head - shared->tail, CONTROL_QUEUE_MIN - 1000);
	/* Names and counts that are not true: refused, or made room for, but never for ever. */
	start(10, 0);
	shared->head = 5;
	shared->tail = UINT64_C(1) << 63;
	shared->files = UINT64_MAX / 2;
	shared->state = CONTROL_COUNTED;
	CHECK_INT(write_one(1), -EDQUOT);
}

static void only_names_of_ours_are_removed(void)
{
#define IS(name) budget_is_profile_name(name, strlen(name))
	CHECK(IS("GET.path.with.dots.36ms.1795446911.8368-42.pprof"));
	CHECK(IS("GET.root.0ms.1.8-4.pprof"));
	CHECK(!IS("notes.pprof"));
	CHECK(!IS("GET.a.36ms.1795446911.8368-42.pprof.gz"));
	CHECK(!IS("../GET.a.36ms.1795446911.8368-42.pprof"));
	CHECK(!IS(".a.36ms.1795446911.8368-42.pprof"));
	CHECK(!IS("36ms.1795446911.8368-42.pprof"));
	CHECK(!IS("GET.a.ms.1795446911.8368-42.pprof"));
	CHECK(!IS(""));
#undef IS
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(the_oldest_goes_when_there_are_too_many),
		TAP_TEST(bytes_count_as_the_disk_counts_them),
		TAP_TEST(what_was_there_is_counted_and_goes_first),
		TAP_TEST(too_many_at_the_start_are_brought_within_the_limit),
		TAP_TEST(temporary_files_of_the_killed_are_removed),
		TAP_TEST(files_that_somebody_removed_are_no_trouble),
		TAP_TEST(without_a_queue_nothing_is_written_beyond_the_limit),
		TAP_TEST(what_was_written_without_a_queue_enters_the_next_one),
		TAP_TEST(what_is_older_than_the_page_enters_it_once),
		TAP_TEST(what_got_its_name_after_the_count_enters_too),
		TAP_TEST(what_was_written_while_the_page_became_another_enters_that),
		TAP_TEST(while_others_count_new_ones_alone_are_not_too_many),
		TAP_TEST(eight_processes_keep_within_one_percent),
		TAP_TEST(a_writer_that_was_killed_holds_nobody_up),
		TAP_TEST(a_writer_that_has_no_cpu_meanwhile_removes_its_file_itself),
		TAP_TEST(a_queue_longer_than_can_be_is_cut_in_one_step),
		TAP_TEST(only_names_of_ours_are_removed),
	};
	int status;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (!mkdtemp(directory) || shared == MAP_FAILED) {
		printf("Bail out! no directory\n");
		return 1;
	}
	status = tap_run(tests, sizeof(tests) / sizeof(tests[0]));
	count(true);
	rmdir(directory);
	return status;
}
