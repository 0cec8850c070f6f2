/*
 * Our signal in the masks of the host's signalfds. A tick that is held off while its thread waits in
 * read() or poll() would come out of one, or make it look readable. So our number is none of theirs,
 * until the host shows that it uses that number itself: then they all have it, as the host said.
 * The descriptors are remembered from the start, since most are made before the signal is chosen.
 * Every function may be called in any thread and in signal handlers, and keeps errno.
 */
#ifndef REQPROF_SAMPLE_SIGNAL_FDS_H
#define REQPROF_SAMPLE_SIGNAL_FDS_H

#include <stdint.h>

/* Masks are the kernel's 64 bits. What the kernel is to be given of the mask that the host wants. */
uint64_t signal_fds_mask(uint64_t wanted);
/* The host has this one now, for the signals that it wanted. */
void signal_fds_made(int fd, uint64_t wanted);

/* The signal has its number now. */
void signal_fds_hide(void);
/* The host uses that number itself. */
void signal_fds_show(void);

#endif
