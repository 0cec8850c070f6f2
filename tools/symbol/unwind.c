/*
 * Where functions start, from .eh_frame: nearly all code has an entry there, also the static
 * functions of a stripped file, so that samples of one such function can be added up.
 */
#include "tools/symbol/names.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <string.h>

/* How a common entry writes addresses ('R' in its augmentation); DW_EH_PE_omit when it is not to be told. */
static uint8_t address_encoding(const Dwarf_CIE *cie)
{
	const uint8_t *data = cie->augmentation_data;
	size_t left = cie->augmentation_data_size;

	if (cie->augmentation[0] != 'z')
		return DW_EH_PE_absptr;
	for (const char *c = cie->augmentation + 1; *c; c++) {
		size_t used;

		if (*c == 'S' || *c == 'B')
			continue;
		if (!left)
			return DW_EH_PE_omit;
		if (*c == 'R')
			return data[0];
		if (*c == 'L') {
			used = 1;
		} else if (*c == 'P') {
			switch (data[0] & 0x07) {
			case DW_EH_PE_udata4 & 0x07:
				used = 1 + 4;
				break;
			case DW_EH_PE_absptr:
			case DW_EH_PE_udata8 & 0x07:
				used = 1 + 8;
				break;
			default:
				return DW_EH_PE_omit;
			}
		} else {
			return DW_EH_PE_omit;
		}
		if (used > left)
			return DW_EH_PE_omit;
		data += used;
		left -= used;
	}
	return DW_EH_PE_absptr;
}

/* Start and length stand first in an entry, in the encoding of its common entry. */
static bool entry_range(const Dwarf_FDE *fde, uint8_t encoding, uint64_t section_vaddr,
			const uint8_t *section, uint64_t *start, uint64_t *end)
{
	const uint8_t *at = fde->start;
	uint64_t base = 0, len;

	if (encoding == DW_EH_PE_omit || (encoding & DW_EH_PE_indirect))
		return false;
	if ((encoding & 0x70) == DW_EH_PE_pcrel)
		base = section_vaddr + (uint64_t)(at - section);
	else if ((encoding & 0x70) != DW_EH_PE_absptr)
		return false;
	if ((encoding & 0x07) == (DW_EH_PE_udata4 & 0x07)) {
		int32_t first;
		uint32_t second;

		if (fde->end - at < 8)
			return false;
		memcpy(&first, at, 4);
		memcpy(&second, at + 4, 4);
		*start = base + (uint64_t)(int64_t)first;
		len = second;
	} else if ((encoding & 0x07) == DW_EH_PE_absptr ||
		   (encoding & 0x07) == (DW_EH_PE_udata8 & 0x07)) {
		if (fde->end - at < 16)
			return false;
		memcpy(start, at, 8);
		memcpy(&len, at + 8, 8);
		*start += base;
	} else {
		return false;
	}
	*end = *start + len;
	return *end > *start;
}

static void read_entries(struct names *n, const struct object *o)
{
	GElf_Ehdr file;
	GElf_Shdr header;
	Elf_Scn *section = object_section(o, ".eh_frame", &header);
	Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
	Dwarf_Off offset = 0, next = 0, common = (Dwarf_Off)-1;
	uint8_t encoding = DW_EH_PE_omit;
	Dwarf_CFI_Entry entry;

	if (!data || !data->d_buf || header.sh_type == SHT_NOBITS || !gelf_getehdr(o->elf, &file) ||
	    file.e_ident[EI_CLASS] != ELFCLASS64)
		return;
	for (; dwarf_next_cfi(file.e_ident, data, true, offset, &next, &entry) == 0;
	     offset = next) {
		Dwarf_CFI_Entry cie;
		Dwarf_Off ignored;
		uint64_t start, end;

		if (dwarf_cfi_cie_p(&entry))
			continue;
		if (entry.fde.CIE_pointer != common) {
			common = entry.fde.CIE_pointer;
			encoding = DW_EH_PE_omit;
			if (dwarf_next_cfi(file.e_ident, data, true, common, &ignored, &cie) == 0 &&
			    dwarf_cfi_cie_p(&cie))
				encoding = address_encoding(&cie.cie);
		}
		if (entry_range(&entry.fde, encoding, header.sh_addr, data->d_buf, &start, &end))
			ranges_add(&n->unwind, start, end, 0, 0);
	}
	ranges_sort(&n->unwind, false);
}

bool names_function_start(struct names *n, const struct object *o, uint64_t vaddr, uint64_t *start)
{
	const struct range *found;

	if (!n->unwind_read) {
		n->unwind_read = true;
		read_entries(n, o);
	}
	found = ranges_find(&n->unwind, vaddr);
	if (!found)
		return false;
	*start = found->start;
	return true;
}
