/* The calling thread hands work to threads of pools, or is one and takes it up. The functions are track.h's. */
#ifndef REQPROF_TRACK_HANDING_H
#define REQPROF_TRACK_HANDING_H

struct turn;

/* The turn's thread ends: what its tasks gave away and nobody knows whose it is stays nobody's. */
void handing_forget(struct turn *turn);
void handing_postfork_child(void);

#endif
