#include "preload/sample/usage.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "preload/ours.h"
#include "preload/sigsafe/raw.h"

/* "RAN QUEUED SLICES", nanoseconds both (Documentation/scheduler/sched-stats.rst of the kernel). */
static bool usage_queued(struct usage_source *source, uint64_t *queued_ns)
{
	char text[96];
	ssize_t got;
	int at = 0;

	if (!source->tried) {
		source->tried = true;
		ours_take(raw_open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC, 0),
			  &source->fd);
	}
	if (source->fd <= 0)
		return false;
	got = raw_pread(source->fd, text, sizeof(text), 0);
	while (at < got && text[at] != ' ')
		at++;
	*queued_ns = 0;
	for (at++; at < got && text[at] >= '0' && text[at] <= '9'; at++)
		*queued_ns = *queued_ns * 10 + (uint64_t)(text[at] - '0');
	return got > 0;
}

void usage_read(struct usage_source *source, struct usage *usage)
{
	struct rusage counted;

	uint64_t switches;

	*usage = (struct usage){ 0 };
	if (raw_syscall3(SYS_getrusage, RUSAGE_THREAD, (long)&counted, 0) < 0)
		return;
	/* Time in the queue is added when the thread comes back to a CPU, that is, after a switch. */
	switches = (uint64_t)counted.ru_nvcsw + (uint64_t)counted.ru_nivcsw;
	if (!source->known || source->switches != switches) {
		source->known = usage_queued(source, &source->queued_ns);
		source->switches = switches;
	}
	usage->queued_known = source->known;
	usage->queued_ns = source->known ? source->queued_ns : 0;
	usage->major_faults = (uint64_t)counted.ru_majflt;
	usage->faults = (uint64_t)counted.ru_minflt + usage->major_faults;
	usage->preempted = (uint64_t)counted.ru_nivcsw;
}

void usage_close(struct usage_source *source)
{
	if (source->fd > 0)
		ours_close(&source->fd);
	*source = (struct usage_source){ 0 };
}

struct usage usage_since(const struct usage *before, const struct usage *now)
{
	struct usage since = {
		.queued_known = before->queued_known && now->queued_known,
		.faults = now->faults - before->faults,
		.major_faults = now->major_faults - before->major_faults,
		.preempted = now->preempted - before->preempted,
	};

	if (since.queued_known)
		since.queued_ns = now->queued_ns - before->queued_ns;
	return since;
}
