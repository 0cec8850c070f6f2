/*
 * held_call CALL:TEXT DIR COMMAND [ARG...]: runs the command, and holds up one of its system calls: as if the thread
 * had no CPU from there on. CALL: open, pwrite64, flock, or a number; TEXT: what the path of its file has
 * somewhere in it.
 *
 * The first such call that is made while DIR/hold is there turns that file into DIR/held, and goes on when that is
 * removed. All others go on at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *text;
static char hold[512], held[512];
static uint64_t waits; /* the id of the call that is held up; 0: none */

static long number_of(const char *name)
{
	static const struct {
		const char *name;
		long number;
	} known[] = {
		{ "open", SYS_open },
		{ "pwrite64", SYS_pwrite64 },
		{ "flock", SYS_flock },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i].name) == 0)
			return known[i].number;
	return strtol(name, NULL, 10);
}

static int listener_of(long number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &program);
}

/* Of the file that the call is about: its first argument is a path or a descriptor. */
static void path_of(const struct seccomp_notif *call, char *path, size_t size)
{
	char link[64];
	ssize_t got;

	if (call->data.nr == SYS_open) {
		struct iovec to = { path, size - 1 }, from = { (void *)call->data.args[0], size - 1 };

		/* It may lie at the end of what can be read. */
		for (got = -1; got < 0 && to.iov_len > 0; to.iov_len = from.iov_len = to.iov_len / 2)
			got = process_vm_readv((pid_t)call->pid, &to, 1, &from, 1, 0);
	} else {
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)call->pid, (int)call->data.args[0]);
		got = readlink(link, path, size - 1);
	}
	path[got > 0 ? got : 0] = '\0';
}

static void go_on(int listener, uint64_t id)
{
	struct seccomp_notif_resp response = { .id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static void look_at(int listener)
{
	struct seccomp_notif call = { 0 };
	char path[256];

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
		return;
	path_of(&call, path, sizeof(path));
	if (!waits && strstr(path, text) && rename(hold, held) == 0)
		waits = call.id;
	else
		go_on(listener, call.id);
}

static int supervise(int listener, pid_t child)
{
	int status;

	for (;;) {
		struct pollfd ready = { .fd = listener, .events = POLLIN };

		if (poll(&ready, 1, 5) > 0 && ready.revents & POLLIN)
			look_at(listener);
		if (waits && access(held, F_OK) != 0) {
			go_on(listener, waits);
			waits = 0;
		}
		if (waitpid(child, &status, WNOHANG) == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

/* In the child; the listener's number goes to the parent, which takes it before it is closed by the command's start. */
static void run(int to_parent, long number, char **command)
{
	int listener = listener_of(number);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (listener >= 0 && write(to_parent, &listener, sizeof(listener)) == sizeof(listener) &&
	    read(to_parent, &listener, 1) == 1)
		execvp(command[0], command);
	perror("held_call");
	_exit(127);
}

int main(int argc, char **argv)
{
	int ends[2], listener;
	pid_t child;

	if (argc < 4 || !strchr(argv[1], ':') ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		fprintf(stderr, "usage: held_call CALL:TEXT DIR COMMAND [ARG...]\n");
		return 2;
	}
	text = strchr(argv[1], ':') + 1;
	*strchr(argv[1], ':') = '\0';
	snprintf(hold, sizeof(hold), "%s/hold", argv[2]);
	snprintf(held, sizeof(held), "%s/held", argv[2]);
	child = fork();
	if (child == 0)
		run(ends[1], number_of(argv[1]), argv + 3);
	close(ends[1]);
	if (read(ends[0], &listener, sizeof(listener)) != sizeof(listener))
		return 127;
	listener = (int)syscall(SYS_pidfd_getfd, (int)syscall(SYS_pidfd_open, child, 0), listener, 0);
	if (listener < 0 || write(ends[0], "", 1) != 1) {
		perror("held_call");
		return 127;
	}
	return supervise(listener, child);
}
