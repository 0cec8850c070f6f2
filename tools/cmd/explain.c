/*
 * Three or four sentences with numbers: where the time went, the line to look at, queries in a
 * loop, the GIL, and how sure that is.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/base/escape.h"
#include "tools/base/figures.h"
#include "tools/base/json.h"
#include "tools/cmd/cmd.h"
#include "tools/cmd/inputs.h"
#include "tools/model/causes.h"
#include "tools/model/totals.h"
#include "tools/model/waits.h"

enum {
	TRIPS_MANY = 5,	  /* round trips per request from one line that look like a loop */
	SAMPLES_FEW = 20, /* below this which line it was is hardly known */
	SENTENCES_MAX = 12,
	PLACES_MAX = 3,
	GIL_WORTH_PERCENT = 1,
};

struct explanation {
	const struct model *m;
	struct totals t;
	struct cause *causes;
	size_t n_causes;
	const char *method, *route;	/* of all of them; NULL: several */
	char *sentences[SENTENCES_MAX]; /* raw: escaped when printed */
	size_t n_sentences;
	json_t *json;
};

/* ---- words ---- */

/* A sentence under way. */
struct sentence {
	char *text;
	size_t len;
	FILE *out;
};

static FILE *begin(struct sentence *s)
{
	*s = (struct sentence){ NULL, 0, NULL };
	s->out = open_memstream(&s->text, &s->len);
	if (!s->out) {
		errors_say("out of memory");
		exit(EXIT_FAILED);
	}
	return s->out;
}

static void end(struct explanation *e, struct sentence *s)
{
	fclose(s->out);
	if (e->n_sentences < SENTENCES_MAX)
		e->sentences[e->n_sentences++] = s->text;
	else
		free(s->text);
}

static const char *plural(int64_t n)
{
	return n == 1 ? "" : "s";
}

static void put_time(FILE *out, int64_t ns)
{
	char figure[FIGURE_MAX];

	fputs(figure_duration(figure, ns), out);
}

/* "41.0ms (13.7 %)" */
static void put_part(const struct explanation *e, FILE *out, int64_t ns)
{
	char share[FIGURE_MAX];

	put_time(out, ns / e->t.requests);
	fprintf(out, " (%s)", figure_percent(share, ns, e->t.wall_ns));
}

/* "/srv/models.py:88 (User.orders)" */
static void put_line(const struct explanation *e, FILE *out, uint32_t frame)
{
	const struct frame *f = &e->m->frames[frame];
	const struct function *function = &e->m->functions[f->function];

	if (!*function->file) {
		fprintf(out, "%s", function->name);
		return;
	}
	fprintf(out, "%s", function->file);
	if (f->line)
		fprintf(out, ":%d", f->line);
	fprintf(out, " (%s)", function->name);
}

static void put_reason(FILE *out, const struct wait_sum *w)
{
	fprintf(out, "%s%s%s", w->kind == WAIT_GIL ? "the " : "", wait_kind_name(w->kind),
		*w->on ? " " : "");
	fputs(w->on, out);
}

static json_t *line_json(const struct explanation *e, uint32_t frame)
{
	const struct function *f;
	json_t *o;

	if (frame == WAITS_NO_FRAME)
		return json_null();
	f = &e->m->functions[e->m->frames[frame].function];
	o = json_object();
	json_object_set_new(o, "name", json_text(f->name));
	json_object_set_new(o, "file", *f->file ? json_text(f->file) : json_null());
	json_object_set_new(o, "line",
			    e->m->frames[frame].line ? json_integer(e->m->frames[frame].line)
						     : json_null());
	json_object_set_new(o, "module", *f->module ? json_text(f->module) : json_null());
	return o;
}

static void set_integer(json_t *o, const char *key, int64_t value)
{
	json_object_set_new(o, key, json_integer(value));
}

/* ---- the sentences ---- */

/* What all of them are, or else NULL in either. */
static void name_group(struct explanation *e)
{
	const struct request *first = &e->m->requests[0];

	e->method = first->method;
	e->route = *first->route ? first->route : first->path;
	for (uint32_t i = 1; i < e->m->n_requests; i++) {
		const struct request *r = &e->m->requests[i];

		if (r->method != e->method)
			e->method = NULL;
		if (e->route && (*r->route ? r->route : r->path) != e->route)
			e->route = NULL;
	}
}

