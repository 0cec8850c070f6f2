#include "preload/track/self.h"

__thread struct track_self track_self;
const struct track_callbacks *track_callbacks;
uint32_t track_requests_open;
uint32_t track_requests_alive;
