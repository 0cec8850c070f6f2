/*
 * held: waits in each way, while another thread looks whether the library's signal is blocked meanwhile, as
 * it has to be where its clock may tick in the kernel: newer kernels end no call by such a tick, so that
 * counting the calls that end early (eintr) tells nothing there. The library's signal is the one real-time signal
 * that has a handler. Prints a line for each way, "held" or "open", or that it was not seen asleep.
 */
#include "tests/programs/waits.h"

enum { WAIT_US = 20000, TRIES = 100 };

/* Written by the thread that waits: how many ways it has begun and ended, so odd in one. */
static volatile unsigned moves;
static volatile int way, waiter;
/* Written by the other: ways that it is done with. */
static volatile bool seen[WAYS];

static void *waits_all(void *asking)
{
	struct waits w = { .client = -1, .asking = asking };

	waiter = (int)syscall(SYS_gettid);
	waits_begin(&w);
	for (int i = 0; i < WAYS; i++) {
		for (int t = 0; t < TRIES && !seen[i]; t++) {
			waits_resume(&w);
			burn(1);
			way = i;
			moves++;
			ways[i].wait(&w);
			moves++;
		}
	}
	way = WAYS;
	waits_end(&w);
	return NULL;
}

/* What the kernel says of the thread: is it asleep? */
static bool look(uint64_t *blocked, uint64_t *caught)
{
	char path[64], text[4096];
	const char *state, *mask, *handled;
	FILE *status;
	size_t got;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", waiter);
	status = fopen(path, "r");
	if (!status)
		return false;
	got = fread(text, 1, sizeof(text) - 1, status);
	fclose(status);
	text[got] = '\0';
	state = strstr(text, "\nState:\tS");
	mask = strstr(text, "\nSigBlk:\t");
	handled = strstr(text, "\nSigCgt:\t");
	if (!state || !mask || !handled)
		return false;
	*blocked = strtoull(mask + 9, NULL, 16);
	*caught = strtoull(handled + 9, NULL, 16);
	return true;
}

int main(void)
{
	const uint64_t real_time = ~UINT64_C(0) << 33; /* 34 and up: what glibc leaves to programs */
	const char *found[WAYS] = { NULL };
	uint64_t blocked, caught;
	pthread_t thread;

	waits_start(WAIT_US);
	if (pthread_create(&thread, NULL, waits_all, &asked[0]))
		fatal("pthread_create");
	while (way < WAYS) {
		unsigned before = moves;
		int i = way;

		/* Asleep twice on end in one and the same call: it was asleep in between. */
		if (!(before & 1) || seen[i] || !look(&blocked, &caught) || !look(&blocked, &caught) ||
		    moves != before) {
			pause_ms(1);
			continue;
		}
		caught &= real_time;
		found[i] = caught & blocked ? "held" : "open";
		if (!caught || caught & (caught - 1))
			found[i] = "not one real-time signal with a handler";
		seen[i] = true;
	}
	pthread_join(thread, NULL);
	for (int i = 0; i < WAYS; i++)
		say("%s: %s\n", ways[i].name, found[i] ? found[i] : "not seen asleep");
	return 0;
}
