#include "tools/cmd/report.h"

#include <stdlib.h>

#include "tools/base/json.h"

static const char *kind_name(enum frame_kind kind)
{
	static const char *const names[] = { "python", "native", "pseudo" };

	return names[kind];
}

static void set_integer(json_t *o, const char *key, int64_t value)
{
	json_object_set_new(o, key, json_integer(value));
}

/* Unknown texts and lines are null. */
static void set_text(json_t *o, const char *key, const char *text)
{
	json_object_set_new(o, key, *text ? json_text(text) : json_null());
}

static void set_line(json_t *o, const char *key, int32_t line)
{
	json_object_set_new(o, key, line ? json_integer(line) : json_null());
}

static void set_values(json_t *o, const int64_t self[PROFILE_VALUES],
		       const int64_t total[PROFILE_VALUES])
{
	set_integer(o, "self_samples", self[PROFILE_SAMPLES]);
	set_integer(o, "self_cpu_ns", self[PROFILE_CPU]);
	set_integer(o, "self_wall_ns", self[PROFILE_WALL]);
	set_integer(o, "total_samples", total[PROFILE_SAMPLES]);
	set_integer(o, "total_cpu_ns", total[PROFILE_CPU]);
	set_integer(o, "total_wall_ns", total[PROFILE_WALL]);
}

static void set_function(json_t *o, const struct function *f)
{
	set_text(o, "name", f->name);
	json_object_set_new(o, "kind", json_text(kind_name(f->kind)));
	set_text(o, "file", f->file);
	set_line(o, "start_line", f->start_line);
	set_text(o, "module", f->module);
}

static json_t *functions(const struct report *r)
{
	json_t *array = json_array();
	struct view_sum *sums;
	size_t n = view_by_function(r->view, r->by, &sums);

	for (size_t i = 0; i < n && (!r->limit || i < r->limit); i++) {
		json_t *o = json_object();

		set_function(o, &r->model->functions[sums[i].id]);
		set_values(o, sums[i].self, sums[i].total);
		json_array_append_new(array, o);
	}
	free(sums);
	return array;
}

static json_t *lines(const struct report *r)
{
	json_t *array = json_array();
	struct view_sum *sums;
	size_t n = view_by_line(r->line_view, r->by, &sums);

	for (size_t i = 0; i < n && (!r->limit || i < r->limit); i++) {
		const struct frame *frame = &r->model->frames[sums[i].id];
		json_t *o = json_object();

		set_line(o, "line", frame->line);
		set_function(o, &r->model->functions[frame->function]);
		set_values(o, sums[i].self, sums[i].total);
		json_array_append_new(array, o);
	}
	free(sums);
	return array;
}

static void set_totals(json_t *o, const struct totals *t)
{
	set_integer(o, "requests", t->requests);
	set_integer(o, "wall_ns", t->wall_ns);
	set_integer(o, "user_ns", t->user_ns);
	set_integer(o, "wait_ns", t->wait_ns);
	set_integer(o, "rest_ns", t->rest_ns);
	set_integer(o, "sampled_cpu_ns", t->sampled_ns);
	set_integer(o, "thread_cpu_ns", t->cpu_ns);
	set_integer(o, "samples", t->samples);
	set_integer(o, "incomplete", t->incomplete);
	set_integer(o, "lost", t->lost);
}

static json_t *routes(const struct report *r)
{
	json_t *array = json_array();
	struct route_totals *sums;
	size_t n = totals_by_route(r->model, &sums);

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		set_text(o, "method", sums[i].method);
		set_text(o, "route", sums[i].route);
		set_totals(o, &sums[i].totals);
		json_array_append_new(array, o);
	}
	free(sums);
	return array;
}

/* Depth is bounded by what a profile holds: 512 frames, some inlined. */
static json_t *node(const struct report *r, uint32_t at)
{
	const struct view_node *from = &r->view->nodes[at];
	const struct view_node *root = &r->view->nodes[0];
	json_t *o = json_object(), *children = json_array();

	if (at) {
		const struct frame *frame = &r->model->frames[from->frame];

		set_function(o, &r->model->functions[frame->function]);
		set_line(o, "line", frame->line);
		json_object_set_new(o, "inlined", json_boolean(frame->inlined));
	}
	set_values(o, from->self, from->total);
	for (uint32_t i = from->first_child; i; i = r->view->nodes[i].next_sibling) {
		if ((double)r->view->nodes[i].total[r->by] * 100 >=
		    r->min_percent * (double)root->total[r->by])
			json_array_append_new(children, node(r, i));
	}
	json_object_set_new(o, "children", children);
	return o;
}

static json_t *files(const struct model *m)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < m->n_requests; i++)
		json_array_append_new(array, json_text(m->requests[i].file));
	return array;
}

void report_json(const struct report *r)
{
	static const char *const modes[] = { "mixed", "python", "native" };
	json_t *o = json_object();
	struct totals t;

	totals_of(r->model, &t);
	set_totals(o, &t);
	set_integer(o, "proxy_views_hidden", r->n_hidden);
	json_object_set_new(o, "mode", json_text(modes[r->mode]));
	json_object_set_new(o, "functions", functions(r));
	json_object_set_new(o, "lines", lines(r));
	json_object_set_new(o, "routes", routes(r));
	if (r->tree)
		json_object_set_new(o, "tree", node(r, 0));
	json_object_set_new(o, "files", files(r->model));
	json_print(o);
}
