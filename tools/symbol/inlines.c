/*
 * libdw can do this with dwarf_addrdie and dwarf_getscopes, but the first needs .debug_aranges,
 * which clang does not write, and the second reads a unit from its beginning for each address. So
 * we note once where units are, and once for each unit that is met where its functions are.
 */
#include "tools/symbol/inlines.h"

#include <dwarf.h>
#include <stdlib.h>

#include "tools/base/errors.h"
#include "tools/symbol/ranges.h"

enum {
	NEST_MAX = 64, /* of entries inside entries, when looking for functions */
};

struct unit {
	Dwarf_Die die;
	struct ranges functions; /* item: offset of the entry */
	bool functions_read;
};

struct inlines {
	Dwarf *dwarf;
	struct ranges places; /* item: index in units */
	struct unit *units;
	size_t count, room;
};

/* Linkers leave dropped functions behind at address 0 or, newer ones, at the last one. */
static void add_ranges(struct ranges *ranges, Dwarf_Die *die, uint64_t item)
{
	Dwarf_Addr base = 0, start, end;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(die, at, &base, &start, &end)) > 0)
		if (start)
			ranges_add(ranges, start, end, item, 0);
}

struct inlines *inlines_open(Elf *elf)
{
	Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	struct inlines *d;
	Dwarf_CU *cu = NULL;
	Dwarf_Die die, split;
	uint8_t type;

	if (!dwarf)
		return NULL;
	d = errors_alloc(1, sizeof(*d));
	d->dwarf = dwarf;
	while (dwarf_get_units(dwarf, cu, &cu, NULL, &type, &die, &split) == 0) {
		if (type != DW_UT_compile && type != DW_UT_skeleton)
			continue;
		if (d->count == d->room) {
			d->room = d->room ? d->room * 2 : 64;
			d->units = errors_realloc(d->units, d->room, sizeof(*d->units));
		}
		/* A skeleton has the addresses; its other half, if it is found, the functions. */
		d->units[d->count] = (struct unit){ .die = split.addr ? split : die };
		add_ranges(&d->places, &die, d->count++);
	}
	ranges_sort(&d->places, true);
	return d;
}

void inlines_close(struct inlines *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->count; i++)
		ranges_free(&d->units[i].functions);
	free(d->units);
	ranges_free(&d->places);
	dwarf_end(d->dwarf);
	free(d);
}

static bool may_hold_functions(int tag)
{
	switch (tag) {
	case DW_TAG_subprogram:
	case DW_TAG_lexical_block:
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type: /* Rust */
		return true;
	default:
		return false;
	}
}

static void read_functions(struct unit *unit, Dwarf_Die *parent, int depth)
{
	Dwarf_Die child;

	if (depth > NEST_MAX || dwarf_child(parent, &child) != 0)
		return;
	do {
		int tag = dwarf_tag(&child);

		if (tag == DW_TAG_subprogram)
			add_ranges(&unit->functions, &child, dwarf_dieoffset(&child));
		if (may_hold_functions(tag) && dwarf_haschildren(&child) > 0)
			read_functions(unit, &child, depth + 1);
	} while (dwarf_siblingof(&child, &child) == 0);
}

static struct unit *find_unit(struct inlines *d, uint64_t vaddr)
{
	const struct range *place = ranges_find(&d->places, vaddr);
	Dwarf_Die die;

	if (place)
		return &d->units[place->item];
	/* A unit that does not say where it is, in a file with .debug_aranges. */
	if (!dwarf_addrdie(d->dwarf, vaddr, &die))
		return NULL;
	for (size_t i = 0; i < d->count; i++)
		if (d->units[i].die.addr == die.addr)
			return &d->units[i];
	return NULL;
}

