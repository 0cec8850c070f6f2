/* Any bytes as AJP packets, and as an answer to one. */
#include "tests/fuzz/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const char asked[] = "\x12\x34\0\22\2\2\0\10HTTP/1.1\0\0\1/\0\377";

	return message_fuzz(WIRE_AJP, bytes, size, asked, sizeof(asked) - 1);
}
