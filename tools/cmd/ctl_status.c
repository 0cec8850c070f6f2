#include "tools/cmd/ctl_status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/colour.h"
#include "tools/base/escape.h"
#include "tools/base/json.h"
#include "tools/base/process.h"

static const struct {
	const char *name, *text;
} counter_words[] = {
#define WORDS(name, text) { #name, text },
	CONTROL_COUNTERS(WORDS)
#undef WORDS
};

struct summary {
	uint64_t totals[CONTROL_COUNTER_COUNT];
	uint64_t ended[CONTROL_COUNTER_COUNT]; /* of these, in processes that are gone */
	uint32_t n_running, n_ended;
	int32_t file_error, clock_error, kernel_error;
};

static bool is_running(const struct control_process *process)
{
	return process_alive(process->pid, process->start_ticks);
}

static void sum_up(const struct control_page *page, struct summary *s)
{
	*s = (struct summary){ 0 };
	for (int i = 0; i < CONTROL_COUNTER_COUNT; i++)
		s->totals[i] = s->ended[i] = page->gone[i];
	for (int i = 0; i < CONTROL_PROCESSES; i++) {
		const struct control_process *process = &page->processes[i];
		bool running = is_running(process);

		if (!process->pid)
			continue;
		for (int j = 0; j < CONTROL_COUNTER_COUNT; j++) {
			s->totals[j] += process->counters[j];
			if (!running)
				s->ended[j] += process->counters[j];
		}
		s->n_running += running;
		s->n_ended += !running;
		if (process->file_error)
			s->file_error = process->file_error;
		if (process->clock_error)
			s->clock_error = process->clock_error;
		if (process->kernel_error)
			s->kernel_error = process->kernel_error;
	}
}

/* What to try, for the errors that have a usual reason. */
static const char *file_advice(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return "free some space, or choose another directory";
	case EACCES:
	case EPERM:
		return "let the server's user write to the directory";
	case ELOOP:
		return "the directory is a symbolic link of another user: name another one";
	case EROFS:
		return "choose a directory that can be written to";
	case ENOENT:
	case ENOTDIR:
		return "create the directory";
	case EMFILE:
	case ENFILE:
		return "raise the limit of open files (ulimit -n)";
	default:
		return NULL;
	}
}

static const char *clock_advice(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return "try sysctl kernel.perf_event_paranoid=2; in a container, --cap-add PERFMON and a "
		       "seccomp profile that allows perf_event_open";
	case EBUSY:
	case EINVAL:
		return "another tool has them for itself, or this kernel lacks the software clock; a timer serves";
	case ENOSYS:
		return "this kernel has no perf events, or a sandbox hides them";
	case EMFILE:
		return "raise the limit of open files (ulimit -n)";
	default:
		return NULL;
	}
}

static const char *kernel_advice(const uint64_t *counters)
{
	return counters[CONTROL_threads_kernel_refused]
		       ? "time there is only counted; try sysctl kernel.perf_event_paranoid=1, or CAP_PERFMON"
		       : "time there is only counted; raise the limit of locked memory (ulimit -l, or "
			 "sysctl kernel.perf_event_mlock_kb)";
}

/* Which clock a process's threads run by: the worst of them tells most. */
static const char *clock_of(const uint64_t *counters)
{
	if (counters[CONTROL_threads_none])
		return counters[CONTROL_threads_perf] || counters[CONTROL_threads_timer] ? "partly"
											 : "none";
	if (counters[CONTROL_threads_timer])
		return counters[CONTROL_threads_perf] ? "perf, timer" : "timer";
	return counters[CONTROL_threads_perf] ? "perf" : "-";
}

/* The text is in a file that others may write: it ends where its field does. */
static char *python_of(const struct control_process *process)
{
	size_t len = strnlen(process->python, sizeof(process->python));

	return escape_bytes(len ? process->python : "-", len ? len : 1);
}

/* ---- words ---- */

static void print_owner(const struct ctl_page *p, const struct summary *s)
{
	switch (p->owner) {
	case CTL_NO_PAGE:
		return;
	case CTL_PRESET:
		printf("no server has used the directory since: this is for the next one\n");
		return;
	case CTL_RUNNING:
		printf("server %u, %u process%s with requests so far", p->page.root_pid,
		       s->n_running, s->n_running == 1 ? "" : "es");
		break;
	case CTL_ENDED:
		printf("server %u has ended", p->page.root_pid);
		break;
	}
	if (s->n_ended)
		printf("; %u ended", s->n_ended);
	putchar('\n');
}

