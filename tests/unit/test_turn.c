/* Whose work was it? Turns of an event loop, put together by hand. */
#include "preload/track/turn.h"

#include "preload/track/connection.h"
#include "tests/unit/tap.h"

enum { LOOP = 100, ALICE = 1, BOB = 2 }; /* tasks */

static struct request *a, *b;
static struct turn turn;

static struct request *request_at(uint64_t start_ns)
{
	struct request *r = request_new();

	r->start_ns = start_ns;
	r->state = REQUEST_OPEN;
	return r;
}

static void begin(void)
{
	memset(&turn, 0, sizeof(turn));
	turn.running = true;
	turn.open_most = 2;
	turn.loop_task = LOOP;
	turn.start_ns = 100;
	a = request_at(10);
	b = request_at(20);
}

static void end(void)
{
	turn_forget(&turn);
	request_unref(a);
	request_unref(b);
}

static void event(uint64_t at_ns, struct request *r, uint64_t task, bool sent)
{
	turn.events[turn.count++] = (struct turn_event){
		.request = r, .at_ns = at_ns, .task = task, .before = true, .after = true, .sent = sent
	};
}
static void reads(uint64_t at_ns, struct request *r, uint64_t task)
{
	event(at_ns, r, task, false);
}
static void writes(uint64_t at_ns, struct request *r, uint64_t task)
{
	event(at_ns, r, task, true);
}
static void begins(uint64_t at_ns, struct request *r, uint64_t task)
{
	event(at_ns, r, task, false);
	turn.events[turn.count - 1].before = false;
	r->start_ns = at_ns;
}
static void ends(uint64_t at_ns, struct request *r, uint64_t task)
{
	event(at_ns, r, task, true);
	turn.events[turn.count - 1].after = false;
	r->state = REQUEST_ENDED;
	r->end_ns = at_ns;
}

static const char *whose(uint64_t at_ns, uint64_t task)
{
	struct turn_answer answer = turn_whose(&turn, &(struct turn_work){ .at_ns = at_ns, .task = task });
	static char text[16];

	snprintf(text, sizeof(text), "%s%s",
		 answer.request == a   ? "a" :
		 answer.request == b   ? "b" :
		 answer.request	       ? "?" :
					 "nobody",
		 answer.sure == TURN_CERTAIN ? "!" : "");
	return text;
}

static void work_between_two_calls_of_one_request_is_its_own(void)
{
	begin();
	begins(110, a, 0);
	ends(150, a, 0);
	begins(160, b, 0);
	ends(190, b, 0);
	CHECK_STR(whose(120, 0), "a!");
	CHECK_STR(whose(180, 0), "b!");
	end();
}

static void a_write_tells_of_the_work_before_it(void)
{
	begin();
	ends(150, a, 0);
	ends(190, b, 0);
	CHECK_STR(whose(120, 0), "a");
	CHECK_STR(whose(160, 0), "b");
	end();
}

static void a_request_that_begins_had_no_work_before(void)
{
	begin();
	begins(150, a, 0);
	CHECK_STR(whose(120, 0), "nobody");
	end();
}

static void between_a_read_of_one_and_a_write_of_another_nobody_knows(void)
{
	begin();
	reads(110, a, 0);
	writes(190, b, 0);
	CHECK_STR(whose(150, 0), "nobody");
	end();
}

static void what_the_reading_function_called_back_is_the_readers(void)
{
	const struct turn_work inside = { .at_ns = 150, .inside = true };
	struct turn_answer answer;

	begin();
	reads(110, a, 0);
	reads(190, b, 0);
	answer = turn_whose(&turn, &inside);
	CHECK(answer.request == a && answer.sure == TURN_CERTAIN);
	CHECK_STR(whose(150, 0), "nobody");
	end();
}

static void when_somebody_unknown_has_been_worked_for_the_order_tells_nothing(void)
{
	begin();
	reads(110, a, 0);
	turn.events[0].cut = true;
	writes(150, a, 0);
	writes(190, a, 0);
	CHECK_STR(whose(130, 0), "nobody");
	CHECK_STR(whose(170, 0), "a!");
	end();
}

static void a_task_has_told_when_it_has_read_or_written(void)
{
	begin();
	reads(110, a, 7);
	CHECK(turn_has_told(&turn, 7));
	CHECK(!turn_has_told(&turn, 8));
	end();
}

static void learns(uint64_t at_ns, bool inside)
{
	const struct turn_work work = { .at_ns = at_ns, .inside = inside };

	turn_learn(&turn, &work);
}

static void what_a_loop_that_calls_back_does_outside_leads_to_the_next_write(void)
{
	begin();
	learns(150, true);
	reads(110, a, 0);
	writes(190, b, 0);
	CHECK_STR(whose(150, 0), "b");
	end();
}

