/*
 * What ls, report and export have in common: which requests, from which files. A command puts
 * inputs.rows into its table (as an OPTION_TABLE row), then calls inputs_collect or inputs_load.
 */
#ifndef REQPROF_TOOLS_CMD_INPUTS_H
#define REQPROF_TOOLS_CMD_INPUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/base/options.h"
#include "tools/model/model.h"

struct inputs {
	/* filters; NULL: any. route is a glob over route or path */
	const char *method, *route, *status;
	double min_ms;
	bool all; /* the views of proxies too */
	/* results */
	struct strings *strings;
	struct request *requests; /* those that pass, in order of start */
	uint32_t n_requests;
	uint32_t n_hidden;	   /* proxies' views left out; they passed the filters */
	uint32_t n_files;	   /* files looked at */
	int status_code;	   /* EXIT_DONE, or EXIT_UNREADABLE when a file was */
	struct option_row rows[8]; /* filled by inputs_init */
};

/* Zeroes it and fills rows. It must not move afterwards. */
void inputs_init(struct inputs *inputs);

/*
 * Reads the facts of all files named (directories: their *.pprof files, not those that start with a
 * dot; none named: $REQPROF_DIR or reqprof.out), filters them and hides proxies' views. Each file
 * that is unreadable gets a message on standard error and status_code EXIT_UNREADABLE.
 * OPTIONS_GO_ON, or an exit status when nothing can go on (bad filter, or no file could be read at
 * all).
 */
int inputs_collect(struct inputs *inputs, char **paths, int n_paths);

/*
 * inputs_collect, and a named model of the requests that passed. The caller frees *model, where the
 * texts of inputs->requests live too.
 */
int inputs_load(struct inputs *inputs, char **paths, int n_paths, struct model **model);

void inputs_release(struct inputs *inputs);

#endif
