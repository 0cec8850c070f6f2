#include "tools/render/firefox.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/base/json.h"
#include "tools/base/numbers.h"
#include "tools/render/tracks.h"

enum { FORMAT_VERSION = 48, GECKO_VERSION = 29, RESOURCE_LIBRARY = 1, MARKER_INTERVAL = 1 };
enum { NS_PER_MS = 1000000 };

enum category {
	CATEGORY_OTHER, /* the default one must be there, and grey */
	CATEGORY_PYTHON,
	CATEGORY_NATIVE,
	CATEGORY_KERNEL,
	CATEGORY_WAIT,
	CATEGORY_RUNNABLE,
	CATEGORY_REST,
	CATEGORIES
};

/* Ids in the thread that is being written, plus 1; the others' are forgotten between threads. */
struct numbering {
	uint32_t *number;
	uint32_t *ids; /* in the order of their numbers */
	uint32_t count;
};

struct writing {
	FILE *out;
	const struct view *v;
	const struct model *m;
	const struct tracks *tracks;
	int64_t start_ns; /* of the earliest request: 0 on the axis */
	struct numbering nodes, frames, functions, modules;
	struct numbering libs; /* modules; of the whole file */
	const char **texts;    /* of the thread, in order of their index */
	uint32_t n_texts, texts_room;
	struct numbers text_numbers; /* address of a pooled text -> its index */
};

static struct numbering numbering_new(uint32_t n)
{
	return (struct numbering){ errors_alloc(n, sizeof(uint32_t)),
				   errors_alloc(n, sizeof(uint32_t)), 0 };
}

static void numbering_clear(struct numbering *n)
{
	while (n->count)
		n->number[n->ids[--n->count]] = 0;
}

static void numbering_free(struct numbering *n)
{
	free(n->number);
	free(n->ids);
}

static uint32_t numbered(struct numbering *n, uint32_t id)
{
	if (!n->number[id]) {
		n->ids[n->count] = id;
		n->number[id] = ++n->count;
	}
	return n->number[id] - 1;
}

static uint32_t text_index(struct writing *w, const char *text)
{
	const char *pooled = strings_addz(w->m->strings, text);
	bool fresh;
	uint64_t *known = numbers_at(&w->text_numbers, (uintptr_t)pooled, &fresh);

	if (!fresh)
		return (uint32_t)*known;
	*known = w->n_texts;
	if (w->n_texts == w->texts_room) {
		w->texts_room = w->texts_room ? w->texts_room * 2 : 256;
		w->texts = errors_realloc(w->texts, w->texts_room, sizeof(*w->texts));
	}
	w->texts[w->n_texts] = pooled;
	return w->n_texts++;
}

/* ---- columns ---- */

/* Begins a column of a table, or goes on with it. */
static void column(FILE *out, const char *name)
{
	fprintf(out, ",\"%s\":[", name);
}

static void put_ms(FILE *out, int64_t ns)
{
	fprintf(out, "%" PRId64 ".%06" PRId64, ns / NS_PER_MS, ns % NS_PER_MS);
}

/* A column that has the same everywhere. */
static void constant(FILE *out, const char *name, uint32_t n, const char *value)
{
	column(out, name);
	for (uint32_t i = 0; i < n; i++)
		fprintf(out, "%s%s", i ? "," : "", value);
	putc(']', out);
}

#define COLUMN(w, name, n, format, ...)                                          \
	do {                                                                     \
		column((w)->out, name);                                          \
		for (uint32_t i = 0; i < (n); i++)                               \
			fprintf((w)->out, i ? "," format : format, __VA_ARGS__); \
		putc(']', (w)->out);                                             \
	} while (0)

/* ---- categories ---- */

