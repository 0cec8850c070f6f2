/*
 * deny_syscall NAME ERRNO-NUMBER COMMAND [ARG...]: runs the command with one system call refused, as
 * container runtimes and hardened kernels do (seccomp). NAME: perf_event_open, process_vm_readv,
 * timer_create, renameat2, or a number; several with commas.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static long number_of(const char *name)
{
	static const struct {
		const char *name;
		long number;
	} known[] = {
		{ "perf_event_open", SYS_perf_event_open },
		{ "process_vm_readv", SYS_process_vm_readv },
		{ "timer_create", SYS_timer_create },
		{ "renameat2", SYS_renameat2 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i].name) == 0)
			return known[i].number;
	return strtol(name, NULL, 10);
}

static int deny(long number, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: deny_syscall NAME[,NAME...] ERRNO COMMAND [ARG...]\n");
		return 2;
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (char *name = strtok(argv[1], ","); name; name = strtok(NULL, ",")) {
		if (deny(number_of(name), atoi(argv[2])) != 0) {
			fprintf(stderr, "deny_syscall: %s: %s\n", name, strerror(errno));
			return 1;
		}
	}
	execvp(argv[3], argv + 3);
	fprintf(stderr, "deny_syscall: %s: %s\n", argv[3], strerror(errno));
	return 1;
}
