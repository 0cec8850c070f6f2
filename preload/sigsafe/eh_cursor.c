#include "preload/sigsafe/eh_cursor.h"

enum { LEB_BYTES_MAX = 10 };

void eh_skip(struct eh_cursor *c, uint64_t bytes)
{
	if (eh_left(c) < bytes)
		c->failed = true;
	else
		c->at += bytes;
}

static uint64_t leb(struct eh_cursor *c, bool is_signed)
{
	uint64_t value = 0;
	unsigned shift = 0;

	for (int i = 0; i < LEB_BYTES_MAX; i++, shift += 7) {
		uint8_t byte = eh_byte(c);

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (is_signed && byte & 0x40 && shift + 7 < 64)
			value |= ~(uint64_t)0 << (shift + 7);
		return value;
	}
	c->failed = true;
	return 0;
}

uint64_t eh_uleb(struct eh_cursor *c)
{
	return leb(c, false);
}

int64_t eh_sleb(struct eh_cursor *c)
{
	return (int64_t)leb(c, true);
}

static uint64_t pointer_value(struct eh_cursor *c, uint8_t format)
{
	switch (format) {
	case 0x00: /* DW_EH_PE_absptr */
	case 0x04: /* udata8 */
	case 0x0c: /* sdata8 */
		return eh_unsigned(c, 8);
	case 0x01:
		return eh_uleb(c);
	case 0x02:
		return eh_unsigned(c, 2);
	case 0x03:
		return eh_unsigned(c, 4);
	case 0x09:
		return (uint64_t)eh_sleb(c);
	case 0x0a:
		return (uint64_t)eh_signed(c, 2);
	case 0x0b:
		return (uint64_t)eh_signed(c, 4);
	default:
		c->failed = true;
		return 0;
	}
}

uintptr_t eh_pointer(struct eh_cursor *c, uint8_t encoding, uintptr_t data)
{
	uintptr_t field = (uintptr_t)c->at;
	uint64_t value = pointer_value(c, encoding & 0x0f);

	switch (encoding & 0xf0) {
	case EH_PE_ABSPTR:
		return value;
	case EH_PE_PCREL:
		return field + value;
	case EH_PE_DATAREL:
		if (data != 0)
			return data + value;
		break;
	default:
		break;
	}
	c->failed = true;
	return 0;
}
