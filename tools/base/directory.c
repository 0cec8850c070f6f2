#include "tools/base/directory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/base/errors.h"

static int make_one(const char *path)
{
	struct stat st;

	if (!mkdir(path, 0700))
		return 0;
	if (errno != EEXIST)
		return errno;
	if (stat(path, &st))
		return errno;
	return S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
}

int directory_make(const char *path)
{
	int error = make_one(path);
	struct stat st;
	char *copy;

	/* a link that leads nowhere is not mended by making its parents */
	if (error != ENOENT || !lstat(path, &st))
		return error;
	if (!*path)
		return ENOENT;
	error = 0;
	copy = errors_strdup(path);
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (*copy)
			error = make_one(copy);
		*slash = '/';
		if (error)
			break;
	}
	free(copy);
	return error ? error : make_one(path);
}
