/* Live files of processes that are gone: what was whole is read, the rest is left out or refused. */
#include "format/live_read.h"

#include "tests/fuzz/live_pieces.h"
#include "tests/unit/tap.h"
#include "tools/cmd/recover_profile.h"

enum { MS = 1000000, START = 1000 * MS };

/* A process with one request, killed asleep: 3 samples, a wait, and then the call that it was in. */
static struct {
	struct live_head head;
	struct live_request request;
	struct live_tree tree;
	struct live_node nodes[3];
	struct live_sample samples[3];
	struct live_wait wait;
	struct {
		struct live_code code;
		char text[24];
	} code;
	char texts[16];
	struct live_pieces pieces;
} made;

static void make(void)
{
	memset(&made, 0, sizeof(made));
	made.head = (struct live_head){
		.magic = LIVE_MAGIC, .version = LIVE_VERSION, .size = sizeof(made.head), .pid = 42,
		.codes_used = sizeof(made.code), .open = 1
	};
	made.request = (struct live_request){
		.state = LIVE_OPEN, .start_ns = START, .seen_ns = START, .rate = 1000, .waits = 1,
		.threads = 1, .method = "GET", .path = "/slow"
	};
	made.tree = (struct live_tree){ .tid = 43, .n_nodes = 3, .n_samples = 3, .n_waits = 1, .request = 1 };
	made.tree.samples_kept = made.tree.nodes_kept = made.tree.waits_kept = made.tree.texts_kept = 4096;
	made.tree.texts_used = sizeof(made.texts);
	made.tree.waiting_ns = START + 10 * MS;
	made.tree.waiting_node = 2;
	made.nodes[1] = (struct live_node){ 0x401000, 0, 0 };
	made.nodes[2] = (struct live_node){ LIVE_KEY_PYTHON | UINT64_C(7) << 32, 1, 0 };
	for (uint64_t i = 0; i < 3; i++)
		made.samples[i] = (struct live_sample){ START + (i + 1) * MS, 2, 0 };
	made.wait = (struct live_wait){
		.at_ns = START + 4 * MS, .end_ns = START + 9 * MS, .ns = 5 * MS, .node = 1, .on = 1, .count = 1
	};
	memcpy(made.texts + 1, "\0\0\0\0\4peer", 10);
	made.code.code = (struct live_code){
		.len = sizeof(made.code), .id = 7, .first_line = 12, .filename_len = 6, .name_len = 4, .qualname_len = 8
	};
	memcpy(made.code.text, "app.pyslowApp.slow", 18);
	made.pieces = (struct live_pieces){ .size = LIVE_BYTES };
	pieces_add(&made.pieces, 0, &made.head, sizeof(made.head));
	pieces_add(&made.pieces, LIVE_REQUESTS_AT, &made.request, sizeof(made.request));
	pieces_add(&made.pieces, LIVE_CODES_AT, &made.code, sizeof(made.code));
	pieces_add(&made.pieces, LIVE_TREES_AT, &made.tree, sizeof(made.tree));
	pieces_add(&made.pieces, LIVE_TREES_AT + LIVE_NODES_AT, made.nodes, sizeof(made.nodes));
	pieces_add(&made.pieces, LIVE_TREES_AT + LIVE_SAMPLES_AT, made.samples, sizeof(made.samples));
	pieces_add(&made.pieces, LIVE_TREES_AT + LIVE_WAITS_AT, &made.wait, sizeof(made.wait));
	pieces_add(&made.pieces, LIVE_TREES_AT + LIVE_TEXTS_AT, made.texts, sizeof(made.texts));
}

static struct live_in *read_made(struct profile_error *error)
{
	const struct live_source source = { pieces_read, &made.pieces };
	struct live_in *in = NULL;

	*error = (struct profile_error){ 0, "" };
	live_read(&source, &in, error);
	return in;
}

static void refused(uint64_t offset, const char *reason)
{
	struct profile_error error;

	CHECK(!read_made(&error));
	CHECK_INT(error.offset, offset);
	CHECK_STR(error.reason, reason);
}

static void a_killed_request_is_put_together(void)
{
	struct recover_request r;
	struct profile_error error;
	struct live_in *in;

	make();
	in = read_made(&error);
	CHECK(in && in->n_requests == 1 && in->n_trees == 1);
	recover_request_of(&r, in, &in->requests[0], 1);
	/* Up to the beginning of the call that it was in, and a microsecond of that. */
	CHECK_INT(r.wall, 10 * MS + 1000);
	CHECK_INT(r.user, 3 * MS);
	CHECK_INT(r.wait, 5 * MS + 1000);
	CHECK_INT(r.rest, 2 * MS);
	CHECK_STR(r.inside, "App.slow (app.py:12)");
	CHECK_INT(live_text(&in->trees[0], 1).len, 4);
	live_free(in);
}

