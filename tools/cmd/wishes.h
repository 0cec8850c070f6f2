/*
 * Words of the user about what to keep, checked before a server or the control page gets them.
 * Each: OPTIONS_GO_ON, or an exit status after a message that names `what` (an option, a variable).
 */
#ifndef REQPROF_TOOLS_CMD_WISHES_H
#define REQPROF_TOOLS_CMD_WISHES_H

#include <stdint.h>

#include "tools/base/options.h"

int wishes_check_keep(const struct options_spec *spec, const char *what, const char *text);
int wishes_check_filter(const struct options_spec *spec, const char *what, const char *text);
int wishes_max_files(const struct options_spec *spec, const char *what, const char *text,
		     uint64_t *files);
int wishes_max_bytes(const struct options_spec *spec, const char *what, const char *text,
		     uint64_t *bytes);

#endif