static void put_categories(FILE *out)
{
	static const struct {
		const char *name, *color;
	} categories[CATEGORIES] = {
		[CATEGORY_OTHER] = { "Other", "grey" },
		[CATEGORY_PYTHON] = { "Python", "yellow" },
		[CATEGORY_NATIVE] = { "Native", "green" },
		[CATEGORY_KERNEL] = { "Kernel", "orange" },
		[CATEGORY_WAIT] = { "Wait", "blue" },
		[CATEGORY_RUNNABLE] = { "Waiting for a CPU", "red" },
		[CATEGORY_REST] = { "Unaccounted", "transparent" },
	};

	fputs("\"categories\":[", out);
	for (int i = 0; i < CATEGORIES; i++) {
		fprintf(out, "%s{\"name\":\"%s\",\"color\":\"%s\",\"subcategories\":[\"Other\"",
			i ? "," : "", categories[i].name, categories[i].color);
		for (int kind = 0; i == CATEGORY_WAIT && kind < WAIT_KINDS; kind++) {
			putc(',', out);
			json_put_text(out, wait_kind_name((enum wait_kind)kind));
		}
		fputs("]}", out);
	}
	putc(']', out);
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static enum category category_of(const struct function *f)
{
	if (f->kind == FRAME_PYTHON)
		return CATEGORY_PYTHON;
	if (f->kind == FRAME_NATIVE)
		return CATEGORY_NATIVE;
	if (begins(f->name, PROFILE_WAIT_FRAME))
		return CATEGORY_WAIT;
	if (!strcmp(f->name, PROFILE_REST_FRAME))
		return CATEGORY_REST;
	if (!strcmp(f->name, PROFILE_RUNNABLE_FRAME))
		return CATEGORY_RUNNABLE;
	/* the kernel's functions have no brackets */
	if (f->name[0] != '[' || begins(f->name, "[kernel"))
		return CATEGORY_KERNEL;
	return CATEGORY_OTHER;
}

/* 0 is the category itself. */
static int subcategory_of(const struct function *f)
{
	const char *kind = f->name + strlen(PROFILE_WAIT_FRAME);

	if (category_of(f) != CATEGORY_WAIT)
		return 0;
	for (int i = WAIT_KINDS; i--;) {
		const char *name = wait_kind_name((enum wait_kind)i);

		/* from the last: "client send" is no "client" */
		if (begins(kind, name) && strchr(" ]", kind[strlen(name)]))
			return i + 1;
	}
	return 0;
}

/* ---- tables of a thread ---- */

static const struct function *function_of_node(const struct writing *w, uint32_t node)
{
	return &w->m->functions[w->m->frames[w->v->nodes[node].frame].function];
}

/* Parents first: a node's prefix must stand before it. */
static uint32_t stack_number(struct writing *w, uint32_t node)
{
	uint32_t parent = w->v->nodes[node].parent;

	if (parent && !w->nodes.number[node])
		stack_number(w, parent);
	return numbered(&w->nodes, node);
}

static uint32_t node_of(const struct writing *w, const struct piece *p)
{
	return w->v->node_of_stack[w->m->samples[p->sample].stack];
}

/* Numbers all that the samples of a track need, from the stacks down to the modules. */
static void number_all(struct writing *w, const struct track *track)
{
	numbering_clear(&w->nodes);
	numbering_clear(&w->frames);
	numbering_clear(&w->functions);
	numbering_clear(&w->modules);
	w->n_texts = 0;
	numbers_free(&w->text_numbers);
	w->text_numbers = (struct numbers){ 0 };
	for (size_t i = 0; i < track->n_parts; i++) {
		const struct thread_line *line = track->parts[i].line;

		for (size_t j = 0; j < line->n_pieces; j++)
			stack_number(w, node_of(w, &line->pieces[j]));
	}
	for (uint32_t i = 0; i < w->nodes.count; i++)
		numbered(&w->frames, w->v->nodes[w->nodes.ids[i]].frame);
	for (uint32_t i = 0; i < w->frames.count; i++)
		numbered(&w->functions, w->m->frames[w->frames.ids[i]].function);
}

static void put_stacks(struct writing *w)
{
	fprintf(w->out, ",\"stackTable\":{\"length\":%" PRIu32, w->nodes.count);
	column(w->out, "prefix");
	for (uint32_t i = 0; i < w->nodes.count; i++) {
		uint32_t parent = w->v->nodes[w->nodes.ids[i]].parent;

		if (parent)
			fprintf(w->out, "%s%" PRIu32, i ? "," : "", w->nodes.number[parent] - 1);
		else
			fputs(i ? ",null" : "null", w->out);
	}
	putc(']', w->out);
	COLUMN(w, "frame", w->nodes.count, "%" PRIu32,
	       w->frames.number[w->v->nodes[w->nodes.ids[i]].frame] - 1);
	COLUMN(w, "category", w->nodes.count, "%d",
	       (int)category_of(function_of_node(w, w->nodes.ids[i])));
	COLUMN(w, "subcategory", w->nodes.count, "%d",
	       subcategory_of(function_of_node(w, w->nodes.ids[i])));
	putc('}', w->out);
}

static void put_lines(struct writing *w, const char *name, uint32_t n, bool first_line)
{
	column(w->out, name);
	for (uint32_t i = 0; i < n; i++) {
		int32_t line = first_line ? w->m->functions[w->functions.ids[i]].start_line
					  : w->m->frames[w->frames.ids[i]].line;

		if (line > 0)
			fprintf(w->out, "%s%" PRId32, i ? "," : "", line);
		else
			fputs(i ? ",null" : "null", w->out);
	}
	putc(']', w->out);
}

static void put_frames(struct writing *w)
{
	uint32_t n = w->frames.count;

	fprintf(w->out, ",\"frameTable\":{\"length\":%" PRIu32, n);
	constant(w->out, "address", n, "-1");
	COLUMN(w, "inlineDepth", n, "%d", 0);
	COLUMN(w, "category", n, "%d",
	       (int)category_of(&w->m->functions[w->m->frames[w->frames.ids[i]].function]));
	COLUMN(w, "subcategory", n, "%d",
	       subcategory_of(&w->m->functions[w->m->frames[w->frames.ids[i]].function]));
	COLUMN(w, "func", n, "%" PRIu32,
	       w->functions.number[w->m->frames[w->frames.ids[i]].function] - 1);
	constant(w->out, "nativeSymbol", n, "null");
	constant(w->out, "innerWindowID", n, "0");
	constant(w->out, "implementation", n, "null");
	put_lines(w, "line", n, false);
	constant(w->out, "column", n, "null");
	putc('}', w->out);
}

static bool find_module(const struct writing *w, const struct function *f, uint32_t *module)
{
	if (f->kind != FRAME_NATIVE || !*f->module)
		return false;
	for (uint32_t i = 0; i < w->m->n_modules; i++) {
		/* pooled */
		if (w->m->modules[i].path == f->module) {
			*module = i;
			return true;
		}
	}
	return false;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static void put_functions(struct writing *w)
{
	uint32_t n = w->functions.count, module;

	fprintf(w->out, ",\"funcTable\":{\"length\":%" PRIu32, n);
	COLUMN(w, "name", n, "%" PRIu32, text_index(w, w->m->functions[w->functions.ids[i]].name));
	constant(w->out, "isJS", n, "false");
	constant(w->out, "relevantForJS", n, "false");
	column(w->out, "resource");
	for (uint32_t i = 0; i < n; i++) {
		const struct function *f = &w->m->functions[w->functions.ids[i]];

		fprintf(w->out, "%s%ld", i ? "," : "",
			find_module(w, f, &module) ? (long)numbered(&w->modules, module) : -1L);
	}
	putc(']', w->out);
	column(w->out, "fileName");
	for (uint32_t i = 0; i < n; i++) {
		const char *file = w->m->functions[w->functions.ids[i]].file;

		if (*file)
			fprintf(w->out, "%s%" PRIu32, i ? "," : "", text_index(w, file));
		else
			fputs(i ? ",null" : "null", w->out);
	}
	putc(']', w->out);
	put_lines(w, "lineNumber", n, true);
	constant(w->out, "columnNumber", n, "null");
	fprintf(w->out, "},\"resourceTable\":{\"length\":%" PRIu32, w->modules.count);
	COLUMN(w, "lib", w->modules.count, "%" PRIu32, numbered(&w->libs, w->modules.ids[i]));
	COLUMN(w, "name", w->modules.count, "%" PRIu32,
	       text_index(w, base_name(w->m->modules[w->modules.ids[i]].path)));
	constant(w->out, "host", w->modules.count, "null");
	COLUMN(w, "type", w->modules.count, "%d", RESOURCE_LIBRARY);
	fputs("},\"nativeSymbols\":{\"length\":0,\"address\":[],\"functionSize\":[],"
	      "\"libIndex\":[],\"name\":[]}",
	      w->out);
}

/* ---- samples ---- */

/* A moment from which on a stack stands; node 0: none, the thread did nothing for a request. */
struct moment {
	int64_t at_ns, length_ns;
	uint32_t node;
	bool on_cpu;
};

struct moments {
	struct moment *all;
	uint32_t n, room;
};

static void add_moment(struct moments *m, struct moment moment)
{
	if (m->n == m->room) {
		m->room = m->room ? m->room * 2 : 256;
		m->all = errors_realloc(m->all, m->room, sizeof(*m->all));
	}
	m->all[m->n++] = moment;
}

/* What came before ends where nothing begins. */
static void add_end(struct moments *m, int64_t next_ns)
{
	const struct moment *last = m->n ? &m->all[m->n - 1] : NULL;

	if (last && last->at_ns + last->length_ns < next_ns)
		add_moment(m, (struct moment){ .at_ns = last->at_ns + last->length_ns });
}

static struct moments moments_of(const struct writing *w, const struct track *track)
{
	struct moments m = { NULL, 0, 0 };

	for (size_t i = 0; i < track->n_parts; i++) {
		const struct track_part *part = &track->parts[i];
		int64_t start = w->m->requests[part->request].start_ns - w->start_ns;

		for (size_t j = 0; j < part->line->n_pieces; j++) {
			const struct piece *p = &part->line->pieces[j];
			enum sample_state state = w->m->samples[p->sample].state;

			add_end(&m, start + p->start_ns);
			add_moment(&m, (struct moment){
					       start + p->start_ns, p->length_ns, node_of(w, p),
					       state == STATE_USER || state == STATE_KERNEL });
		}
	}
	add_end(&m, INT64_MAX);
	return m;
}

static void put_samples(struct writing *w, const struct track *track)
{
	struct moments m = moments_of(w, track);

	fprintf(w->out, ",\"samples\":{\"length\":%" PRIu32 ",\"weightType\":\"tracing-ms\"", m.n);
	column(w->out, "stack");
	for (uint32_t i = 0; i < m.n; i++) {
		if (m.all[i].node)
			fprintf(w->out, "%s%" PRIu32, i ? "," : "",
				w->nodes.number[m.all[i].node] - 1);
		else
			fputs(i ? ",null" : "null", w->out);
	}
	putc(']', w->out);
	column(w->out, "time");
	for (uint32_t i = 0; i < m.n; i++) {
		if (i)
			putc(',', w->out);
		put_ms(w->out, m.all[i].at_ns);
	}
	putc(']', w->out);
	column(w->out, "weight");
	for (uint32_t i = 0; i < m.n; i++) {
		if (i)
			putc(',', w->out);
		put_ms(w->out, m.all[i].length_ns);
	}
	putc(']', w->out);
	/* of the time since the sample before */
	COLUMN(w, "threadCPUDelta", m.n, "%" PRId64,
	       i && m.all[i - 1].on_cpu ? m.all[i - 1].length_ns : (int64_t)0);
	putc('}', w->out);
	free(m.all);
}

/* ---- markers ---- */

/* A request, or one of its waits. */
struct marker {
	int64_t start_ns, end_ns;
	const struct request *request;
	const struct sample *wait; /* NULL: the request itself */
};

static void put_request_data(FILE *out, const struct request *r)
{
	fputs("{\"type\":\"Request\",\"request\":", out);
	json_put_text(out, r->method);
	fputs(",\"path\":", out);
	json_put_text(out, r->path);
	fputs(",\"route\":", out);
	json_put_text(out, r->route);
	fprintf(out, ",\"status\":%d,\"id\":", r->status);
	json_put_text(out, r->id);
	fprintf(out, ",\"samples\":%" PRId64 ",\"trips\":%" PRId64 "}", r->samples, r->round_trips);
}

static void put_wait_data(FILE *out, const struct sample *s)
{
	fputs("{\"type\":\"Wait\",\"kind\":", out);
	json_put_text(out, wait_kind_name(s->kind));
	fputs(",\"on\":", out);
	json_put_text(out, s->on);
	if (*s->holder) {
		fputs(",\"holder\":", out);
		json_put_text(out, s->holder);
	}
	putc('}', out);
}

static struct marker *markers_of(const struct writing *w, const struct track *track, uint32_t *n)
{
	struct marker *markers = NULL;
	uint32_t room = 0;

	*n = 0;
	for (size_t i = 0; i < track->n_parts; i++) {
		const struct track_part *part = &track->parts[i];
		const struct request *r = &w->m->requests[part->request];
		int64_t start = r->start_ns - w->start_ns;
		size_t more = part->line->n_pieces + 1;

		if (*n + more > room) {
			room = 2 * (*n + (uint32_t)more);
			markers = errors_realloc(markers, room, sizeof(*markers));
		}
		markers[(*n)++] = (struct marker){ start, start + r->wall_ns, r, NULL };
		for (size_t j = 0; j < part->line->n_pieces; j++) {
			const struct piece *p = &part->line->pieces[j];
			const struct sample *s = &w->m->samples[p->sample];

			if (s->state == STATE_WAIT && s->count <= 1)
				markers[(*n)++] =
					(struct marker){ start + p->start_ns,
							 start + p->start_ns + p->length_ns, r, s };
		}
	}
	return markers;
}

static void put_markers(struct writing *w, const struct track *track)
{
	uint32_t n, names[2] = { text_index(w, "Request"), text_index(w, "Wait") };
	struct marker *markers = markers_of(w, track, &n);

	fprintf(w->out, ",\"markers\":{\"length\":%" PRIu32, n);
	COLUMN(w, "name", n, "%" PRIu32, names[markers[i].wait != NULL]);
	column(w->out, "startTime");
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			putc(',', w->out);
		put_ms(w->out, markers[i].start_ns);
	}
	putc(']', w->out);
	column(w->out, "endTime");
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			putc(',', w->out);
		put_ms(w->out, markers[i].end_ns);
	}
	putc(']', w->out);
	COLUMN(w, "phase", n, "%d", MARKER_INTERVAL);
	COLUMN(w, "category", n, "%d", markers[i].wait ? CATEGORY_WAIT : CATEGORY_OTHER);
	column(w->out, "data");
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			putc(',', w->out);
		if (markers[i].wait)
			put_wait_data(w->out, markers[i].wait);
		else
			put_request_data(w->out, markers[i].request);
	}
	fputs("]}", w->out);
	free(markers);
}

