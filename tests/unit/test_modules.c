#include "preload/sigsafe/modules.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/tap.h"

/* A library that nothing loads by itself, part of libc's own package. */
#define SPARE "libBrokenLocale.so.1"

static const struct module *find(const struct module_table *table, const void *code)
{
	return modules_find(table, (uintptr_t)code);
}

static void own_code_is_the_main_program(void)
{
	const struct module_table *table;
	const struct module *m;
	char exe[4096];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	int (*here)(void);

	CHECK_INT(modules_refresh(), 0);
	table = modules_acquire();
	CHECK(table != NULL);
	*(void (**)(void)) & here = own_code_is_the_main_program;
	m = find(table, *(void **)&here);
	CHECK(m && m->is_main);
	exe[len > 0 ? len : 0] = '\0';
	if (m) {
		CHECK_STR(m->path, exe);
		CHECK(m->eh_frame_hdr > m->load_start &&
		      m->eh_frame_hdr + m->eh_frame_hdr_len <= m->load_end);
	}
	modules_release(table);
}

static bool file_has(const char *path, off_t offset, const void *bytes, size_t len)
{
	char buf[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : pread(fd, buf, len, offset);

	if (fd >= 0)
		close(fd);
	return got == (ssize_t)len && memcmp(buf, bytes, len) == 0;
}

static void file_offsets_lead_to_the_same_bytes(void)
{
	const struct module_table *table = modules_acquire();

	for (size_t i = 0; i < table->count; i++) {
		const struct module *m = &table->modules[i];
		size_t middle = (m->end - m->start) / 2;

		if (m->path[0] == '[')
			continue;
		CHECK(file_has(m->path, (off_t)m->file_offset, (const void *)m->start, 64));
		CHECK(file_has(m->path, (off_t)(m->file_offset + middle),
			       (const void *)(m->start + middle), 64));
	}
	modules_release(table);
}

static void the_table_is_sorted_without_overlap(void)
{
	const struct module_table *table = modules_acquire();
	size_t mains = 0;

	CHECK(table->count >= 4);
	for (size_t i = 0; i < table->count; i++) {
		const struct module *m = &table->modules[i];

		CHECK(m->start < m->end && m->load_start <= m->start && m->end <= m->load_end);
		CHECK(i == 0 || table->modules[i - 1].end <= m->start);
		CHECK(m->path[0] == '/' || strcmp(m->path, "[vdso]") == 0);
		CHECK(modules_find(table, m->start) == m && modules_find(table, m->end - 1) == m);
		CHECK(modules_find(table, m->end) != m && modules_find(table, m->start - 1) != m);
		mains += m->is_main;
	}
	CHECK_INT(mains, 1);
	CHECK(modules_find(table, 0) == NULL);
	CHECK(modules_find(table, UINTPTR_MAX) == NULL);
	CHECK(modules_find(table, (uintptr_t)&mains) == NULL);
	CHECK(modules_find(NULL, (uintptr_t)&mains) == NULL);
	modules_release(table);
}

static void the_vdso_is_there_with_its_unwind_table(void)
{
	const struct module_table *table = modules_acquire();
	uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);
	const struct module *m = NULL;

	for (size_t i = 0; i < table->count; i++) {
		if (table->modules[i].load_start == vdso)
			m = &table->modules[i];
	}
	CHECK(m != NULL);
	if (m) {
		CHECK_STR(m->path, "[vdso]");
		CHECK(m->eh_frame_hdr != 0);
		CHECK(!m->is_main);
	}
	modules_release(table);
}

