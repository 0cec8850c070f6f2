/* Pieces of time never overlap, fill what they must, and stand where they were measured. */
#include "tools/model/timeline.h"

#include "tests/unit/tap.h"
#include "tools/base/strings.h"

enum { MS = 1000000, WALL = 100 * MS };

struct made {
	struct model *m;
	struct sample samples[512];
	uint32_t n;
	int64_t wall;
};

static struct made made;

static void begin(void)
{
	made.m = model_new();
	made.n = 0;
	made.wall = 0;
}

static void add(enum sample_state state, uint32_t thread, int64_t at, int64_t ns, int64_t count)
{
	struct sample *s = &made.samples[made.n++];

	*s = (struct sample){ .state = state,
			      .thread = thread,
			      .at_ns = at,
			      .count = state == STATE_WAIT ? count : 0,
			      .ticks = state == STATE_USER,
			      .on = "",
			      .holder = "" };
	s->values[PROFILE_SAMPLES] = state == STATE_USER;
	s->values[PROFILE_CPU] = state == STATE_USER || state == STATE_KERNEL ? ns : 0;
	s->values[PROFILE_WAIT] = state == STATE_WAIT ? ns : 0;
	s->values[PROFILE_WALL] = ns;
	made.wall += ns;
}

/* The rest, up to WALL. */
static struct timeline *finish(int64_t wall, int64_t overlap)
{
	struct request r = { .tid = 7, .wall_ns = wall, .overlap_ns = overlap };

	if (made.wall < wall)
		add(STATE_REST, 0, -1, wall - made.wall, 0);
	model_add_request(made.m, &r, made.n);
	if (made.n)
		memcpy(made.m->samples, made.samples, made.n * sizeof(*made.samples));
	return timeline_make(made.m, 0);
}

static void end(struct timeline *t)
{
	timeline_free(t);
	model_free(made.m);
}

/* "USER 0+2 WAIT 2+5 ...": in ms, of the first thread */
static const char *text_of(const struct timeline *t, size_t thread)
{
	static const char *const names[] = { "user", "kernel", "wait", "runnable", "rest" };
	static char text[1024];

	text[0] = '\0';
	for (size_t i = 0; i < t->threads[thread].n_pieces; i++) {
		const struct piece *p = &t->threads[thread].pieces[i];

		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %g+%g ",
			 names[made.samples[p->sample].state], (double)p->start_ns / MS,
			 (double)p->length_ns / MS);
	}
	return text;
}

static void waits_have_their_exact_place_and_samples_flow_around_them(void)
{
	struct timeline *t;

	begin();
	add(STATE_USER, 7, 2 * MS, MS, 0);
	/* half of its millisecond before the wait, half after it */
	add(STATE_USER, 7, 10 * MS + MS / 2, MS, 0);
	add(STATE_WAIT, 7, 4 * MS, 6 * MS, 1);
	t = finish(12 * MS, 0);
	CHECK_INT(t->n_threads, 1);
	CHECK_INT(t->threads[0].thread, 7);
	CHECK_STR(text_of(t, 0),
		  "rest 0+1 user 1+1 rest 2+1.5 user 3.5+0.5 wait 4+6 user 10+0.5 rest 10.5+1.5 ");
	end(t);
}

static void what_has_no_place_is_spread_over_the_gaps(void)
{
	struct timeline *t;
	int64_t kernel_early = 0;

	begin();
	for (int i = 0; i < 40; i++)
		add(STATE_USER, 7, (2 * i + 2) * MS, MS, 0);
	add(STATE_KERNEL, 7, -1, 20 * MS, 0);
	made.samples[40].ticks = 0;
	t = finish(80 * MS, 0);
	for (size_t i = 0; i < t->threads[0].n_pieces; i++) {
		const struct piece *p = &t->threads[0].pieces[i];

		if (p->sample == 40 && p->start_ns < 40 * MS)
			kernel_early += p->length_ns;
	}
	/* half of it in the first half */
	CHECK_INT(kernel_early, 10 * MS);
	end(t);
}

