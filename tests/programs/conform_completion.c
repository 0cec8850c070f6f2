/* Reads, writes and look-ups of names that other threads of libc's do, and waiting for them. See conform.h. */
#include "tests/programs/conform.h"

#include <aio.h>
#include <netdb.h>
#include <sys/stat.h>

static char buf[16];
static const struct timespec second = { 1, 0 };

static int aio_ended(const struct aiocb *work)
{
	int error;

	while ((error = aio_error(work)) == EINPROGRESS)
		pause_ms(1);
	return error;
}

#define SUSPENDING(name, type)                                                                 \
	do {                                                                                   \
		struct type work = { .aio_buf = buf, .aio_nbytes = 4 };                        \
		const struct type *list[] = { NULL, &work };                                   \
		const struct timespec limit = { 0, 20000000 }, bad = { 0, 1000000000 };        \
		int ends[2];                                                                   \
                                                                                               \
		if (pipe2(ends, O_CLOEXEC))                                                    \
			fatal("pipe");                                                         \
		work.aio_fildes = ends[0];                                                     \
		CASE(name)                                                                     \
		show("a count below 0", name(list, -1, &limit));                               \
		show("nothing", name(list, 1, &limit));                                        \
		if (aio_read((struct aiocb *)&work))                                           \
			fatal("aio_read");                                                     \
		show("no time left", name(list, 2, &limit));                                   \
		show("a bad time", name(list, 2, &bad));                                       \
		alarm_waiting(SA_RESTART);                                                     \
		show("a signal with SA_RESTART, and a limit", name(list, 2, &second));         \
		say("  signals %d\n", (int)alarms);                                            \
		show_interrupted("without a limit", later_write, &ends[1], name(list, 2, NULL)); \
		show("how it ended", aio_ended((struct aiocb *)&work));                        \
		show("its result", aio_return((struct aiocb *)&work));                         \
		say("  got %.4s\n", buf);                                                      \
		show("done before", name(list, 2, &limit));                                    \
		close(ends[0]);                                                                \
		close(ends[1]);                                                                \
	} while (0)

static void reads(void)
{
	SUSPENDING(aio_suspend, aiocb);
	SUSPENDING(aio_suspend64, aiocb64);
}

static int names_ended(struct gaicb *work)
{
	int error;

	while ((error = gai_error(work)) == EAI_INPROGRESS)
		pause_ms(1);
	return error;
}

/* A file of aliases that nobody writes stops the look-up of a name without dots; where it does not, no name is waited for. */
static bool name_hangs(struct gaicb *work)
{
	static char place[] = "/tmp/conform.XXXXXX", fifo[sizeof(place) + 8];
	struct gaicb *list[] = { work };
	bool hangs;

	if (!mkdtemp(place))
		fatal("mkdtemp");
	snprintf(fifo, sizeof(fifo), "%s/aliases", place);
	if (mkfifo(fifo, 0600) || setenv("HOSTALIASES", fifo, 1) ||
	    getaddrinfo_a(GAI_NOWAIT, list, 1, NULL))
		fatal("getaddrinfo_a");
	pause_ms(200);
	hangs = gai_error(work) == EAI_INPROGRESS;
	unlink(fifo);
	rmdir(place);
	return hangs;
}

static void names(void)
{
	struct gaicb number = { .ar_name = "127.0.0.1" }, hangs = { .ar_name = "reqprof-waits" };
	struct gaicb *asked[] = { &number };
	const struct gaicb *list[] = { NULL, &number }, *waiting[] = { &hangs };
	const struct timespec limit = { 0, 20000000 };

	CASE(gai_suspend)
	show("nothing", gai_suspend(list, 1, &limit));
	show("asked", getaddrinfo_a(GAI_NOWAIT, asked, 1, NULL));
	show("how it ended", names_ended(&number));
	show("done before", gai_suspend(list, 2, NULL));
	freeaddrinfo(number.ar_result);
	if (!name_hangs(&hangs)) {
		say("  no name to wait for\n");
		return;
	}
	show("no time left", gai_suspend(waiting, 1, &limit));
	alarm_waiting(0);
	show("a signal", gai_suspend(waiting, 1, NULL));
	say("  signals %d\n", (int)alarms);
	alarm_waiting(SA_RESTART);
	show("a signal with SA_RESTART, and a limit", gai_suspend(waiting, 1, &second));
	say("  signals %d\n", (int)alarms);
}

int main(void)
{
	request_begin();
	reads();
	names();
	request_finish();
	return 0;
}