static void print_row(const char *pid, const char *python, const char *clock,
		      const uint64_t *counters)
{
	uint64_t lost = counters[CONTROL_lost_buffer_full] + counters[CONTROL_lost_nested] +
			counters[CONTROL_lost_signal_queue];

	printf("  %10s  %-16s %-12s %10llu %10llu %10llu %8llu %10llu %8llu\n", pid, python, clock,
	       (unsigned long long)counters[CONTROL_requests_seen],
	       (unsigned long long)counters[CONTROL_requests_profiled],
	       (unsigned long long)counters[CONTROL_samples], (unsigned long long)lost,
	       (unsigned long long)counters[CONTROL_files_written],
	       (unsigned long long)counters[CONTROL_files_failed]);
}

static void print_processes(const struct ctl_page *p, const struct summary *s)
{
	printf("\n%s  %10s  %-16s %-12s %10s %10s %10s %8s %10s %8s%s\n", colour(COLOUR_BOLD),
	       "PID", "PYTHON", "CLOCK", "SEEN", "PROFILED", "SAMPLES", "LOST", "FILES", "FAILED",
	       colour(COLOUR_PLAIN));
	for (int i = 0; i < CONTROL_PROCESSES; i++) {
		const struct control_process *process = &p->page.processes[i];
		char pid[24];
		char *python;

		if (!is_running(process))
			continue;
		snprintf(pid, sizeof(pid), "%u", process->pid);
		python = python_of(process);
		print_row(pid, python, clock_of(process->counters), process->counters);
		free(python);
	}
	if (s->n_ended || s->ended[CONTROL_requests_seen])
		print_row("ended", "-", clock_of(s->ended), s->ended);
	print_row("total", "", clock_of(s->totals), s->totals);
}

static void print_counters(const struct summary *s)
{
	putchar('\n');
	for (int i = 0; i < CONTROL_COUNTER_COUNT; i++) {
		if (s->totals[i])
			printf("  %10llu  %s\n", (unsigned long long)s->totals[i],
			       counter_words[i].text);
	}
}

static void print_trouble(const char *what, int error, const char *advice)
{
	if (!error)
		return;
	printf("\n  %s%s: %s%s", colour(COLOUR_YELLOW), what, strerror(error),
	       colour(COLOUR_PLAIN));
	printf(advice ? ": %s\n" : "\n", advice);
}

static void print_use(const char *name, uint64_t used, uint64_t most)
{
	printf("%llu", (unsigned long long)used);
	if (most)
		printf(" of %llu", (unsigned long long)most);
	printf(" %s", name);
}

/* What stands in a text field of the page, which others may write. */
static void print_field(const char *text, size_t size, const char *otherwise)
{
	size_t len = strnlen(text, size);
	char *words = len ? escape_bytes(text, len) : NULL;

	printf("%s", words ? words : otherwise);
	free(words);
}

static void print_wishes(const struct control_page *page)
{
	const struct control_budget *budget = &page->budget;

	printf("keep: ");
	print_field(page->keep, sizeof(page->keep), "always");
	printf("; filter: ");
	print_field(page->filter, sizeof(page->filter), "none");
	printf("\nbudget: ");
	if (budget->state == CONTROL_COUNTED) {
		print_use("files", budget->files, budget->max_files);
		printf(", ");
		print_use("bytes", budget->bytes, budget->max_bytes);
		printf(", the oldest go first\n");
	} else {
		print_use("files at most", budget->max_files, 0);
		printf(", ");
		print_use("bytes at most", budget->max_bytes, 0);
		printf(" (0: no limit); what is there is counted with the first profile\n");
	}
}

void ctl_status_text(const struct ctl_page *p, const char *directory)
{
	struct summary s;

	sum_up(&p->page, &s);
	escape_print(stdout, directory);
	printf(": %s%s%s, %u samples a second\n", colour(COLOUR_BOLD),
	       p->page.enabled ? "on" : "off", colour(COLOUR_PLAIN), p->page.rate);
	print_owner(p, &s);
	print_wishes(&p->page);
	if (p->owner == CTL_PRESET)
		return;
	print_processes(p, &s);
	print_counters(&s);
	print_trouble("last profile that could not be written", s.file_error,
		      file_advice(s.file_error));
	print_trouble("perf events were refused", s.clock_error, clock_advice(s.clock_error));
	print_trouble("the kernel could not be sampled", s.kernel_error, kernel_advice(s.totals));
}

