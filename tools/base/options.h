/*
 * Command lines, parsed from the same table that --help is printed from, so that the two cannot
 * drift. Long options (--name VALUE, --name=VALUE), short ones (-x VALUE, -xVALUE, -abc), "--" ends
 * them; a unique prefix of a long name is not enough. -h and --help are always there.
 */
#ifndef REQPROF_TOOLS_BASE_OPTIONS_H
#define REQPROF_TOOLS_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum option_kind {
	OPTION_END,	/* ends the table: { 0 } */
	OPTION_FLAG,	/* bool */
	OPTION_TEXT,	/* const char *: points into argv */
	OPTION_NUMBER,	/* long, within [min, max] */
	OPTION_DECIMAL, /* double, within [min, max] */
	OPTION_CHOICE,	/* int: index in choices */
	OPTION_TABLE,	/* value is another table (const struct option_row *) that stands here */
};

struct option_row {
	enum option_kind kind;
	char letter; /* 0: none */
	const char *name;
	const char *value_name;	    /* "N", "GLOB"; NULL for flags and choices */
	void *value;		    /* where the result goes; what stands there is the default */
	const char *help;	    /* one sentence */
	const char *const *choices; /* NULL-terminated */
	long min, max;		    /* both 0: any that fits */
};

struct options_spec {
	const char *command;  /* "ls" */
	const char *usage;    /* "[options] [DIR|FILE...]" */
	const char *summary;  /* one line, as in `reqprof help` */
	const char *details;  /* paragraphs after the options; NULL: none */
	const char *examples; /* lines "    reqprof ls ...\n"; shown under "Examples:" */
	const struct option_row *rows;
	bool stop_at_argument; /* the first argument that is no option ends them (run) */
};

enum { OPTIONS_GO_ON = -1 };

/*
 * argv[0] is the command's name. Arguments are moved together at argv[1..*argc - 1] (without a "--"
 * that ended the options). OPTIONS_GO_ON, or an exit status: EXIT_DONE after --help (on standard
 * output), EXIT_USAGE after a message.
 */
int options_parse(const struct options_spec *spec, int *argc, char **argv);
void options_help(const struct options_spec *spec);
/* "reqprof ls: MESSAGE" and a hint at --help; returns EXIT_USAGE. */
int options_usage_error(const struct options_spec *spec, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
