/* Names of the variables that `reqprof run` sets and libreqprof.so reads, with their defaults. */
#ifndef REQPROF_FORMAT_ENV_H
#define REQPROF_FORMAT_ENV_H

#define ENV_DIR "REQPROF_DIR"       /* output directory; default reqprof.out in the working directory */
#define ENV_RATE "REQPROF_RATE"     /* samples per second of CPU, 1..9970; default 997 */
#define ENV_ENABLE "REQPROF_ENABLE" /* 1 (default) or 0: start switched off */
#define ENV_SIGNAL "REQPROF_SIGNAL" /* real-time signal number to prefer; default 50 */
#define ENV_STACKS "REQPROF_STACKS" /* mixed (default), python, native */
#define ENV_WAITS "REQPROF_WAITS"   /* 1 (default): waits are timed; 0: only samples */
#define ENV_WAIT_MIN_US "REQPROF_WAIT_MIN_US" /* shorter waits are added up; default 200 */

enum { ENV_WAIT_MIN_US_DEFAULT = 200, ENV_WAIT_MIN_US_MAX = 10000000 };
enum { ENV_RATE_DEFAULT = 997, ENV_RATE_MIN = 1, ENV_RATE_MAX = 9970, ENV_SIGNAL_DEFAULT = 50 };

#define ENV_DIR_DEFAULT "reqprof.out"

#endif
