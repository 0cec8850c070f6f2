#include "preload/track/children.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "preload/sigsafe/raw.h"

static void children_copy(struct request_child *child, const char *name, size_t len)
{
	if (len >= sizeof(child->name))
		len = sizeof(child->name) - 1;
	memcpy(child->name, name, len);
	child->name[len] = '\0';
}

static void children_copy_base(struct request_child *child, const char *path, size_t len)
{
	size_t at = len;

	while (at > 0 && path[at - 1] != '/')
		at--;
	children_copy(child, path + at, len - at);
}

static struct request_child *children_next(struct request *r)
{
	uint32_t n = __atomic_fetch_add(&r->n_children, 1, __ATOMIC_RELAXED);

	return n < REQUEST_CHILDREN_MAX ? &r->children[n] : NULL;
}

void children_started(struct request *r, int32_t pid, const char *path)
{
	struct request_child *child = children_next(r);

	if (!child)
		return;
	if (path)
		children_copy_base(child, path, strlen(path));
	__atomic_store_n(&child->pid, pid, __ATOMIC_RELEASE);
}

void children_started_shell(struct request *r, const char *command)
{
	struct request_child *child = children_next(r);
	size_t start = strspn(command, " \t\n");

	if (child)
		children_copy_base(child, command + start, strcspn(command + start, " \t\n;&|<>()"));
}

void children_thread_started(struct request *r)
{
	__atomic_fetch_add(&r->threads_started, 1, __ATOMIC_RELAXED);
}

/* "/proc/PID/NAME"; pid 0: our own. */
static void children_path(char path[32], int32_t pid, const char *name)
{
	char digits[12];
	size_t at = strlen(strcpy(path, "/proc/"));
	int n = 0;

	for (int32_t left = pid; left > 0; left /= 10)
		digits[n++] = (char)('0' + left % 10);
	while (n > 0)
		path[at++] = digits[--n];
	strcpy(path + at, pid ? "/" : "self/");
	strcat(path, name);
}

/* What a thread or process is called; a zombie, too. */
static size_t children_comm(int32_t pid, char *name, size_t size)
{
	char path[32];
	ssize_t got;
	int fd;

	children_path(path, pid, "comm");
	fd = raw_open(path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	got = raw_read(fd, name, size);
	raw_close(fd);
	if (got > 0 && name[got - 1] == '\n')
		got--;
	return got > 0 ? (size_t)got : 0;
}

static size_t children_exe(int32_t pid, char *to, size_t size)
{
	char path[32];
	long got;

	children_path(path, pid, "exe");
	got = raw_syscall3(SYS_readlink, (long)path, (long)to, (long)size);
	return got > 0 ? (size_t)got : 0;
}

/*
 * When a vforked parent goes on, its child runs another program already and is still called as it was. So
 * where it is called as we are, its program's file tells.
 */
static void children_ask(struct request_child *child)
{
	char name[sizeof(child->name)], own[16], exe[1024], own_exe[1024];
	size_t len = children_comm(child->pid, name, sizeof(name)), exe_len;

	if (raw_syscall3(SYS_prctl, PR_GET_NAME, (long)own, 0) == 0 && strlen(own) == len &&
	    memcmp(own, name, len) == 0) {
		exe_len = children_exe(child->pid, exe, sizeof(exe));
		if (exe_len && (exe_len != children_exe(0, own_exe, sizeof(own_exe)) ||
				memcmp(exe, own_exe, exe_len) != 0)) {
			children_copy_base(child, exe, exe_len);
			return;
		}
	}
	if (len)
		children_copy(child, name, len);
}

static uint32_t children_kept(const struct request *r)
{
	uint32_t n = __atomic_load_n(&r->n_children, __ATOMIC_ACQUIRE);

	return n < REQUEST_CHILDREN_MAX ? n : REQUEST_CHILDREN_MAX;
}

const char *children_name(struct request *r, int32_t pid)
{
	uint32_t n = children_kept(r);

	for (uint32_t i = 0; i < n; i++) {
		struct request_child *child = &r->children[i];

		if (__atomic_load_n(&child->pid, __ATOMIC_ACQUIRE) != pid)
			continue;
		if (!child->name[0])
			children_ask(child);
		return child->name;
	}
	return "";
}

void children_name_all(struct request *r)
{
	uint32_t n = children_kept(r);

	for (uint32_t i = 0; i < n; i++)
		if (r->children[i].pid && !r->children[i].name[0])
			children_ask(&r->children[i]);
}
