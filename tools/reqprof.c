/* The command table. */
#include <stdio.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/base/similar.h"
#include "tools/cmd/cmd.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "run", cmd_run, "start a server with profiling" },
	{ "ctl", cmd_ctl, "switch profiling on or off while it runs; show what it does" },
	{ "ls", cmd_ls, "list profiled requests" },
	{ "report", cmd_report, "where the time went: functions, lines, waits" },
	{ "explain", cmd_explain, "where the time went, in a few sentences" },
	{ "export", cmd_export, "write pstats, speedscope, firefox, collapsed stacks or pprof" },
	{ "recover", cmd_recover, "write the profiles of requests whose process was killed" },
	{ "doctor", cmd_doctor, "would it work here, with this program, in this process?" },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static int help(void)
{
	printf("Usage: reqprof COMMAND [options] ...\n\n"
	       "One profile for each HTTP request of an unmodified server.\n\nCommands:\n");
	for (int i = 0; i < COMMANDS; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].help);
	printf("  %-8s %s\n", "help", "this text, or that of a command");
	printf("\nExamples:\n"
	       "  reqprof run -- uwsgi --http :8000 --wsgi-file app.py\n"
	       "  reqprof ls --sort wall\n"
	       "  reqprof explain --route '/users/*'\n"
	       "\nreqprof COMMAND --help tells more.\n");
	return errors_finish(EXIT_DONE);
}

static const struct command *find(const char *name)
{
	for (int i = 0; i < COMMANDS; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static int unknown(const char *name)
{
	struct similar best = similar_to(name, strlen(name));

	for (int i = 0; i < COMMANDS; i++)
		similar_try(&best, commands[i].name);
	if (best.text)
		errors_say("no command \"%s\"; did you mean \"reqprof %s\"?", name, best.text);
	else
		errors_say("no command \"%s\" (try: reqprof help)", name);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const struct command *command;
	char *ask_help[] = { NULL, (char *)"--help", NULL };

	if (argc < 2) {
		errors_say("a command is missing (try: reqprof help)");
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("reqprof %s\n", REQPROF_VERSION);
		return errors_finish(EXIT_DONE);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    (!strcmp(argv[1], "help") && argc == 2))
		return help();
	if (!strcmp(argv[1], "help")) {
		command = find(argv[2]);
		if (!command)
			return unknown(argv[2]);
		ask_help[0] = argv[2];
		return command->run(2, ask_help);
	}
	command = find(argv[1]);
	return command ? command->run(argc - 1, argv + 1) : unknown(argv[1]);
}
