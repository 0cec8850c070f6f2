#include "preload/sigsafe/eh_frame.h"

#include "preload/sigsafe/peek.h"

enum {
	EH_ENTRY_MAX = 65536, /* longer FDEs are used up to here (peek's limit) */
	EH_SCAN_MAX = 4096,   /* entries looked at when a module has no sorted table */
	EH_AUGMENTATION_MAX = 8,
	EH_TABLE_ENTRY = 8,
};

/*
 * The CIE or FDE at address, from behind its length field to its end. *terminator: the entry of
 * length zero that ends the section.
 */
static bool entry_open(uintptr_t address, uintptr_t low, uintptr_t high, struct eh_cursor *entry,
		       bool *terminator)
{
	struct eh_cursor c = eh_cursor_over(address, high);
	uint64_t len;

	*terminator = false;
	if (address < low || address >= high ||
	    !peek_ok(address, high - address < 12 ? high - address : 12))
		return false;
	len = eh_unsigned(&c, 4);
	if (len == 0xffffffff)
		len = eh_unsigned(&c, 8);
	*terminator = !c.failed && len == 0;
	if (*terminator || len > eh_left(&c))
		return false;
	if (!peek_ok((uintptr_t)c.at, len < EH_ENTRY_MAX ? len : EH_ENTRY_MAX))
		return false;
	*entry = c;
	entry->end = c.at + (len < EH_ENTRY_MAX ? len : EH_ENTRY_MAX);
	return true;
}

/*
 * The letters after 'z'. Those we do not know end the parsing: 'z' gave the length, so they can be
 * skipped.
 */
static void augmentation_parse(const char *letters, struct eh_cursor c, struct eh_cie *cie)
{
	for (; *letters; letters++) {
		uint8_t encoding;

		switch (*letters) {
		case 'R':
			cie->pointer_encoding = eh_byte(&c);
			break;
		case 'P':
			encoding = eh_byte(&c);
			/*
			 * Only its size matters: what it is relative to does not, nor what it
			 * points to.
			 */
			eh_pointer(&c, encoding & 0x0f, 0);
			break;
		case 'L':
			eh_byte(&c);
			break;
		case 'S':
			cie->signal_frame = true;
			break;
		case 'B':
			break;
		default:
			return;
		}
	}
}

static bool cie_parse(uintptr_t address, uintptr_t low, uintptr_t high, struct eh_cie *cie)
{
	char letters[EH_AUGMENTATION_MAX] = "";
	struct eh_cursor c;
	uint64_t column;
	uint8_t version;
	bool terminator;

	if (!entry_open(address, low, high, &c, &terminator) || eh_unsigned(&c, 4) != 0)
		return false;
	version = eh_byte(&c);
	for (size_t i = 0;; i++) {
		char letter = (char)eh_byte(&c);

		if (i == sizeof(letters))
			return false;
		letters[i] = letter;
		if (letter == '\0')
			break;
	}
	/* Size of an address, then of a segment selector. */
	if (version == 4 && eh_unsigned(&c, 2) != sizeof(uintptr_t))
		return false;
	*cie = (struct eh_cie){ .code_align = eh_uleb(&c), .pointer_encoding = EH_PE_ABSPTR };
	cie->data_align = eh_sleb(&c);
	column = version == 1 ? eh_byte(&c) : eh_uleb(&c);
	if (c.failed || column != 16 || (version != 1 && version != 3 && version != 4))
		return false;
	if (letters[0] == 'z') {
		uint64_t len = eh_uleb(&c);
		struct eh_cursor data = c;

		eh_skip(&c, len);
		if (c.failed)
			return false;
		data.end = c.at;
		cie->augmented = true;
		augmentation_parse(letters + 1, data, cie);
	} else if (letters[0] != '\0') {
		return false; /* without 'z' nobody knows where the program starts */
	}
	cie->program = c;
	return !c.failed;
}

bool eh_parse_fde(uintptr_t address, uintptr_t low, uintptr_t high, struct eh_fde *fde)
{
	struct eh_cursor c;
	uintptr_t id_at;
	uint64_t id;
	bool terminator;

	if (!entry_open(address, low, high, &c, &terminator))
		return false;
	id_at = (uintptr_t)c.at;
	id = eh_unsigned(&c, 4);
	if (c.failed || id == 0 || id > id_at - low || !cie_parse(id_at - id, low, high, &fde->cie))
		return false;
	fde->address = address;
	fde->start = eh_pointer(&c, fde->cie.pointer_encoding, 0);
	fde->end = fde->start + eh_pointer(&c, fde->cie.pointer_encoding & 0x0f, 0);
	fde->from = fde->start;
	fde->to = fde->end;
	if (fde->cie.augmented)
		eh_skip(&c, eh_uleb(&c));
	fde->program = c;
	return !c.failed && fde->end > fde->start;
}

