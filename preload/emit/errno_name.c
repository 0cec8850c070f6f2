#include "preload/emit/errno_name.h"

#include <errno.h>
#include <stddef.h>

/* Those that perf_event_open and timer_create are documented to give. glibc's strerrorname_np is younger than the systems we run on. */
static const struct {
	int error;
	const char *name;
} names[] = {
	{ EPERM, "EPERM" },	{ EACCES, "EACCES" },	{ ENOSYS, "ENOSYS" },
	{ EMFILE, "EMFILE" },	{ ENFILE, "ENFILE" },	{ EBUSY, "EBUSY" },
	{ ENOMEM, "ENOMEM" },	{ EINVAL, "EINVAL" },	{ ENODEV, "ENODEV" },
	{ ENOENT, "ENOENT" },	{ EOPNOTSUPP, "EOPNOTSUPP" }, { E2BIG, "E2BIG" },
	{ ENOSPC, "ENOSPC" },	{ EAGAIN, "EAGAIN" },	{ ESRCH, "ESRCH" },
};

const char *errno_name(int error)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].error == error)
			return names[i].name;
	return "an error of another kind";
}
