#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/amount.h"
#include "format/env.h"
#include "tools/base/colour.h"
#include "tools/base/errors.h"
#include "tools/base/escape.h"
#include "tools/cmd/cmd.h"
#include "tools/cmd/ctl_page.h"
#include "tools/cmd/ctl_status.h"
#include "tools/cmd/wishes.h"

static bool is_verb(const char *word)
{
	return !strcmp(word, "on") || !strcmp(word, "off") || !strcmp(word, "status") ||
	       !strcmp(word, "set");
}

static int show_status(const char *directory, bool json)
{
	struct ctl_page p;
	int status = EXIT_FAILED;

	if (ctl_page_open(&p, directory, false))
		goto out;
	if (p.owner == CTL_NO_PAGE) {
		errors_say("%s: no profiled server has answered a request with this directory yet",
			   directory);
		goto out;
	}
	if (json)
		ctl_status_json(&p, directory);
	else
		ctl_status_text(&p, directory);
	status = errors_finish(EXIT_DONE);
out:
	ctl_page_close(&p);
	return status;
}

static void print_limit(const char *name, uint64_t limit)
{
	if (limit)
		printf(", %s %llu", name, (unsigned long long)limit);
	else
		printf(", %s without limit", name);
}

static void print_changed(const struct control_page *page, uint32_t fields)
{
	printf("%s, %u samples a second", page->enabled ? "on" : "off", page->rate);
	if (fields & CONTROL_SET_KEEP) {
		printf(", keep ");
		escape_print(stdout, *page->keep ? page->keep : "always");
	}
	if (fields & CONTROL_SET_FILTER) {
		printf(*page->filter ? ", filter " : ", no filter");
		escape_print(stdout, page->filter);
	}
	if (fields & CONTROL_SET_MAX_FILES)
		print_limit("max-files", page->budget.max_files);
	if (fields & CONTROL_SET_MAX_BYTES)
		print_limit("max-bytes", page->budget.max_bytes);
}

/* The queue that knows which file is the oldest was made when the server started. */
static int check_queue(const struct ctl_page *p, const struct control_page *wanted, uint32_t fields)
{
	uint32_t capacity = p->page.budget.capacity;

	if (p->owner != CTL_RUNNING || !(fields & CONTROL_SET_MAX_FILES) ||
	    capacity <= CONTROL_QUEUE_SPARE ||
	    wanted->budget.max_files <= capacity - CONTROL_QUEUE_SPARE)
		return 0;
	errors_say(
		"this server was started with room for at most %u files (start it with --max-files %llu, or set no more than that)",
		capacity - CONTROL_QUEUE_SPARE, (unsigned long long)wanted->budget.max_files);
	return -1;
}

static int change(const char *directory, const struct control_page *wanted, uint32_t fields)
{
	int status = EXIT_FAILED;
	struct ctl_page p;

	if (ctl_page_open(&p, directory, true))
		goto out;
	if (check_queue(&p, wanted, fields) || ctl_page_set(&p, wanted, fields))
		goto out;
	escape_print(stdout, directory);
	printf(": ");
	print_changed(&p.page, fields);
	if (p.owner == CTL_RUNNING)
		printf("; each process follows at its next request\n");
	else
		printf(", for the next server with this directory: none is running\n");
	status = errors_finish(EXIT_DONE);
out:
	ctl_page_close(&p);
	return status;
}

/* ---- settings ---- */

static int take_rate(const struct options_spec *spec, const char *value, struct control_page *page)
{
	uint64_t rate;

	if (!amount_count(value, strlen(value), &rate) || rate < ENV_RATE_MIN || rate > ENV_RATE_MAX)
		return options_usage_error(spec, "rate must be from %d to %d, not \"%s\"",
					   ENV_RATE_MIN, ENV_RATE_MAX, value);
	page->rate = (uint32_t)rate;
	return OPTIONS_GO_ON;
}

static int take_keep(const struct options_spec *spec, const char *value, struct control_page *page)
{
	int status = wishes_check_keep(spec, "keep", value);

	if (status == OPTIONS_GO_ON)
		strcpy(page->keep, value);
	return status;
}

static int take_filter(const struct options_spec *spec, const char *value, struct control_page *page)
{
	int status = wishes_check_filter(spec, "filter", value);

	if (status == OPTIONS_GO_ON)
		strcpy(page->filter, value);
	return status;
}

