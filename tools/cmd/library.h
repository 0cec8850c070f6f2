/* Where libreqprof.so is. */
#ifndef REQPROF_TOOLS_CMD_LIBRARY_H
#define REQPROF_TOOLS_CMD_LIBRARY_H

#include <limits.h>
#include <stdbool.h>

#define LIBRARY "libreqprof.so"

/* $REQPROF_LIB, or beside this program (a build tree), or where `make install` puts it. False after
 * saying why, unless quiet. */
bool library_find(char library[PATH_MAX], bool quiet);

#endif
