/* One ELF file, open for reading: its identity, its segments, its sections. */
#ifndef REQPROF_SYMBOL_OBJECT_H
#define REQPROF_SYMBOL_OBJECT_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct object {
	Elf *elf; /* NULL: not open */
	int fd;	  /* -1 for the vdso */
};

enum object_result {
	OBJECT_OPEN,
	OBJECT_ABSENT, /* no such file, or not to be read by us */
	OBJECT_NOT_ELF,
};

/* Opens a regular file that is ELF; "[vdso]" is the one of this process. Closed by object_close. */
enum object_result object_open(struct object *o, const char *path);
/* Also fine for one that is not open. */
void object_close(struct object *o);

/* Length of the build id, *id being its bytes inside the object; 0 when it has none. */
size_t object_build_id(const struct object *o, const uint8_t **id);

/* Where the byte at a file offset is loaded, before relocation. False when no segment holds it. */
bool object_vaddr(const struct object *o, uint64_t offset, uint64_t *vaddr);

/* The section of that name, NULL when absent; *header is filled. */
Elf_Scn *object_section(const struct object *o, const char *name, GElf_Shdr *header);
/* The allocated section that holds vaddr, its name (NULL: unreadable) in *name when name is not NULL. */
Elf_Scn *object_section_at(const struct object *o, uint64_t vaddr, GElf_Shdr *header,
			   const char **name);

/* Descriptions, not sections only: DWARF proper is there. */
bool object_has_dwarf(const struct object *o);

#endif
