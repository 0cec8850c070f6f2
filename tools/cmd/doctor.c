#include <stdlib.h>
#include <string.h>

#include "format/env.h"
#include "tools/base/colour.h"
#include "tools/base/errors.h"
#include "tools/cmd/cmd.h"
#include "tools/cmd/doctor_checks.h"
#include "tools/cmd/findings.h"

/* Digits only: a process. */
static uint32_t pid_of(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && value <= INT32_MAX ? (uint32_t)value : 0;
}

int cmd_doctor(int argc, char **argv)
{
	const char *directory = NULL;
	bool json = false;
	const struct option_row rows[] = {
		{ OPTION_TEXT, 'o', "output", "DIR", &directory,
		  "Where profiles would go. Default $REQPROF_DIR, or reqprof.out.", NULL, 0, 0 },
		{ OPTION_FLAG, 'j', "json", NULL, &json, "A JSON object.", NULL, 0, 0 },
		{ OPTION_TABLE, 0, NULL, NULL, (void *)colour_rows, NULL, NULL, 0, 0 },
		{ 0 },
	};
	const struct options_spec spec = {
		.command = "doctor",
		.usage = "[options] [PID | [--] COMMAND [ARGUMENT...]]",
		.summary =
			"Says whether profiling would work here, and what to do where it would not.",
		.details =
			"Looks at this machine and, when given, at a program that would be started (it is\n"
			"not run) or at a process. Exit status 1: something would keep it from working.\n",
		.examples = "  reqprof doctor\n"
			    "  reqprof doctor -- uwsgi --ini app.ini\n"
			    "  reqprof doctor 4711\n",
		.rows = rows,
		.stop_at_argument = true,
	};
	int status = options_parse(&spec, &argc, argv);
	struct doctor_user user;
	uint32_t pid;

	if (status != OPTIONS_GO_ON)
		return status;
	pid = argc == 2 ? pid_of(argv[1]) : 0;
	if (!pid)
		doctor_own_user(&user);
	else if (!doctor_process_user(pid, &user))
		return EXIT_FAILED;
	doctor_check_machine(&user);
	if (pid)
		doctor_check_process(&user);
	else if (argc > 1)
		doctor_check_command(argv[1]);
	if (!pid || directory) {
		if (!directory)
			directory = getenv(ENV_DIR);
		doctor_check_directory(&user,
				       directory && *directory ? directory : ENV_DIR_DEFAULT);
	}
	if (json)
		findings_print_json();
	else
		findings_print();
	return errors_finish(findings_have_problem() ? EXIT_FAILED : EXIT_DONE);
}
