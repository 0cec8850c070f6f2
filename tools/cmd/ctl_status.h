/* `reqprof ctl status`: the control page in words or as JSON, on standard output. */
#ifndef REQPROF_TOOLS_CMD_CTL_STATUS_H
#define REQPROF_TOOLS_CMD_CTL_STATUS_H

#include "tools/cmd/ctl_page.h"

void ctl_status_text(const struct ctl_page *p, const char *directory);
void ctl_status_json(const struct ctl_page *p, const char *directory);

#endif