static void put_schema(FILE *out)
{
	fputs("\"markerSchema\":["
	      "{\"name\":\"Request\",\"display\":[\"marker-chart\",\"marker-table\","
	      "\"timeline-overview\"],"
	      "\"tooltipLabel\":\"{marker.data.request} {marker.data.path}\","
	      "\"tableLabel\":\"{marker.data.request} {marker.data.path} → {marker.data.status}\","
	      "\"chartLabel\":\"{marker.data.request} {marker.data.path}\",\"data\":["
	      "{\"key\":\"request\",\"label\":\"Method\",\"format\":\"string\",\"searchable\":true},"
	      "{\"key\":\"path\",\"label\":\"Path\",\"format\":\"string\",\"searchable\":true},"
	      "{\"key\":\"route\",\"label\":\"Route\",\"format\":\"string\",\"searchable\":true},"
	      "{\"key\":\"status\",\"label\":\"Status\",\"format\":\"integer\",\"searchable\":true},"
	      "{\"key\":\"id\",\"label\":\"Profile\",\"format\":\"string\",\"searchable\":true},"
	      "{\"key\":\"samples\",\"label\":\"Samples\",\"format\":\"integer\"},"
	      "{\"key\":\"trips\",\"label\":\"Round trips\",\"format\":\"integer\"}]},"
	      "{\"name\":\"Wait\",\"display\":[\"marker-chart\",\"marker-table\","
	      "\"timeline-overview\"],"
	      "\"tooltipLabel\":\"{marker.data.kind} {marker.data.on}\","
	      "\"tableLabel\":\"{marker.data.kind} {marker.data.on}\","
	      "\"chartLabel\":\"{marker.data.kind} {marker.data.on}\",\"data\":["
	      "{\"key\":\"kind\",\"label\":\"Kind\",\"format\":\"string\",\"searchable\":true},"
	      "{\"key\":\"on\",\"label\":\"Waited for\",\"format\":\"string\",\"searchable\":true},"
	      "{\"key\":\"holder\",\"label\":\"Held by\",\"format\":\"string\",\"searchable\":true}]}"
	      "]",
	      out);
}