static void waits_that_were_added_up_have_no_place(void)
{
	struct timeline *t;

	begin();
	add(STATE_WAIT, 7, 50 * MS, 3 * MS, 20);
	add(STATE_USER, 7, 3 * MS, MS, 0);
	t = finish(4 * MS, 0);
	CHECK_STR(text_of(t, 0), "wait 0+2 user 2+1 wait 3+1 ");
	end(t);
}

static void threads_stand_apart(void)
{
	struct timeline *t;

	begin();
	/* both 3 ms of a request of 4: scaled to fit in the file, not here */
	add(STATE_WAIT, 7, 0, 3 * MS, 1);
	add(STATE_WAIT, 8, MS, 3 * MS, 1);
	made.samples[0].values[PROFILE_WALL] = 2 * MS;
	made.samples[1].values[PROFILE_WALL] = 2 * MS;
	made.wall = 4 * MS;
	t = finish(4 * MS, 2 * MS);
	CHECK_INT(t->n_threads, 2);
	CHECK_INT(t->threads[0].thread, 7);
	CHECK_STR(text_of(t, 0), "wait 0+3 ");
	CHECK_STR(text_of(t, 1), "wait 1+3 ");
	end(t);
}

static void waits_that_overlap_move_apart(void)
{
	struct timeline *t;

	begin();
	add(STATE_WAIT, 7, 0, 3 * MS, 1);
	add(STATE_WAIT, 7, 2 * MS, 3 * MS, 1);
	add(STATE_WAIT, 7, INT64_MAX, 2 * MS, 1);
	t = finish(9 * MS, 0);
	CHECK_STR(text_of(t, 0), "wait 0+3 wait 3+3 rest 6+1 wait 7+2 ");
	end(t);
}

static uint64_t seed = 88172645463325252u;

static int64_t any(int64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (int64_t)(seed % (uint64_t)below);
}

/* Whatever is in a file: no overlap, nothing outside, and with one thread no gap and exact sums. */
static void any_samples_make_a_timeline(void)
{
	uint32_t wrong = 0;

	for (int round = 0; round < 3000; round++) {
		int64_t overlap = any(3) ? 0 : any(WALL), sums[512] = { 0 }, wall = 0;
		uint32_t threads = any(2) ? 1 : 1 + (uint32_t)any(4);
		int n = (int)any(60);
		struct timeline *t;

		begin();
		for (int i = 0; i < n; i++)
			add((enum sample_state)any(STATES), any(5) ? 7 + (uint32_t)any(threads) : 0,
			    any(6) ? any(WALL) : -1, any(WALL / 8), 1 + any(2));
		wall = made.wall + any(2) * any(WALL);
		t = finish(wall, overlap);
		for (size_t i = 0; i < t->n_threads; i++) {
			const struct thread_line *line = &t->threads[i];
			int64_t at = 0;

			for (size_t j = 0; j < line->n_pieces; j++) {
				const struct piece *p = &line->pieces[j];

				wrong += p->length_ns <= 0 || p->start_ns < at ||
					 p->sample >= made.n;
				wrong += t->n_threads == 1 && !overlap && p->start_ns != at;
				at = p->start_ns + p->length_ns;
				sums[p->sample] += p->length_ns;
			}
			wrong += at > wall || (t->n_threads == 1 && !overlap && at != wall);
		}
		for (uint32_t i = 0; i < made.n; i++)
			wrong += t->n_threads == 1 && !overlap &&
				 sums[i] != made.samples[i].values[PROFILE_WALL];
		end(t);
	}
	CHECK_INT(wrong, 0);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(waits_have_their_exact_place_and_samples_flow_around_them),
		TAP_TEST(what_has_no_place_is_spread_over_the_gaps),
		TAP_TEST(waits_that_were_added_up_have_no_place),
		TAP_TEST(threads_stand_apart),
		TAP_TEST(waits_that_overlap_move_apart),
		TAP_TEST(any_samples_make_a_timeline),
	};

	return tap_run(tests, sizeof(tests) / sizeof(*tests));
}
