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
	uint64_t root_ns; /* see format/control.h */
	uint32_t root_pid;
};

/* At load: no system call. */
void control_configure(const struct control_settings *settings);
/* At a process's first request: creates the directory if need be, opens or creates the page, takes a
 * slot in it. Failing, it tries again at most once a second of requests. Cheap when done. */
void control_join(uint64_t now_ns);

bool control_enabled(void);
uint32_t control_rate(void);
/* Any thread. */
void control_count(enum control_counter counter, uint64_t n);
void control_note_python(const char *version);
void control_note_file_error(int error);
void control_note_clock_error(int error);

/* The child counts for itself, from its first request on. */
void control_postfork_child(void);

#endif
