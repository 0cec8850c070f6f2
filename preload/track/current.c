#include "preload/track/current.h"

#include "preload/track/connection.h"
#include "preload/track/holds.h"
#include "preload/track/self.h"
#include "preload/track/strays.h"
#include "preload/track/track.h"
#include "preload/track/turns.h"

struct request *track_current(void)
{
	return track_self.current;
}

struct request *current_working_for(void)
{
	return track_self.turn ? turn_working_for(track_self.turn, track_callbacks->turn_task()) : track_self.current;
}

bool current_has_work(void)
{
	return track_callbacks && (track_self.current || track_self.ended || track_self.stray || (track_self.turn && track_self.turn->running));
}

void current_unpark(void)
{
	struct request *r = track_self.current;
	bool kept;

	if (!track_self.parked)
		return;
	track_self.parked = false;
	kept = holds_take(r);
	if (!track_self.stray)
		track_callbacks->unparked(r, kept);
	if (kept)
		return;
	track_self.current = NULL;
	request_unref(r);
}

void current_put_down(void)
{
	struct request *r;

	current_unpark();
	r = track_self.current;
	if (!r)
		return;
	track_self.current = NULL;
	if (!track_self.stray)
		track_callbacks->paused(r);
	holds_drop(r);
	request_unref(r);
}

void current_let_go_of_ended(void)
{
	struct request *r = track_self.ended;

	track_self.ended = NULL;
	if (r) {
		holds_release(r);
		request_unref(r);
	}
}

/* After each step of its connection: a head may come in pieces. */
static void current_tell_head(struct request *r)
{
	if (r->head_told || r->in.any.stage == WIRE_HEAD)
		return;
	r->head_told = true;
	track_callbacks->head(r);
}

void current_take_up(struct request *r, bool begins)
{
	if (track_self.stray) {
		strays_end(begins ? NULL : r);
		if (track_self.current == r)
			track_callbacks->resumed(r);
	}
	if (track_self.current == r)
		current_tell_head(r);
	if (track_self.current == r || !__atomic_load_n(&r->begun, __ATOMIC_ACQUIRE) ||
	    !request_is_open(r) || !holds_take(r)) {
		request_unref(r);
		return;
	}
	if (turns_look_for_loop(false)) {
		current_put_down();
		current_let_go_of_ended();
		holds_drop(r);
		turns_event(r, false, true, false);
		return;
	}
	current_put_down();
	current_let_go_of_ended();
	/* Without a profile nobody asks who works for it, and a thread that ends would not let go of it. */
	if (!r->profiled) {
		holds_drop(r);
		request_unref(r);
		return;
	}
	track_self.current = r;
	track_self.blocked = false;
	track_callbacks->resumed(r);
	current_tell_head(r);
}

void current_notice_ended(void)
{
	current_unpark();
	if (track_self.current && request_has_ended(track_self.current)) {
		current_put_down();
		strays_begin(false);
	}
}

void current_quiet(void)
{
	if (track_self.turn)
		turns_end();
	strays_end(NULL);
	current_put_down();
	current_let_go_of_ended();
}

bool track_parks(void)
{
	if (track_self.turn)
		return track_self.turn->running && track_self.turn->count > 0 && !track_self.turn->asleep;
	return track_self.current && !track_self.parked && track_callbacks->parked;
}

void track_park(void)
{
	struct request *r = track_self.current;

	if (track_self.turn) {
		turns_sleep();
		return;
	}
	track_self.blocked = true;
	if (!track_self.stray)
		track_callbacks->parked(r);
	track_self.parked = true;
	holds_drop(r);
}

void track_woken(void)
{
	if (track_self.turn)
		turns_woken();
	else
		current_unpark();
}
