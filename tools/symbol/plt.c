/*
 * Stubs of x86-64 procedure linkage tables. They have no symbols, but each jumps through the slot
 * that one relocation fills, or pushes that relocation's number; the relocation names the symbol.
 */
#include "tools/symbol/names.h"

#include <string.h>

enum { STUB_MAX = 16 };

/* The symbol of relocation number index, or when by_slot of the one that fills slot. */
static const char *relocation_symbol(const struct object *o, Elf_Scn *section,
				     const GElf_Shdr *header, bool by_slot, uint64_t slot,
				     size_t index)
{
	Elf_Data *data = elf_getdata(section, NULL), *symbols;
	size_t count = data && header->sh_entsize ? header->sh_size / header->sh_entsize : 0;
	GElf_Shdr symbols_header;
	Elf_Scn *symbols_section = elf_getscn(o->elf, header->sh_link);
	GElf_Rela rela;
	GElf_Sym symbol;

	if (by_slot) {
		for (index = 0; index < count; index++)
			if (gelf_getrela(data, (int)index, &rela) && rela.r_offset == slot)
				break;
	}
	if (index >= count || !gelf_getrela(data, (int)index, &rela) || !GELF_R_SYM(rela.r_info))
		return NULL;
	symbols = symbols_section ? elf_getdata(symbols_section, NULL) : NULL;
	if (!symbols || !gelf_getshdr(symbols_section, &symbols_header) ||
	    !gelf_getsym(symbols, (int)GELF_R_SYM(rela.r_info), &symbol))
		return NULL;
	return elf_strptr(o->elf, symbols_header.sh_link, symbol.st_name);
}

static const char *find_relocation(const struct object *o, bool by_slot, uint64_t slot,
				   size_t index)
{
	GElf_Shdr header;
	Elf_Scn *section = object_section(o, ".rela.plt", &header);
	const char *name = NULL;

	if (section)
		name = relocation_symbol(o, section, &header, by_slot, slot, index);
	/* With -z now the slots of .plt.got are filled by ordinary relocations. */
	if (!name && by_slot && (section = object_section(o, ".rela.dyn", &header)))
		name = relocation_symbol(o, section, &header, true, slot, 0);
	return name && *name ? name : NULL;
}

const char *names_plt(const struct object *o, uint64_t vaddr)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	GElf_Shdr header;
	GElf_Ehdr file;
	const char *section_name = NULL;
	Elf_Scn *section = object_section_at(o, vaddr, &header, &section_name);
	Elf_Data *data;
	uint64_t stub, size;
	uint8_t code[STUB_MAX] = { 0 };
	size_t at = 0;
	uint32_t word;

	if (!section || !section_name || strncmp(section_name, ".plt", 4) != 0 ||
	    header.sh_type == SHT_NOBITS || !gelf_getehdr(o->elf, &file) ||
	    file.e_machine != EM_X86_64)
		return NULL;
	size = header.sh_entsize == 8 ? 8 : 16;
	stub = (vaddr - header.sh_addr) / size * size;
	data = elf_rawdata(section, NULL);
	if (!data || !data->d_buf || stub + size > data->d_size)
		return NULL;
	memcpy(code, (const uint8_t *)data->d_buf + stub, size);
	if (memcmp(code, endbr64, sizeof(endbr64)) == 0)
		at = sizeof(endbr64);
	if (code[at] == 0xf2) /* bnd */
		at++;
	memcpy(&word, code + at + 2, sizeof(word));
	if (code[at] == 0xff && code[at + 1] == 0x25) /* jmp *word(%rip) */
		return find_relocation(
			o, true, header.sh_addr + stub + at + 6 + (uint64_t)(int64_t)(int32_t)word,
			0);
	memcpy(&word, code + at + 1, sizeof(word));
	if (code[at] == 0x68) /* push $word */
		return find_relocation(o, false, 0, word);
	return NULL;
}
