/* Tasks known from before, and what they may have worked for. */
#include "preload/track/elders.h"

#include "preload/track/connection.h"
#include "tests/unit/tap.h"

enum { ALICE = 1, BOB = 2, CAROL = 3 }; /* tasks; their coroutines lie at a hundred times that */

static const int here, there; /* connections */
static struct elders elders;
static struct request *a, *b;
static uintptr_t ended; /* the coroutine that waits no more */

static struct request *request_at(uint64_t start_ns, const void *connection)
{
	struct request *r = request_new();

	r->start_ns = start_ns;
	r->connection = connection;
	r->state = REQUEST_OPEN;
	return r;
}

static void begin(const void *of_a, const void *of_b)
{
	memset(&elders, 0, sizeof(elders));
	a = request_at(10, of_a);
	b = request_at(50, of_b);
	ended = 0;
}

static void end(void)
{
	elders_forget(&elders);
	request_unref(a);
	request_unref(b);
}

static bool waits(uintptr_t coroutine)
{
	return coroutine != ended;
}

static void answers(uint64_t task, uint64_t at_ns, struct request *r)
{
	elders_did(&elders, task, task * 100, at_ns, r);
	r->state = REQUEST_ENDED;
}

static void nothing_is_known_of_others(void)
{
	begin(&here, &there);
	CHECK(elders_find(&elders, ALICE) == NULL);
	CHECK(elders_find(&elders, 0) == NULL);
	CHECK(elders_allow(&elders, ALICE, b));
	CHECK(elders_allow(&elders, 0, b));
	CHECK(elders_may_tell(&elders, ALICE));
	end();
}

static void who_has_answered_works_for_no_other(void)
{
	begin(&here, &there);
	answers(ALICE, 60, a);
	CHECK(!elders_allow(&elders, ALICE, b));
	CHECK(elders_allow(&elders, BOB, b));
	CHECK(!elders_may_tell(&elders, ALICE));
	CHECK(elders_may_tell(&elders, BOB));
	end();
}

static void who_has_not_finished_works_for_its_own(void)
{
	begin(&here, &there);
	elders_did(&elders, ALICE, ALICE * 100, 60, a);
	CHECK(elders_allow(&elders, ALICE, a));
	CHECK(!elders_allow(&elders, ALICE, b));
	CHECK(elders_may_tell(&elders, ALICE));
	end();
}

static void who_ran_before_the_request_began_was_not_begun_by_it(void)
{
	begin(&here, &there);
	elders_worked(&elders, ALICE, 100, 40);
	elders_worked(&elders, ALICE, 100, 70);
	elders_worked(&elders, BOB, 200, 60);
	CHECK(!elders_allow(&elders, ALICE, b));
	CHECK(elders_allow(&elders, ALICE, a));
	CHECK(elders_allow(&elders, BOB, b));
	CHECK(elders_may_tell(&elders, ALICE));
	end();
}

static void of_the_same_connection_the_next_one_may_be_its_if_that_shows_later(void)
{
	begin(&here, &here);
	answers(ALICE, 40, a);
	CHECK(!elders_may_tell(&elders, ALICE));
	elders_follow(&elders, a);
	CHECK(!elders_may_tell(&elders, ALICE));
	elders_follow(&elders, b);
	CHECK(elders_may_tell(&elders, ALICE));
	CHECK(!elders_allow(&elders, ALICE, b));
	end();
}

static void who_serves_a_connection_goes_on_with_its_next_request(void)
{
	struct request *c;

	begin(&here, &here);
	c = request_at(70, &here);
	answers(ALICE, 40, a);
	answers(ALICE, 60, b);
	CHECK(elders_allow(&elders, ALICE, c));
	CHECK(elders_may_tell(&elders, ALICE));
	c->connection = &there;
	CHECK(!elders_allow(&elders, ALICE, c));
	request_unref(c);
	end();
}

static void where_one_that_has_answered_is_at_work_others_may_be_of_its_making(void)
{
	begin(&here, &there);
	answers(ALICE, 40, a);
	CHECK(elders_allow(&elders, BOB, b));
	elders_worked(&elders, ALICE, 100, 45);
	CHECK(elders_allow(&elders, BOB, b)); /* before b began */
	elders_worked(&elders, ALICE, 100, 60);
	CHECK(!elders_allow(&elders, BOB, b));
	CHECK(!elders_allow(&elders, 0, b));
	ended = 100;
	elders_check(&elders, waits);
	CHECK(elders_allow(&elders, BOB, b));
	end();
}

static void one_that_has_ended_is_not_taken_for_the_next_with_its_number(void)
{
	begin(&here, &there);
	answers(ALICE, 40, a);
	elders_worked(&elders, BOB, 200, 45);
	ended = 100;
	elders_check(&elders, waits);
	CHECK(elders_find(&elders, ALICE) == NULL);
	CHECK(elders_find(&elders, BOB) != NULL);
	CHECK(elders_allow(&elders, ALICE, b));
	/* Nor where it is found with another coroutine. */
	answers(CAROL, 47, a);
	elders_worked(&elders, CAROL, 301, 60);
	CHECK(elders_allow(&elders, CAROL, b));
	end();
}

static void without_a_coroutine_none_is_learnt(void)
{
	begin(&here, &there);
	elders_did(&elders, ALICE, 0, 40, a);
	CHECK(elders_find(&elders, ALICE) == NULL);
	elders_did(&elders, 0, 100, 40, a);
	CHECK(elders_find(&elders, 0) == NULL);
	elders_worked(&elders, ALICE, 100, 40);
	elders_did(&elders, ALICE, 0, 45, a);
	CHECK(elders_find(&elders, ALICE)->request == a);
	end();
}

static void of_too_many_the_oldest_go(void)
{
	unsigned found = 0;

	begin(&here, &there);
	for (uint64_t task = 1; task <= ELDERS_MAX + 5; task++)
		elders_did(&elders, task, task * 100, 40, a);
	for (uint64_t task = 1; task <= ELDERS_MAX + 5; task++)
		found += elders_find(&elders, task) != NULL;
	CHECK_INT(found, ELDERS_MAX);
	CHECK(elders_find(&elders, 5) == NULL);
	CHECK(elders_find(&elders, 6) != NULL);
	elders_forget(&elders);
	CHECK(elders_find(&elders, 6) == NULL);
	CHECK_INT(a->refs, 1);
	end();
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(nothing_is_known_of_others),
		TAP_TEST(who_has_answered_works_for_no_other),
		TAP_TEST(who_has_not_finished_works_for_its_own),
		TAP_TEST(who_ran_before_the_request_began_was_not_begun_by_it),
		TAP_TEST(of_the_same_connection_the_next_one_may_be_its_if_that_shows_later),
		TAP_TEST(who_serves_a_connection_goes_on_with_its_next_request),
		TAP_TEST(where_one_that_has_answered_is_at_work_others_may_be_of_its_making),
		TAP_TEST(one_that_has_ended_is_not_taken_for_the_next_with_its_number),
		TAP_TEST(without_a_coroutine_none_is_learnt),
		TAP_TEST(of_too_many_the_oldest_go),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
