#include "preload/sigsafe/waits.h"

#include "tests/unit/tap.h"

static struct waits *new_waits(void)
{
	struct waits *w = calloc(1, sizeof(*w));

	waits_place(w, calloc(1, WAITS_SHARED_BYTES), calloc(1, WAITS_OWN_BYTES));
	waits_reset(w);
	return w;
}

static void free_waits(struct waits *w)
{
	free(w->records);
	free(w->index); /* all of its memory */
	free(w);
}

static struct wait_record record(enum wait_kind kind, uint32_t on, uint32_t node, uint64_t at_ns,
				 uint64_t ns)
{
	return (struct wait_record){ .at_ns = at_ns,
				     .end_ns = at_ns + ns,
				     .ns = ns,
				     .node = node,
				     .on = on,
				     .count = 1,
				     .kind = (uint8_t)kind };
}

static void equal_texts_are_one(void)
{
	struct waits *w = new_waits();
	uint32_t a = waits_intern(w, "10.0.0.1:80 (recv)", 18);

	CHECK(a != 0);
	CHECK_INT(waits_intern(w, "10.0.0.1:80 (recv)", 18), a);
	CHECK(waits_intern(w, "10.0.0.1:80 (send)", 18) != a);
	CHECK(strcmp(waits_text(w, a), "10.0.0.1:80 (recv)") == 0);
	CHECK_INT(waits_intern(w, "", 0), 0);
	CHECK(strcmp(waits_text(w, 0), "") == 0);
	free_waits(w);
}

static void texts_end_with_the_memory(void)
{
	struct waits *w = new_waits();
	char text[8];
	uint32_t first = 0, got = 1;
	int n = 0;

	for (; got; n++) {
		snprintf(text, sizeof(text), "%d", n);
		got = waits_intern(w, text, strlen(text));
		if (n == 0)
			first = got;
	}
	CHECK(n > 1000);
	CHECK_INT(waits_intern(w, "0", 1), first);
	waits_reset(w);
	CHECK(waits_intern(w, "after a reset", 13) != 0);
	CHECK(waits_intern(w, "0", 1) != 0);
	free_waits(w);
}

static void a_long_text_is_cut(void)
{
	struct waits *w = new_waits();
	char text[1000];

	memset(text, 'x', sizeof(text));
	CHECK_INT(strlen(waits_text(w, waits_intern(w, text, sizeof(text)))), WAITS_TEXT_MAX);
	free_waits(w);
}

static void long_waits_stand_alone_and_short_ones_add_up(void)
{
	struct waits *w = new_waits();
	struct wait_record r = record(WAIT_SLEEP, 0, 7, 100, 50);

	waits_add(w, &r);
	waits_add(w, &r);
	CHECK_INT(w->count, 2);
	r.summed = true;
	r.trips = 1;
	for (int i = 0; i < 5; i++)
		waits_add(w, &r);
	CHECK_INT(w->count, 3);
	CHECK_INT(w->records[2].count, 5);
	CHECK_INT(w->records[2].trips, 5);
	CHECK_INT(w->records[2].ns, 250);
	r.node = 8;
	waits_add(w, &r);
	r.on = 3;
	waits_add(w, &r);
	r.kind = WAIT_LOCK;
	waits_add(w, &r);
	r.holder = 9;
	waits_add(w, &r);
	CHECK_INT(w->count, 7);
	free_waits(w);
}

/* However many there are, their time is in a record or they are counted as lost. */
static void nothing_is_lost_silently(void)
{
	struct waits *w = new_waits();
	uint64_t ns = 0, count = 0;
	uint32_t node;

	for (node = 0; node < 3 * WAITS_MAX; node++) {
		struct wait_record r = record(WAIT_SLEEP, 0, node % (WAITS_MAX + 100), node, 10);

		waits_add(w, &r);
	}
	for (uint32_t i = 0; i < w->count; i++) {
		ns += w->records[i].ns;
		count += w->records[i].count;
	}
	CHECK(w->count <= WAITS_MAX);
	CHECK(w->lost > 0);
	CHECK_INT(count + w->lost, 3 * WAITS_MAX);
	CHECK_INT(ns, count * 10);
	free_waits(w);
}

static void slices_of_one_wait_are_one_record(void)
{
	struct waits *w = new_waits();
	struct wait_record r = record(WAIT_GIL, 0, 7, 1000000, 5000000);

	r.holder = 4;
	CHECK(!waits_extend(w, WAIT_GIL, 4, r.at_ns, r.end_ns, r.ns));
	waits_add(w, &r);
	CHECK(!waits_extend(w, WAIT_GIL, 4, 6010000, 11000000, 4900000)); /* it did not time out */
	w->goes_on = true;
	CHECK(waits_extend(w, WAIT_GIL, 4, 6010000, 11000000, 4900000));
	CHECK_INT(w->count, 1);
	CHECK_INT(w->records[0].count, 1);
	CHECK_INT(w->records[0].ns, 9900000);
	CHECK_INT(w->records[0].end_ns, 11000000);
	CHECK(!waits_extend(w, WAIT_GIL, 5, 11000100, 12000000, 1)); /* another holder */
	CHECK(!waits_extend(w, WAIT_LOCK, 4, 11000100, 12000000, 1));
	CHECK(!waits_extend(w, WAIT_GIL, 4, 10000000, 20000000, 1)); /* before it */
	free_waits(w);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(equal_texts_are_one),
		TAP_TEST(texts_end_with_the_memory),
		TAP_TEST(a_long_text_is_cut),
		TAP_TEST(long_waits_stand_alone_and_short_ones_add_up),
		TAP_TEST(nothing_is_lost_silently),
		TAP_TEST(slices_of_one_wait_are_one_record),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
