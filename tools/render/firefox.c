#include "tools/render/firefox.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/base/json.h"
#include "tools/render/firefox_tables.h"

enum { FORMAT_VERSION = 48, GECKO_VERSION = 29, MARKER_INTERVAL = 1, NS_PER_MS = 1000000 };

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

static struct moments moments_of(const struct firefox_writing *w, const struct track *track)
{
	struct moments m = { NULL, 0, 0 };

	for (size_t i = 0; i < track->n_parts; i++) {
		const struct track_part *part = &track->parts[i];
		int64_t start = w->m->requests[part->request].start_ns - w->start_ns;

		for (size_t j = 0; j < part->line->n_pieces; j++) {
			const struct piece *p = &part->line->pieces[j];
			enum sample_state state = w->m->samples[p->sample].state;

			add_end(&m, start + p->start_ns);
			add_moment(&m,
				   (struct moment){ start + p->start_ns, p->length_ns,
						    firefox_node(w, p),
						    state == STATE_USER || state == STATE_KERNEL });
		}
	}
	add_end(&m, INT64_MAX);
	return m;
}

static void put_samples(struct firefox_writing *w, const struct track *track)
{
	struct moments m = moments_of(w, track);

	fprintf(w->out, ",\"samples\":{\"length\":%" PRIu32 ",\"weightType\":\"tracing-ms\"", m.n);
	firefox_column(w->out, "stack");
	for (uint32_t i = 0; i < m.n; i++) {
		if (m.all[i].node)
			fprintf(w->out, "%s%" PRIu32, i ? "," : "",
				w->nodes.number[m.all[i].node] - 1);
		else
			fputs(i ? ",null" : "null", w->out);
	}
	putc(']', w->out);
	firefox_column(w->out, "time");
	for (uint32_t i = 0; i < m.n; i++) {
		if (i)
			putc(',', w->out);
		firefox_put_ms(w->out, m.all[i].at_ns);
	}
	putc(']', w->out);
	firefox_column(w->out, "weight");
	for (uint32_t i = 0; i < m.n; i++) {
		if (i)
			putc(',', w->out);
		firefox_put_ms(w->out, m.all[i].length_ns);
	}
	putc(']', w->out);
	/* of the time since the sample before */
	FIREFOX_COLUMN(w, "threadCPUDelta", m.n, "%" PRId64,
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

static struct marker *markers_of(const struct firefox_writing *w, const struct track *track,
				 uint32_t *n)
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

static void put_markers(struct firefox_writing *w, const struct track *track)
{
	uint32_t n, names[2] = { firefox_text(w, "Request"), firefox_text(w, "Wait") };
	struct marker *markers = markers_of(w, track, &n);

	fprintf(w->out, ",\"markers\":{\"length\":%" PRIu32, n);
	FIREFOX_COLUMN(w, "name", n, "%" PRIu32, names[markers[i].wait != NULL]);
	firefox_column(w->out, "startTime");
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			putc(',', w->out);
		firefox_put_ms(w->out, markers[i].start_ns);
	}
	putc(']', w->out);
	firefox_column(w->out, "endTime");
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			putc(',', w->out);
		firefox_put_ms(w->out, markers[i].end_ns);
	}
	putc(']', w->out);
	FIREFOX_COLUMN(w, "phase", n, "%d", MARKER_INTERVAL);
	FIREFOX_COLUMN(w, "category", n, "%d", markers[i].wait ? CATEGORY_WAIT : CATEGORY_OTHER);
	firefox_column(w->out, "data");
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

static void put_thread(struct firefox_writing *w, size_t at)
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
	firefox_number_all(w, track);
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
	json_put_text(w->out, *exe ? firefox_base_name(exe) : "server");
	put_samples(w, track);
	put_markers(w, track);
	firefox_put_tables(w);
	putc('}', w->out);
}

static void put_libs(struct firefox_writing *w)
{
	fputs(",\"libs\":[", w->out);
	for (uint32_t i = 0; i < w->libs.count; i++) {
		const struct module *m = &w->m->modules[w->libs.ids[i]];

		fputs(i ? ",{\"arch\":\"x86_64\",\"name\":" : "{\"arch\":\"x86_64\",\"name\":",
		      w->out);
		json_put_text(w->out, firefox_base_name(m->path));
		fputs(",\"path\":", w->out);
		json_put_text(w->out, m->path);
		fputs(",\"debugName\":", w->out);
		json_put_text(w->out, firefox_base_name(m->path));
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

static void put_meta(const struct firefox_writing *w)
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
	firefox_put_ms(w->out, period > 0 ? period : NS_PER_MS);
	fputs(",\"startTime\":", w->out);
	firefox_put_ms(w->out, w->start_ns);
	fputs(",\"profilingStartTime\":0,\"profilingEndTime\":", w->out);
	firefox_put_ms(w->out, end - w->start_ns);
	fputs(",\"product\":", w->out);
	json_put_text(w->out, *exe ? firefox_base_name(exe) : "server");
	fprintf(w->out,
		",\"importedFrom\":\"reqprof " REQPROF_VERSION
		"\",\"stackwalk\":1,\"processType\":0,"
		"\"debug\":false,\"symbolicated\":true,\"version\":%d,"
		"\"preprocessedProfileVersion\":%d,\"usesOnlyOneStackType\":true,"
		"\"doesNotUseFrameImplementation\":true,\"sourceCodeIsNotOnSearchfox\":true,"
		"\"extensions\":{\"length\":0,\"baseURL\":[],\"id\":[],\"name\":[]},"
		"\"sampleUnits\":{\"time\":\"ms\",\"eventDelay\":\"ms\",\"threadCPUDelta\":\"ns\"},",
		GECKO_VERSION, FORMAT_VERSION);
	firefox_put_categories(w->out);
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
	struct firefox_writing w = firefox_writing_begin(v, tracks, out);

	w.start_ns = m->n_requests ? earliest(m) : 0;
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
	firefox_writing_end(&w);
	tracks_free(tracks);
}
