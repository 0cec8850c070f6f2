#include "tools/symbol/kernel_names.h"

#include <unistd.h>

#include "tests/unit/tap.h"

static const char boot[] = "5eaab08a48a34ad587a71e0fa5652778";

static const char *file(const char *name, const char *text)
{
	static char paths[4][64];
	static int next;
	char *path = paths[next++ % 4];
	FILE *out;

	snprintf(path, sizeof(paths[0]), "/tmp/reqprof-kernel-names-%d-%s", (int)getpid(), name);
	out = fopen(path, "w");
	if (!out || fputs(text, out) < 0 || fclose(out))
		exit(1);
	return path;
}

static struct kernel_names *open_with(const char *list_text, const char *boot_text,
				      const char *wanted, const char **why)
{
	const char *list = file("list", list_text), *boot_file = file("boot", boot_text);
	struct kernel_names *names = kernel_names_open(list, boot_file, wanted, why);

	unlink(list);
	unlink(boot_file);
	return names;
}

static void a_function_reaches_to_the_next(void)
{
	const char *why;
	struct kernel_names *n = open_with("ffffffff81000200 t second\n"
					   "ffffffff81000100 T first\n"
					   "ffffffff81000100 T alias\n"
					   "ffffffff810001f0 t __pfx_second\n"
					   "ffffffff81000180 d data\n"
					   "ffffffffc0000000 t in_module\t[nf_tables]\n",
					   "5eaab08a-48a3-4ad5-87a7-1e0fa5652778\n", boot, &why);

	CHECK(n);
	if (!n)
		return;
	CHECK(!kernel_names_find(n, 0xffffffff810000ff));
	CHECK_STR(kernel_names_find(n, 0xffffffff81000100), "first");
	CHECK_STR(kernel_names_find(n, 0xffffffff810001ff), "first");
	CHECK_STR(kernel_names_find(n, 0xffffffff81000200), "second");
	CHECK_STR(kernel_names_find(n, 0xffffffffc0000001), "in_module");
	kernel_names_close(n);
}

static void another_boot_gives_no_names(void)
{
	static const char *const others[] = { "", "5eaab08a48a34ad587a71e0fa565277",
					      "5eaab08a48a34ad587a71e0fa56527780",
					      "6eaab08a48a34ad587a71e0fa5652778" };
	const char *why = NULL;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		CHECK(!open_with("ffffffff81000200 t f\n", "5eaab08a-48a3-4ad5-87a7-1e0fa5652778\n",
				 others[i], &why));
	CHECK(why && strstr(why, "booted"));
}

static void addresses_that_are_hidden_give_no_names(void)
{
	const char *why = NULL;

	CHECK(!open_with("0000000000000000 T f\n0000000000000000 t g\n", boot, boot, &why));
	CHECK(why && strstr(why, "kptr_restrict"));
}

static void damaged_lists_are_survived(void)
{
	const char *why;
	struct kernel_names *n = open_with("\n \nffffffff81000200\nffffffff81000200 \nffffffff81000200 t\n"
					   "ffffffff81000200 t \nzz t f\nffffffff81000300 t g\nffffffff8",
					   boot, boot, &why);

	CHECK(n);
	if (n) {
		CHECK(!kernel_names_find(n, 0xffffffff81000200));
		CHECK_STR(kernel_names_find(n, 0xffffffff81000300), "g");
	}
	kernel_names_close(n);
	kernel_names_close(NULL);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(a_function_reaches_to_the_next),
		TAP_TEST(another_boot_gives_no_names),
		TAP_TEST(addresses_that_are_hidden_give_no_names),
		TAP_TEST(damaged_lists_are_survived),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
