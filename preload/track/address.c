#include "preload/track/address.h"

#include <arpa/inet.h>
#include <string.h>

static size_t address_port(char *text, size_t at, uint16_t port)
{
	char digits[5];
	size_t n = 0;

	text[at++] = ':';
	do
		digits[n++] = (char)('0' + port % 10);
	while (port /= 10);
	while (n > 0)
		text[at++] = digits[--n];
	text[at] = '\0';
	return at;
}

bool address_format(const struct request_address *address, char text[ADDRESS_TEXT_MAX])
{
	text[0] = '\0';
	switch (address->u.any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &address->u.in.sin_addr, text, ADDRESS_TEXT_MAX);
		address_port(text, strlen(text), ntohs(address->u.in.sin_port));
		return true;
	case AF_INET6:
		text[0] = '[';
		inet_ntop(AF_INET6, &address->u.in6.sin6_addr, text + 1, INET6_ADDRSTRLEN);
		strcat(text, "]");
		address_port(text, strlen(text), ntohs(address->u.in6.sin6_port));
		return true;
	case AF_UNIX:
		memcpy(text, "unix", sizeof("unix"));
		return true;
	default:
		return false;
	}
}
