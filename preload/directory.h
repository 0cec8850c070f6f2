/* The output directory. */
#ifndef REQPROF_PRELOAD_DIRECTORY_H
#define REQPROF_PRELOAD_DIRECTORY_H

/* Makes the directory and those above it, mode 0700, where missing. 0 when it exists now, or -errno. */
int directory_make(const char *path);

#endif