static void put_subject(const struct explanation *e, FILE *out)
{
	const struct request *r = &e->m->requests[0];
	const struct totals *t = &e->t;

	if (t->requests == 1) {
		fprintf(out, "%s %s took ", r->method, r->path);
		put_time(out, t->wall_ns);
		if (r->status)
			fprintf(out, " and answered %d", r->status);
		fputs(": ", out);
		return;
	}
	fprintf(out, "%u requests", t->requests);
	if (e->method && e->route)
		fprintf(out, " of %s %s", e->method, e->route);
	else if (e->route)
		fprintf(out, " of %s", e->route);
	fputs(" took ", out);
	put_time(out, t->wall_ns / t->requests);
	fputs(" on average (", out);
	put_time(out, t->wall_min_ns);
	fputs(" to ", out);
	put_time(out, t->wall_max_ns);
	fputs("): ", out);
}

static void say_parts(struct explanation *e)
{
	const struct totals *t = &e->t;
	struct sentence s;
	FILE *out = begin(&s);

	put_subject(e, out);
	put_part(e, out, t->user_ns + t->kernel_ns);
	fputs(" on the CPU", out);
	if (t->not_split < t->requests) {
		fputs(", ", out);
		put_time(out, t->user_ns / t->requests);
		fputs(" of it in user code", out);
	}
	if (t->waits_off < t->requests) {
		fputs("; ", out);
		put_part(e, out, t->wait_ns);
		fputs(" waiting", out);
	}
	if (t->runnable_ns) {
		fputs("; ", out);
		put_part(e, out, t->runnable_ns);
		fputs(" waiting for a CPU", out);
	}
	fputs("; ", out);
	put_part(e, out, t->rest_ns);
	fputs(" unaccounted.", out);
	end(e, &s);
}

static const struct cause *first_line(const struct explanation *e)
{
	for (size_t i = 0; i < e->n_causes; i++) {
		if (e->causes[i].frame != WAITS_NO_FRAME)
			return &e->causes[i];
	}
	return NULL;
}

/* CPU time of a line as its share of the ticks has it, and between what it lies. */
static void put_cpu(const struct explanation *e, FILE *out, const struct cause *c, json_t *o)
{
	double ticks = 0, n = e->t.requests, ticked = (double)e->t.ticked_ns;
	struct interval i;

	for (size_t j = 0; j < e->n_causes; j++)
		ticks += (double)e->causes[j].ticks;
	i = interval_of((double)c->ticks, ticks);
	put_time(out, c->cpu_ns / e->t.requests);
	fputs(" on the CPU (between ", out);
	put_time(out, (int64_t)(i.low * ticked / n));
	fputs(" and ", out);
	put_time(out, (int64_t)(i.high * ticked / n));
	putc(')', out);
	json_object_set_new(
		o, "cpu_interval_ns",
		json_pack("[I,I]", (json_int_t)(i.low * ticked), (json_int_t)(i.high * ticked)));
}

static void say_line(struct explanation *e)
{
	const struct cause *c = first_line(e);
	struct sentence s;
	FILE *out;
	json_t *o;

	if (!c)
		return;
	o = line_json(e, c->frame);
	set_integer(o, "wall_ns", c->wall_ns);
	set_integer(o, "cpu_ns", c->cpu_ns);
	set_integer(o, "wait_ns", c->wait_ns);
	set_integer(o, "samples", c->ticks);
	out = begin(&s);
	fputs("The line to look at is ", out);
	put_line(e, out, c->frame);
	fputs(": it and what it calls take ", out);
	put_part(e, out, c->wall_ns);
	if (c->wait_ns) {
		fputs(", of which ", out);
		put_time(out, c->wait_ns / e->t.requests);
		fputs(c->most.wall_ns < c->wait_ns ? " waiting, most for " : " waiting for ", out);
		put_reason(out, &c->most);
		if (e->t.requests > 1)
			fprintf(out, " in %.1f waits a request",
				(double)c->most.count / e->t.requests);
		else
			fprintf(out, " in %lld wait%s", (long long)c->most.count,
				plural(c->most.count));
	}
	if (c->ticks) {
		fputs(c->wait_ns ? " and " : ", ", out);
		put_cpu(e, out, c, o);
	}
	fputs(".", out);
	end(e, &s);
	json_object_set_new(e->json, "line", o);
}