static void a_loop_that_also_works_when_it_has_read_may_do_so_for_any(void)
{
	begin();
	learns(100, true);
	reads(110, a, 0);
	writes(130, a, 0);
	learns(120, false);
	reads(140, a, 0);
	writes(190, b, 0);
	CHECK_STR(whose(150, 0), "nobody");
	for (int i = 0; i < 10; i++)
		learns(100, true);
	CHECK_STR(whose(150, 0), "b");
	end();
}

static void a_callback_that_turned_to_another_request_is_not_the_readers(void)
{
	const struct turn_work inside = { .at_ns = 150, .inside = true };
	struct turn_answer answer;

	begin();
	reads(110, a, 0);
	writes(120, b, 0);
	answer = turn_whose(&turn, &inside);
	CHECK(answer.request == NULL);
	end();
}

static void a_callback_for_several_requests_is_nobodys(void)
{
	const struct turn_work inside = { .at_ns = 150, .inside = true };

	begin();
	begins(110, a, 0);
	turn.events[0].several = true;
	writes(190, a, 0);
	CHECK(turn_whose(&turn, &inside).request == NULL);
	CHECK_STR(whose(150, 0), "nobody");
	CHECK(turn_whose_between(&turn, 1).request == NULL);
	end();
}

static void where_answers_wait_for_others_the_order_tells_nothing(void)
{
	const struct turn_work inside = { .at_ns = 130, .inside = true };

	begin();
	reads(110, a, 0);
	writes(150, a, 0);
	ends(190, b, 0);
	CHECK_STR(whose(130, 0), "a!");
	turn.hidden = true;
	CHECK_STR(whose(130, 0), "nobody");
	CHECK_STR(whose(200, 0), "nobody");
	CHECK(turn_whose_between(&turn, 0).request == NULL);
	CHECK(turn_whose(&turn, &inside).request == a);
	end();
}

static void an_answer_of_several_tells_of_none(void)
{
	begin();
	ends(150, a, 0);
	turn.events[0].several = true;
	CHECK_STR(whose(120, 0), "nobody");
	end();
}

static void a_tasks_calls_tell_whatever_others_do_between(void)
{
	begin();
	reads(110, a, LOOP);
	reads(115, b, LOOP);
	ends(150, a, ALICE);
	ends(190, b, BOB);
	CHECK_STR(whose(120, ALICE), "a");
	CHECK_STR(whose(180, BOB), "b");
	CHECK_STR(whose(120, BOB), "b");
	end();
}

static void an_unknown_tasks_work_is_nobodys(void)
{
	begin();
	reads(110, a, ALICE);
	writes(190, a, ALICE);
	CHECK_STR(whose(150, BOB), "nobody");
	CHECK_STR(whose(150, ALICE), "a!");
	end();
}

static void with_one_request_alone_in_the_process_it_is_its(void)
{
	begin();
	turn.open_most = 1;
	reads(110, a, ALICE);
	CHECK_STR(whose(150, BOB), "a");
	end();
}

static void what_a_task_does_when_its_request_has_ended_is_the_tail(void)
{
	begin();
	ends(150, a, ALICE);
	CHECK_STR(whose(160, ALICE), "a");
	end();
}

static void a_task_goes_on_to_the_next_request_with_its_next_write(void)
{
	begin();
	ends(150, a, ALICE);
	ends(190, b, ALICE);
	CHECK_STR(whose(170, ALICE), "b");
	end();
}

static void an_earlier_turns_work_is_told_by_a_later_call_of_its_task(void)
{
	struct turn_answer answer;

	begin();
	reads(110, b, BOB);
	writes(190, a, ALICE);
	answer = turn_whose_earlier(&turn, &(struct turn_work){ .at_ns = 50, .task = ALICE });
	CHECK(answer.request == a);
	answer = turn_whose_earlier(&turn, &(struct turn_work){ .at_ns = 5, .task = ALICE });
	CHECK(answer.request == NULL); /* before it had begun */
	answer = turn_whose_earlier(&turn, &(struct turn_work){ .at_ns = 50, .task = 77 });
	CHECK(answer.request == NULL);
	end();
}

static void a_greenlet_is_known_from_an_earlier_turn(void)
{
	const struct turn_work known = { .at_ns = 150, .task = ALICE, .lives = true };
	struct turn_answer answer;

	begin();
	reads(110, a, ALICE);
	turn_remember(&turn);
	turn.count = 0;
	answer = turn_whose(&turn, &known);
	CHECK(answer.request == a);
	CHECK(turn_working_for(&turn, ALICE) == a);
	/* Of what may be another by now with the same number nothing is known. */
	CHECK_STR(whose(150, ALICE), "nobody");
	a->state = REQUEST_ENDED;
	a->end_ns = 140;
	answer = turn_whose(&turn, &known);
	CHECK(answer.request == NULL);
	CHECK(turn_working_for(&turn, ALICE) == NULL);
	end();
}

