/* Colour on standard output: only on a terminal, and as NO_COLOR, CLICOLOR_FORCE and TERM say. */
#ifndef REQPROF_TOOLS_BASE_COLOUR_H
#define REQPROF_TOOLS_BASE_COLOUR_H

#include "tools/base/options.h"

enum colour { COLOUR_PLAIN, COLOUR_BOLD, COLOUR_DIM, COLOUR_RED, COLOUR_YELLOW, COLOUR_CYAN };

/* --color auto|always|never: an OPTION_TABLE row for a command's table. */
extern const struct option_row colour_rows[];

/* The sequence that begins this colour, or "" when there is to be none. COLOUR_PLAIN ends it. */
const char *colour(enum colour which);
/* Is a terminal there, so that lines should fit? Its columns, or 0. */
unsigned colour_columns(void);

#endif
