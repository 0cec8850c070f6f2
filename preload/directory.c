#include "preload/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "preload/sigsafe/raw.h"

int directory_make(const char *path)
{
	char copy[PATH_MAX];
	size_t len = strlen(path);
	struct stat st;
	int result = raw_mkdirat(AT_FDCWD, path, 0700);

	if (result == -EEXIST) {
		/* Something of that name: a file, or a link that leads nowhere, will not do. */
		result = raw_fstatat(AT_FDCWD, path, &st, 0);
		return result < 0 ? result : S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	}
	if (result != -ENOENT || len >= sizeof(copy))
		return result;
	memcpy(copy, path, len + 1);
	for (size_t i = 1; i < len; i++) {
		if (copy[i] != '/')
			continue;
		copy[i] = '\0';
		result = raw_mkdirat(AT_FDCWD, copy, 0700);
		if (result < 0 && result != -EEXIST)
			return result;
		copy[i] = '/';
	}
	return raw_mkdirat(AT_FDCWD, path, 0700);
}
