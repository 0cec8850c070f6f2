/*
 * Any bytes as a profile file: both ways of reading, and all that has been read is touched; then
 * what the commands make of it: sums, views, waits and timelines, whose parts must still add up.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/profile.h"
#include "tools/model/causes.h"
#include "tools/model/load.h"
#include "tools/model/spread.h"
#include "tools/model/symbolize.h"
#include "tools/model/timeline.h"
#include "tools/model/totals.h"
#include "tools/model/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void touch(const struct profile_in *p)
{
	size_t sum = 0;
	char fact[16];

	for (size_t i = 0; i < p->n_strings; i++)
		sum += strlen(p->strings[i]) > p->string_lens[i];
	for (size_t i = 0; i < p->n_samples; i++) {
		const struct profile_sample_in *s = &p->samples[i];

		for (size_t j = 0; j < s->n_locations; j++) {
			const struct profile_location_in *l = profile_location(p, s->locations[j]);

			for (size_t k = 0; k < l->n_lines; k++)
				sum += p->strings[profile_function(p, l->lines[k].function_id)
							  ->name][0] > 0x7f;
			if (l->mapping_id)
				sum += profile_mapping(p, l->mapping_id)->id != l->mapping_id;
		}
		for (size_t j = 0; j < s->n_labels; j++)
			sum += p->strings[s->labels[j].key] == NULL;
		for (size_t j = 0; j < p->n_sample_types; j++)
			sum += s->values[j] == 12345 ? 0 : 0;
	}
	profile_fact(p, PROFILE_KEY_PATH, fact, sizeof(fact));
	if (sum)
		abort();
}

static void check_timeline(const struct model *m, uint32_t request)
{
	struct timeline *t = timeline_make(m, request);

	for (size_t i = 0; i < t->n_threads; i++) {
		int64_t at = 0;

		for (size_t j = 0; j < t->threads[i].n_pieces; j++) {
			const struct piece *p = &t->threads[i].pieces[j];

			if (p->start_ns < at || p->length_ns <= 0)
				abort();
			at = p->start_ns + p->length_ns;
		}
		if (at > m->requests[request].wall_ns)
			abort();
	}
	timeline_free(t);
}

static void check_waits(const struct model *m)
{
	size_t (*const by[])(const struct model *, struct wait_sum **) = {
		waits_by_reason, waits_by_peer, waits_by_line, waits_by_holder
	};
	struct wait_sum *sums;
	struct cause *causes;

	for (size_t i = 0; i < sizeof(by) / sizeof(*by); i++) {
		by[i](m, &sums);
		free(sums);
	}
	causes_of(m, &causes);
	free(causes);
}

/* The same file twice, so that it is merged as well. */
static void use(const uint8_t *bytes, size_t len)
{
	struct model *m = model_new();
	struct load_error error;
	struct totals t;

	if (!load_profile_bytes(m, "one", bytes, len, &error) &&
	    !load_profile_bytes(m, "two", bytes, len, &error)) {
		model_spread(m);
		model_symbolize(m, NULL);
		totals_of(m, &t);
		if (t.wall_ns != t.user_ns + t.kernel_ns + t.wait_ns + t.runnable_ns + t.rest_ns ||
		    t.wall_ns != 2 * m->requests[0].wall_ns)
			abort();
		for (int mode = VIEW_MIXED; mode <= VIEW_NATIVE; mode++) {
			struct view *v = view_make_folded(m, (enum view_mode)mode);

			if (v->nodes[0].total[PROFILE_WALL] != t.wall_ns)
				abort();
			view_free(v);
		}
		check_waits(m);
		check_timeline(m, 0);
	}
	model_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct profile_error error;
	struct profile_in *p;

	for (unsigned what = PROFILE_READ_ALL; what <= PROFILE_READ_FACTS; what++) {
		error.reason = NULL;
		if (!profile_read(bytes, len, what, &p, &error)) {
			touch(p);
			profile_free(p);
			if (what == PROFILE_READ_ALL)
				use(bytes, len);
		} else if (!error.reason || error.offset > len || p) {
			abort();
		}
	}
	return 0;
}