/* ---- the whole ---- */

static void put_thread(struct writing *w, size_t at)
{
	const struct track *track = &w->tracks->tracks[at];
	bool first = !at || w->tracks->tracks[at - 1].pid != track->pid;
	const char *exe = w->m->requests[track->parts[0].request].exe;
	char name[48];

	if (track->number > 1)
		snprintf(name, sizeof(name), "thread %" PRIu32 " (%" PRIu32 ")", track->thread,
			 track->number);
	else
		snprintf(name, sizeof(name), "thread %" PRIu32, track->thread);
	number_all(w, track);
	fputs("{\"name\":", w->out);
	json_put_text(w->out, name);
	fprintf(w->out,
		",\"isMainThread\":%s,\"processType\":\"default\",\"processStartupTime\":0,"
		"\"processShutdownTime\":null,\"registerTime\":0,\"unregisterTime\":null,"
		"\"pausedRanges\":[],\"pid\":\"%d\",\"tid\":\"%" PRIu32,
		first ? "true" : "false", track->pid, track->thread);
	if (track->number > 1)
		fprintf(w->out, ".%" PRIu32, track->number);
	fputs("\",\"showMarkersInTimeline\":true,\"processName\":", w->out);
	json_put_text(w->out, *exe ? base_name(exe) : "server");
	put_samples(w, track);
	put_markers(w, track);
	put_stacks(w);
	put_frames(w);
	put_functions(w);
	column(w->out, "stringArray");
	for (uint32_t i = 0; i < w->n_texts; i++) {
		if (i)
			putc(',', w->out);
		json_put_text(w->out, w->texts[i]);
	}
	fputs("]}", w->out);
}

