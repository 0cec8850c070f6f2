/* Numbers as people read them. */
#include "tests/unit/tap.h"

#include "tools/base/figures.h"

static const char *duration(int64_t ns)
{
	static char buf[FIGURE_MAX];

	return figure_duration(buf, ns);
}

static void durations_have_about_three_figures(void)
{
	CHECK_STR(duration(0), "0");
	CHECK_STR(duration(1), "1ns");
	CHECK_STR(duration(1500), "1.5us");
	CHECK_STR(duration(850000), "850us");
	CHECK_STR(duration(999600), "1.0ms");
	CHECK_STR(duration(36123456), "36.1ms");
	CHECK_STR(duration(201000000), "201ms");
	CHECK_STR(duration(999600000), "1.00s");
	CHECK_STR(duration(2400000000), "2.40s");
	CHECK_STR(duration(99600000000), "99.6s");
	CHECK_STR(duration(192000000000), "3m12s");
	CHECK_STR(duration(-36123456), "-36.1ms");
	CHECK(strlen(duration(INT64_MIN)) < FIGURE_MAX - 1);
	CHECK(strlen(duration(INT64_MAX)) < FIGURE_MAX - 1);
}

static void times_are_rfc3339(void)
{
	char buf[FIGURE_MAX];

	CHECK_STR(figure_rfc3339(buf, 1795446911123456789), "2026-11-23T15:15:11.123456789Z");
	CHECK_STR(figure_rfc3339(buf, 0), "1970-01-01T00:00:00.000000000Z");
	CHECK_STR(figure_rfc3339(buf, -1), "1969-12-31T23:59:59.999999999Z");
}

static void percent_of_nothing_is_a_dash(void)
{
	char buf[FIGURE_MAX];

	CHECK_STR(figure_percent(buf, 1, 0), "-");
	CHECK_STR(figure_percent(buf, 1, 3), "33.3 %");
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(durations_have_about_three_figures),
		TAP_TEST(times_are_rfc3339),
		TAP_TEST(percent_of_nothing_is_a_dash),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
