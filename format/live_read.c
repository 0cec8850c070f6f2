#include "format/live_read.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	const struct live_source *source;
	struct live_in *in;
	struct profile_error *error;
};

static int read_fail(const struct reading *r, uint64_t offset, const char *reason)
{
	*r->error = (struct profile_error){ (size_t)offset, reason };
	return -1;
}

static int read_bytes(const struct reading *r, void *to, size_t len, uint64_t offset)
{
	return len && r->source->read(r->source->arg, to, len, offset) != 0
		       ? read_fail(r, offset, "it is cut short")
		       : 0;
}

/* n of them, or none: NULL then, as when there is no memory (*result -1). */
static void *read_array(const struct reading *r, size_t n, size_t size, uint64_t offset, int *result)
{
	void *array = n ? malloc(n * size) : NULL;

	if (n && !array)
		*result = read_fail(r, offset, "no memory");
	else if (read_bytes(r, array, n * size, offset) < 0)
		*result = -1;
	return array;
}

static int read_head(const struct reading *r)
{
	struct live_head *head = &r->in->head;

	if (read_bytes(r, head, sizeof(*head), 0) < 0)
		return -1;
	if (head->magic != LIVE_MAGIC)
		return read_fail(r, offsetof(struct live_head, magic), "it is no live file");
	if (head->version != LIVE_VERSION || head->size != sizeof(*head))
		return read_fail(r, offsetof(struct live_head, version),
				 "another version of reqprof made it");
	head->python[sizeof(head->python) - 1] = '\0';
	head->directory[sizeof(head->directory) - 1] = '\0';
	return 0;
}

static void end_strings(struct live_request *r)
{
	r->protocol[sizeof(r->protocol) - 1] = r->method[sizeof(r->method) - 1] =
		r->traceparent[sizeof(r->traceparent) - 1] =
			r->request_id[sizeof(r->request_id) - 1] = r->path[sizeof(r->path) - 1] =
				'\0';
}

static int read_requests(const struct reading *r)
{
	struct live_in *in = r->in;

	in->requests = malloc(LIVE_REQUESTS * sizeof(*in->requests));
	if (!in->requests)
		return read_fail(r, LIVE_REQUESTS_AT, "no memory");
	for (uint32_t i = 0; i < LIVE_REQUESTS; i++) {
		uint64_t offset = LIVE_REQUESTS_AT + i * sizeof(struct live_request);
		struct live_request_in *to = &in->requests[in->n_requests];

		if (read_bytes(r, &to->facts, sizeof(to->facts), offset) < 0)
			return -1;
		if (to->facts.state == LIVE_FREE)
			continue;
		if (to->facts.state != LIVE_OPEN)
			return read_fail(r, offset, "a request in no known state");
		end_strings(&to->facts);
		to->number = i + 1;
		/* Claimed, and killed there. */
		if (to->facts.start_ns)
			in->n_requests++;
	}
	return 0;
}

/* ---- modules and codes: one behind the other ---- */

static int read_module(const struct reading *r, const char *bytes, size_t used, size_t *at,
		       uint64_t offset)
{
	struct live_in *in = r->in;
	struct live_module_in *to = &in->modules[in->n_modules];
	size_t left = used - *at, len;

	if (left < sizeof(to->facts))
		return read_fail(r, offset + *at, "a module is cut short");
	memcpy(&to->facts, bytes + *at, sizeof(to->facts));
	len = sizeof(to->facts) + ((size_t)to->facts.path_len + 7) / 8 * 8;
	if (len > left || to->facts.build_id_len > LIVE_BUILD_ID_MAX ||
	    to->facts.end < to->facts.start)
		return read_fail(r, offset + *at, "a module that makes no sense");
	to->path = bytes + *at + sizeof(to->facts);
	in->n_modules++;
	*at += len;
	return 0;
}

static int read_modules(const struct reading *r)
{
	struct live_in *in = r->in;
	uint32_t half = in->head.modules_half & 1;
	uint64_t used = in->head.modules_used[half];
	uint64_t offset = LIVE_MODULES_AT + (uint64_t)half * LIVE_MODULES_BYTES;
	int result = 0;

	if (used > LIVE_MODULES_BYTES)
		return read_fail(r, offsetof(struct live_head, modules_used),
				 "more modules than there is room for");
	in->module_bytes = read_array(r, (size_t)used, 1, offset, &result);
	in->modules = calloc(used / sizeof(struct live_module) + 1, sizeof(*in->modules));
	if (result == 0 && !in->modules)
		result = read_fail(r, offset, "no memory");
	for (size_t at = 0; result == 0 && at < used;)
		result = read_module(r, in->module_bytes, (size_t)used, &at, offset);
	return result;
}

