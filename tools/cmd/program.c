#include "tools/cmd/program.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SCRIPTS_MAX = 4 }; /* a script's interpreter may be a script; the kernel allows as many */

/* ---- finding it ---- */

static bool find_command(const char *command, char path[PATH_MAX])
{
	const char *list = getenv("PATH");

	if (strchr(command, '/'))
		return snprintf(path, PATH_MAX, "%s", command) < PATH_MAX && !access(path, F_OK);
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

bool program_find(const char *command, char path[PATH_MAX])
{
	if (!find_command(command, path))
		return false;
	for (int i = 0; i < SCRIPTS_MAX; i++) {
		char head[256] = "";
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		ssize_t got = fd < 0 ? 0 : pread(fd, head, sizeof(head) - 1, 0);

		if (fd >= 0)
			close(fd);
		if (got <= 2 || head[0] != '#' || head[1] != '!')
			break;
		if (!follow_script(head, path))
			return false;
	}
	return true;
}

/* ---- looking at it ---- */

struct image {
	const char *bytes;
	size_t len;
};

/* The bytes of a range of the file, NULL when it reaches beyond. */
static const void *image_at(const struct image *image, uint64_t offset, uint64_t len)
{
	return offset <= image->len && len <= image->len - offset ? image->bytes + offset : NULL;
}

static bool image_has(const struct image *image, const void *bytes, size_t len)
{
	return memmem(image->bytes, image->len, bytes, len) != NULL;
}

static const Elf64_Phdr *image_segment(const struct image *image, uint32_t type)
{
	const Elf64_Ehdr *ehdr = image_at(image, 0, sizeof(*ehdr));

	for (unsigned i = 0; ehdr && i < ehdr->e_phnum; i++) {
		const Elf64_Phdr *phdr =
			image_at(image, ehdr->e_phoff + (uint64_t)i * sizeof(*phdr), sizeof(*phdr));

		if (!phdr)
			return NULL;
		if (phdr->p_type == type)
			return phdr;
	}
	return NULL;
}

/* Where in the file an address of the program is. */
static uint64_t image_offset(const struct image *image, uint64_t address)
{
	const Elf64_Ehdr *ehdr = image_at(image, 0, sizeof(*ehdr));

	for (unsigned i = 0; ehdr && i < ehdr->e_phnum; i++) {
		const Elf64_Phdr *phdr =
			image_at(image, ehdr->e_phoff + (uint64_t)i * sizeof(*phdr), sizeof(*phdr));

		if (phdr && phdr->p_type == PT_LOAD && address >= phdr->p_vaddr &&
		    address - phdr->p_vaddr < phdr->p_filesz)
			return phdr->p_offset + (address - phdr->p_vaddr);
	}
	return UINT64_MAX;
}

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

/* Calls back for each library that the program names as needed. */
static void each_needed(const struct image *image,
			void (*found)(const char *library, struct program *program),
			struct program *program)
{
	const Elf64_Phdr *dynamic = image_segment(image, PT_DYNAMIC);
	uint64_t strings = UINT64_MAX;
	size_t n = dynamic ? dynamic->p_filesz / sizeof(Elf64_Dyn) : 0;
	const Elf64_Dyn *entries =
		dynamic ? image_at(image, dynamic->p_offset, n * sizeof(*entries)) : NULL;

	for (size_t i = 0; entries && i < n; i++)
		if (entries[i].d_tag == DT_STRTAB)
			strings = image_offset(image, entries[i].d_un.d_ptr);
	for (size_t i = 0; entries && strings != UINT64_MAX && i < n; i++) {
		const char *name;

		if (entries[i].d_tag != DT_NEEDED)
			continue;
		name = image_at(image, strings + entries[i].d_un.d_val, 1);
		if (name && memchr(name, '\0', image->len - (size_t)(name - image->bytes)))
			found(name, program);
	}
}

static void needed(const char *library, struct program *program)
{
	if (starts_with(library, "libssl") || starts_with(library, "libcrypto") ||
	    starts_with(library, "libnode"))
		program->own_openssl = false;
	program_python_of(library, program->python);
}

static void examine_elf(const struct image *image, struct program *program)
{
	const Elf64_Ehdr *ehdr = image_at(image, 0, sizeof(*ehdr));
	const Elf64_Phdr *interp;
	const char *loader;

	if (!ehdr || memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0)
		return;
	program->elf = true;
	program->x86_64 = ehdr->e_ident[EI_CLASS] == ELFCLASS64 && ehdr->e_machine == EM_X86_64;
	if (!program->x86_64)
		return;
	interp = image_segment(image, PT_INTERP);
	program->interpreter = interp != NULL;
	loader = interp ? image_at(image, interp->p_offset, interp->p_filesz) : NULL;
	program->musl = loader && memmem(loader, interp->p_filesz, "ld-musl", 7);
	/* The build information that the Go linker leaves, stripped or not. */
	program->go = image_has(image, "\xff Go buildinf:", 14);
	program->own_openssl = image_has(image, "OpenSSL 3.", 10) ||
			       image_has(image, "OpenSSL 1.1.", 12) ||
			       image_has(image, "BoringSSL", 9);
	each_needed(image, needed, program);
}

bool program_python_of(const char *name, char version[16])
{
	const char *slash = strrchr(name, '/'), *at = strstr(slash ? slash : name, "python3.");
	char *end;
	unsigned long minor;

	if (!at)
		return false;
	minor = strtoul(at + 8, &end, 10);
	if (end == at + 8 || minor > 99)
		return false;
	snprintf(version, 16, "3.%lu", minor);
	return true;
}

bool program_python_known(const char *version)
{
	unsigned long minor = strtoul(version + 2, NULL, 10);

	return starts_with(version, "3.") && minor >= 8 && minor <= 13;
}

void program_examine(const char *path, const char *name, struct program *program)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct image image = { 0 };
	char target[PATH_MAX];
	struct stat st;
	void *mapped;

	*program = (struct program){ 0 };
	if (fd < 0)
		return;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size == 0)
		goto out;
	program->privileged = (st.st_mode & S_ISUID && st.st_uid != getuid()) ||
			      (st.st_mode & S_ISGID && st.st_gid != getgid()) ||
			      (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0);
	mapped = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (mapped == MAP_FAILED)
		goto out;
	program->readable = true;
	image = (struct image){ mapped, (size_t)st.st_size };
	examine_elf(&image, program);
	munmap(mapped, (size_t)st.st_size);
	/* Debian's interpreter holds its library: the name says which it is, that of a link's end best. */
	if (!*program->python && realpath(name, target))
		program_python_of(target, program->python);
out:
	close(fd);
}