/* The search for pc compared it with `start`: other pcs find the same only on the same side of it. */
static void narrow(uintptr_t pc, uintptr_t start, uintptr_t *from, uintptr_t *to)
{
	if (start <= pc)
		*from = start > *from ? start : *from;
	else
		*to = start < *to ? start : *to;
}

/*
 * Binary search over (function start, FDE address) pairs, both counted from the header. In a table
 * that is not sorted some pcs are not found, but all in [*from, *to) as pc is.
 */
static enum eh_result search_sorted(const struct module *m, struct eh_cursor table, uint64_t count,
				    uintptr_t pc, uintptr_t *fde, uintptr_t *from, uintptr_t *to)
{
	uintptr_t base = m->eh_frame_hdr, first = (uintptr_t)table.at;
	uint64_t low = 0, high = count;

	*from = 0;
	*to = UINTPTR_MAX;

	if (count > eh_left(&table) / EH_TABLE_ENTRY)
		return EH_BAD;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		uintptr_t start;
		int32_t offset;

		if (!peek_copy(&offset, first + middle * EH_TABLE_ENTRY, sizeof(offset)))
			return EH_BAD;
		start = base + (uintptr_t)(intptr_t)offset;
		narrow(pc, start, from, to);
		if (start <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return EH_NONE;
	table.at += (low - 1) * EH_TABLE_ENTRY + 4;
	if (!peek_ok((uintptr_t)table.at, 4))
		return EH_BAD;
	*fde = base + (uintptr_t)eh_signed(&table, 4);
	return EH_FOUND;
}

/* One entry after the other, for a module whose linker made no table. The first that covers pc. */
__attribute__((noinline)) static enum eh_result
search_all(const struct module *m, uintptr_t section, uintptr_t pc, struct eh_fde *fde)
{
	uintptr_t at = section, from = 0, to = UINTPTR_MAX;

	for (int i = 0; i < EH_SCAN_MAX; i++) {
		struct eh_cursor entry;
		bool terminator;

		if (!entry_open(at, m->load_start, m->load_end, &entry, &terminator))
			return terminator ? EH_NONE : EH_BAD;
		if (eh_parse_fde(at, m->load_start, m->load_end, fde)) {
			narrow(pc, fde->start, &from, &to);
			narrow(pc, fde->end, &from, &to);
			if (pc >= fde->start && pc < fde->end) {
				fde->from = from;
				fde->to = to;
				return EH_FOUND;
			}
		}
		at = (uintptr_t)entry.end;
	}
	return EH_BAD;
}

/* Apart from eh_find, so that its locals are off the stack again when the program runs. */
__attribute__((noinline)) static enum eh_result find_fde(const struct module *m, uintptr_t pc,
							 struct eh_fde *fde)
{
	struct eh_cursor c = eh_cursor_over(m->eh_frame_hdr, m->eh_frame_hdr + m->eh_frame_hdr_len);
	uint8_t version, section_encoding, count_encoding, table_encoding;
	enum eh_result result;
	uintptr_t section, at, from, to;
	uint64_t count;

	if (m->eh_frame_hdr == 0)
		return EH_NONE;
	if (m->eh_frame_hdr < m->load_start || m->eh_frame_hdr >= m->load_end ||
	    m->eh_frame_hdr_len > m->load_end - m->eh_frame_hdr || m->eh_frame_hdr_len < 4 ||
	    !peek_ok(m->eh_frame_hdr, m->eh_frame_hdr_len < 32 ? m->eh_frame_hdr_len : 32))
		return EH_BAD;
	version = eh_byte(&c);
	section_encoding = eh_byte(&c);
	count_encoding = eh_byte(&c);
	table_encoding = eh_byte(&c);
	if (version != 1 || section_encoding == EH_PE_OMIT)
		return EH_BAD;
	section = eh_pointer(&c, section_encoding, m->eh_frame_hdr);
	if (c.failed)
		return EH_BAD;
	if (count_encoding == EH_PE_OMIT || table_encoding != (EH_PE_DATAREL | EH_PE_SDATA4))
		return search_all(m, section, pc, fde);
	count = eh_pointer(&c, count_encoding, m->eh_frame_hdr);
	if (c.failed)
		return EH_BAD;
	result = search_sorted(m, c, count, pc, &at, &from, &to);
	if (result != EH_FOUND)
		return result;
	if (!eh_parse_fde(at, m->load_start, m->load_end, fde))
		return EH_BAD;
	narrow(pc, fde->start, &from, &to);
	narrow(pc, fde->end, &from, &to);
	fde->from = from;
	fde->to = to;
	return pc >= fde->start && pc < fde->end ? EH_FOUND : EH_NONE;
}

enum eh_result eh_find(const struct module *m, uintptr_t pc, struct eh_rule *rule)
{
	enum eh_result result = find_fde(m, pc, &rule->work.fde);

	if (result != EH_FOUND)
		return result;
	return eh_run(&rule->work.fde, pc, rule) ? EH_FOUND : EH_BAD;
}
