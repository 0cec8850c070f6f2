#include "tools/cmd/report.h"

#include <stdlib.h>

#include "tools/base/json.h"
#include "tools/model/waits.h"

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
	set_integer(o, "self_wait_ns", self[PROFILE_WAIT]);
	set_integer(o, "self_wall_ns", self[PROFILE_WALL]);
	set_integer(o, "total_samples", total[PROFILE_SAMPLES]);
	set_integer(o, "total_cpu_ns", total[PROFILE_CPU]);
	set_integer(o, "total_wait_ns", total[PROFILE_WAIT]);
	set_integer(o, "total_wall_ns", total[PROFILE_WALL]);
}

static json_t *interval(double low, double high)
{
	json_t *array = json_array();

	json_array_append_new(array, json_integer((json_int_t)(low + 0.5)));
	json_array_append_new(array, json_integer((json_int_t)(high + 0.5)));
	return array;
}

/* Of the type that was asked for; both ends are the same where nothing of it was sampled. */
static void set_bounds(json_t *o, const struct report *r, const int64_t self[PROFILE_VALUES],
		       int64_t self_ticks, const int64_t total[PROFILE_VALUES], int64_t total_ticks)
{
	struct bounds b = report_bounds(r, self[r->by], self_ticks);

	json_object_set_new(o, "self_interval_ns", interval(b.low, b.high));
	b = report_bounds(r, total[r->by], total_ticks);
	json_object_set_new(o, "total_interval_ns", interval(b.low, b.high));
	set_integer(o, "self_ticks", self_ticks);
	set_integer(o, "total_ticks", total_ticks);
}

static void set_sum(json_t *o, const struct report *r, const struct view_sum *sum)
{
	set_values(o, sum->self, sum->total);
	set_bounds(o, r, sum->self, sum->self_ticks, sum->total, sum->total_ticks);
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
		set_sum(o, r, &sums[i]);
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
		set_sum(o, r, &sums[i]);
		json_array_append_new(array, o);
	}
	free(sums);
	return array;
}

static void set_totals(json_t *o, const struct totals *t)
{
	struct interval i = totals_user_interval(t);

	set_integer(o, "requests", t->requests);
	set_integer(o, "wall_ns", t->wall_ns);
	set_integer(o, "user_ns", t->user_ns);
	set_integer(o, "python_ns", t->python_ns);
	set_integer(o, "native_ns", t->user_ns - t->python_ns);
	set_integer(o, "kernel_ns", t->kernel_ns);
	set_integer(o, "kernel_sampled_ns", t->kernel_sampled_ns);
	set_integer(o, "wait_ns", t->wait_ns);
	set_integer(o, "gil_ns", t->gil_ns);
	set_integer(o, "runnable_ns", t->runnable_ns);
	set_integer(o, "rest_ns", t->rest_ns);
	set_integer(o, "overlap_ns", t->overlap_ns);
	json_object_set_new(o, "user_interval_ns",
			    interval(i.low * (double)(t->user_ns + t->kernel_ns),
				     i.high * (double)(t->user_ns + t->kernel_ns)));
	set_integer(o, "wait_count", t->wait_count);
	set_integer(o, "round_trips", t->round_trips);
	set_integer(o, "faults", t->faults);
	set_integer(o, "major_faults", t->major_faults);
	set_integer(o, "preempted", t->preempted);
	set_integer(o, "children", t->children);
	set_integer(o, "threads_started", t->threads_started);
	json_object_set_new(o, "queued_mean_ns",
			    t->queued ? json_integer(t->queued_ns / t->queued) : json_null());
	set_integer(o, "waits_not_measured", t->waits_off);
	set_integer(o, "sampled_cpu_ns", t->sampled_ns);
	set_integer(o, "thread_cpu_ns", t->cpu_ns);
	set_integer(o, "samples", t->samples);
	set_integer(o, "kernel_samples", t->kernel_samples);
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
	const struct view_node *from = &r->tree_view->nodes[at];
	const struct view_node *root = &r->tree_view->nodes[0];
	json_t *o = json_object(), *children = json_array();

	if (at) {
		const struct frame *frame = &r->model->frames[from->frame];

		set_function(o, &r->model->functions[frame->function]);
		set_line(o, "line", frame->line);
		json_object_set_new(o, "inlined", json_boolean(frame->inlined));
	}
	set_values(o, from->self, from->total);
	set_bounds(o, r, from->self, from->self_ticks, from->total, from->total_ticks);
	for (uint32_t i = from->first_child; i; i = r->tree_view->nodes[i].next_sibling) {
		if ((double)r->tree_view->nodes[i].total[r->by] * 100 >=
		    r->min_percent * (double)root->total[r->by])
			json_array_append_new(children, node(r, i));
	}
	json_object_set_new(o, "children", children);
	return o;
}

/* ---- waits ---- */

static json_t *wait(const struct report *r, const struct wait_sum *w)
{
	json_t *o = json_object();

	json_object_set_new(o, "kind", json_text(wait_kind_name(w->kind)));
	set_text(o, "on", w->on);
	set_integer(o, "count", w->count);
	set_integer(o, "round_trips", w->trips);
	set_integer(o, "total_ns", w->ns);
	set_integer(o, "mean_ns", w->ns / (w->count ? w->count : 1));
	set_integer(o, "max_ns", w->max_ns);
	set_integer(o, "wall_ns", w->wall_ns);
	json_object_set_new(
		o, "share",
		json_real(r->totals.wall_ns ? (double)w->wall_ns / (double)r->totals.wall_ns : 0));
	return o;
}

static json_t *waits_by(const struct report *r,
			size_t (*by)(const struct model *, struct wait_sum **))
{
	json_t *array = json_array();
	struct wait_sum *sums;
	size_t n = by(r->model, &sums);

	for (size_t i = 0; i < n; i++) {
		json_t *o = wait(r, &sums[i]);

		if (by == waits_by_holder)
			set_text(o, "holder", sums[i].holder);
		if (by == waits_by_line && sums[i].frame != WAITS_NO_FRAME) {
			const struct frame *frame = &r->model->frames[sums[i].frame];
			json_t *place = json_object();

			set_line(place, "line", frame->line);
			set_function(place, &r->model->functions[frame->function]);
			json_object_set_new(o, "place", place);
		} else if (by == waits_by_line) {
			json_object_set_new(o, "place", json_null());
		}
		json_array_append_new(array, o);
	}
	free(sums);
	return array;
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
	static const char *const types[] = { "samples", "cpu", "wait", "wall" };
	json_t *o = json_object();

	set_totals(o, &r->totals);
	set_integer(o, "proxy_views_hidden", r->n_hidden);
	json_object_set_new(o, "mode", json_text(modes[r->mode]));
	json_object_set_new(o, "type", json_text(types[r->by]));
	json_object_set_new(o, "functions", functions(r));
	json_object_set_new(o, "lines", lines(r));
	json_object_set_new(o, "routes", routes(r));
	json_object_set_new(o, "waits", waits_by(r, waits_by_reason));
	json_object_set_new(o, "wait_lines", waits_by(r, waits_by_line));
	json_object_set_new(o, "wait_peers", waits_by(r, waits_by_peer));
	json_object_set_new(o, "gil_holders", waits_by(r, waits_by_holder));
	if (r->tree)
		json_object_set_new(o, "tree", node(r, 0));
	json_object_set_new(o, "files", files(r->model));
	json_print(o);
}
