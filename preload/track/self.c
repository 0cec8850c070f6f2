#include "preload/track/self.h"

#include <time.h>

__thread struct track_self track_self;
const struct track_callbacks *track_callbacks;
uint32_t track_requests_open;
uint32_t track_requests_alive;

uint64_t track_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
