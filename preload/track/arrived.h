/* How long the first bytes of a request lay in the kernel before the host read them. */
#ifndef REQPROF_TRACK_ARRIVED_H
#define REQPROF_TRACK_ARRIVED_H

#include <stdbool.h>
#include <stdint.h>

/*
 * fd has just been read from, at read_ns (CLOCK_MONOTONIC; now_ns is the time now). False when that
 * cannot be told: no TCP socket. What the kernel tells is the time since the last segment came, in
 * its own ticks of 1 to 10 ms: so *waited_ns may be a tick off, and is less than the truth where
 * more of the request came meanwhile. A time in the accept queue is part of it. Asking changes
 * nothing about the socket.
 */
bool arrived_before(int fd, uint64_t read_ns, uint64_t now_ns, uint64_t *waited_ns);

#endif
