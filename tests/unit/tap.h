/* Unit tests: each test is a function named for its claim; prints TAP. */
#ifndef REQPROF_TESTS_UNIT_TAP_H
#define REQPROF_TESTS_UNIT_TAP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_failed_checks;

/* Says where and what, and lets the test go on. */
#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			tap_failed_checks++; \
			printf("# %s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
		} \
	} while (0)

#define CHECK_INT(got, want) \
	do { \
		long long tap_got = (long long)(got), tap_want = (long long)(want); \
		if (tap_got != tap_want) { \
			tap_failed_checks++; \
			printf("# %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, \
			       tap_got, tap_want); \
		} \
	} while (0)

#define CHECK_STR(got, want) \
	do { \
		const char *tap_got = (got), *tap_want = (want); \
		if (!tap_got || strcmp(tap_got, tap_want) != 0) { \
			tap_failed_checks++; \
			printf("# %s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #got, \
			       tap_got ? tap_got : "(null)", tap_want); \
		} \
	} while (0)

struct tap_test {
	const char *name;
	void (*run)(void);
};

#define TAP_TEST(function) { #function, function }

/* Runs all; returns main's exit status. */
static inline int tap_run(const struct tap_test *tests, size_t count)
{
	int failed = 0;

	printf("1..%zu\n", count);
	for (size_t i = 0; i < count; i++) {
		tap_failed_checks = 0;
		tests[i].run();
		printf("%s %zu - %s\n", tap_failed_checks ? "not ok" : "ok", i + 1, tests[i].name);
		failed += tap_failed_checks != 0;
		fflush(stdout);
	}
	return failed ? 1 : 0;
}

#endif
