/* Any bytes as a profile file: both ways of reading, and all that has been read is touched. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/profile.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct profile_error error;
	struct profile_in *p;

	for (unsigned what = PROFILE_READ_ALL; what <= PROFILE_READ_FACTS; what++) {
		error.reason = NULL;
		if (!profile_read(bytes, len, what, &p, &error)) {
			touch(p);
			profile_free(p);
		} else if (!error.reason || error.offset > len || p) {
			abort();
		}
	}
	return 0;
}
