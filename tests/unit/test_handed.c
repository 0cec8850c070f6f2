/* Whose is what was handed to a pool's thread? The table of items, without threads. */
#include "preload/track/handed.h"

#include "preload/track/connection.h"
#include "preload/track/track.h"
#include "tests/unit/tap.h"

static uint64_t serials;
static struct request *alice, *bob;

static void finished(struct request *r)
{
	(void)r;
}

static struct request *begin(void)
{
	struct request *r = request_new();

	r->serial = ++serials;
	r->holds = 1;
	return r;
}

static void start(void)
{
	static const struct track_callbacks callbacks = { .finished = finished };

	track_start(&callbacks);
	handed_postfork_child();
	alice = begin();
	bob = begin();
}

static void end(void)
{
	request_unref(alice);
	request_unref(bob);
}

static const char *whose(uintptr_t item)
{
	struct handed_answer answer = handed_whose(item);
	const char *name = answer.whose == HANDED_LATER ? "later" :
			   answer.request == alice	? "alice" :
			   answer.request == bob	? "bob" :
							  "nobody";

	CHECK((answer.whose == HANDED_KNOWN) == (answer.request != NULL));
	handed_let_go(&answer);
	return name;
}

static void join(void **to, void *from)
{
	*to = from;
}

static void an_item_is_whose_thread_gave_it_away(void)
{
	start();
	CHECK_STR(whose(0x1000), "nobody");
	handed_give(0x1000, alice, 5);
	handed_give(0x2000, bob, 6);
	CHECK_STR(whose(0x1000), "alice");
	CHECK_STR(whose(0x2000), "bob");
	CHECK_INT(handed_whose(0x3000).whose, HANDED_NOBODYS);
	/* Given on by the thread that works on it. */
	handed_share(0x3000, 0x2000, 7);
	CHECK_STR(whose(0x3000), "bob");
	handed_share(0x3000, 0x4000, 7);
	CHECK_STR(whose(0x3000), "nobody");
	end();
}

static void what_was_done_before_was_another_items(void)
{
	struct handed_answer answer;

	start();
	handed_give(0x1000, alice, 5);
	handed_give(0x1000, alice, 8); /* the same hand-over, told of again */
	answer = handed_whose(0x1000);
	CHECK_INT(answer.since_ns, 5);
	handed_let_go(&answer);
	handed_give(0x1000, bob, 9);
	answer = handed_whose(0x1000);
	CHECK_INT(answer.since_ns, 9);
	CHECK(answer.request == bob);
	handed_let_go(&answer);
	end();
}

static void an_address_used_again_is_not_the_one_before(void)
{
	start();
	handed_give(0x1000, alice, 5);
	handed_done(0x1000);
	CHECK_STR(whose(0x1000), "nobody");
	CHECK(!handed_is(0x1000));
	handed_give(0x1000, alice, 6);
	handed_give(0x1000, NULL, 7); /* by a thread that works for nobody */
	CHECK_STR(whose(0x1000), "nobody");
	end();
}

static void a_finished_requests_item_is_nobodys(void)
{
	start();
	handed_give(0x1000, alice, 5);
	alice->holds = 0;
	CHECK_STR(whose(0x1000), "nobody");
	alice->holds = 1;
	alice->serial = ++serials; /* its memory is another one's */
	CHECK_STR(whose(0x1000), "nobody");
	CHECK_INT(alice->refs, 1);
	end();
}

static void a_loops_item_waits_for_its_task(void)
{
	const struct handed_task task = { .at_ns = 5, .task = 77, .coroutine = 0x5000 };
	struct handed_work work = { .samples = (void *)"some", .count = 3, .cpu_ns = 30 };
	struct handed_answer answer;
	struct handed_task asked;
	int number, owner, other;

	start();
	number = handed_give_later(0x1000, &owner, &task);
	CHECK(number >= 0);
	CHECK_INT(handed_give_later(0x1000, &owner, &task), -1); /* once is enough */
	CHECK_STR(whose(0x1000), "later");
	CHECK(handed_later((unsigned)number, &owner, &asked) && asked.task == 77);
	CHECK(!handed_later((unsigned)number, &other, &asked));
	answer = handed_worked(0x1000, &work, join);
	CHECK_INT(answer.whose, HANDED_LATER);
	CHECK(work.samples == NULL);
	/* Done, and the address is another's; what it was remains to be told. */
	handed_done(0x1000);
	handed_give(0x1000, bob, 9);
	work = handed_told((unsigned)number, &owner, alice);
	CHECK_STR(work.samples, "some");
	CHECK_INT(work.count, 3);
	CHECK_STR(whose(0x1000), "bob");
	CHECK(!handed_later((unsigned)number, &owner, &asked));
	end();
}

static void what_is_told_while_it_is_worked_on_is_known(void)
{
	const struct handed_task task = { .at_ns = 5, .task = 77 };
	struct handed_work work = { .samples = (void *)"some", .count = 3 };
	struct handed_answer answer;
	int number, owner;

	start();
	number = handed_give_later(0x1000, &owner, &task);
	CHECK(handed_told((unsigned)number, &owner, alice).samples == NULL);
	CHECK_STR(whose(0x1000), "alice");
	answer = handed_worked(0x1000, &work, join);
	CHECK(answer.request == alice && work.samples != NULL);
	handed_let_go(&answer);
	number = handed_give_later(0x2000, &owner, &task);
	handed_told((unsigned)number, &owner, NULL);
	CHECK_STR(whose(0x2000), "nobody");
	end();
}

static void more_than_there_is_room_for_are_nobodys(void)
{
	const struct handed_task task = { .at_ns = 5, .task = 77 };
	unsigned known = 0, later = 0;
	int owner;

	start();
	for (uintptr_t i = 1; i <= 2 * (uintptr_t)HANDED_MAX; i++)
		later += handed_give_later(i << 6, &owner, &task) >= 0;
	CHECK(later > HANDED_MAX / 2 && later <= HANDED_MAX);
	handed_postfork_child();
	/* The youngest are kept: the others are done, most likely. */
	for (uintptr_t i = 1; i <= 2 * (uintptr_t)HANDED_MAX; i++)
		handed_give(i << 6, alice, i);
	for (uintptr_t i = 1; i <= 2 * (uintptr_t)HANDED_MAX; i++)
		known += handed_is(i << 6);
	CHECK(known > HANDED_MAX / 2 && known <= HANDED_MAX);
	CHECK_STR(whose(2 * (uintptr_t)HANDED_MAX << 6), "alice");
	end();
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(an_item_is_whose_thread_gave_it_away),
		TAP_TEST(what_was_done_before_was_another_items),
		TAP_TEST(an_address_used_again_is_not_the_one_before),
		TAP_TEST(a_finished_requests_item_is_nobodys),
		TAP_TEST(a_loops_item_waits_for_its_task),
		TAP_TEST(what_is_told_while_it_is_worked_on_is_known),
		TAP_TEST(more_than_there_is_room_for_are_nobodys),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
