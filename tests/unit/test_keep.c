/* The languages of REQPROF_KEEP, REQPROF_FILTER and amounts, and how the rules decide. */
#include "preload/emit/kept.h"

#include "format/amount.h"
#include "format/filter.h"
#include "tests/unit/guard.h"
#include "tests/unit/tap.h"

static struct control_keep shared;

static bool parse(const char *text, struct keep_rules *rules)
{
	return keep_parse(text, strlen(text), rules, NULL);
}

static void every_rule_is_understood(void)
{
	struct keep_rules rules;

	CHECK(parse("", &rules) && rules.rules == KEEP_ALWAYS);
	CHECK(parse("always", &rules) && rules.rules == KEEP_ALWAYS);
	CHECK(parse("slower=200ms, failed,first,every=100,worst=5 ,asked", &rules));
	CHECK_INT(rules.rules,
		  KEEP_SLOWER | KEEP_FAILED | KEEP_FIRST | KEEP_EVERY | KEEP_WORST | KEEP_ASKED);
	CHECK_INT(rules.slower_ns, 200000000);
	CHECK_INT(rules.every, 100);
	CHECK_INT(rules.worst, 5);
}

static void nonsense_is_refused_and_changes_nothing(void)
{
	static const char *const texts[] = {
		",",
		"failed,",
		",failed",
		"slow",
		"slower",
		"slower=",
		"slower=fast",
		"slower=1h",
		"every=0",
		"every=-1",
		"every=",
		"worst=0",
		"worst=9",
		"failed=1",
		"first,,failed",
		"always=1",
		"slower=99999999999999999999s",
		"every=1.5",
		"failed;first",
	};
	struct keep_rules rules = { .rules = 77 };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (parse(texts[i], &rules))
			printf("# taken: %s\n", texts[i]);
		CHECK(!parse(texts[i], &rules));
	}
	CHECK_INT(rules.rules, 77);
}

static void a_problem_says_where(void)
{
	struct keep_problem problem;
	struct keep_rules rules;

	CHECK(!keep_parse("first, slower=x", 15, &rules, &problem));
	CHECK_INT(problem.at, 7);
	CHECK_INT(problem.len, 8);
	CHECK(problem.text != NULL);
}

static void amounts_have_units(void)
{
	uint64_t n;

	CHECK(amount_bytes("64KiB", 5, &n) && n == 65536);
	CHECK(amount_bytes("1g", 2, &n) && n == UINT64_C(1) << 30);
	CHECK(amount_bytes("12B", 3, &n) && n == 12);
	CHECK(!amount_bytes("1X", 2, &n) && !amount_bytes("", 0, &n) && !amount_bytes("K", 1, &n));
	CHECK(!amount_bytes("20000000T", 9, &n));
	CHECK(amount_duration("2s", 2, &n) && n == UINT64_C(2000000000));
	CHECK(amount_duration("15", 2, &n) && n == 15000000);
	CHECK(amount_duration("1500us", 6, &n) && n == 1500000);
	CHECK(!amount_duration("1 s", 3, &n));
	CHECK(!amount_count("1 ", 2, &n) && amount_count("0", 1, &n) && n == 0);
}

static bool takes(const char *filter, const char *method, const char *path)
{
	return filter_takes(filter, strlen(filter), method, path, strlen(path));
}

static void filters_take_what_they_say(void)
{
	CHECK(takes("", "GET", "/"));
	CHECK(takes("GET /api/*;!/health", "GET", "/api/users/1"));
	CHECK(!takes("GET /api/*;!/health", "POST", "/api/users/1"));
	CHECK(!takes("GET /api/*;!/health", "GET", "/health"));
	CHECK(takes("!/health", "GET", "/healthy"));
	CHECK(!takes("!/health*", "GET", "/healthy"));
	CHECK(!takes("/a*;!GET /ab", "GET", "/ab"));
	CHECK(takes("/a*;!GET /ab", "POST", "/ab"));
	CHECK(takes(" P* /x ; ; /y", "PUT", "/x"));
	CHECK(takes("/a?c", "GET", "/abc") && !takes("/a?c", "GET", "/ac"));
	CHECK(takes("*/end", "GET", "/a/end/b/end") && !takes("*/end", "GET", "/a/end/b"));
	CHECK(!takes("/a", "GET", "/a/") && !takes("/a", "GET", ""));
}

static void filters_that_make_no_sense_are_refused(void)
{
	CHECK(filter_problem("!", 1) != NULL);
	CHECK(filter_problem("GET", 3) != NULL);
	CHECK(filter_problem("GET /a /b", 9) != NULL);
	CHECK(filter_problem("", 0) == NULL);
	CHECK(filter_problem("GET /a;", 7) == NULL);
}

static void many_stars_end_soon(void)
{
	char pattern[400], path[2000];

	for (size_t i = 0; i < sizeof(pattern); i += 2)
		memcpy(pattern + i, "*a", 2);
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = 'b';
	CHECK(!filter_takes(pattern, sizeof(pattern), "GET", path, sizeof(path)));
}

static void requests_are_read_no_further_than_their_ends(void)
{
	struct keep_rules rules;

	CHECK(keep_parse(guard_copy("slower=200ms,every=3", 20), 20, &rules, NULL));
	CHECK(!keep_parse(guard_copy("slower=200ms,every=", 19), 19, &rules, NULL));
	CHECK(filter_takes(guard_copy("GET /a*;!/b", 11), 11, "GET", "/a", 2));
	CHECK(!filter_problem(guard_copy("GET /a*;!/b", 11), 11));
}

