#include "format/route.h"

#include "tests/unit/tap.h"

static const char *fold(const char *path)
{
	static char route[256];

	route_fold(path, strlen(path), route, sizeof(route));
	return route;
}

static void numbers_become_id(void)
{
	CHECK_STR(fold("/users/42"), "/users/{id}");
	CHECK_STR(fold("/users/42/orders/7/"), "/users/{id}/orders/{id}/");
}

static void uuids_become_id(void)
{
	CHECK_STR(fold("/resource_providers/7d3c2a1e-0b5f-4e6a-9c8d-1f2e3d4c5b6a/inventories"),
		  "/resource_providers/{id}/inventories");
	CHECK_STR(fold("/x/7d3c2a1e0b5f4e6a9c8d1f2e3d4c5b6a"), "/x/{id}");
}

static void words_and_versions_stay(void)
{
	CHECK_STR(fold("/api/v1/users"), "/api/v1/users");
	CHECK_STR(fold("/deadbeefdeadbeef"), "/deadbeefdeadbeef"); /* no digit: a word, as far as one can know */
	CHECK_STR(fold("/"), "/");
	CHECK_STR(fold(""), "");
	CHECK_STR(fold("*"), "*");
}

static void extensions_of_folded_segments_stay(void)
{
	CHECK_STR(fold("/img/12345.png"), "/img/{id}.png");
	CHECK_STR(fold("/report.pdf"), "/report.pdf");
	CHECK_STR(fold("/1.2"), "/1.2");
}

static void a_small_buffer_cuts_and_stays_terminated(void)
{
	char route[6];

	memset(route, 'x', sizeof(route));
	CHECK_INT(route_fold("/users/42", 9, route, sizeof(route)), 5);
	CHECK_STR(route, "/user");
	CHECK_INT(route_fold("/1234", 5, route, sizeof(route)), 5);
	CHECK_STR(route, "/{id}");
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(numbers_become_id),
		TAP_TEST(uuids_become_id),
		TAP_TEST(words_and_versions_stay),
		TAP_TEST(extensions_of_folded_segments_stay),
		TAP_TEST(a_small_buffer_cuts_and_stays_terminated),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
