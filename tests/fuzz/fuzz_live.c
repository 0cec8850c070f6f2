/*
 * Any bytes as a live file: whatever is made of it is a profile that reads back, whose parts add up.
 * The input is pieces of the file: which part (a byte), which of them (a byte), length (2 bytes), bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/live_pieces.h"
#include "tools/cmd/recover_profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct made {
	uint8_t bytes[1 << 20];
	size_t len;
};

static int keep(void *arg, const void *bytes, size_t len)
{
	struct made *made = arg;

	if (len > sizeof(made->bytes) - made->len)
		return -1;
	memcpy(made->bytes + made->len, bytes, len);
	made->len += len;
	return 0;
}

static uint64_t place(uint8_t part, uint8_t which)
{
	uint64_t tree = LIVE_TREES_AT + (uint64_t)(which % 4) * LIVE_TREE_BYTES;

	switch (part % 9) {
	case 0:
		return offsetof(struct live_head, pid);
	case 1:
		return LIVE_REQUESTS_AT + (which % 4) * sizeof(struct live_request);
	case 2:
		return LIVE_MODULES_AT + (uint64_t)(which & 1) * LIVE_MODULES_BYTES;
	case 3:
		return LIVE_CODES_AT;
	case 4:
		return tree;
	case 5:
		return tree + LIVE_SAMPLES_AT;
	case 6:
		return tree + LIVE_NODES_AT;
	case 7:
		return tree + LIVE_WAITS_AT;
	default:
		return tree + LIVE_TEXTS_AT;
	}
}

static void check_request(const struct live_in *in, const struct live_request_in *request)
{
	static struct made made;
	struct recover_request r;
	struct profile_error error;
	struct profile_in *back;

	made.len = 0;
	recover_request_of(&r, in, request, 1);
	if (r.wall < 0 || r.user < 0 || r.kernel < 0 || r.rest < 0 || r.overlap < 0 ||
	    r.wall != r.user + r.kernel + r.wait + r.rest - r.overlap)
		abort();
	if (recover_profile_write(&r, keep, &made) != 0)
		return; /* larger than what is kept here */
	if (profile_read(made.bytes, made.len, PROFILE_READ_ALL, &back, &error) != 0)
		abort();
	profile_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct live_head head = { .magic = LIVE_MAGIC,
					.version = LIVE_VERSION,
					.size = sizeof(head) };
	struct live_pieces pieces = { .size = LIVE_BYTES };
	const struct live_source source = { pieces_read, &pieces };
	struct profile_error error;
	struct live_in *in;

	pieces_add(&pieces, 0, &head, offsetof(struct live_head, pid));
	while (len > 4) {
		size_t n = (size_t)bytes[2] | (size_t)bytes[3] << 8;

		if (n > len - 4)
			n = len - 4;
		pieces_add(&pieces, place(bytes[0], bytes[1]), bytes + 4, n);
		bytes += 4 + n;
		len -= 4 + n;
	}
	if (live_read(&source, &in, &error) != 0)
		return 0;
	for (size_t i = 0; i < in->n_requests; i++)
		check_request(in, &in->requests[i]);
	live_free(in);
	return 0;
}