static struct request *request(const char *path, unsigned status, uint64_t wall_ms)
{
	static struct request r;

	memset(&r, 0, sizeof(r));
	r.protocol = WIRE_HTTP1;
	strcpy(r.in.any.facts.method, "GET");
	strcpy(r.in.any.facts.path, path);
	r.in.any.facts.path_len = (uint32_t)strlen(path);
	r.out_ready = status != 0;
	r.out.any.status = (uint16_t)status;
	r.end_ns = wall_ms * 1000000;
	return &r;
}

static uint32_t kept(const char *text, struct request *r)
{
	struct keep_rules rules;
	bool full = false;

	CHECK(parse(text, &rules));
	return kept_by(&rules, &shared, r, &full);
}

static void slow_and_failed_requests_are_kept(void)
{
	memset(&shared, 0, sizeof(shared));
	CHECK_INT(kept("slower=20ms,failed", request("/a", 200, 19)), 0);
	CHECK_INT(kept("slower=20ms,failed", request("/a", 200, 20)), KEEP_SLOWER);
	CHECK_INT(kept("slower=20ms,failed", request("/a", 500, 1)), KEEP_FAILED);
	CHECK_INT(kept("slower=20ms,failed", request("/a", 0, 21)), KEEP_SLOWER | KEEP_FAILED);
	CHECK_INT(kept("failed", request("/a", 404, 1)), 0);
}

static bool none(const char *text, struct request *r)
{
	struct keep_rules rules;

	CHECK(parse(text, &rules));
	return kept_by_none(&rules, r);
}

static void that_none_will_keep_it_is_certain_without_counting(void)
{
	CHECK(none("slower=20ms,failed", request("/a", 200, 19)));
	CHECK(!none("slower=20ms,failed", request("/a", 200, 20)));
	CHECK(!none("slower=20ms,failed", request("/a", 500, 19)));
	CHECK(!none("always", request("/a", 200, 19)));
	CHECK(none("asked", request("/a", 200, 19)));
	CHECK(!none("slower=20ms,first", request("/a", 200, 19)));
	CHECK(!none("slower=20ms,worst=1", request("/a", 200, 19)));
	CHECK(!none("every=10", request("/a", 200, 19)));
}

static void the_first_of_each_route_is_kept(void)
{
	memset(&shared, 0, sizeof(shared));
	CHECK_INT(kept("first", request("/users/1", 200, 1)), KEEP_FIRST);
	CHECK_INT(kept("first", request("/users/2", 200, 1)), 0);
	CHECK_INT(kept("first", request("/orders/1", 200, 1)), KEEP_FIRST);
	CHECK_INT(kept("first", request("/orders/1", 200, 1)), 0);
}

static void one_in_so_many_is_kept(void)
{
	int n = 0;

	memset(&shared, 0, sizeof(shared));
	for (int i = 0; i < 100; i++)
		n += kept("every=10", request("/a", 200, 1)) == KEEP_EVERY;
	CHECK_INT(n, 10);
}

static void the_slowest_of_a_route_are_kept(void)
{
	memset(&shared, 0, sizeof(shared));
	CHECK_INT(kept("worst=2", request("/a", 200, 10)), KEEP_WORST);
	CHECK_INT(kept("worst=2", request("/a", 200, 20)), KEEP_WORST);
	CHECK_INT(kept("worst=2", request("/a", 200, 10)), 0);
	CHECK_INT(kept("worst=2", request("/a", 200, 15)), KEEP_WORST);
	CHECK_INT(kept("worst=2", request("/a", 200, 12)), 0);
	CHECK_INT(kept("worst=2", request("/b", 200, 1)), KEEP_WORST);
}

static void a_full_table_of_routes_is_told(void)
{
	struct keep_rules rules;
	bool full = false;
	int n = 0;

	memset(&shared, 0, sizeof(shared));
	CHECK(parse("first", &rules));
	for (int i = 0; i < 4 * CONTROL_ROUTES && !full; i++, n++) {
		char path[40];

		snprintf(path, sizeof(path), "/%c%c%c/x", 'g' + i % 20, 'g' + i / 20 % 20,
			 'g' + i / 400);
		kept_by(&rules, &shared, request(path, 200, 1), &full);
	}
	CHECK(full);
	CHECK(n > CONTROL_ROUTES / 2);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(every_rule_is_understood),
		TAP_TEST(nonsense_is_refused_and_changes_nothing),
		TAP_TEST(a_problem_says_where),
		TAP_TEST(amounts_have_units),
		TAP_TEST(filters_take_what_they_say),
		TAP_TEST(filters_that_make_no_sense_are_refused),
		TAP_TEST(many_stars_end_soon),
		TAP_TEST(requests_are_read_no_further_than_their_ends),
		TAP_TEST(slow_and_failed_requests_are_kept),
		TAP_TEST(that_none_will_keep_it_is_certain_without_counting),
		TAP_TEST(the_first_of_each_route_is_kept),
		TAP_TEST(one_in_so_many_is_kept),
		TAP_TEST(the_slowest_of_a_route_are_kept),
		TAP_TEST(a_full_table_of_routes_is_told),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