static void the_loops_own_work_goes_by_order(void)
{
	begin();
	reads(110, a, LOOP);
	writes(150, a, ALICE);
	CHECK_STR(whose(120, LOOP), "a!");
	end();
}

/* The task's connection is known (only its address is compared), and what is open there at the turn's end. */
static const char *whose_there(uint64_t at_ns, const void *connection, struct request *open, bool past)
{
	struct turn_answer answer = turn_whose(
		&turn, &(struct turn_work){
			       .at_ns = at_ns, .task = ALICE, .connection = connection, .open = open, .past = past });

	CHECK(answer.sure != TURN_CERTAIN);
	return answer.request == a ? "a" : answer.request == b ? "b" : "nobody";
}

static void a_tasks_work_is_for_its_connection(void)
{
	static const int here, there;

	begin();
	reads(110, b, 0);
	turn.events[0].connection = (const void *)&there;
	writes(150, a, 0);
	turn.events[1].connection = (const void *)&here;
	CHECK_STR(whose_there(120, &here, NULL, false), "a");
	CHECK_STR(whose_there(160, &here, a, false), "a");
	CHECK_STR(whose_there(160, &there, b, false), "b");
	CHECK_STR(whose_there(160, &there, NULL, false), "nobody");
	end();
}

static void what_a_task_does_when_it_has_answered_is_not_the_next_requests(void)
{
	static const int here;

	begin();
	turn.open_most = 1;
	begins(150, a, 0);
	turn.events[0].connection = (const void *)&here;
	CHECK_STR(whose_there(160, &here, a, true), "nobody");
	/* Even if it had come long before it was read. */
	a->start_ns = 110;
	CHECK_STR(whose_there(120, &here, a, false), "nobody");
	a->first_byte_ns = 150;
	turn.count = 0;
	CHECK_STR(whose_there(120, &here, a, false), "nobody");
	CHECK_STR(whose_there(160, &here, a, false), "a");
	turn.count = 1;
	end();
}

static void alone_it_is_not_what_another_ones_task_goes_on_with(void)
{
	struct turn_answer answer;

	begin();
	ends(150, a, ALICE);
	turn.events[0].coroutine = 0x1000;
	turn_remember(&turn);
	turn.count = 0;
	turn.open_most = 1;
	reads(160, b, LOOP);
	CHECK_STR(whose(170, ALICE), "nobody");
	CHECK_STR(whose(170, BOB), "b");
	CHECK(!turn_may_tell(&turn, ALICE));
	CHECK(turn_may_tell(&turn, BOB));
	/* While it is at work, others may be of its making; they tell by what they send. */
	elders_worked(&turn.elders, ALICE, 0x1000, 170);
	CHECK_STR(whose(170, BOB), "nobody");
	CHECK(turn_whose_between(&turn, 1).request == b);
	writes(190, b, BOB);
	CHECK_STR(whose(170, BOB), "b");
	answer = turn_whose_earlier(&turn, &(struct turn_work){ .at_ns = 155, .task = BOB });
	CHECK(answer.request == b);
	end();
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(a_tasks_work_is_for_its_connection),
		TAP_TEST(what_a_task_does_when_it_has_answered_is_not_the_next_requests),
		TAP_TEST(work_between_two_calls_of_one_request_is_its_own),
		TAP_TEST(a_write_tells_of_the_work_before_it),
		TAP_TEST(a_request_that_begins_had_no_work_before),
		TAP_TEST(between_a_read_of_one_and_a_write_of_another_nobody_knows),
		TAP_TEST(what_the_reading_function_called_back_is_the_readers),
		TAP_TEST(when_somebody_unknown_has_been_worked_for_the_order_tells_nothing),
		TAP_TEST(a_task_has_told_when_it_has_read_or_written),
		TAP_TEST(what_a_loop_that_calls_back_does_outside_leads_to_the_next_write),
		TAP_TEST(a_loop_that_also_works_when_it_has_read_may_do_so_for_any),
		TAP_TEST(a_callback_that_turned_to_another_request_is_not_the_readers),
		TAP_TEST(a_callback_for_several_requests_is_nobodys),
		TAP_TEST(where_answers_wait_for_others_the_order_tells_nothing),
		TAP_TEST(an_answer_of_several_tells_of_none),
		TAP_TEST(a_tasks_calls_tell_whatever_others_do_between),
		TAP_TEST(an_unknown_tasks_work_is_nobodys),
		TAP_TEST(with_one_request_alone_in_the_process_it_is_its),
		TAP_TEST(alone_it_is_not_what_another_ones_task_goes_on_with),
		TAP_TEST(what_a_task_does_when_its_request_has_ended_is_the_tail),
		TAP_TEST(a_task_goes_on_to_the_next_request_with_its_next_write),
		TAP_TEST(an_earlier_turns_work_is_told_by_a_later_call_of_its_task),
		TAP_TEST(a_greenlet_is_known_from_an_earlier_turn),
		TAP_TEST(the_loops_own_work_goes_by_order),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
