/* Names of the variables that `reqprof run` sets and libreqprof.so reads, with their defaults. */
#ifndef REQPROF_FORMAT_ENV_H
#define REQPROF_FORMAT_ENV_H

#define ENV_DIR "REQPROF_DIR"       /* output directory; default reqprof.out in the working directory */
#define ENV_RATE "REQPROF_RATE"     /* samples per second of CPU, 1..9970; default 997 */
#define ENV_KERNEL_RATE "REQPROF_KERNEL_RATE" /* kernel stacks per second of kernel time, 0..9970; default 99; 0: none */
#define ENV_ENABLE "REQPROF_ENABLE" /* 1 (default) or 0: start switched off */
#define ENV_SIGNAL "REQPROF_SIGNAL" /* real-time signal number to prefer; default 50 */
#define ENV_STACKS "REQPROF_STACKS" /* mixed (default), python, native */
#define ENV_KEEP "REQPROF_KEEP"     /* which requests leave a file (keep.h); default always */
#define ENV_MIN_MS "REQPROF_MIN_MS" /* N: as slower=Nms in REQPROF_KEEP */
#define ENV_EVERY "REQPROF_EVERY"   /* N: as every=N in REQPROF_KEEP */
#define ENV_FILTER "REQPROF_FILTER" /* which requests are looked at (filter.h); default all */
#define ENV_MAX_FILES "REQPROF_MAX_FILES" /* most profiles in the directory; 0: no limit */
#define ENV_MAX_BYTES "REQPROF_MAX_BYTES" /* most bytes they take on disk (1G); 0: no limit */
#define ENV_LIVE "REQPROF_LIVE"     /* where live files stand (live.h); off: there are none */
#define ENV_WAITS "REQPROF_WAITS"   /* 1 (default): waits are timed; 0: only samples */
#define ENV_WAIT_MIN_US "REQPROF_WAIT_MIN_US" /* shorter waits are added up; default 200 */

enum { ENV_WAIT_MIN_US_DEFAULT = 200, ENV_WAIT_MIN_US_MAX = 10000000 };
enum { ENV_RATE_DEFAULT = 997, ENV_RATE_MIN = 1, ENV_RATE_MAX = 9970, ENV_SIGNAL_DEFAULT = 50 };

enum { ENV_KERNEL_RATE_DEFAULT = 99 };
enum { ENV_MAX_FILES_DEFAULT = 10000, ENV_MIN_MS_MAX = 86400000 };
#define ENV_MAX_BYTES_DEFAULT (UINT64_C(1) << 30)
/* The queue that knows the oldest file has no more room (control.h). */
enum { ENV_MAX_FILES_MAX = (1 << 20) - 256 };

#define ENV_DIR_DEFAULT "reqprof.out"

#endif
