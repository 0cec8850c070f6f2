/* Network addresses as text, without stdio or locale. */
#ifndef REQPROF_TRACK_ADDRESS_H
#define REQPROF_TRACK_ADDRESS_H

#include <stdbool.h>

#include "preload/track/request.h"

enum { ADDRESS_TEXT_MAX = 64 };

/* "192.0.2.1:80", "[2001:db8::1]:80", "unix"; false (and "") when it is not known. */
bool address_format(const struct request_address *address, char text[ADDRESS_TEXT_MAX]);

#endif
