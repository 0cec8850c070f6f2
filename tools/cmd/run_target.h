/* Can libreqprof.so be preloaded into this program? */
#ifndef REQPROF_TOOLS_CMD_RUN_TARGET_H
#define REQPROF_TOOLS_CMD_RUN_TARGET_H

/*
 * Warns on standard error when the loader would leave us out of the command: static, set-user-ID or
 * of another architecture. Scripts are followed to their interpreter. Knows nothing? Says nothing:
 * exec itself will tell.
 */
void run_target_check(const char *command);

#endif
