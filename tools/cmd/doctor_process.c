#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/env.h"
#include "tools/base/errors.h"
#include "tools/cmd/doctor_checks.h"
#include "tools/cmd/findings.h"
#include "tools/cmd/library.h"
#include "tools/cmd/program.h"

enum { CAP_SYS_ADMIN_BIT = 21, CAP_PERFMON_BIT = 38 };

#define STATIC_ADVICE "a dynamically linked build"
#define GO_ADVICE "a proxy in front of it that is profiled, or Go's own pprof"
#define TLS_ADVICE "a proxy in front of it that terminates TLS, with plain HTTP behind"

/* ---- programs ---- */

static void check_python(const char *version)
{
	if (!*version)
		return;
	if (program_python_known(version))
		findings_add(FINDING_OK, "python", NULL, "Python %s: its frames are known",
			     version);
	else
		findings_add(FINDING_NOTE, "python", "CPython 3.8 to 3.13",
			     "Python %s: its frames are not known, native ones are taken", version);
}

void doctor_check_program(const char *file, const char *name, bool running)
{
	struct program p;

	program_examine(file, name, &p);
	if (!p.readable) {
		findings_add(FINDING_NOTE, "program", "the same as root", "%s cannot be read",
			     name);
		return;
	}
	if (!p.elf) {
		findings_add(FINDING_PROBLEM, "program", NULL,
			     "%s is neither a program nor a script of one", name);
		return;
	}
	if (!p.x86_64)
		findings_add(FINDING_PROBLEM, "program", "its 64-bit build",
			     "%s is not an x86-64 program: the library cannot be loaded", name);
	else if (p.go)
		findings_add(
			FINDING_PROBLEM, "program", GO_ADVICE,
			"%s is written in Go%s, which makes its system calls itself: no request is seen",
			name, p.interpreter ? "" : " and statically linked");
	else if (!p.interpreter)
		findings_add(FINDING_PROBLEM, "program", STATIC_ADVICE,
			     "%s is statically linked: the library cannot be loaded", name);
	else if (p.musl)
		findings_add(FINDING_PROBLEM, "program", "a build for glibc",
			     "%s uses musl's C library: the library is made for glibc", name);
	else if (p.privileged)
		findings_add(
			FINDING_PROBLEM, "program",
			"start the server itself as the user it is to become",
			"%s is set-user-ID or has file capabilities: the loader leaves the library out",
			name);
	else
		findings_add(FINDING_OK, "program", NULL, "%s is dynamically linked", name);
	if (p.x86_64 && p.own_openssl && !p.go)
		findings_add(
			FINDING_NOTE, "tls", TLS_ADVICE,
			"%s holds OpenSSL itself: TLS that it terminates is not seen, plain HTTP is",
			name);
	if (!running)
		check_python(p.python);
}

void doctor_check_command(const char *command)
{
	char path[PATH_MAX];

	if (program_find(command, path))
		doctor_check_program(path, path, false);
	else
		findings_add(FINDING_PROBLEM, "program", NULL, "%s is not found", command);
}

/* ---- processes ---- */

static char *read_proc(uint32_t pid, const char *file, size_t *len)
{
	char path[64], *text = NULL;
	size_t room = 0;
	ssize_t got = 1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	*len = 0;
	if (fd < 0)
		return NULL;
	while (got > 0 && *len < 64 << 20) {
		if (room - *len < 65536)
			text = errors_realloc(text, room += 1 << 20, 1);
		got = read(fd, text + *len, room - *len - 1);
		if (got > 0)
			*len += (size_t)got;
	}
	close(fd);
	if (text)
		text[*len] = '\0';
	return text;
}

/* The first number behind "Name:" in /proc/PID/status. */
static unsigned long long status_number(const char *status, const char *name, int nth, int base)
{
	const char *at = strstr(status, name);
	char *end;
	unsigned long long value = 0;

	if (!at)
		return 0;
	at += strlen(name);
	for (int i = 0; i <= nth; i++) {
		value = strtoull(at, &end, base);
		at = end;
	}
	return value;
}

static void user_of_status(const char *status, struct doctor_user *user)
{
	unsigned long long caps = status_number(status, "\nCapEff:", 0, 16);

	user->uid = (uid_t)status_number(status, "\nUid:", 1, 10);
	user->gid = (gid_t)status_number(status, "\nGid:", 1, 10);
	user->may_perf = caps >> CAP_SYS_ADMIN_BIT & 1 || caps >> CAP_PERFMON_BIT & 1;
	user->seccomp = status_number(status, "\nSeccomp:", 0, 10) == 2;
}

void doctor_own_user(struct doctor_user *user)
{
	size_t len;
	char *status = read_proc((uint32_t)getpid(), "status", &len);

	*user = (struct doctor_user){ .uid = geteuid(), .gid = getegid() };
	if (status)
		user_of_status(status, user);
	free(status);
}

