#include "preload/sigsafe/monotonic.h"

int (*monotonic_clock)(clockid_t clock, struct timespec *now) = clock_gettime;
