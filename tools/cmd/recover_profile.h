/* One request of a live file becomes a profile, as the library would have written it. */
#ifndef REQPROF_TOOLS_CMD_RECOVER_PROFILE_H
#define REQPROF_TOOLS_CMD_RECOVER_PROFILE_H

#include "format/profile.h"
#include "tools/cmd/recover_request.h"

/* Writes the profile to the sink. 0 or -errno. */
int recover_profile_write(const struct recover_request *r, profile_sink sink, void *arg);

#endif