static struct {
	char bytes[1 << 16];
	size_t len;
} written;

static int keep(void *arg, const void *bytes, size_t len)
{
	if (len > sizeof(written.bytes) - written.len)
		return -1;
	memcpy(written.bytes + written.len, bytes, len);
	written.len += len;
	return 0;
}

static bool says(const char *text)
{
	return memmem(written.bytes, written.len, text, strlen(text)) != NULL;
}

static void write_made(void)
{
	struct recover_request r;
	struct profile_error error;
	struct live_in *in = read_made(&error);

	written.len = 0;
	recover_request_of(&r, in, &in->requests[0], 1);
	CHECK_INT(recover_profile_write(&r, keep, NULL), 0);
	live_free(in);
}

static void a_stack_says_what_it_lacks_and_how_sure_it_is_whose(void)
{
	make();
	write_made();
	CHECK(says("peer") && !says(PROFILE_STACK_TRUNCATED) && !says(PROFILE_INFERRED));
	make();
	made.wait.flags = LIVE_STACK_INFERRED;
	write_made();
	CHECK(says(PROFILE_INFERRED) && !says(PROFILE_STACK_TRUNCATED));
	make();
	made.samples[0].flags = LIVE_STACK_INFERRED;
	write_made();
	CHECK(says(PROFILE_INFERRED) && !says(PROFILE_STACK_TRUNCATED));
	make();
	made.wait.flags = LIVE_STACK_TRUNCATED;
	write_made();
	CHECK(says(PROFILE_STACK_TRUNCATED) && !says(PROFILE_INFERRED));
}

static void what_was_not_whole_is_left_out(void)
{
	struct profile_error error;
	struct live_in *in;

	make();
	made.samples[2].node = 77; /* the last one */
	made.wait.node = 3;
	made.code.code.id = 0;
	in = read_made(&error);
	CHECK(in && in->trees[0].n_samples == 2 && in->trees[0].n_waits == 0 && in->n_codes == 0);
	live_free(in);
	make();
	made.code.code.len = 0;
	in = read_made(&error);
	CHECK(in && in->n_codes == 0);
	live_free(in);
	/* Claimed, and no more. */
	make();
	made.request.start_ns = 0;
	in = read_made(&error);
	CHECK(in && in->n_requests == 0);
	live_free(in);
}

static void what_was_in_private_memory_is_counted_as_lost(void)
{
	struct recover_request r;
	struct profile_error error;
	struct live_in *in;

	make();
	made.tree.samples_kept = sizeof(struct live_sample);
	made.tree.nodes_kept = 2 * sizeof(struct live_node);
	in = read_made(&error);
	CHECK(in && in->trees[0].n_samples == 0); /* its frames are not there either: it was the last */
	recover_request_of(&r, in, &in->requests[0], 1);
	CHECK_INT(r.lost, 3);
	live_free(in);
}

static void damage_is_told_by_its_offset(void)
{
	make();
	made.head.magic = 1;
	refused(0, "it is no live file");
	make();
	made.head.version = LIVE_VERSION + 1;
	refused(offsetof(struct live_head, version), "another version of reqprof made it");
	make();
	made.request.state = 9;
	refused(LIVE_REQUESTS_AT, "a request in no known state");
	make();
	made.nodes[1].parent = 2;
	refused(LIVE_TREES_AT + LIVE_NODES_AT + sizeof(struct live_node),
		"a frame that comes before its caller");
	make();
	made.samples[0].node = 3;
	refused(LIVE_TREES_AT + LIVE_SAMPLES_AT, "a sample of a stack that is not there");
	make();
	made.tree.n_samples = LIVE_SAMPLES_MAX + 1;
	refused(LIVE_TREES_AT, "a tree of stacks larger than there is room for");
	make();
	made.code.code.len = 4000;
	refused(LIVE_CODES_AT, "a function of impossible length");
	make();
	made.code.code.table_len = UINT32_MAX;
	refused(LIVE_CODES_AT, "a function whose texts do not fit in it");
	make();
	made.head.codes_used = LIVE_CODES_BYTES + 8;
	refused(offsetof(struct live_head, codes_used), "more functions than there is room for");
	make();
	made.pieces.size = LIVE_TREES_AT + 100;
	refused(LIVE_TREES_AT, "it is cut short");
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(a_killed_request_is_put_together),
		TAP_TEST(a_stack_says_what_it_lacks_and_how_sure_it_is_whose),
		TAP_TEST(what_was_not_whole_is_left_out),
		TAP_TEST(what_was_in_private_memory_is_counted_as_lost),
		TAP_TEST(damage_is_told_by_its_offset),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