/* ---- json ---- */

static json_t *counters_json(const uint64_t *counters)
{
	json_t *o = json_object();

	for (int i = 0; i < CONTROL_COUNTER_COUNT; i++)
		json_object_set_new(o, counter_words[i].name,
				    json_integer((json_int_t)counters[i]));
	return o;
}

static json_t *error_json(int error, const char *advice)
{
	json_t *o;

	if (!error)
		return json_null();
	o = json_object();
	json_object_set_new(o, "errno", json_integer(error));
	json_object_set_new(o, "text", json_text(strerror(error)));
	json_object_set_new(o, "advice", advice ? json_text(advice) : json_null());
	return o;
}

static json_t *process_json(const struct control_process *process)
{
	char python[sizeof(process->python) + 1] = "";
	json_t *o = json_object();

	memcpy(python, process->python, sizeof(process->python));
	json_object_set_new(o, "pid", json_integer(process->pid));
	json_object_set_new(o, "running", json_boolean(is_running(process)));
	json_object_set_new(o, "python", *python ? json_text(python) : json_null());
	json_object_set_new(o, "clock", json_text(clock_of(process->counters)));
	json_object_set_new(o, "file_error",
			    error_json(process->file_error, file_advice(process->file_error)));
	json_object_set_new(o, "clock_error",
			    error_json(process->clock_error, clock_advice(process->clock_error)));
	json_object_set_new(o, "kernel_error",
			    error_json(process->kernel_error, kernel_advice(process->counters)));
	json_object_set_new(o, "counters", counters_json(process->counters));
	return o;
}

static json_t *field_json(const char *text, size_t size)
{
	char *copy = strndup(text, size);
	json_t *o = copy ? json_text(copy) : json_null();

	free(copy);
	return o;
}

static void wishes_json(json_t *o, const struct control_page *page)
{
	const struct control_budget *budget = &page->budget;
	bool counted = budget->state == CONTROL_COUNTED;
	json_t *use = json_object();

	json_object_set_new(o, "keep", *page->keep ? field_json(page->keep, sizeof(page->keep)) :
						     json_string("always"));
	json_object_set_new(o, "filter", *page->filter ?
						 field_json(page->filter, sizeof(page->filter)) :
						 json_null());
	json_object_set_new(use, "files",
			    counted ? json_integer((json_int_t)budget->files) : json_null());
	json_object_set_new(use, "max_files", json_integer((json_int_t)budget->max_files));
	json_object_set_new(use, "bytes",
			    counted ? json_integer((json_int_t)budget->bytes) : json_null());
	json_object_set_new(use, "max_bytes", json_integer((json_int_t)budget->max_bytes));
	json_object_set_new(o, "budget", use);
}

void ctl_status_json(const struct ctl_page *p, const char *directory)
{
	static const char *const owners[] = { "none", "preset", "running", "ended" };
	json_t *o = json_object(), *processes = json_array();
	struct summary s;

	sum_up(&p->page, &s);
	json_object_set_new(o, "directory", json_text(directory));
	json_object_set_new(o, "enabled", json_boolean(p->page.enabled));
	json_object_set_new(o, "rate", json_integer(p->page.rate));
	wishes_json(o, &p->page);
	json_object_set_new(o, "server", json_text(owners[p->owner]));
	json_object_set_new(o, "server_pid",
			    p->page.root_pid ? json_integer(p->page.root_pid) : json_null());
	for (int i = 0; i < CONTROL_PROCESSES; i++) {
		if (p->page.processes[i].pid)
			json_array_append_new(processes, process_json(&p->page.processes[i]));
	}
	json_object_set_new(o, "processes", processes);
	json_object_set_new(o, "file_error", error_json(s.file_error, file_advice(s.file_error)));
	json_object_set_new(o, "clock_error",
			    error_json(s.clock_error, clock_advice(s.clock_error)));
	json_object_set_new(o, "kernel_error",
			    error_json(s.kernel_error, kernel_advice(s.totals)));
	json_object_set_new(o, "totals", counters_json(s.totals));
	json_print(o);
}
