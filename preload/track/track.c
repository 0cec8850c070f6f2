#include "preload/track/track.h"

#include "preload/track/connection.h"
#include "preload/track/current.h"
#include "preload/track/endpoints.h"
#include "preload/track/handing.h"
#include "preload/track/self.h"
#include "preload/track/sessions.h"
#include "preload/track/turns.h"

void track_start(const struct track_callbacks *cb)
{
	track_callbacks = cb;
}

void track_thread_ends(void)
{
	if (current_has_work())
		current_quiet();
	turns_leave();
}

unsigned track_postfork_child(void)
{
	unsigned lost = track_self.current != NULL;

	track_self.current = track_self.ended = NULL;
	track_self.parked = track_self.stray = false;
	track_self.turn = NULL; /* its events are the parent's */
	track_self.tid = 0;
	track_requests_open = track_requests_alive = 0;
	connection_postfork_child();
	sessions_postfork_child();
	turns_postfork_child();
	endpoints_postfork_child();
	handing_postfork_child();
	return lost;
}
