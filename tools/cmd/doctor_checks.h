/* The parts of `reqprof doctor`: each adds to the findings. */
#ifndef REQPROF_TOOLS_CMD_DOCTOR_CHECKS_H
#define REQPROF_TOOLS_CMD_DOCTOR_CHECKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whose rights count: ours, or a running process's. */
struct doctor_user {
	uint32_t pid; /* 0: us */
	uid_t uid;
	gid_t gid;
	bool may_perf; /* CAP_PERFMON or CAP_SYS_ADMIN */
	bool seccomp;  /* a filter is on system calls */
};

/* Kernel, library, clock, limits. */
void doctor_check_machine(const struct doctor_user *user);
/* May that user write profiles there, and is there room? */
void doctor_check_directory(const struct doctor_user *user, const char *directory);
/* A program that would be started. */
void doctor_check_command(const char *command);
/* A program by its file; `name` for messages. What `running` processes show by themselves is left out. */
void doctor_check_program(const char *file, const char *name, bool running);
/* A process: fills *user first. False: there is none, or it may not be looked at (said). */
bool doctor_process_user(uint32_t pid, struct doctor_user *user);
void doctor_check_process(const struct doctor_user *user);
/* Our own rights. */
void doctor_own_user(struct doctor_user *user);

#endif
