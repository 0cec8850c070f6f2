#include "tools/symbol/names.h"

#include <string.h>

/* What makes one of two symbols at the same address the better name, most telling first. */
enum {
	RANK_SIZED = 1 << 8, /* says how far it reaches */
	RANK_FUNCTION = 1 << 7,
	RANK_VISIBLE = 1 << 6, /* not local */
	RANK_BARE_MAX = 3,     /* read, not __read: fewer leading underscores */
	RANK_BARE_SHIFT = 2,
	RANK_STRONG = 1 << 1,
};

static uint32_t rank_of(const GElf_Sym *symbol, const char *name)
{
	unsigned type = GELF_ST_TYPE(symbol->st_info), binding = GELF_ST_BIND(symbol->st_info);
	uint32_t underscores = (uint32_t)strspn(name, "_"), rank = 0;

	if (symbol->st_size)
		rank |= RANK_SIZED;
	if (type == STT_FUNC || type == STT_GNU_IFUNC)
		rank |= RANK_FUNCTION;
	if (binding != STB_LOCAL)
		rank |= RANK_VISIBLE;
	if (underscores < RANK_BARE_MAX)
		rank |= (RANK_BARE_MAX - underscores) << RANK_BARE_SHIFT;
	if (binding != STB_WEAK)
		rank |= RANK_STRONG;
	return rank;
}

static bool may_be_function(const GElf_Sym *symbol, const GElf_Shdr *section)
{
	unsigned type = GELF_ST_TYPE(symbol->st_info);

	if (symbol->st_value < section->sh_addr ||
	    symbol->st_value - section->sh_addr >= section->sh_size)
		return false;
	/* Hand-written assembly often gives its entries no type. */
	return type == STT_FUNC || type == STT_GNU_IFUNC ||
	       (type == STT_NOTYPE && (section->sh_flags & SHF_EXECINSTR));
}

static void add_symbol(struct names *n, const struct object *o, const GElf_Sym *symbol,
		       size_t strings)
{
	GElf_Shdr section;
	const char *name;
	uint64_t left, len;

	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx >= SHN_LORESERVE ||
	    !gelf_getshdr(elf_getscn(o->elf, symbol->st_shndx), &section) ||
	    !may_be_function(symbol, &section))
		return;
	name = elf_strptr(o->elf, strings, symbol->st_name);
	/* Labels of compilers and assemblers, which name no function. */
	if (!name || !*name || *name == '$' || *name == '.')
		return;
	left = section.sh_addr + section.sh_size - symbol->st_value;
	/* One without a size reaches to the end of its section, for now: see names_ready. */
	len = symbol->st_size && symbol->st_size < left ? symbol->st_size : left;
	ranges_add(&n->symbols, symbol->st_value, symbol->st_value + len, (uintptr_t)name,
		   rank_of(symbol, name));
}

static void add_table(struct names *n, const struct object *o, Elf_Scn *table,
		      const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(table, NULL);
	size_t count = data && header->sh_entsize ? header->sh_size / header->sh_entsize : 0;

	for (size_t i = 1; i < count; i++) {
		GElf_Sym symbol;

		if (!gelf_getsym(data, (int)i, &symbol))
			break;
		add_symbol(n, o, &symbol, header->sh_link);
	}
}

void names_add(struct names *n, const struct object *o)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(o->elf, section)))
		if (gelf_getshdr(section, &header) &&
		    (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM))
			add_table(n, o, section, &header);
}

void names_ready(struct names *n)
{
	struct range *all;
	uint64_t functions_end = 0;

	ranges_sort(&n->symbols, false);
	all = n->symbols.all;
	for (size_t i = 0; i < n->symbols.count; i++) {
		bool sized = all[i].rank & RANK_SIZED, function = all[i].rank & RANK_FUNCTION;

		if (sized && function) {
			if (all[i].end > functions_end)
				functions_end = all[i].end;
		} else if (all[i].start < functions_end) {
			all[i].end = all[i].start; /* a label inside a function that has a name */
		} else if (!sized && i + 1 < n->symbols.count && all[i + 1].start < all[i].end) {
			all[i].end = all[i + 1].start;
		}
	}
	ranges_sort(&n->symbols, false);
}

const char *names_find(struct names *n, const struct object *o, uint64_t vaddr)
{
	const struct range *found = ranges_find(&n->symbols, vaddr);
	uint64_t start;

	if (!found)
		return NULL;
	/* Behind it a function may follow whose symbol was stripped. */
	if (!(found->rank & RANK_SIZED) && names_function_start(n, o, vaddr, &start) &&
	    start > found->start)
		return NULL;
	return (const char *)(uintptr_t)found->item; /* NOLINT(performance-no-int-to-ptr) */
}

void names_free(struct names *n)
{
	ranges_free(&n->symbols);
	ranges_free(&n->unwind);
}
