/* The control page's file (format/control.h): made, filled in and mapped. */
#ifndef REQPROF_CONTROL_PAGE_H
#define REQPROF_CONTROL_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "format/control.h"
#include "preload/control/control.h"

/* Settings from the environment, but for those that ctl has set (enum control_field). */
void page_wishes(struct control_page *p, const struct control_settings *settings, uint32_t set);

/* The page of the open file fd, whose lock the caller holds: made if there is none, taken over from a server that has
 * ended. 0 or -errno. */
int page_map(int fd, const struct control_settings *settings, struct control_page **page,
	     uint64_t *inode);
/* Without the lock: only one that a process of this very server has made. -EAGAIN: it is another, or not whole yet. */
int page_map_made(int fd, const struct control_settings *settings, struct control_page **page,
		  uint64_t *inode);

#endif
