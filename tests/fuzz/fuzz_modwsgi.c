/* Any bytes as what mod_wsgi sends to its daemon, and as an answer to one. */
#include "tests/fuzz/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const char asked[] = "\10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				    "0\r\n\r\n";

	return message_fuzz(WIRE_MODWSGI, bytes, size, asked, sizeof(asked) - 1);
}