static void put_libs(struct writing *w)
{
	fputs(",\"libs\":[", w->out);
	for (uint32_t i = 0; i < w->libs.count; i++) {
		const struct module *m = &w->m->modules[w->libs.ids[i]];

		fputs(i ? ",{\"arch\":\"x86_64\",\"name\":" : "{\"arch\":\"x86_64\",\"name\":",
		      w->out);
		json_put_text(w->out, base_name(m->path));
		fputs(",\"path\":", w->out);
		json_put_text(w->out, m->path);
		fputs(",\"debugName\":", w->out);
		json_put_text(w->out, base_name(m->path));
		fputs(",\"debugPath\":", w->out);
		json_put_text(w->out, m->path);
		fputs(",\"breakpadId\":\"\",\"codeId\":", w->out);
		if (*m->build_id)
			json_put_text(w->out, m->build_id);
		else
			fputs("null", w->out);
		putc('}', w->out);
	}
	putc(']', w->out);
}

static void put_meta(const struct writing *w)
{
	const struct model *m = w->m;
	int64_t period = 0, end = w->start_ns;
	const char *exe = "";

	for (uint32_t i = 0; i < m->n_requests; i++) {
		const struct request *r = &m->requests[i];

		if (r->period_ns > period)
			period = r->period_ns;
		if (r->start_ns + r->wall_ns > end)
			end = r->start_ns + r->wall_ns;
		if (!*exe)
			exe = r->exe;
	}
	fputs("{\"meta\":{\"interval\":", w->out);
	put_ms(w->out, period > 0 ? period : NS_PER_MS);
	fputs(",\"startTime\":", w->out);
	put_ms(w->out, w->start_ns);
	fputs(",\"profilingStartTime\":0,\"profilingEndTime\":", w->out);
	put_ms(w->out, end - w->start_ns);
	fputs(",\"product\":", w->out);
	json_put_text(w->out, *exe ? base_name(exe) : "server");
	fprintf(w->out,
		",\"importedFrom\":\"reqprof " REQPROF_VERSION
		"\",\"stackwalk\":1,\"processType\":0,"
		"\"debug\":false,\"symbolicated\":true,\"version\":%d,"
		"\"preprocessedProfileVersion\":%d,\"usesOnlyOneStackType\":true,"
		"\"doesNotUseFrameImplementation\":true,\"sourceCodeIsNotOnSearchfox\":true,"
		"\"extensions\":{\"length\":0,\"baseURL\":[],\"id\":[],\"name\":[]},"
		"\"sampleUnits\":{\"time\":\"ms\",\"eventDelay\":\"ms\",\"threadCPUDelta\":\"ns\"},",
		GECKO_VERSION, FORMAT_VERSION);
	put_categories(w->out);
	putc(',', w->out);
	put_schema(w->out);
	putc('}', w->out);
}

