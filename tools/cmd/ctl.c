#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/env.h"
#include "tools/base/colour.h"
#include "tools/base/errors.h"
#include "tools/base/escape.h"
#include "tools/cmd/cmd.h"
#include "tools/cmd/ctl_page.h"
#include "tools/cmd/ctl_status.h"

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

/* enabled: 1, 0, or -1 to leave it; rate: 0 to leave it. */
static int change(const char *directory, int enabled, uint32_t rate)
{
	int status = EXIT_FAILED;
	struct ctl_page p;

	if (ctl_page_open(&p, directory, true))
		goto out;
	if (p.owner == CTL_NO_PAGE || p.owner == CTL_ENDED) {
		p.page.enabled = 1;
		p.page.rate = ENV_RATE_DEFAULT;
	}
	if (enabled >= 0)
		p.page.enabled = (uint32_t)enabled;
	if (rate)
		p.page.rate = rate;
	if (ctl_page_set(&p))
		goto out;
	escape_print(stdout, directory);
	printf(": %s, %u samples a second", p.page.enabled ? "on" : "off", p.page.rate);
	if (p.owner == CTL_RUNNING)
		printf("; each process follows at its next request\n");
	else
		printf(", for the next server with this directory: none is running\n");
	status = errors_finish(EXIT_DONE);
out:
	ctl_page_close(&p);
	return status;
}

static int take_setting(const struct options_spec *spec, const char *setting, uint32_t *rate)
{
	char *end;
	long value;

	if (strncmp(setting, "rate=", 5) != 0)
		return options_usage_error(spec, "no setting \"%s\"; there is rate=N", setting);
	errno = 0;
	value = strtol(setting + 5, &end, 10);
	if (end == setting + 5 || *end || errno || value < ENV_RATE_MIN || value > ENV_RATE_MAX)
		return options_usage_error(spec, "rate must be from %d to %d, not \"%s\"",
					   ENV_RATE_MIN, ENV_RATE_MAX, setting + 5);
	*rate = (uint32_t)value;
	return OPTIONS_GO_ON;
}

int cmd_ctl(int argc, char **argv)
{
	const char *directory = getenv(ENV_DIR), *verb;
	bool json = false;
	uint32_t rate = 0;
	const struct option_row rows[] = {
		{ OPTION_FLAG, 'j', "json", NULL, &json, "status as a JSON object.", NULL, 0, 0 },
		{ OPTION_TABLE, 0, NULL, NULL, (void *)colour_rows, NULL, NULL, 0, 0 },
		{ 0 },
	};
	const struct options_spec spec = {
		.command = "ctl",
		.usage = "[options] [DIR] on|off|status|set rate=N",
		.summary = "Switches profiling while servers run, and shows what it does.",
		.details =
			"Every process that writes to DIR follows at its next request. With no server there,\n"
			"the setting waits for the next one. Without DIR: $REQPROF_DIR, or reqprof.out.\n",
		.examples = "  reqprof ctl off\n"
			    "  reqprof ctl /var/lib/reqprof set rate=250\n"
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
		return options_usage_error(&spec, "say on, off, status or set rate=N");
	verb = argv[at++];
	if (!is_verb(verb))
		return options_usage_error(&spec, "\"%s\" is none of on, off, status, set", verb);
	if (!strcmp(verb, "set")) {
		if (at >= argc)
			return options_usage_error(&spec, "set what? There is rate=N");
		status = take_setting(&spec, argv[at++], &rate);
		if (status != OPTIONS_GO_ON)
			return status;
	}
	if (at < argc)
		return options_usage_error(&spec, "what is \"%s\" for?", argv[at]);
	if (!strcmp(verb, "status"))
		return show_status(directory, json);
	return change(directory, !strcmp(verb, "set") ? -1 : !strcmp(verb, "on"), rate);
}
