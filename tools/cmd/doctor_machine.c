#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <linux/magic.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "format/env.h"
#include "format/live.h"
#include "tools/cmd/doctor_checks.h"
#include "tools/cmd/findings.h"
#include "tools/cmd/library.h"

/* One number in a file; `otherwise` when there is none. */
static long read_number(const char *path, long otherwise)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	char *end;
	long value;

	if (fd >= 0)
		close(fd);
	if (got <= 0)
		return otherwise;
	value = strtol(text, &end, 10);
	return end == text ? otherwise : value;
}

static bool in_container(void)
{
	return !access("/.dockerenv", F_OK) || !access("/run/.containerenv", F_OK) ||
	       getenv("KUBERNETES_SERVICE_HOST") || getenv("container");
}

static void check_kernel(void)
{
	struct utsname name;

	if (uname(&name))
		return;
	if (strcmp(name.machine, "x86_64") != 0)
		findings_add(FINDING_PROBLEM, "machine", "an x86-64 machine",
			     "this is %s; the library is made for x86-64", name.machine);
	else
		findings_add(FINDING_OK, "machine", NULL, "%s %s, x86-64, glibc %s", name.sysname,
			     name.release, gnu_get_libc_version());
}

static void check_library(void)
{
	char library[PATH_MAX];

	if (!library_find(library, true))
		findings_add(FINDING_PROBLEM, "library",
			     "make install, or REQPROF_LIB=/path/to/" LIBRARY,
			     LIBRARY " is not found");
	else if (strpbrk(library, ": \t\n"))
		findings_add(FINDING_PROBLEM, "library", "REQPROF_LIB= a copy at a plain path",
			     "%s: LD_PRELOAD cannot hold a path with a space or colon", library);
	else
		findings_add(FINDING_OK, "library", NULL, "%s", library);
}

/* ---- clocks ---- */

static int try_perf(bool kernel)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000,
		.disabled = 1,
		.exclude_kernel = !kernel,
		.exclude_user = kernel,
		.exclude_hv = 1,
	};
	long fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return errno;
	close((int)fd);
	return 0;
}

static int try_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	timer_t timer;

	if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer))
		return errno;
	timer_delete(timer);
	return 0;
}

static void say_refused(const struct doctor_user *user, int error, long paranoid)
{
	const char *works = "a timer takes over: fewer samples, and no distinction of kernel time";

	if (error == ENOSYS)
		findings_add(FINDING_NOTE, "perf-events",
			     "nothing: a kernel or sandbox without them",
			     "there are none here (%s); %s", strerror(error), works);
	else if (error == EMFILE || error == ENFILE)
		findings_add(FINDING_NOTE, "perf-events", "ulimit -n with a higher number",
			     "%s; %s", strerror(error), works);
	else if (paranoid > 2 && !user->may_perf)
		findings_add(FINDING_NOTE, "perf-events", "sysctl kernel.perf_event_paranoid=2",
			     "refused to user %u: kernel.perf_event_paranoid is %ld; %s", user->uid,
			     paranoid, works);
	else if (user->seccomp)
		findings_add(
			FINDING_NOTE, "perf-events",
			in_container()
				? "--cap-add PERFMON, and a seccomp profile that allows perf_event_open"
				: "a seccomp profile that allows perf_event_open",
			"refused by a seccomp filter (%s)%s; %s", strerror(error),
			in_container() ? " in this container" : "", works);
	else
		findings_add(FINDING_NOTE, "perf-events",
			     in_container() ? "--cap-add PERFMON"
					    : "sysctl kernel.perf_event_paranoid=2",
			     "refused (%s); %s", strerror(error), works);
}

static void check_kernel_time(const struct doctor_user *user, long paranoid)
{
	bool may = user->pid ? paranoid < 2 || user->may_perf : !try_perf(true);

	if (may)
		findings_add(FINDING_OK, "kernel-time", NULL, "may be sampled, too");
	else
		findings_add(FINDING_NOTE, "kernel-time",
			     "sysctl kernel.perf_event_paranoid=1, or CAP_PERFMON",
			     "is counted, but not sampled: kernel.perf_event_paranoid is %ld", paranoid);
}

static void check_clock(const struct doctor_user *user)
{
	long paranoid = read_number("/proc/sys/kernel/perf_event_paranoid", -1);
	int error = user->pid ? 0 : try_perf(false);
	int timer = try_timer();

	/* Of another process we can only know the rule. */
	if (user->pid && paranoid > 2 && !user->may_perf)
		error = EACCES;
	if (error)
		say_refused(user, error, paranoid);
	else if (user->pid && user->seccomp)
		findings_add(FINDING_NOTE, "perf-events",
			     "reqprof ctl status, after its first request, tells",
			     "a seccomp filter is on the process, and may refuse them");
	else
		findings_add(FINDING_OK, "perf-events", NULL, "permitted to user %u%s", user->uid,
			     user->may_perf ? " (privileged)" : "");
	if (!error)
		check_kernel_time(user, paranoid);
	if (timer && error)
		findings_add(FINDING_NOTE, "timer", NULL,
			     "refused too (%s): requests are seen with their times, but no stacks",
			     strerror(timer));
}