static int read_code(const struct reading *r, const char *bytes, size_t used, size_t *at)
{
	struct live_in *in = r->in;
	struct live_code_in *to = &in->codes[in->n_codes];
	struct live_code code;
	const char *text = bytes + *at + sizeof(code);

	memcpy(&code, bytes + *at, sizeof(code));
	if (code.len % 8 || code.len < sizeof(code) || code.len > used - *at)
		return read_fail(r, LIVE_CODES_AT + *at, "a function of impossible length");
	*at += code.len;
	if (!code.id)
		return 0; /* not whole */
	if (sizeof(code) + (uint64_t)code.table_len + code.filename_len + code.name_len +
		    code.qualname_len >
	    code.len)
		return read_fail(r, LIVE_CODES_AT + *at - code.len,
				 "a function whose texts do not fit in it");
	*to = (struct live_code_in){ .id = code.id,
				     .first_line = code.first_line,
				     .line_format = code.line_format,
				     .table = (const uint8_t *)text,
				     .table_len = code.table_len };
	to->filename = (struct profile_text){ text + code.table_len, code.filename_len };
	to->name = (struct profile_text){ to->filename.bytes + code.filename_len, code.name_len };
	to->qualname = (struct profile_text){ to->name.bytes + code.name_len, code.qualname_len };
	in->n_codes++;
	return 0;
}