static void build_ids_are_those_in_the_files(void)
{
	const struct module_table *table = modules_acquire();
	const struct module *m = find(table, dlsym(RTLD_DEFAULT, "getpid"));
	struct stat st;
	char *bytes;
	int fd;

	if (m && m->is_main) /* a sanitizer's interceptor */
		m = find(table, dlsym(RTLD_NEXT, "getpid"));
	CHECK(m && m->build_id_len == 20);
	if (!m)
		return;
	fd = open(m->path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	bytes = malloc((size_t)st.st_size);
	CHECK_INT(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
	CHECK(memmem(bytes, (size_t)st.st_size, m->build_id, 20) != NULL);
	free(bytes);
	close(fd);
	modules_release(table);
}

static void nothing_new_means_the_same_table(void)
{
	const struct module_table *before, *after;

	modules_refresh();
	before = modules_acquire();
	CHECK_INT(modules_refresh(), 0);
	after = modules_acquire();
	CHECK(before == after);
	modules_release(after);
	modules_release(before);
}

/* The path that the table has for SPARE, NULL when it is not in there. */
static const char *spare_path(void *spare)
{
	const struct module_table *table = modules_acquire();
	const struct module *m = spare ? find(table, dlsym(spare, "__ctype_get_mb_cur_max")) : NULL;
	const char *path = m ? m->path : NULL;

	for (size_t i = 0; !spare && table && i < table->count; i++) {
		if (strstr(table->modules[i].path, SPARE))
			path = table->modules[i].path;
	}
	modules_release(table);
	return path;
}

static void a_loaded_library_comes_and_goes_and_keeps_its_name(void)
{
	const char *path, *again;
	void *spare;

	CHECK(spare_path(NULL) == NULL);
	spare = dlopen(SPARE, RTLD_NOW | RTLD_LOCAL);
	CHECK(spare != NULL);
	CHECK(spare_path(spare) == NULL);
	CHECK_INT(modules_refresh(), 0);
	path = spare_path(spare);
	CHECK(path && path[0] == '/' && strstr(path, SPARE));
	modules_withdraw();
	dlclose(spare);
	CHECK_INT(modules_refresh(), 0);
	CHECK(spare_path(NULL) == NULL);
	CHECK(path && strstr(path, SPARE));
	spare = dlopen(SPARE, RTLD_NOW | RTLD_LOCAL);
	modules_refresh();
	again = spare_path(spare);
	CHECK(again == path);
	dlclose(spare);
	modules_refresh();
}

static void a_relative_path_becomes_absolute(void)
{
	char dir[] = "/tmp/test_modules.XXXXXX", command[300], want[300], back[4096];
	const char *path;
	void *copy;

	CHECK(mkdtemp(dir) != NULL && getcwd(back, sizeof(back)) != NULL);
	snprintf(command, sizeof(command), "cp /lib/x86_64-linux-gnu/" SPARE " %s/odd.so", dir);
	CHECK_INT(system(command), 0);
	CHECK_INT(chdir(dir), 0);
	copy = dlopen("./odd.so", RTLD_NOW | RTLD_LOCAL);
	CHECK_INT(chdir(back), 0);
	CHECK(copy != NULL);
	modules_refresh();
	path = spare_path(copy);
	snprintf(want, sizeof(want), "%s/odd.so", dir);
	CHECK_STR(path, want);
	dlclose(copy);
	modules_refresh();
	snprintf(command, sizeof(command), "rm -r %s", dir);
	CHECK_INT(system(command), 0);
}

static void *refresh_elsewhere(void *nothing)
{
	modules_refresh();
	return nothing;
}

static void a_withdrawn_table_stays_away_until_its_thread_says(void)
{
	const struct module_table *table;
	pthread_t thread;

	modules_withdraw();
	modules_withdraw(); /* a library's destructor closes another one */
	table = modules_acquire();
	CHECK(table == NULL);
	modules_release(table);
	pthread_create(&thread, NULL, refresh_elsewhere, NULL);
	pthread_join(thread, NULL);
	CHECK(modules_acquire() == NULL);
	modules_refresh();
	CHECK(modules_acquire() == NULL);
	modules_refresh();
	table = modules_acquire();
	CHECK(table != NULL);
	modules_release(table);
}

static volatile int holding, released;

static void *hold_for_a_while(void *nothing)
{
	const struct module_table *table = modules_acquire();
	const struct timespec while_ns = { .tv_nsec = 50000000 };

	holding = 1;
	nanosleep(&while_ns, NULL);
	released = table->count > 0 ? 1 : 2; /* still readable */
	modules_release(table);
	return nothing;
}

static void withdrawing_waits_for_who_reads(void)
{
	pthread_t thread;

	holding = released = 0;
	pthread_create(&thread, NULL, hold_for_a_while, NULL);
	while (!holding)
		;
	modules_withdraw();
	CHECK_INT(released, 1);
	pthread_join(thread, NULL);
	modules_refresh();
}

static volatile int stop;

static void *read_all_the_time(void *counter)
{
	while (!stop) {
		const struct module_table *table = modules_acquire();

		for (size_t i = 0; table && i < table->count; i++)
			*(long *)counter +=
				modules_find(table, table->modules[i].start) != &table->modules[i];
		modules_release(table);
	}
	return NULL;
}

static void loading_and_unloading_beside_readers_is_safe(void)
{
	pthread_t threads[3];
	long wrong[3] = { 0 };

	stop = 0;
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, read_all_the_time, &wrong[i]);
	for (int i = 0; i < 200; i++) {
		void *spare = dlopen(SPARE, RTLD_NOW | RTLD_LOCAL);

		modules_refresh();
		if (i % 2)
			modules_withdraw();
		dlclose(spare);
		modules_refresh();
	}
	stop = 1;
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		CHECK_INT(wrong[i], 0);
	}
}

static void a_child_does_not_wait_for_its_parents_readers(void)
{
	const struct module_table *table = modules_acquire();
	struct timespec before, after;
	int status = -1;
	pid_t child;

	CHECK(table != NULL);
	child = fork();
	if (child == 0) {
		modules_postfork_child();
		clock_gettime(CLOCK_MONOTONIC, &before);
		modules_withdraw();
		modules_refresh();
		clock_gettime(CLOCK_MONOTONIC, &after);
		table = modules_acquire();
		_exit(after.tv_sec - before.tv_sec > 1 || !table || table->count == 0);
	}
	waitpid(child, &status, 0);
	CHECK_INT(status, 0);
	modules_release(table);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(own_code_is_the_main_program),
		TAP_TEST(file_offsets_lead_to_the_same_bytes),
		TAP_TEST(the_table_is_sorted_without_overlap),
		TAP_TEST(the_vdso_is_there_with_its_unwind_table),
		TAP_TEST(build_ids_are_those_in_the_files),
		TAP_TEST(nothing_new_means_the_same_table),
		TAP_TEST(a_loaded_library_comes_and_goes_and_keeps_its_name),
		TAP_TEST(a_relative_path_becomes_absolute),
		TAP_TEST(a_withdrawn_table_stays_away_until_its_thread_says),
		TAP_TEST(withdrawing_waits_for_who_reads),
		TAP_TEST(loading_and_unloading_beside_readers_is_safe),
		TAP_TEST(a_child_does_not_wait_for_its_parents_readers),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
