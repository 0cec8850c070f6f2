#include "tools/symbol/object.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

/* The vdso has no size in the auxiliary vector; its section headers stand last. */
static Elf *vdso(void)
{
	const char *image =
		(const char *)getauxval(AT_SYSINFO_EHDR); /* NOLINT(performance-no-int-to-ptr) */
	Elf64_Ehdr header;

	if (!image || sizeof(void *) != 8)
		return NULL;
	memcpy(&header, image, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || !header.e_shoff)
		return NULL;
	return elf_memory((char *)image,
			  header.e_shoff + (size_t)header.e_shnum * header.e_shentsize);
}

enum object_result object_open(struct object *o, const char *path)
{
	struct stat status;

	o->elf = NULL;
	o->fd = -1;
	elf_version(EV_CURRENT);
	if (strcmp(path, "[vdso]") == 0) {
		o->elf = vdso();
		return o->elf ? OBJECT_OPEN : OBJECT_ABSENT;
	}
	/* The path comes from a profile: it may by now be a pipe that would block us. */
	o->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (o->fd < 0)
		return OBJECT_ABSENT;
	if (fstat(o->fd, &status) != 0 || !S_ISREG(status.st_mode)) {
		object_close(o);
		return OBJECT_NOT_ELF;
	}
	o->elf = elf_begin(o->fd, ELF_C_READ_MMAP, NULL);
	if (!o->elf || elf_kind(o->elf) != ELF_K_ELF) {
		object_close(o);
		return OBJECT_NOT_ELF;
	}
	return OBJECT_OPEN;
}

void object_close(struct object *o)
{
	if (o->elf)
		elf_end(o->elf);
	if (o->fd >= 0)
		close(o->fd);
	o->elf = NULL;
	o->fd = -1;
}

size_t object_build_id(const struct object *o, const uint8_t **id)
{
	const void *bytes = NULL;
	ssize_t len = dwelf_elf_gnu_build_id(o->elf, &bytes);

	*id = bytes;
	return len > 0 ? (size_t)len : 0;
}

bool object_vaddr(const struct object *o, uint64_t offset, uint64_t *vaddr)
{
	size_t count;
	bool found = false;

	if (elf_getphdrnum(o->elf, &count) != 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr segment;

		if (!gelf_getphdr(o->elf, (int)i, &segment) || segment.p_type != PT_LOAD)
			continue;
		if (offset < segment.p_offset || offset - segment.p_offset >= segment.p_filesz)
			continue;
		*vaddr = segment.p_vaddr + (offset - segment.p_offset);
		found = true;
		/* Some linkers let two segments share a page of the file: code is what was run. */
		if (segment.p_flags & PF_X)
			return true;
	}
	return found;
}

static const char *section_name(const struct object *o, const GElf_Shdr *header)
{
	size_t strings;

	if (elf_getshdrstrndx(o->elf, &strings) != 0)
		return NULL;
	return elf_strptr(o->elf, strings, header->sh_name);
}

Elf_Scn *object_section(const struct object *o, const char *name, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(o->elf, section))) {
		const char *found;

		if (!gelf_getshdr(section, header))
			continue;
		found = section_name(o, header);
		if (found && strcmp(found, name) == 0)
			return section;
	}
	return NULL;
}

Elf_Scn *object_section_at(const struct object *o, uint64_t vaddr, GElf_Shdr *header,
			   const char **name)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(o->elf, section))) {
		if (!gelf_getshdr(section, header) || !(header->sh_flags & SHF_ALLOC) ||
		    (header->sh_flags & SHF_TLS))
			continue;
		if (vaddr < header->sh_addr || vaddr - header->sh_addr >= header->sh_size)
			continue;
		if (name)
			*name = section_name(o, header);
		return section;
	}
	return NULL;
}

bool object_has_dwarf(const struct object *o)
{
	GElf_Shdr header;

	return (object_section(o, ".debug_info", &header) && header.sh_type != SHT_NOBITS) ||
	       object_section(o, ".zdebug_info", &header);
}