bool doctor_process_user(uint32_t pid, struct doctor_user *user)
{
	size_t len;
	char *status = read_proc(pid, "status", &len);

	*user = (struct doctor_user){ .pid = pid };
	if (!status) {
		errors_say("process %u: %s", pid, strerror(errno));
		return false;
	}
	user_of_status(status, user);
	free(status);
	return true;
}

static void check_maps(const char *maps)
{
	const char *python = strstr(maps, "/libpython3.");
	char version[16] = "";

	if (!python)
		python = strstr(maps, "/python3.");
	if (python) {
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(python + 1, "\n"), python + 1);
		if (program_python_of(name, version))
			check_python(version);
	}
	if (strstr(maps, "/libjvm.so"))
		findings_add(FINDING_NOTE, "java", NULL,
			     "a Java machine: compiled methods have no names, native frames have");
	if (strstr(maps, "/ld-musl"))
		findings_add(FINDING_PROBLEM, "libc", "a build for glibc",
			     "its C library is musl's");
}

/* The value of a variable in the environment that it was started with; NULL when it is not there. */
static const char *environment(const char *environ_bytes, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	for (const char *at = environ_bytes; at && at < environ_bytes + len; at += strlen(at) + 1)
		if (!strncmp(at, name, name_len) && at[name_len] == '=')
			return at + name_len + 1;
	return NULL;
}

static void check_loaded(const char *maps, const char *environ_bytes, size_t len)
{
	const char *preload = environment(environ_bytes, len, "LD_PRELOAD");

	if (strstr(maps, "/" LIBRARY))
		findings_add(FINDING_OK, "loaded", NULL, LIBRARY " is loaded in it");
	else if (preload && strstr(preload, LIBRARY))
		findings_add(
			FINDING_PROBLEM, "loaded",
			"check that its user may read the library, and what it says at its start",
			"it was started with LD_PRELOAD, but " LIBRARY " is not loaded in it");
	else
		findings_add(FINDING_NOTE, "loaded", "start it with reqprof run -- COMMAND",
			     LIBRARY " is not loaded in it");
}

static void check_descriptors(uint32_t pid)
{
	char path[64], link[128];
	unsigned rings = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	d = opendir(path);
	for (const struct dirent *entry; d && (entry = readdir(d));) {
		ssize_t got = readlinkat(dirfd(d), entry->d_name, link, sizeof(link) - 1);

		link[got > 0 ? got : 0] = '\0';
		rings += strstr(link, "[io_uring]") != NULL;
	}
	if (d)
		closedir(d);
	if (rings)
		findings_add(FINDING_NOTE, "io_uring",
			     "its option to do without (node: UV_USE_IO_URING=0)",
			     "it has %u io_uring: what it reads or writes through them is not seen",
			     rings);
}

static void check_root(uint32_t pid)
{
	struct stat ours, its;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/root", pid);
	if (!stat("/", &ours) && !stat(path, &its) &&
	    (ours.st_ino != its.st_ino || ours.st_dev != its.st_dev))
		findings_add(FINDING_NOTE, "root", "look for profiles under /proc/PID/root",
			     "it has another root directory: paths count from there");
}

void doctor_check_process(const struct doctor_user *user)
{
	size_t maps_len, environ_len;
	char *maps = read_proc(user->pid, "maps", &maps_len);
	char *environ_bytes = read_proc(user->pid, "environ", &environ_len);
	char exe[64], target[PATH_MAX], directory[2 * PATH_MAX], cwd[PATH_MAX];
	const char *named = environment(environ_bytes, environ_len, ENV_DIR);
	ssize_t got;

	snprintf(exe, sizeof(exe), "/proc/%u/exe", user->pid);
	got = readlink(exe, target, sizeof(target) - 1);
	if (got < 0 || !maps) {
		findings_add(FINDING_PROBLEM, "process", "the same as root",
			     "process %u cannot be looked at (%s)", user->pid, strerror(errno));
		goto out;
	}
	target[got] = '\0';
	doctor_check_program(exe, target, true);
	check_maps(maps);
	check_loaded(maps, environ_bytes, environ_len);
	check_descriptors(user->pid);
	check_root(user->pid);
	if (!named || !*named)
		named = ENV_DIR_DEFAULT;
	snprintf(exe, sizeof(exe), "/proc/%u/cwd", user->pid);
	got = readlink(exe, cwd, sizeof(cwd) - 1);
	cwd[got > 0 ? got : 0] = '\0';
	snprintf(directory, sizeof(directory), "%s%s%s", *named == '/' ? "" : cwd,
		 *named == '/' ? "" : "/", named);
	doctor_check_directory(user, directory);
out:
	free(maps);
	free(environ_bytes);
}
