#include "preload/sigsafe/module_scan.h"

#include <elf.h>
#include <link.h>
#include <string.h>

enum { NOTE_BYTES_MAX = 65536 };

/*
 * Is [start, start + len) inside one readable segment? Headers of a damaged file may say anything.
 */
static bool readable(const struct dl_phdr_info *info, uintptr_t start, size_t len)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_LOAD && (p->p_flags & PF_R) && start >= at &&
		    len <= p->p_memsz && start - at <= p->p_memsz - len)
			return true;
	}
	return false;
}

static size_t note_round(size_t len, size_t align)
{
	return (len + align - 1) & ~(align - 1);
}

static void scan_notes(const struct dl_phdr_info *info, const ElfW(Phdr) * p, struct module *m)
{
	uintptr_t start = info->dlpi_addr + p->p_vaddr;
	size_t len = p->p_memsz, align = p->p_align == 8 ? 8 : 4, at = 0;
	ElfW(Nhdr) note;

	if (len > NOTE_BYTES_MAX || !readable(info, start, len))
		return;
	while (len - at >= sizeof(note)) {
		const char *name = (const char *)(start + at + sizeof(note));
		size_t desc;

		memcpy(&note, (const void *)(start + at), sizeof(note));
		desc = at + note_round(sizeof(note) + (size_t)note.n_namesz, align);
		if (desc > len || note.n_descsz > len - desc)
			return;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    memcmp(name, ELF_NOTE_GNU, 4) == 0) {
			m->build_id_len = note.n_descsz < MODULES_BUILD_ID_MAX
						  ? (uint8_t)note.n_descsz
						  : MODULES_BUILD_ID_MAX;
			memcpy(m->build_id, (const void *)(start + desc), m->build_id_len);
			return;
		}
		at = note_round(desc + note.n_descsz, align);
		if (at > len)
			return;
	}
}

static void scan_load(const struct dl_phdr_info *info, const ElfW(Phdr) * p, struct module *m)
{
	uintptr_t start = info->dlpi_addr + p->p_vaddr, end = start + p->p_memsz;

	if (end <= start)
		return;
	if (m->load_start == 0 || start < m->load_start)
		m->load_start = start;
	if (end > m->load_end)
		m->load_end = end;
	if (!(p->p_flags & PF_X))
		return;
	if (m->end == 0 || start < m->start) {
		m->start = start;
		m->file_offset = p->p_offset;
	}
	if (end > m->end)
		m->end = end;
}

bool module_scan(const struct dl_phdr_info *info, struct module *m)
{
	memset(m, 0, sizeof(*m));
	m->bias = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_LOAD) {
			scan_load(info, p, m);
		} else if (p->p_type == PT_NOTE && m->build_id_len == 0) {
			scan_notes(info, p, m);
		} else if (p->p_type == PT_GNU_EH_FRAME && readable(info, start, p->p_memsz)) {
			m->eh_frame_hdr = start;
			m->eh_frame_hdr_len = p->p_memsz;
		}
	}
	return m->end != 0;
}