static bool find_function(struct unit *unit, uint64_t vaddr, Dwarf_Die *function)
{
	Dwarf_Die *die = &unit->die;
	const struct range *range;

	if (!unit->functions_read) {
		unit->functions_read = true;
		read_functions(unit, die, 0);
		ranges_sort(&unit->functions, true);
	}
	range = ranges_find(&unit->functions, vaddr);
	return range && dwarf_offdie(dwarf_cu_getdwarf(die->cu), range->item, function);
}

/* The child of *die that holds vaddr and can lead to inlined calls takes its place. */
static bool descend(Dwarf_Die *die, uint64_t vaddr)
{
	Dwarf_Die child;

	if (dwarf_child(die, &child) != 0)
		return false;
	do {
		int tag = dwarf_tag(&child);

		if ((tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
		     tag == DW_TAG_try_block || tag == DW_TAG_catch_block) &&
		    dwarf_haspc(&child, vaddr) > 0) {
			*die = child;
			return true;
		}
	} while (dwarf_siblingof(&child, &child) == 0);
	return false;
}

static int number(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	if (!dwarf_attr(die, name, &attribute) || dwarf_formudata(&attribute, &value) != 0 ||
	    value > INT32_MAX)
		return 0;
	return (int)value;
}

static const char *name_of(Dwarf_Die *die)
{
	static const unsigned linkage[] = { DW_AT_linkage_name, DW_AT_MIPS_linkage_name };
	Dwarf_Attribute attribute;

	for (size_t i = 0; i < sizeof(linkage) / sizeof(*linkage); i++)
		if (dwarf_attr_integrate(die, linkage[i], &attribute)) {
			const char *name = dwarf_formstring(&attribute);

			if (name)
				return name;
		}
	return dwarf_diename(die);
}

static const char *call_file(Dwarf_Die *unit, Dwarf_Die *die)
{
	Dwarf_Files *files;
	size_t count;
	int index = number(die, DW_AT_call_file);

	if (dwarf_getsrcfiles(unit, &files, &count) != 0 || (size_t)index >= count)
		return NULL;
	return dwarf_filesrc(files, (size_t)index, NULL, NULL);
}

/* chain: the function, then what is inlined in it, inwards. */
static size_t write_frames(Dwarf_Die *unit, Dwarf_Die *chain, size_t count, const char *file,
			   int line, struct symbol_frame *out, size_t max)
{
	size_t written = 0;

	for (size_t i = count; i-- > 0 && written < max;) {
		struct symbol_frame *frame = &out[written++];

		*frame = (struct symbol_frame){ .name = name_of(&chain[i]),
						.file = file,
						.line = line };
		if (dwarf_decl_line(&chain[i], &frame->start_line) != 0)
			frame->start_line = 0;
		frame->inlined = i > 0;
		if (i > 0) {
			file = call_file(unit, &chain[i]);
			line = number(&chain[i], DW_AT_call_line);
		}
	}
	return written;
}

size_t inlines_at(struct inlines *d, uint64_t vaddr, struct symbol_frame *out, size_t max)
{
	struct unit *unit = find_unit(d, vaddr);
	Dwarf_Die die, chain[SYMBOL_FRAMES_MAX];
	const char *file = NULL;
	int line = 0;
	size_t count = 0;
	Dwarf_Line *source;

	if (!unit)
		return 0;
	source = dwarf_getsrc_die(&unit->die, vaddr);
	if (source) {
		file = dwarf_linesrc(source, NULL, NULL);
		if (dwarf_lineno(source, &line) != 0)
			line = 0;
	}
	if (find_function(unit, vaddr, &die)) {
		chain[count++] = die;
		while (count < SYMBOL_FRAMES_MAX && descend(&die, vaddr))
			if (dwarf_tag(&die) == DW_TAG_inlined_subroutine)
				chain[count++] = die;
	}
	if (count)
		return write_frames(&unit->die, chain, count, file, line, out, max);
	if (!source || !max)
		return 0;
	out[0] = (struct symbol_frame){ .file = file, .line = line };
	return 1;
}