static int compare_codes(const void *a, const void *b)
{
	const struct live_code_in *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int read_codes(const struct reading *r)
{
	struct live_in *in = r->in;
	uint64_t used = in->head.codes_used;
	size_t at = 0;
	int result = 0;

	if (used > LIVE_CODES_BYTES)
		return read_fail(r, offsetof(struct live_head, codes_used),
				 "more functions than there is room for");
	in->code_bytes = read_array(r, (size_t)used, 1, LIVE_CODES_AT, &result);
	in->codes = calloc(used / sizeof(struct live_code) + 1, sizeof(*in->codes));
	if (result == 0 && !in->codes)
		result = read_fail(r, LIVE_CODES_AT, "no memory");
	while (result == 0 && used - at >= sizeof(struct live_code)) {
		uint32_t len;

		memcpy(&len, (const char *)in->code_bytes + at, sizeof(len));
		if (!len)
			break; /* claimed, and killed there; nothing tells where the next one is */
		result = read_code(r, in->code_bytes, (size_t)used, &at);
	}
	if (result == 0)
		qsort(in->codes, in->n_codes, sizeof(*in->codes), compare_codes);
	return result;
}

/* ---- trees ---- */

/* Those that are said to be there, as far as they are in this file. */
static size_t count_kept(uint32_t n, uint32_t kept, size_t size, size_t most)
{
	size_t there = kept / size;

	if (there > most)
		there = most;
	return n < there ? n : there;
}

static int check_nodes(const struct reading *r, const struct live_tree_in *t, uint64_t offset)
{
	for (size_t i = 1; i < t->n_nodes; i++)
		if (t->nodes[i].parent >= i)
			return read_fail(r, offset + LIVE_NODES_AT + i * sizeof(*t->nodes),
					 "a frame that comes before its caller");
	return 0;
}

/* The last one may not be whole; and frames may have been lost with memory that was not kept. */
static int check_samples(const struct reading *r, struct live_tree_in *t, uint64_t offset)
{
	for (size_t i = 0; i < t->n_samples; i++) {
		if (t->samples[i].node < t->n_nodes)
			continue;
		if (i + 1 == t->n_samples) {
			t->n_samples--;
			break;
		}
		if (t->samples[i].node >= t->facts.n_nodes)
			return read_fail(r, offset + LIVE_SAMPLES_AT + i * sizeof(*t->samples),
					 "a sample of a stack that is not there");
		t->samples[i].node = 0;
	}
	return 0;
}

static int check_waits(const struct reading *r, struct live_tree_in *t, uint64_t offset)
{
	for (size_t i = 0; i < t->n_waits; i++) {
		if (t->waits[i].node < t->n_nodes)
			continue;
		if (i + 1 == t->n_waits) {
			t->n_waits--;
			break;
		}
		if (t->waits[i].node >= t->facts.n_nodes)
			return read_fail(r, offset + LIVE_WAITS_AT + i * sizeof(*t->waits),
					 "a wait with a stack that is not there");
		t->waits[i].node = 0;
	}
	return 0;
}

static int read_tree(const struct reading *r, struct live_tree_in *t, uint64_t offset)
{
	const struct live_tree *facts = &t->facts;
	int result = 0;

	if (facts->n_nodes > LIVE_NODES_MAX || facts->n_samples > LIVE_SAMPLES_MAX ||
	    facts->n_waits > LIVE_WAITS_MAX || facts->texts_used > LIVE_TEXTS_MAX)
		return read_fail(r, offset, "a tree of stacks larger than there is room for");
	t->n_nodes = count_kept(facts->n_nodes, facts->nodes_kept, sizeof(*t->nodes), LIVE_NODES_MAX);
	t->n_samples = count_kept(facts->n_samples, facts->samples_kept, sizeof(*t->samples),
				  LIVE_SAMPLES_MAX);
	t->n_waits = count_kept(facts->n_waits, facts->waits_kept, sizeof(*t->waits), LIVE_WAITS_MAX);
	t->texts_len = count_kept(facts->texts_used, facts->texts_kept, 1, LIVE_TEXTS_MAX);
	t->nodes = read_array(r, t->n_nodes, sizeof(*t->nodes), offset + LIVE_NODES_AT, &result);
	if (result == 0)
		t->samples = read_array(r, t->n_samples, sizeof(*t->samples),
					offset + LIVE_SAMPLES_AT, &result);
	if (result == 0)
		t->waits = read_array(r, t->n_waits, sizeof(*t->waits), offset + LIVE_WAITS_AT,
				      &result);
	if (result == 0)
		t->texts = read_array(r, t->texts_len, 1, offset + LIVE_TEXTS_AT, &result);
	if (result == 0)
		result = check_nodes(r, t, offset);
	if (result == 0)
		result = check_samples(r, t, offset);
	if (result == 0)
		result = check_waits(r, t, offset);
	if (t->facts.waiting_node >= t->n_nodes)
		t->facts.waiting_node = 0;
	return result;
}

static bool is_open(const struct live_in *in, uint32_t number)
{
	for (size_t i = 0; i < in->n_requests; i++)
		if (in->requests[i].number == number)
			return true;
	return false;
}

static int read_trees(const struct reading *r)
{
	struct live_in *in = r->in;
	int result = 0;

	in->trees = calloc(LIVE_TREES, sizeof(*in->trees));
	if (!in->trees)
		return read_fail(r, LIVE_TREES_AT, "no memory");
	for (uint32_t i = 0; i < LIVE_TREES && result == 0; i++) {
		uint64_t offset = LIVE_TREES_AT + (uint64_t)i * LIVE_TREE_BYTES;
		struct live_tree_in *t = &in->trees[in->n_trees];

		result = read_bytes(r, &t->facts, sizeof(t->facts), offset);
		if (result < 0 || !t->facts.request || !is_open(in, t->facts.request))
			continue;
		in->n_trees++;
		result = read_tree(r, t, offset);
	}
	return result;
}

int live_read(const struct live_source *source, struct live_in **out, struct profile_error *error)
{
	struct reading r = { source, calloc(1, sizeof(*r.in)), error };
	int result;

	*out = NULL;
	if (!r.in)
		return read_fail(&r, 0, "no memory");
	result = read_head(&r);
	if (result == 0)
		result = read_requests(&r);
	/* With no request open nobody asks for the rest. */
	if (result == 0 && r.in->n_requests) {
		result = read_modules(&r);
		if (result == 0)
			result = read_codes(&r);
		if (result == 0)
			result = read_trees(&r);
	}
	if (result < 0)
		live_free(r.in);
	else
		*out = r.in;
	return result;
}

void live_free(struct live_in *in)
{
	if (!in)
		return;
	for (size_t i = 0; i < in->n_trees; i++) {
		free(in->trees[i].nodes);
		free(in->trees[i].samples);
		free(in->trees[i].waits);
		free(in->trees[i].texts);
	}
	free(in->trees);
	free(in->requests);
	free(in->modules);
	free(in->codes);
	free(in->module_bytes);
	free(in->code_bytes);
	free(in);
}

const struct live_code_in *live_code(const struct live_in *in, uint32_t id)
{
	struct live_code_in key = { .id = id };

	return in->n_codes ? bsearch(&key, in->codes, in->n_codes, sizeof(key), compare_codes) : NULL;
}

struct profile_text live_text(const struct live_tree_in *tree, uint32_t text)
{
	const struct profile_text none = { "", 0 };
	size_t len;

	if (!text || tree->texts_len < LIVE_TEXT_AT || text > tree->texts_len - LIVE_TEXT_AT)
		return none;
	len = (uint8_t)tree->texts[text + LIVE_TEXT_AT - 1];
	if (len > tree->texts_len - LIVE_TEXT_AT - text)
		return none;
	return (struct profile_text){ tree->texts + text + LIVE_TEXT_AT, len };
}