static int take_max_files(const struct options_spec *spec, const char *value,
			  struct control_page *page)
{
	return wishes_max_files(spec, "max-files", value, &page->budget.max_files);
}

static int take_max_bytes(const struct options_spec *spec, const char *value,
			  struct control_page *page)
{
	return wishes_max_bytes(spec, "max-bytes", value, &page->budget.max_bytes);
}

#define SETTINGS "rate=N, keep=RULES, filter=PATTERNS, max-files=N and max-bytes=SIZE"

static const struct {
	const char *name;
	uint32_t field;
	int (*take)(const struct options_spec *spec, const char *value, struct control_page *page);
} settings[] = {
	{ "rate", CONTROL_SET_RATE, take_rate },
	{ "keep", CONTROL_SET_KEEP, take_keep },
	{ "filter", CONTROL_SET_FILTER, take_filter },
	{ "max-files", CONTROL_SET_MAX_FILES, take_max_files },
	{ "max-bytes", CONTROL_SET_MAX_BYTES, take_max_bytes },
};

static int take_setting(const struct options_spec *spec, const char *setting,
			struct control_page *page, uint32_t *fields)
{
	size_t len = strcspn(setting, "=");

	for (size_t i = 0; setting[len] && i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strlen(settings[i].name) != len || strncmp(settings[i].name, setting, len) != 0)
			continue;
		*fields |= settings[i].field;
		return settings[i].take(spec, setting + len + 1, page);
	}
	return options_usage_error(spec, "no setting \"%s\"; there are " SETTINGS, setting);
}

int cmd_ctl(int argc, char **argv)
{
	const char *directory = getenv(ENV_DIR), *verb;
	bool json = false;
	struct control_page wanted = { 0 };
	uint32_t fields = 0;
	const struct option_row rows[] = {
		{ OPTION_FLAG, 'j', "json", NULL, &json, "status as a JSON object.", NULL, 0, 0 },
		{ OPTION_TABLE, 0, NULL, NULL, (void *)colour_rows, NULL, NULL, 0, 0 },
		{ 0 },
	};
	const struct options_spec spec = {
		.command = "ctl",
		.usage = "[options] [DIR] on|off|status|set KEY=VALUE...",
		.summary = "Switches profiling while servers run, and shows what it does.",
		.details =
			"Settings: rate=N, samples a second of CPU time;\n"
			"keep=RULES, which requests leave a file: always, or any of slower=200ms, failed,\n"
			"first, every=100, worst=5, asked, with commas between;\n"
			"filter='GET /api/*;!/health', which requests are looked at (filter= takes all);\n"
			"max-files=N and max-bytes=SIZE (500M, 1G; 0: no limit), what the directory may hold.\n"
			"\n"
			"Every process that writes to DIR follows at its next request. With no server there,\n"
			"the setting waits for the next one. Without DIR: $REQPROF_DIR, or reqprof.out.\n",
		.examples = "  reqprof ctl off\n"
			    "  reqprof ctl /var/lib/reqprof set rate=250\n"
			    "  reqprof ctl set keep=slower=200ms,failed max-files=2000\n"
			    "  reqprof ctl status --json | jq .totals\n",
		.rows = rows,
	};
	int status = options_parse(&spec, &argc, argv), at = 1;

	if (status != OPTIONS_GO_ON)
		return status;
	if (!directory || !*directory)
		directory = ENV_DIR_DEFAULT;
	if (argc > 2 && (!is_verb(argv[1]) || is_verb(argv[2])))
		directory = argv[at++];
	if (at >= argc)
		return options_usage_error(&spec, "say on, off, status or set KEY=VALUE");
	verb = argv[at++];
	if (!is_verb(verb))
		return options_usage_error(&spec, "\"%s\" is none of on, off, status, set", verb);
	if (!strcmp(verb, "set")) {
		if (at >= argc)
			return options_usage_error(&spec, "set what? There are " SETTINGS);
		while (at < argc) {
			status = take_setting(&spec, argv[at++], &wanted, &fields);
			if (status != OPTIONS_GO_ON)
				return status;
		}
	}
	if (at < argc)
		return options_usage_error(&spec, "what is \"%s\" for?", argv[at]);
	if (!strcmp(verb, "status"))
		return show_status(directory, json);
	if (strcmp(verb, "set") != 0) {
		wanted.enabled = !strcmp(verb, "on");
		fields = CONTROL_SET_ENABLED;
	}
	return change(directory, &wanted, fields);
}
