#include "tools/cmd/library.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/base/errors.h"

bool library_find(char library[PATH_MAX], bool quiet)
{
	static const char *const places[] = { LIBRARY, "../lib/reqprof/" LIBRARY };
	const char *named = getenv("REQPROF_LIB");
	char self[PATH_MAX];
	ssize_t len;

	if (named && *named) {
		if (realpath(named, library) && !access(library, R_OK))
			return true;
		if (!quiet)
			errors_say("REQPROF_LIB: %s: %s", named, strerror(errno));
		return false;
	}
	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len > 0) {
		self[len] = '\0';
		*(strrchr(self, '/') + 1) = '\0';
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			char path[PATH_MAX + 32];

			snprintf(path, sizeof(path), "%s%s", self, places[i]);
			if (realpath(path, library) && !access(library, R_OK))
				return true;
		}
	}
	if (!quiet)
		errors_say(
			LIBRARY
			" is neither beside this program nor in ../lib/reqprof (set REQPROF_LIB to where it is)");
	return false;
}
