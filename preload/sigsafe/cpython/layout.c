#include "preload/sigsafe/cpython/layout.h"

#include <stddef.h>

#include "preload/sigsafe/cpython/v3_10.h"
#include "preload/sigsafe/cpython/v3_11.h"
#include "preload/sigsafe/cpython/v3_12.h"
#include "preload/sigsafe/cpython/v3_13.h"
#include "preload/sigsafe/cpython/v3_14.h"
#include "preload/sigsafe/cpython/v3_15.h"
#include "preload/sigsafe/cpython/v3_8.h"
#include "preload/sigsafe/cpython/v3_9.h"

static const struct cpython_layout *const layouts[] = {
	&cpython_3_8, &cpython_3_9, &cpython_3_10, &cpython_3_11, &cpython_3_12, &cpython_3_13, &cpython_3_14, &cpython_3_15,
};

const struct cpython_layout *layout_find(unsigned major, unsigned minor)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (major == 3 && layouts[i]->minor == minor)
			return layouts[i];
	return NULL;
}
