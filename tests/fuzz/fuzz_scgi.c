/* Any bytes as an SCGI request, and as an answer to one. */
#include "tests/fuzz/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const char asked[] = "19:CONTENT_LENGTH\0000\000,";

	return message_fuzz(WIRE_SCGI, bytes, size, asked, sizeof(asked) - 1);
}
