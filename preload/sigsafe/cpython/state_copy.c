#include "preload/sigsafe/cpython/state_copy.h"

#include <errno.h>
#include <sys/uio.h>

#include "preload/sigsafe/cpython/load.h"
#include "preload/sigsafe/peek.h"
#include "preload/sigsafe/raw.h"

enum {
	INTERPRETERS_MAX = 32,
	VISITED_MAX = 128, /* thread states: 2 microseconds each */
};

size_t state_copy(struct state_copy *copies, const uintptr_t *addresses, size_t count)
{
	struct iovec local = { copies, count * sizeof(*copies) }, remote[STATE_COPIES_MAX];
	ssize_t got;
	size_t done = 0;

	for (size_t i = 0; i < count; i++)
		remote[i] = (struct iovec){ (void *)addresses[i], sizeof(*copies) };
	got = raw_process_vm_readv(raw_getpid(), &local, 1, remote, count);
	if (got >= 0)
		return (size_t)got / sizeof(*copies);
	if (got == -EFAULT)
		return 0;
	/* Forbidden by a sandbox: a page's proof and a load, with a gap between the two. */
	while (done < count && peek_copy(&copies[done], addresses[done], sizeof(*copies)))
		done++;
	return done;
}

static bool copy_one(struct state_copy *copy, uintptr_t address)
{
	return load_plausible(address) && state_copy(copy, &address, 1) == 1;
}

size_t state_copy_all(const struct runtime *runtime, uintptr_t interpreter,
		      bool (*visit)(void *argument, uintptr_t state, const struct state_copy *copy),
		      void *argument)
{
	const struct cpython_layout *layout = runtime->layout;
	struct state_copy copy;
	size_t visited = 0;

	for (size_t i = 0; i < INTERPRETERS_MAX && copy_one(&copy, interpreter); i++) {
		uintptr_t next = state_copy_word(&copy, layout->interpreter.next);
		uintptr_t state = state_copy_word(&copy, layout->interpreter.threads);

		while (visited < VISITED_MAX && copy_one(&copy, state)) {
			visited++;
			/* Else the list was changed under us and this is something else. */
			if (state_copy_word(&copy, layout->thread.interpreter) == interpreter &&
			    !visit(argument, state, &copy))
				return visited;
			state = state_copy_word(&copy, layout->thread.next);
		}
		interpreter = next;
	}
	return visited;
}
