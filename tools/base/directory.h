/* The output directory. */
#ifndef REQPROF_TOOLS_BASE_DIRECTORY_H
#define REQPROF_TOOLS_BASE_DIRECTORY_H

/*
 * Makes it (mode 0700) with its parents, as the library would. 0 when it is there in the end, or an
 * errno: ENOTDIR when something else has its name, ENOENT also for a link that leads nowhere.
 */
int directory_make(const char *path);

#endif
