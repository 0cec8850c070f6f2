/*
 * Any program headers, with notes of any bytes: what the library makes of a module stays in what is
 * mapped of it. The input is a count, as many headers of 16 bytes, and the module's memory.
 */
#include "preload/sigsafe/module_scan.h"

#include <elf.h>
#include <link.h>

#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { HEADERS_MAX = 8, HEADER_BYTES = 16 };

struct header {
	uint8_t type, flags, align, unused;
	uint32_t at;
	uint64_t len;
};

static uint32_t type_of(uint8_t byte)
{
	static const uint32_t types[] = { PT_LOAD, PT_NOTE, PT_GNU_EH_FRAME, PT_DYNAMIC };

	return types[byte % 4];
}

/* What is loaded the loader has mapped, whatever else the headers say. */
static ElfW(Phdr) header_of(const struct header *from, size_t mapped)
{
	ElfW(Phdr) p = { .p_type = type_of(from->type),
			 .p_flags = from->flags,
			 .p_align = from->align,
			 .p_vaddr = from->at,
			 .p_memsz = from->len };

	if (p.p_type == PT_LOAD) {
		p.p_vaddr = mapped ? from->at % mapped : 0;
		if (p.p_memsz > mapped - p.p_vaddr)
			p.p_memsz = mapped - p.p_vaddr;
	}
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	ElfW(Phdr) headers[HEADERS_MAX];
	struct dl_phdr_info info = { .dlpi_phdr = headers };
	size_t count = size ? bytes[0] % HEADERS_MAX : 0, mapped;
	struct module module;
	uintptr_t base;

	if (size < 1 + count * HEADER_BYTES)
		return 0;
	mapped = size - 1 - count * HEADER_BYTES;
	base = (uintptr_t)pieces_copy(bytes + size - mapped, mapped);
	for (size_t i = 0; i < count; i++) {
		struct header header;

		memcpy(&header, bytes + 1 + i * HEADER_BYTES, sizeof(header));
		headers[i] = header_of(&header, mapped);
	}
	info.dlpi_addr = base;
	info.dlpi_phnum = (ElfW(Half))count;
	if (module_scan(&info, &module)) {
		REQUIRE(module.start < module.end);
		REQUIRE(module.start >= base && module.end <= base + mapped);
		REQUIRE(module.load_start >= base && module.load_end <= base + mapped);
	}
	REQUIRE(module.build_id_len <= MODULES_BUILD_ID_MAX);
	REQUIRE(!module.eh_frame_hdr ||
		(module.eh_frame_hdr >= base &&
		 module.eh_frame_hdr + module.eh_frame_hdr_len <= base + mapped));
	return 0;
}
