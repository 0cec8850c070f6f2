/* The stack trees of the live file: live_take_tree and live_put_tree of live.h are here. */
#ifndef REQPROF_LIVE_TREE_H
#define REQPROF_LIVE_TREE_H

#include <stdint.h>

/* Trees come from this file from now on; path must stay. */
void tree_file(const char *path, uint64_t inode);
void tree_postfork_child(void);

#endif
