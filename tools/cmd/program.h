/* A program on disk, looked at without running it: can libreqprof.so be loaded, and what will it see? */
#ifndef REQPROF_TOOLS_CMD_PROGRAM_H
#define REQPROF_TOOLS_CMD_PROGRAM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct program {
	bool readable;	  /* nothing below is known otherwise */
	bool elf;	  /* an ELF file; else neither that nor a script that leads to one */
	bool x86_64;	  /* of our machine and word size */
	bool interpreter; /* names a dynamic loader */
	bool musl;	  /* and that is musl's, not glibc's */
	bool go;
	bool privileged; /* set-user-ID, set-group-ID or with capabilities, for the user who asks */
	bool own_openssl; /* holds OpenSSL itself instead of needing libssl */
	char python[16];  /* "3.11", "" when it is not known to be Python */
};

/*
 * Where execvp would find the command, and then the interpreter of scripts. In path is the last that
 * was found; false when there is nothing.
 */
bool program_find(const char *command, char path[PATH_MAX]);

/* Looks at the file itself (/proc/PID/exe works too). `name` is what it is called, for a Python's version. */
void program_examine(const char *path, const char *name, struct program *program);

/* "libpython3.11.so.1.0", "python3.11": the version in a file name; false when it names none. */
bool program_python_of(const char *name, char version[16]);

/* Does the library know the frames of this Python ("3.11")? */
bool program_python_known(const char *version);

#endif
