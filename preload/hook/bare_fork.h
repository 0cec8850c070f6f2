/* Forks that pthread_atfork's handlers do not see. */
#ifndef REQPROF_HOOK_BARE_FORK_H
#define REQPROF_HOOK_BARE_FORK_H

/* What each child has to do first; before any. */
void bare_fork_configure(void (*child)(void));
/* After such a call, in parent and child: takes and gives what it returned. */
long bare_fork_done(long pid);

/* process.c's: before a child that has the thread's memory while the thread sleeps. */
void process_before_vfork(void);

#endif
