/* What `reqprof doctor` found out: a list, to be shown as text or JSON. */
#ifndef REQPROF_TOOLS_CMD_FINDINGS_H
#define REQPROF_TOOLS_CMD_FINDINGS_H

#include <stdbool.h>

enum finding_level {
	FINDING_OK,
	FINDING_NOTE,	 /* it works, but less is seen */
	FINDING_PROBLEM, /* nothing, or no profile, comes of it */
};

/* `check` names what was looked at ("perf-events"): fixed words, for scripts. Advice NULL: none. */
void findings_add(enum finding_level level, const char *check, const char *advice,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));

bool findings_have_problem(void);
void findings_print(void);
/* {"works": ..., "findings": [...]} */
void findings_print_json(void);

#endif
