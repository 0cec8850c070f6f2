/* For the wrappers that start or await child processes. All keep errno; any thread, outside hook_enter. */
#ifndef REQPROF_HOOK_SPAWN_H
#define REQPROF_HOOK_SPAWN_H

#include <sys/types.h>

/* A child was started: the current request's, if there is one. pid 0: not known; path "": not known yet. */
void spawn_started(pid_t pid, const char *path);
/* The same by a command for the shell; NULL is fine. */
void spawn_started_shell(const char *command);
/* What program is it that the thread is about to wait for? "" when that is not known. Good until the
 * thread puts its request down. */
const char *spawn_name(pid_t pid);

#endif
