/*
 * Our signal in the masks of the host's threads. On a sampled thread it is never blocked for long,
 * whatever the host sets, and the host reads back what it set. Masks also change with no call that we
 * see: a new thread inherits one, a handler runs under another, siglongjmp brings an old one back. Then
 * the neighbours of our number tell: who blocks all other real-time signals has blocked ours, too.
 * Everything here is about the calling thread, safe in signal handlers, and keeps errno.
 */
#ifndef REQPROF_SAMPLE_MASK_H
#define REQPROF_SAMPLE_MASK_H

#include <stdbool.h>
#include <stdint.h>

/* Masks are the kernel's 64 bits. */

/* Sampling of this thread begins: makes our signal deliverable. False when the thread has given it up. */
bool mask_watch(void);
/* Did the host use our number itself on this thread, blocked? Then it has it, and is not sampled. */
bool mask_given_up(void);

/* Does the host believe that it blocks our signal, when the kernel's mask is `now`? */
bool mask_host_blocks(uint64_t now);
/* The host asks for a change. In: the kernel's mask before. *set becomes what the kernel is to be
 * asked. Returns a value for mask_changed, to be called if the kernel agreed. */
uint64_t mask_wanted(int how, uint64_t now, uint64_t *set);
void mask_changed(int how, uint64_t now, uint64_t set, uint64_t wanted);

/*
 * Blocks our signal for a while on a thread that is watched; handlers of the host's that come meanwhile,
 * and its clean-up when the thread is cancelled, do not read it back. Gives what mask_release wants.
 */
bool mask_hold(void);
void mask_release(bool before);
/* The same, where the call itself sets a mask with our signal in it. Returns what it was before. */
bool mask_held_elsewhere(bool is);

/* The host sent itself our signal and blocks it: from now on it is really blocked, in *interrupted too. */
void mask_give_up(uint64_t *interrupted);

/* In a forked child, before it knows the signal: the host's mask for real. */
void mask_postfork_child(void);

#endif