static void check_memory_reads(void)
{
	char from = 1, to = 0;
	struct iovec local = { &to, 1 }, remote = { &from, 1 };

	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 1)
		return;
	findings_add(FINDING_NOTE, "memory-reads", "a seccomp profile that allows process_vm_readv",
		     "process_vm_readv is refused (%s): memory is proven readable by a slower way",
		     strerror(errno));
}

static void check_limits(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < 256)
		findings_add(FINDING_NOTE, "limits", "ulimit -n 1024",
			     "only %llu open files: each thread's clock takes one",
			     (unsigned long long)limit.rlim_cur);
	if (!getrlimit(RLIMIT_SIGPENDING, &limit) && limit.rlim_cur < 64)
		findings_add(FINDING_NOTE, "limits", "ulimit -i 1024",
			     "only %llu queued signals: samples may be lost",
			     (unsigned long long)limit.rlim_cur);
	if (access("/proc/self/maps", R_OK))
		findings_add(FINDING_NOTE, "proc", "mount -t proc proc /proc",
			     "/proc is not there: of native frames less is known");
}

/* What keeps live files from being there (NULL: nothing), as of our own environment. */
static const char *live_trouble(const char *place)
{
	struct rlimit limit;
	struct statfs fs;

	if (statfs(place, &fs))
		return strerror(errno);
	if (fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC)
		return "it is not in memory";
	if (eaccess(place, W_OK | X_OK))
		return strerror(errno);
	if (!getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur < (rlim_t)LIVE_BYTES)
		return "files may not be so long: ulimit -f";
	return NULL;
}

static void check_live_files(void)
{
	const char *place = getenv(ENV_LIVE);
	const char *trouble;

	if (!place || !*place)
		place = LIVE_PLACE;
	trouble = strcmp(place, "off") == 0 ? NULL : live_trouble(place);
	if (trouble)
		findings_add(FINDING_NOTE, "live-files",
			     "a tmpfs that the server may write, as " ENV_LIVE,
			     "none in %s (%s): recover would not find the requests of a server that is killed",
			     place, trouble);
}

void doctor_check_machine(const struct doctor_user *user)
{
	check_kernel();
	check_library();
	check_clock(user);
	check_memory_reads();
	check_limits();
	if (!user->pid)
		check_live_files();
}

/* ---- the directory ---- */

/* May a user of whom only the numbers are known write there? Groups beyond the first are not. */
static bool may_write(const struct doctor_user *user, const struct stat *st)
{
	if (user->uid == 0)
		return true;
	if (st->st_uid == user->uid)
		return (st->st_mode & 0300) == 0300;
	if (st->st_gid == user->gid)
		return (st->st_mode & 0030) == 0030;
	return (st->st_mode & 0003) == 0003;
}

static void check_room(const char *directory)
{
	struct statvfs fs;
	unsigned long long free_bytes;

	if (statvfs(directory, &fs))
		return;
	free_bytes = (unsigned long long)fs.f_bavail * fs.f_frsize;
	if (fs.f_flag & ST_RDONLY)
		findings_add(FINDING_PROBLEM, "directory", "another directory: -o DIR",
			     "%s is on a file system that is mounted read-only", directory);
	else if (free_bytes < 16 << 20)
		findings_add(FINDING_NOTE, "disk", "another directory, or --max-bytes",
			     "%s has %llu KiB left", directory, free_bytes >> 10);
	else if (fs.f_files && fs.f_favail < 1000)
		findings_add(FINDING_NOTE, "disk", "another directory, or --max-files",
			     "%s has room for %llu files", directory,
			     (unsigned long long)fs.f_favail);
}

/* The nearest that is there, of a path whose end is not. */
static void nearest(const char *directory, char there[PATH_MAX])
{
	struct stat st;

	snprintf(there, PATH_MAX, "%s", directory);
	while (stat(there, &st)) {
		char *slash = strrchr(there, '/');

		if (!slash) {
			strcpy(there, ".");
			return;
		}
		if (slash == there) {
			slash[1] = '\0';
			return;
		}
		*slash = '\0';
	}
}

void doctor_check_directory(const struct doctor_user *user, const char *directory)
{
	char there[PATH_MAX];
	struct stat st, own;
	const char *missing = "";

	nearest(directory, there);
	if (stat(there, &st))
		return;
	if (strcmp(there, directory) != 0)
		missing = " (which is to be made)";
	if (!lstat(directory, &own) && S_ISLNK(own.st_mode) && own.st_uid != user->uid &&
	    own.st_uid != 0)
		findings_add(FINDING_NOTE, "directory", "a directory of your own: -o DIR",
			     "%s is a symbolic link of user %u, who decides where profiles go",
			     directory, own.st_uid);
	if (!S_ISDIR(st.st_mode))
		findings_add(FINDING_PROBLEM, "directory", "-o with the name of a directory",
			     "%s is not a directory", there);
	else if (user->pid ? !may_write(user, &st) : eaccess(there, W_OK | X_OK) != 0)
		findings_add(FINDING_PROBLEM, "directory",
			     "install -d -m 0700 -o USER DIR, with the server's user",
			     "%s%s: user %u may not write there", directory, missing, user->uid);
	else
		findings_add(FINDING_OK, "directory", NULL, "%s%s: user %u may write there",
			     directory, missing, user->uid);
	check_room(there);
}
