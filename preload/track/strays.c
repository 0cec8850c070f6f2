#include "preload/track/strays.h"

#include "preload/track/connection.h"
#include "preload/track/current.h"
#include "preload/track/holds.h"
#include "preload/track/self.h"
#include "preload/track/track.h"

bool track_pools; /* atomic: a thread has answered what another one read */

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

void strays_answered(struct request *r)
{
	if (track_self.turn || !track_callbacks->stray_begins || !__atomic_load_n(&r->begun, __ATOMIC_ACQUIRE))
		return;
	if (r->reader != &track_self)
		__atomic_store_n(&track_pools, true, __ATOMIC_RELAXED);
	if (track_self.stray) {
		strays_end(r);
		track_self.stray = track_callbacks->stray_begins(false);
	} else if (track_self.current == r || r->reader == &track_self) {
		return;
	}
	if (track_self.current != r)
		current_put_down();
	strays_begin(false);
	if (!track_self.stray || track_self.current || !r->profiled || !holds_take(r))
		return;
	/* Maybe it goes on with it. */
	request_ref(r);
	track_self.current = r;
}

void track_goes_on(void)
{
	strays_begin(false);
}