/* Peers that are asked again and again from one line. */
static void say_loops(struct explanation *e)
{
	json_t *array = json_array();
	struct wait_sum *peers, *lines;
	size_t n_peers = waits_by_peer(e->m, &peers), n_lines = waits_by_line(e->m, &lines);
	int said = 0;

	for (size_t i = 0; i < n_lines && said < PLACES_MAX; i++) {
		const struct wait_sum *w = &lines[i], *peer = NULL;
		struct sentence s;
		FILE *out;
		json_t *o;

		if (w->frame == WAITS_NO_FRAME ||
		    w->trips < (int64_t)TRIPS_MANY * (int64_t)e->t.requests)
			continue;
		for (size_t j = 0; j < n_peers && !peer; j++) {
			if (peers[j].kind == w->kind && peers[j].on == w->on)
				peer = &peers[j];
		}
		out = begin(&s);
		fprintf(out, "There were %lld round trips to ",
			(long long)(peer ? peer : w)->trips);
		fputs(*w->on ? w->on : "a peer that is not known", out);
		if (e->t.requests > 1)
			fprintf(out, ", %.1f a request",
				(double)(peer ? peer : w)->trips / e->t.requests);
		fprintf(out, ", %lld of them from ", (long long)w->trips);
		put_line(e, out, w->frame);
		fputs(": that looks like a query in a loop (N+1), which costs ", out);
		put_part(e, out, w->wall_ns);
		fputs(".", out);
		end(e, &s);
		o = line_json(e, w->frame);
		json_object_set_new(o, "peer", json_text(w->on));
		set_integer(o, "round_trips", w->trips);
		set_integer(o, "wall_ns", w->wall_ns);
		json_array_append_new(array, o);
		said++;
	}
	free(peers);
	free(lines);
	json_object_set_new(e->json, "loops", array);
}

static void say_gil(struct explanation *e)
{
	json_t *array = json_array();
	struct wait_sum *holders;
	size_t n = waits_by_holder(e->m, &holders);

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		json_object_set_new(o, "holder",
				    *holders[i].holder ? json_text(holders[i].holder)
						       : json_null());
		set_integer(o, "ns", holders[i].ns);
		json_array_append_new(array, o);
	}
	if ((double)e->t.gil_ns * 100 >= (double)e->t.wall_ns * GIL_WORTH_PERCENT && e->t.gil_ns) {
		struct sentence s;
		FILE *out = begin(&s);
		int named = 0;

		fputs(e->t.requests > 1 ? "They waited " : "It waited ", out);
		put_part(e, out, e->t.gil_ns);
		fputs(" for the GIL", out);
		for (size_t i = 0; i < n && named < PLACES_MAX; i++) {
			if (!*holders[i].holder)
				continue;
			fputs(", ", out);
			put_time(out, holders[i].ns / e->t.requests);
			fprintf(out, "%s%s", named ? " for " : " of them for ", holders[i].holder);
			named++;
		}
		fputs(named ? "." : "; who held it is not known.", out);
		end(e, &s);
	} else if (e->t.gil_free && !e->t.gil_ns) {
		struct sentence s;

		fputs("Python is free-threaded here: there is no GIL to wait for.", begin(&s));
		end(e, &s);
	}
	free(holders);
	json_object_set_new(e->json, "gil_holders", array);
}

static void say_sure(struct explanation *e)
{
	const struct totals *t = &e->t;
	struct interval i = totals_user_interval(t);
	double on_cpu = (double)(t->user_ns + t->kernel_ns), n = t->requests;
	struct sentence s;
	FILE *out = begin(&s);

	if (t->samples) {
		fprintf(out, "The CPU time by line stands on %lld sample%s%s",
			(long long)(t->samples + t->kernel_samples),
			plural(t->samples + t->kernel_samples),
			t->samples < SAMPLES_FEW ? ", which is few" : "");
		if (t->not_split < t->requests) {
			fputs(": user code took between ", out);
			put_time(out, (int64_t)(i.low * on_cpu / n));
			fputs(" and ", out);
			put_time(out, (int64_t)(i.high * on_cpu / n));
			fputs(" (95 % sure)", out);
		}
	} else {
		fputs("No sample was taken on the CPU, so no line of it is known", out);
	}
	fputs(t->waits_off < t->requests
		      ? "; the whole CPU time and waits are exact."
		      : "; waits were not measured, they are in what is unaccounted.",
	      out);
	if (t->samples < SAMPLES_FEW && t->requests == 1)
		fputs(" Taken together with others of its route it tells more: explain DIR --route.",
		      out);
	end(e, &s);
}

/* Requests whose process was killed in the middle, and where the first of them was then. */
static void say_interrupted(struct explanation *e)
{
	const struct request *first = NULL;
	struct sentence s;
	unsigned n = 0;
	FILE *out;

	for (uint32_t i = 0; i < e->m->n_requests; i++) {
		if (!e->m->requests[i].interrupted)
			continue;
		n++;
		if (!first || (!*first->interrupted_in && *e->m->requests[i].interrupted_in))
			first = &e->m->requests[i];
	}
	if (!n)
		return;
	out = begin(&s);
	if (e->m->n_requests == 1)
		fputs("The process was killed in the middle of it", out);
	else
		fprintf(out, "In the middle of %u of the requests the process was killed", n);
	if (*first->interrupted_in)
		fprintf(out, "%s in %s", n > 1 ? ", one of them" : ",", first->interrupted_in);
	fputs("; what is known ends before that.", out);
	end(e, &s);
}

