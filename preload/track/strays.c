#include "preload/track/strays.h"

#include "preload/track/connection.h"
#include "preload/track/current.h"
#include "preload/track/holds.h"
#include "preload/track/self.h"
#include "preload/track/track.h"

bool track_pools; /* atomic: a thread has answered what another one read, or not in the order that it began them in */

/* So many requests that began with another one's answer have been answered by the same thread next: it is not by chance. */
enum { STRAYS_OWN_MIN = 32 };
static uint32_t strays_own; /* atomic: how many have */

void strays_begin(bool handed)
{
	if (track_self.turn || track_self.stray || !track_callbacks->stray_begins ||
	    (!handed && !__atomic_load_n(&track_pools, __ATOMIC_RELAXED)))
		return;
	if (track_self.current)
		track_callbacks->paused(track_self.current);
	track_self.stray = track_callbacks->stray_begins(handed);
	if (track_self.current && !track_self.stray)
		track_callbacks->resumed(track_self.current);
}

void strays_end(struct request *r)
{
	if (!track_self.stray)
		return;
	track_self.stray = false;
	track_callbacks->stray_ends(r, __atomic_load_n(&track_requests_open, __ATOMIC_RELAXED) > 0);
}

/* Maybe it goes on with r. The stray holds it then. */
static void strays_hold(struct request *r)
{
	if (!track_self.stray || track_self.current || !r->profiled || !holds_take(r))
		return;
	request_ref(r);
	track_self.current = r;
}

bool strays_begun(struct request *r)
{
	if (track_self.turn || track_self.stray || track_self.current || !r->profiled ||
	    !track_callbacks->stray_begins ||
	    __atomic_load_n(&strays_own, __ATOMIC_RELAXED) >= STRAYS_OWN_MIN)
		return false;
	current_let_go_of_ended();
	strays_begin(true);
	strays_hold(r);
	return track_self.stray;
}

/* It was the thread's own work, as it would be without pools. */
static bool strays_was_own(struct request *r)
{
	if (!track_self.stray || track_self.current != r || __atomic_load_n(&track_pools, __ATOMIC_RELAXED))
		return false;
	__atomic_add_fetch(&strays_own, 1, __ATOMIC_RELAXED);
	request_ref(r);
	current_take_up(r, false);
	return true;
}

void strays_answered(struct request *r)
{
	if (track_self.turn || !track_callbacks->stray_begins || !__atomic_load_n(&r->begun, __ATOMIC_ACQUIRE))
		return;
	if (r->reader != &track_self || (track_self.stray && track_self.current && track_self.current != r))
		__atomic_store_n(&track_pools, true, __ATOMIC_RELAXED);
	if (strays_was_own(r))
		return;
	if (track_self.stray) {
		strays_end(r);
		track_self.stray = track_callbacks->stray_begins(false);
	} else if (track_self.current == r || r->reader == &track_self) {
		return;
	}
	if (track_self.current != r)
		current_put_down();
	strays_begin(false);
	strays_hold(r);
}

void track_goes_on(void)
{
	strays_begin(false);
}
