/* System V's semaphores and messages: the kernel does not restart them after any signal. */
#include <sys/msg.h>
#include <sys/sem.h>

#include "preload/hook/guard.h"
#include "preload/hook/real.h"
#include "preload/hook/waiting.h"

EXPORT int semop(int set, struct sembuf *operations, size_t count)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_semop(set, operations, count);
	waiting_kind(&w, WAIT_LOCK, "semaphore");
	return result;
}

EXPORT int semtimedop(int set, struct sembuf *operations, size_t count,
		      const struct timespec *limit)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_semtimedop(set, operations, count, limit);
	waiting_kind(&w, WAIT_LOCK, "semaphore");
	return result;
}

EXPORT int msgsnd(int queue, const void *message, size_t size, int flags)
{
	struct wait w;
	int result;

	waiting_begin(&w);
	result = libc_msgsnd(queue, message, size, flags);
	waiting_kind(&w, WAIT_OTHER, "message queue");
	return result;
}

EXPORT ssize_t msgrcv(int queue, void *message, size_t size, long type, int flags)
{
	struct wait w;
	ssize_t result;

	waiting_begin(&w);
	result = libc_msgrcv(queue, message, size, type, flags);
	waiting_kind(&w, WAIT_OTHER, "message queue");
	return result;
}
