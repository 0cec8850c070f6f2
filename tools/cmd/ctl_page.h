/*
 * The ctl side of the control page (format/control.h). The page is read and written with pread and
 * pwrite, which see the same bytes as the processes that have it mapped: were it mapped here, a
 * file cut short by somebody would kill us.
 */
#ifndef REQPROF_TOOLS_CMD_CTL_PAGE_H
#define REQPROF_TOOLS_CMD_CTL_PAGE_H

#include <stdbool.h>

#include "format/control.h"

enum ctl_owner {
	CTL_NO_PAGE, /* none is there, or an empty one */
	CTL_PRESET,  /* written by ctl; no server has taken it yet */
	CTL_RUNNING, /* its server, or a process of it, is alive */
	CTL_ENDED,   /* left over */
};

struct ctl_page {
	int fd; /* -1: not open */
	char *path;
	enum ctl_owner owner;
	struct control_page page; /* a copy, made at opening */
};

/*
 * Opens the page of a directory and locks it. With `create` the directory and the file are made
 * when missing. 0, or -1 after saying what is wrong. Without `create` a missing page is CTL_NO_PAGE
 * with fd -1.
 */
int ctl_page_open(struct ctl_page *p, const char *directory, bool create);
void ctl_page_close(struct ctl_page *p);

/*
 * Sets those fields (enum control_field) of the page to the values in *wanted, and p->page with them:
 * in the running server's, or in a new one for the next server. 0, or -1 after saying what is wrong.
 */
int ctl_page_set(struct ctl_page *p, const struct control_page *wanted, uint32_t fields);

#endif
