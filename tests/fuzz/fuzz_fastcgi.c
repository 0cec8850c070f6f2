/* Any bytes as FastCGI records, and as an answer to one. */
#include "tests/fuzz/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const char asked[] =
		"\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0\1\4\0\1\0\0\0\0\1\5\0\1\0\0\0\0";

	return message_fuzz(WIRE_FASTCGI, bytes, size, asked, sizeof(asked) - 1);
}