static int64_t earliest(const struct model *m)
{
	int64_t start = m->requests[0].start_ns;

	for (uint32_t i = 1; i < m->n_requests; i++) {
		if (m->requests[i].start_ns < start)
			start = m->requests[i].start_ns;
	}
	return start;
}

void firefox_render(const struct view *v, FILE *out)
{
	const struct model *m = v->model;
	struct tracks *tracks = tracks_make(m);
	struct writing w = {
		.out = out,
		.v = v,
		.m = m,
		.tracks = tracks,
		.start_ns = m->n_requests ? earliest(m) : 0,
		.nodes = numbering_new(v->n_nodes),
		.frames = numbering_new(m->n_frames),
		.functions = numbering_new(m->n_functions),
		.modules = numbering_new(m->n_modules),
		.libs = numbering_new(m->n_modules),
	};

	put_meta(&w);
	fputs(",\"threads\":[", out);
	for (size_t i = 0; i < tracks->n_tracks; i++) {
		if (i)
			fputs(",\n", out);
		put_thread(&w, i);
	}
	putc(']', out);
	put_libs(&w);
	fputs("}\n", out);
	numbering_free(&w.nodes);
	numbering_free(&w.frames);
	numbering_free(&w.functions);
	numbering_free(&w.modules);
	numbering_free(&w.libs);
	numbers_free(&w.text_numbers);
	free(w.texts);
	tracks_free(tracks);
}
