#include "tools/cmd/run_target.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tools/base/errors.h"

enum { SCRIPTS_MAX = 4 }; /* a script's interpreter may be a script; the kernel allows as many */

/* Where execvp would find it. */
static bool find_command(const char *command, char path[PATH_MAX])
{
	const char *list = getenv("PATH");

	if (strchr(command, '/'))
		return snprintf(path, PATH_MAX, "%s", command) < PATH_MAX;
	if (!list)
		list = "/bin:/usr/bin";
	while (*list) {
		int len = (int)strcspn(list, ":");

		if (snprintf(path, PATH_MAX, "%.*s%s%s", len, list, len ? "/" : "", command) <
			    PATH_MAX &&
		    !access(path, X_OK))
			return true;
		list += len + (list[len] == ':');
	}
	return false;
}

/* "#!/usr/bin/env python3" and the like: the program that will run, in path. */
static bool follow_script(const char *head, char path[PATH_MAX])
{
	char line[256], *word, *rest;

	snprintf(line, sizeof(line), "%s", head + 2);
	line[strcspn(line, "\n")] = '\0';
	word = strtok_r(line, " \t", &rest);
	if (!word)
		return false;
	if (!strcmp(word, "/usr/bin/env") || !strcmp(word, "/bin/env")) {
		do
			word = strtok_r(NULL, " \t", &rest);
		while (word && (*word == '-' || strchr(word, '=')));
		return word && find_command(word, path);
	}
	return snprintf(path, PATH_MAX, "%s", word) < PATH_MAX;
}

/* The interpreter segment names the dynamic loader; without one there is none to preload us. */
static bool is_static(int fd, const Elf64_Ehdr *ehdr)
{
	for (unsigned i = 0; i < ehdr->e_phnum; i++) {
		Elf64_Phdr phdr;
		off_t at = (off_t)(ehdr->e_phoff + (uint64_t)i * ehdr->e_phentsize);

		if (pread(fd, &phdr, sizeof(phdr), at) != sizeof(phdr))
			return false; /* exec will refuse it */
		if (phdr.p_type == PT_INTERP)
			return false;
	}
	return true;
}

static void check_elf(const char *path, int fd, const Elf64_Ehdr *ehdr)
{
	struct stat st;
	bool other_user = !fstat(fd, &st) && ((st.st_mode & S_ISUID && st.st_uid != getuid()) ||
					      (st.st_mode & S_ISGID && st.st_gid != getgid()));

	if (ehdr->e_ident[EI_CLASS] != ELFCLASS64 || ehdr->e_machine != EM_X86_64)
		errors_say(
			"warning: %s is not an x86-64 program, so libreqprof.so cannot be loaded into it: nothing will be profiled (use its 64-bit build)",
			path);
	else if (is_static(fd, ehdr))
		errors_say(
			"warning: %s is statically linked, so libreqprof.so cannot be loaded into it: nothing will be profiled (use a dynamically linked build)",
			path);
	else if (other_user || (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0))
		errors_say(
			"warning: %s is set-user-ID or has file capabilities, so the loader leaves libreqprof.so out: nothing will be profiled (start it as the user it would become, or run a copy without the privilege)",
			path);
}

void run_target_check(const char *command)
{
	char path[PATH_MAX];
	bool found = find_command(command, path);

	for (int i = 0; found && i < SCRIPTS_MAX; i++) {
		union {
			Elf64_Ehdr elf;
			char text[256];
		} head;
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		ssize_t got;

		if (fd < 0)
			return;
		memset(&head, 0, sizeof(head));
		got = pread(fd, head.text, sizeof(head.text) - 1, 0);
		found = got > 2 && head.text[0] == '#' && head.text[1] == '!' &&
			follow_script(head.text, path);
		if (got >= (ssize_t)sizeof(head.elf) && !memcmp(head.elf.e_ident, ELFMAG, SELFMAG))
			check_elf(path, fd, &head.elf);
		close(fd);
	}
}