static void say_caveats(struct explanation *e)
{
	const struct totals *t = &e->t;
	struct sentence s;
	FILE *out;

	if (t->rest_ns > t->wall_ns / 2 && t->waits_off < t->requests) {
		out = begin(&s);
		fputs("Most of the time is unaccounted: neither on the CPU nor in a call that is watched.",
		      out);
		end(e, &s);
	}
	if (t->inferred) {
		out = begin(&s);
		fprintf(out,
			"That %lld of the samples belong here is inferred, or shared with other requests.",
			(long long)t->inferred);
		end(e, &s);
	}
	if (t->lost * 20 > t->samples) {
		out = begin(&s);
		fprintf(out, "%lld samples were lost.", (long long)t->lost);
		end(e, &s);
	}
}

/* ---- the command ---- */

static void set_parts(struct explanation *e)
{
	const struct totals *t = &e->t;
	struct interval i = totals_user_interval(t);
	double on_cpu = (double)(t->user_ns + t->kernel_ns);
	json_t *o = e->json;

	set_integer(o, "requests", t->requests);
	json_object_set_new(o, "method", e->method ? json_text(e->method) : json_null());
	json_object_set_new(o, "route", e->route ? json_text(e->route) : json_null());
	set_integer(o, "wall_ns", t->wall_ns);
	set_integer(o, "user_ns", t->user_ns);
	set_integer(o, "kernel_ns", t->kernel_ns);
	set_integer(o, "wait_ns", t->wait_ns);
	set_integer(o, "gil_ns", t->gil_ns);
	set_integer(o, "runnable_ns", t->runnable_ns);
	set_integer(o, "rest_ns", t->rest_ns);
	set_integer(o, "samples", t->samples);
	json_object_set_new(
		o, "user_interval_ns",
		json_pack("[I,I]", (json_int_t)(i.low * on_cpu), (json_int_t)(i.high * on_cpu)));
}

static void explain(const struct model *m, bool json)
{
	struct explanation e = { .m = m, .json = json_object() };
	json_t *texts = json_array();

	totals_of(m, &e.t);
	e.n_causes = causes_of(m, &e.causes);
	name_group(&e);
	set_parts(&e);
	say_parts(&e);
	say_interrupted(&e);
	say_line(&e);
	say_loops(&e);
	say_gil(&e);
	say_sure(&e);
	say_caveats(&e);
	for (size_t i = 0; i < e.n_sentences; i++) {
		if (json) {
			json_array_append_new(texts, json_text(e.sentences[i]));
		} else {
			escape_print(stdout, e.sentences[i]);
			putchar('\n');
		}
		free(e.sentences[i]);
	}
	json_object_set_new(e.json, "sentences", texts);
	if (json)
		json_print(e.json);
	else
		json_decref(e.json);
	free(e.causes);
}

int cmd_explain(int argc, char **argv)
{
	struct inputs inputs;
	struct model *m = NULL;
	bool json = false;
	int status;
	const struct option_row rows[] = {
		{ OPTION_TABLE, 0, NULL, NULL, inputs.rows, NULL, NULL, 0, 0 },
		{ OPTION_FLAG, 'j', "json", NULL, &json,
		  "A JSON object with the sentences and their figures.", NULL, 0, 0 },
		{ 0 },
	};
	const struct options_spec spec = {
		.command = "explain",
		.usage = "[options] [FILE|DIR...]",
		.summary = "Says in a few sentences where the time of a request went.",
		.details =
			"Several requests are explained as one: choose a route. Times are then of a request, on\n"
			"average. A line counts with all that it calls; it is the innermost of the application's\n"
			"own code, or else the innermost that is no database driver or other such library.\n",
		.examples = "  reqprof explain reqprof.out/GET.users.36ms.*.pprof\n"
			    "  reqprof explain --route '/users/*'\n"
			    "  reqprof explain --json DIR | jq -r '.loops[].file'\n",
		.rows = rows,
	};

	inputs_init(&inputs);
	status = options_parse(&spec, &argc, argv);
	if (status == OPTIONS_GO_ON)
		status = inputs_load(&inputs, argv + 1, argc - 1, &m);
	if (status == OPTIONS_GO_ON && !m->n_requests) {
		status = inputs.status_code;
		if (!status) {
			errors_say("no request to explain%s", inputs.n_files
								      ? " passes the filters"
								      : ": no profile is there");
			status = EXIT_TOO_LITTLE;
		}
	} else if (status == OPTIONS_GO_ON) {
		explain(m, json);
		status = errors_finish(inputs.status_code);
	}
	model_free(m);
	inputs_release(&inputs);
	return status;
}
