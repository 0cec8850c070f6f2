/*
 * What the loader says of one module, as struct module. Pure but for reading the module's own
 * memory.
 */
#ifndef REQPROF_SIGSAFE_MODULE_SCAN_H
#define REQPROF_SIGSAFE_MODULE_SCAN_H

#include <stdbool.h>

#include "preload/sigsafe/modules.h"

struct dl_phdr_info;

/*
 * Fills all of *m but path and is_main. False when it has no executable segment. Call where the
 * module cannot go away: inside dl_iterate_phdr.
 */
bool module_scan(const struct dl_phdr_info *info, struct module *m);

#endif
