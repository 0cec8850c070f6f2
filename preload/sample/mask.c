#include "preload/sample/mask.h"

#include <signal.h>

#include "preload/sample/signal.h"
#include "preload/sigsafe/raw.h"

enum mask_state {
	MASK_FRESH,    /* as it was inherited: perhaps from a thread whose mask we edited */
	MASK_PLAIN,    /* the host has set it, and the kernel's is the host's */
	MASK_WATCHED,  /* our bit is out of it, `host_blocks` is the host's */
	MASK_GIVEN_UP, /* plain for good */
};

static __thread uint8_t state; /* enum mask_state */
static __thread bool host_blocks;
static __thread uint64_t seen; /* the kernel's mask after the last change that we saw */
static __thread bool held;     /* our bit is in the kernel's, and we put it there */

static uint64_t mask_bit(void)
{
	int number = signal_number();

	return number ? UINT64_C(1) << (number - 1) : 0;
}

/* 34 to 64; 32 and 33 are glibc's. */
static bool mask_neighbours(uint64_t now)
{
	const uint64_t realtime = ~UINT64_C(0) << 33;

	return ((now | mask_bit()) & realtime) == realtime;
}

/* Without what we hold back ourselves. */
static uint64_t mask_without_held(uint64_t now)
{
	return held && state == MASK_WATCHED ? now & ~mask_bit() : now;
}

bool mask_host_blocks(uint64_t now)
{
	uint64_t bit = mask_bit();

	now = mask_without_held(now);
	if (!bit || state == MASK_PLAIN || state == MASK_GIVEN_UP)
		return now & bit;
	if (state == MASK_FRESH)
		return (now & bit) || mask_neighbours(now);
	if (now == seen)
		return host_blocks;
	/* Really blocked: by a handler's own mask. */
	if (now & bit)
		return true;
	/* More than before: within a handler. Anything else was brought back. */
	return mask_neighbours(now) || ((now & seen) == seen && host_blocks);
}

uint64_t mask_wanted(int how, uint64_t now, uint64_t *set)
{
	uint64_t bit = mask_bit();
	bool member = *set & bit, blocks = mask_host_blocks(now);

	if (how == SIG_SETMASK)
		blocks = member;
	else if (member)
		blocks = how == SIG_BLOCK;
	if (state == MASK_WATCHED) {
		*set &= ~bit;
		/* A handler's mask holds it back, perhaps because its stack is small. */
		if (how == SIG_SETMASK)
			*set |= now & bit;
	} else if (state == MASK_FRESH && how == SIG_BLOCK && blocks) {
		*set |= bit; /* what it inherited in name becomes real */
	}
	return blocks;
}

void mask_changed(int how, uint64_t now, uint64_t set, uint64_t wanted)
{
	const uint64_t never =
		UINT64_C(3) << 31 | UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1);

	if (state == MASK_FRESH)
		state = MASK_PLAIN;
	if (state != MASK_WATCHED)
		return;
	set &= ~never;
	now = mask_without_held(now);
	seen = how == SIG_SETMASK ? set : how == SIG_BLOCK ? now | set : now & ~set;
	host_blocks = wanted;
}

bool mask_watch(void)
{
	uint64_t bit = mask_bit(), now = 0;

	if (!bit || state == MASK_GIVEN_UP)
		return false;
	held = false;
	if (raw_sigprocmask(SIG_UNBLOCK, &bit, &now) < 0)
		return false;
	host_blocks = mask_host_blocks(now);
	seen = now & ~bit;
	state = MASK_WATCHED;
	return true;
}

bool mask_given_up(void)
{
	return state == MASK_GIVEN_UP;
}

bool mask_hold(void)
{
	uint64_t bit = mask_bit();
	bool before = held;

	if (state == MASK_GIVEN_UP)
		return before;
	held = true;
	raw_sigprocmask(SIG_BLOCK, &bit, NULL);
	return before;
}

void mask_release(bool before)
{
	uint64_t bit = mask_bit();

	/* Nothing was held: the host's signal stays blocked. */
	if (state == MASK_GIVEN_UP)
		return;
	raw_sigprocmask(SIG_UNBLOCK, &bit, NULL);
	held = before;
}

bool mask_held_elsewhere(bool is)
{
	bool before = held;

	held = is;
	return before;
}

void mask_give_up(uint64_t *interrupted)
{
	*interrupted |= mask_bit();
	state = MASK_GIVEN_UP;
}

void mask_postfork_child(void)
{
	uint64_t bit = mask_bit(), now = 0;

	if (state == MASK_WATCHED && raw_sigprocmask(SIG_BLOCK, NULL, &now) == 0 &&
	    mask_host_blocks(now))
		raw_sigprocmask(SIG_BLOCK, &bit, NULL);
	if (state == MASK_WATCHED)
		state = MASK_PLAIN;
}
