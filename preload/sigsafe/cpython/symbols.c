#include "preload/sigsafe/cpython/symbols.h"

#include <elf.h>
#include <link.h>
#include <string.h>

/* A module's dynamic symbol table with its GNU hash table; hash == NULL when it has none. */
struct table {
	uintptr_t bias;
	const uint32_t *hash;
	const ElfW(Sym) * symbols;
	const char *names;
};

/* The loader adds the load address to these pointers in place, but not where the section is
 * read-only (the vdso). */
static uintptr_t table_pointer(const struct dl_phdr_info *info, uintptr_t value)
{
	return value < info->dlpi_addr ? value + info->dlpi_addr : value;
}

static struct table table_of(const struct dl_phdr_info *info)
{
	struct table table = { .bias = info->dlpi_addr };
	const ElfW(Dyn) *dynamic = NULL;

	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			dynamic = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
		uintptr_t at = table_pointer(info, dynamic->d_un.d_ptr);

		if (dynamic->d_tag == DT_GNU_HASH)
			table.hash = (const uint32_t *)at;
		else if (dynamic->d_tag == DT_SYMTAB)
			table.symbols = (const ElfW(Sym) *)at;
		else if (dynamic->d_tag == DT_STRTAB)
			table.names = (const char *)at;
	}
	if (!table.symbols || !table.names)
		table.hash = NULL;
	return table;
}

static uint32_t hash_name(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

static bool symbol_usable(const ElfW(Sym) * symbol)
{
	unsigned type = ELF64_ST_TYPE(symbol->st_info);

	return symbol->st_shndx != SHN_UNDEF && (type == STT_OBJECT || type == STT_FUNC);
}

/* 0 when the module does not define it. size may be NULL. */
static uintptr_t table_find(const struct table *table, const char *name, size_t *size)
{
	uint32_t hash = hash_name(name), buckets, first, words, shift, index;
	const uint64_t *bloom;
	const uint32_t *bucket, *chain;
	uint64_t word;

	if (!table->hash)
		return 0;
	buckets = table->hash[0];
	first = table->hash[1];
	words = table->hash[2];
	shift = table->hash[3];
	if (buckets == 0 || words == 0)
		return 0;
	bloom = (const uint64_t *)(table->hash + 4);
	bucket = (const uint32_t *)(bloom + words);
	chain = bucket + buckets;
	word = bloom[(hash / 64) % words];
	if (!(word >> (hash % 64) & 1) || !(word >> ((hash >> shift) % 64) & 1))
		return 0;
	index = bucket[hash % buckets];
	if (index < first)
		return 0;
	for (;; index++) {
		uint32_t other = chain[index - first];
		const ElfW(Sym) *symbol = &table->symbols[index];

		if ((other | 1) == (hash | 1) && symbol_usable(symbol) &&
		    strcmp(table->names + symbol->st_name, name) == 0) {
			if (size)
				*size = symbol->st_size;
			return table->bias + symbol->st_value;
		}
		if (other & 1)
			return 0;
	}
}

struct search {
	const char *anchor;
	const struct symbol *symbols;
	size_t count;
	struct table main;
	bool past_main;
};

static int search_module(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct search *search = argument;
	struct table table = table_of(info);

	if (!search->past_main) {
		search->main = table;
		search->past_main = true;
	}
	if (!table_find(&table, search->anchor, NULL))
		return 0;
	for (size_t i = 0; i < search->count; i++) {
		const struct symbol *symbol = &search->symbols[i];

		*symbol->address = table_find(&search->main, symbol->name, symbol->size);
		if (!*symbol->address)
			*symbol->address = table_find(&table, symbol->name, symbol->size);
	}
	return 1;
}

bool symbols_find(const char *anchor, const struct symbol *symbols, size_t count)
{
	struct search search = { .anchor = anchor, .symbols = symbols, .count = count };

	for (size_t i = 0; i < count; i++)
		*symbols[i].address = 0;
	return dl_iterate_phdr(search_module, &search) != 0;
}

static int search_path(struct dl_phdr_info *info, size_t size, void *argument)
{
	return info->dlpi_name && strstr(info->dlpi_name, argument) != NULL;
}

bool symbols_module(const char *part)
{
	return dl_iterate_phdr(search_path, (void *)part) != 0;
}

static int epoch_read(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct symbols_epoch *epoch = argument;

	epoch->adds = info->dlpi_adds;
	epoch->subs = info->dlpi_subs;
	return 1;
}

struct symbols_epoch symbols_epoch(void)
{
	struct symbols_epoch epoch = { 0, 0 };

	dl_iterate_phdr(epoch_read, &epoch);
	return epoch;
}
