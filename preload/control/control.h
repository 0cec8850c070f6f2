/*
 * This process's side of the control page (format/control.h): what `reqprof ctl` says, and the
 * counters it shows. Until the page is open, and where it cannot be opened, a private one serves.
 */
#ifndef REQPROF_CONTROL_CONTROL_H
#define REQPROF_CONTROL_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "format/control.h"

struct control_settings {
	const char *directory; /* must stay */
	bool enabled;
	uint32_t rate;
	uint32_t wrong; /* settings that make no sense: counted in the page */
	uint64_t max_files, max_bytes;
	const char *keep, *filter; /* must stay */
	uint64_t root_ns; /* see format/control.h */
	uint32_t root_pid;
};

/* At load: no system call. */
void control_configure(const struct control_settings *settings);
/* At a process's first request: creates the directory if need be, opens or creates the page, takes a
 * slot in it. Failing, it tries again at most once a second of requests; at most every 10 ms while somebody else holds
 * the file's lock, for which only the first one waits, 20 ms at most. Cheap when done. */
void control_join(uint64_t now_ns);

/* The page's file is no longer where it was: somebody removed it. The next request makes another. */
void control_lost(void);

bool control_enabled(void);
/* Has the process joined, and is profiling switched off? */
bool control_off(void);
uint32_t control_rate(void);

/* What is wanted, as the page says now. Good until the request at hand has ended. */
struct control_wishes {
	struct keep_rules keep;
	uint32_t filter_len;
	char filter[FILTER_TEXT_MAX + 8];
};
const struct control_wishes *control_wishes(void);

/* What all processes share, for emit: the page's, or a private one's. `queue`: the file behind the
 * budget may be used, and is this inode. */
struct control_budget *control_budget(uint64_t *queue_inode);
struct control_keep *control_keep(void);
/* How many profiles this process began before it executed itself anew: names go on from there. */
uint64_t control_begun_before(void);
/* Any thread. */
void control_count(enum control_counter counter, uint64_t n);
void control_note_python(const char *version);
void control_note_file_error(int error);
void control_note_clock_error(int error);
void control_note_kernel_error(int error);

/* The child counts for itself, from its first request on. */
void control_postfork_child(void);

#endif
