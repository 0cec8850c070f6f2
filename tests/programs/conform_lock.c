/* Locks, conditions, semaphores, and the ends of threads: results, and who goes on when. See conform.h. */
#include "tests/programs/conform.h"

#include <limits.h>
#include <dlfcn.h>
#include <semaphore.h>

/* Names that old programs are bound to and new ones cannot be linked with. */
static int (*__pthread_mutex_lock)(pthread_mutex_t *);
static int (*__pthread_rwlock_rdlock)(pthread_rwlock_t *);
static int (*__pthread_rwlock_wrlock)(pthread_rwlock_t *);

static void old_names(void)
{
	*(void **)&__pthread_mutex_lock =
		dlvsym(RTLD_DEFAULT, "__pthread_mutex_lock", "GLIBC_2.2.5");
	*(void **)&__pthread_rwlock_rdlock =
		dlvsym(RTLD_DEFAULT, "__pthread_rwlock_rdlock", "GLIBC_2.2.5");
	*(void **)&__pthread_rwlock_wrlock =
		dlvsym(RTLD_DEFAULT, "__pthread_rwlock_wrlock", "GLIBC_2.2.5");
	if (!__pthread_mutex_lock || !__pthread_rwlock_rdlock || !__pthread_rwlock_wrlock)
		fatal("dlvsym");
}

static struct timespec after_ms(clockid_t clock, int milliseconds)
{
	struct timespec at;

	clock_gettime(clock, &at);
	at.tv_nsec += milliseconds * 1000000L;
	at.tv_sec += at.tv_nsec / 1000000000;
	at.tv_nsec %= 1000000000;
	return at;
}

/* ---- another thread does one thing at a time, when told */

static struct {
	pthread_t thread;
	int told[2], says[2];
} other;

typedef void deed(void *with);

struct order {
	deed *does;
	void *with;
};

static void *other_run(void *unused)
{
	struct order order;

	(void)unused;
	while (read(other.told[0], &order, sizeof(order)) == sizeof(order) && order.does) {
		order.does(order.with);
		if (write(other.says[1], "d", 1) != 1)
			fatal("other");
	}
	return NULL;
}

static void other_start(void)
{
	if (pipe2(other.told, O_CLOEXEC) || pipe2(other.says, O_CLOEXEC) ||
	    pthread_create(&other.thread, NULL, other_run, NULL))
		fatal("other");
}

/* Does not wait until it is done. */
static void other_told(deed *does, void *with)
{
	struct order order = { does, with };

	if (write(other.told[1], &order, sizeof(order)) != sizeof(order))
		fatal("other");
}

static void other_done(void)
{
	char byte;

	if (read(other.says[0], &byte, 1) != 1)
		fatal("other");
}

static void other_does(deed *does, void *with)
{
	other_told(does, with);
	other_done();
}

static void other_end(void)
{
	struct order order = { NULL, NULL };

	if (write(other.told[1], &order, sizeof(order)) != sizeof(order))
		fatal("other");
	pthread_join(other.thread, NULL);
	for (int i = 0; i < 2; i++) {
		close(other.told[i]);
		close(other.says[i]);
	}
}

/* ---- mutexes */

static void unlocks(void *mutex)
{
	pthread_mutex_unlock(mutex);
}

static void locks(void *mutex)
{
	pthread_mutex_lock(mutex);
}

static void unlocks_later(void *mutex)
{
	pause_ms(40);
	pthread_mutex_unlock(mutex);
}

static pthread_mutex_t mutex_make(int type, int robust, int protocol)
{
	pthread_mutexattr_t how;
	pthread_mutex_t mutex;

	pthread_mutexattr_init(&how);
	pthread_mutexattr_settype(&how, type);
	pthread_mutexattr_setrobust(&how, robust);
	pthread_mutexattr_setprotocol(&how, protocol);
	if (pthread_mutex_init(&mutex, &how))
		fatal("mutex");
	return mutex;
}

static void *locks_and_ends(void *mutex)
{
	show("lock and end", pthread_mutex_lock(mutex));
	return NULL;
}

static void owner_dies(pthread_mutex_t *mutex)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, locks_and_ends, mutex))
		fatal("pthread_create");
	pthread_join(thread, NULL);
}

#define MUTEX(name, ...)                                                                           \
	do {                                                                                       \
		pthread_mutex_t m = mutex_make(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED,    \
					       PTHREAD_PRIO_NONE);                                 \
                                                                                                   \
		CASE(name)                                                                         \
		show("errorcheck", name(__VA_ARGS__));                                             \
		show("again", name(__VA_ARGS__));                                                  \
		show("unlock", pthread_mutex_unlock(&m));                                          \
		show("unlock again", pthread_mutex_unlock(&m));                                    \
		m = mutex_make(PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE); \
		show("recursive", name(__VA_ARGS__));                                              \
		show("again", name(__VA_ARGS__));                                                  \
		show("unlock", pthread_mutex_unlock(&m));                                          \
		show("unlock", pthread_mutex_unlock(&m));                                          \
		show("unlock", pthread_mutex_unlock(&m));                                          \
		for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT;           \
		     protocol++) {                                                                 \
			m = mutex_make(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, protocol);     \
			other_does(locks, &m);                                                     \
			show("try another's", pthread_mutex_trylock(&m));                          \
			other_told(unlocks_later, &m);                                             \
			show("wait", name(__VA_ARGS__));                                           \
			other_done();                                                              \
			show("unlock", pthread_mutex_unlock(&m));                                  \
			m = mutex_make(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, protocol);      \
			owner_dies(&m);                                                            \
			show("its owner is dead", name(__VA_ARGS__));                              \
			show("repaired", pthread_mutex_consistent(&m));                            \
			show("unlock", pthread_mutex_unlock(&m));                                  \
			owner_dies(&m);                                                            \
			show("dead again", name(__VA_ARGS__));                                     \
			show("not repaired", pthread_mutex_unlock(&m));                            \
			show("lost", name(__VA_ARGS__));                                           \
		}                                                                                  \
	} while (0)

static void mutexes(void)
{
	static const struct timespec bad = { 0, 1000000000 };
	pthread_mutex_t plain;
	struct timespec at, soon = after_ms(CLOCK_REALTIME, 600000);
	struct timespec soon_monotonic = after_ms(CLOCK_MONOTONIC, 600000);

	MUTEX(pthread_mutex_lock, &m);
	MUTEX(__pthread_mutex_lock, &m);
	MUTEX(pthread_mutex_timedlock, &m, &soon);
	MUTEX(pthread_mutex_clocklock, &m, CLOCK_MONOTONIC, &soon_monotonic);

	CASE(pthread_mutex_timedlock)
	plain = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	show("a bad time, free", pthread_mutex_timedlock(&plain, &bad));
	show("a bad time, one's own", pthread_mutex_timedlock(&plain, &bad));
	at = after_ms(CLOCK_REALTIME, 20);
	show("until too late", pthread_mutex_timedlock(&plain, &at));
	show("it is too late", pthread_mutex_timedlock(&plain, &at));
	CASE(pthread_mutex_clocklock)
	at = after_ms(CLOCK_MONOTONIC, 20);
	show("until too late", pthread_mutex_clocklock(&plain, CLOCK_MONOTONIC, &at));
	show("bad clock", pthread_mutex_clocklock(&plain, CLOCK_THREAD_CPUTIME_ID, &at));

	CASE(pthread_mutex_lock)
	pthread_mutex_unlock(&plain);
	other_does(locks, &plain);
	alarm_soon(0);
	other_told(unlocks_later, &plain);
	show("a signal meanwhile", pthread_mutex_lock(&plain));
	say("  signals %d\n", (int)alarms);
	other_done();
}

/* ---- read-write locks */

static int had_to_write;

static void writes(void *lock)
{
	had_to_write = pthread_rwlock_wrlock(lock);
	pthread_rwlock_unlock(lock);
}

static void has_to_write(void *lock)
{
	pthread_rwlock_wrlock(lock);
}

static void rwlock_unlocks_later(void *lock)
{
	pause_ms(40);
	pthread_rwlock_unlock(lock);
}

#define READING(name)                                                                   \
	do {                                                                            \
		CASE(name)                                                              \
		show("read", name(&lock));                                              \
		show("read twice", name(&lock));                                        \
		show("try to write", pthread_rwlock_trywrlock(&lock));                  \
		other_told(writes, &lock);                                              \
		pause_ms(30);                                                           \
		show("read while one wants to write", pthread_rwlock_tryrdlock(&lock)); \
		if (kinds[kind] != PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) {      \
			show("the same, waiting", name(&lock));                         \
			show("unlock", pthread_rwlock_unlock(&lock));                   \
			pthread_rwlock_unlock(&lock);                                   \
		}                                                                       \
		show("unlock", pthread_rwlock_unlock(&lock));                           \
		show("unlock", pthread_rwlock_unlock(&lock));                           \
		other_done();                                                           \
		say("  the other had it to write: %d\n", had_to_write);                 \
		other_does(has_to_write, &lock);                                        \
		other_told(rwlock_unlocks_later, &lock);                                \
		show("wait for a writer", name(&lock));                                 \
		other_done();                                                           \
		show("unlock", pthread_rwlock_unlock(&lock));                           \
	} while (0)

#define WRITING(name)                                            \
	do {                                                     \
		CASE(name)                                       \
		show("write", name(&lock));                      \
		show("write twice", name(&lock));                \
		show("read, too", pthread_rwlock_rdlock(&lock)); \
		show("unlock", pthread_rwlock_unlock(&lock));    \
		other_does(has_to_write, &lock);                 \
		alarm_soon(0);                                   \
		other_told(rwlock_unlocks_later, &lock);         \
		show("wait, a signal meanwhile", name(&lock));   \
		say("  signals %d\n", (int)alarms);              \
		other_done();                                    \
		show("unlock", pthread_rwlock_unlock(&lock));    \
	} while (0)

static void rwlocks(void)
{
	static const int kinds[] = { PTHREAD_RWLOCK_PREFER_READER_NP,
				     PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP };

	for (int kind = 0; kind < 2; kind++) {
		pthread_rwlock_t lock;
		pthread_rwlockattr_t how;

		pthread_rwlockattr_init(&how);
		pthread_rwlockattr_setkind_np(&how, kinds[kind]);
		if (pthread_rwlock_init(&lock, &how))
			fatal("rwlock");
		READING(pthread_rwlock_rdlock);
		READING(__pthread_rwlock_rdlock);
		WRITING(pthread_rwlock_wrlock);
		WRITING(__pthread_rwlock_wrlock);
	}
}

/* ---- conditions */

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void signals_later(void *unused)
{
	(void)unused;
	pause_ms(40);
	pthread_mutex_lock(&guard);
	pthread_cond_signal(&condition);
	pthread_mutex_unlock(&guard);
}

static void waits_and_says(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&guard);
	pthread_cond_wait(&condition, &guard);
	say("  the other woke, too\n");
	pthread_mutex_unlock(&guard);
}

#define CONDITION(name, ...)                                                                   \
	do {                                                                                   \
		pthread_mutex_t checks = mutex_make(PTHREAD_MUTEX_ERRORCHECK,                  \
						    PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE); \
		pthread_mutex_t *mutex = &guard;                                               \
                                                                                               \
		CASE(name)                                                                     \
		pthread_mutex_lock(&guard);                                                    \
		other_told(signals_later, NULL);                                               \
		show("wait", name(__VA_ARGS__));                                               \
		show("the mutex", pthread_mutex_trylock(&guard));                              \
		other_done();                                                                  \
		alarm_soon(0);                                                                 \
		other_told(signals_later, NULL);                                               \
		show("wait, a signal meanwhile", name(__VA_ARGS__));                           \
		say("  signals %d\n", (int)alarms);                                            \
		pthread_mutex_unlock(&guard);                                                  \
		other_done();                                                                  \
		mutex = &checks;                                                               \
		show("a mutex of nobody's", name(__VA_ARGS__));                                \
		other_told(waits_and_says, NULL);                                              \
		pause_ms(30);                                                                  \
		pthread_mutex_lock(&guard);                                                    \
		show("broadcast", pthread_cond_broadcast(&condition));                         \
		pthread_mutex_unlock(&guard);                                                  \
		other_done();                                                                  \
	} while (0)

static void conditions(void)
{
	static const struct timespec bad = { 0, -1 };
	struct timespec late = after_ms(CLOCK_REALTIME, 600000), at;
	struct timespec late_monotonic = after_ms(CLOCK_MONOTONIC, 600000);

	CONDITION(pthread_cond_wait, &condition, mutex);
	CONDITION(pthread_cond_timedwait, &condition, mutex, &late);
	CONDITION(pthread_cond_clockwait, &condition, mutex, CLOCK_MONOTONIC, &late_monotonic);

	pthread_mutex_lock(&guard);
	CASE(pthread_cond_timedwait)
	show("a bad time", pthread_cond_timedwait(&condition, &guard, &bad));
	at = after_ms(CLOCK_REALTIME, 20);
	show("until too late", pthread_cond_timedwait(&condition, &guard, &at));
	show("the mutex", pthread_mutex_trylock(&guard));
	show("it is too late", pthread_cond_timedwait(&condition, &guard, &at));
	CASE(pthread_cond_clockwait)
	show("bad clock",
	     pthread_cond_clockwait(&condition, &guard, CLOCK_PROCESS_CPUTIME_ID, &at));
	at = after_ms(CLOCK_MONOTONIC, 20);
	show("until too late", pthread_cond_clockwait(&condition, &guard, CLOCK_MONOTONIC, &at));
	show("the mutex", pthread_mutex_trylock(&guard));
	pthread_mutex_unlock(&guard);
}

/* ---- semaphores: the one kind of lock that a signal ends the wait for */

static sem_t *semaphore; /* in shared memory */

static void posts(void *unused)
{
	(void)unused;
	sem_post(semaphore);
}

static void posting_handler(int number)
{
	(void)number;
	sem_post(semaphore);
}

#define SEMAPHORE(name, ...)                                              \
	do {                                                              \
		CASE(name)                                                \
		sem_init(semaphore, 0, 1);                                \
		show("free", name(__VA_ARGS__));                          \
		show("try", sem_trywait(semaphore));                      \
		show_interrupted("wait", posts, NULL, name(__VA_ARGS__)); \
		signal(SIGUSR1, posting_handler);                         \
		raise(SIGUSR1);                                           \
		show("posted by a handler", name(__VA_ARGS__));           \
		sem_init(semaphore, 1, 0);                                \
		if (fork() == 0) {                                        \
			pause_ms(20);                                     \
			_exit(sem_post(semaphore));                       \
		}                                                         \
		show("a child's", name(__VA_ARGS__));                     \
		wait(NULL);                                               \
	} while (0)

static void semaphores(void)
{
	static const struct timespec bad = { 0, 1000000000 };
	struct timespec late = after_ms(CLOCK_REALTIME, 600000), at;
	struct timespec late_monotonic = after_ms(CLOCK_MONOTONIC, 600000);

	semaphore = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (semaphore == MAP_FAILED)
		fatal("mmap");
	SEMAPHORE(sem_wait, semaphore);
	SEMAPHORE(sem_timedwait, semaphore, &late);
	SEMAPHORE(sem_clockwait, semaphore, CLOCK_MONOTONIC, &late_monotonic);
	CASE(sem_post)
	sem_init(semaphore, 0, INT_MAX);
	show("too often", sem_post(semaphore));
	sem_init(semaphore, 0, 0);
	show("once", sem_post(semaphore));
	show("taken", sem_trywait(semaphore));
	CASE(sem_timedwait)
	show("a bad time", sem_timedwait(semaphore, &bad));
	at = after_ms(CLOCK_REALTIME, 20);
	show("until too late", sem_timedwait(semaphore, &at));
	sem_post(semaphore);
	show("late, but free", sem_timedwait(semaphore, &at));
	CASE(sem_clockwait)
	show("bad clock", sem_clockwait(semaphore, CLOCK_THREAD_CPUTIME_ID, &at));
	at = after_ms(CLOCK_MONOTONIC, 20);
	show("until too late", sem_clockwait(semaphore, CLOCK_MONOTONIC, &at));
}

/* ---- ends of threads */

static void *returns(void *arg)
{
	request_resume();
	burn(2);
	return arg;
}

static void *exits(void *arg)
{
	request_resume();
	pause_ms(30);
	pthread_exit(arg);
}

static void *joins_the_first(void *first)
{
	void *unused;

	show("each other", pthread_join(*(pthread_t *)first, &unused));
	return NULL;
}

static void ends(void)
{
	pthread_t thread, self = pthread_self();
	pthread_attr_t detached;
	void *value = NULL;

	CASE(pthread_create)
	pthread_attr_init(&detached);
	pthread_attr_setstacksize(&detached, (size_t)1 << 46);
	show("too large a stack", pthread_create(&thread, &detached, returns, NULL));
	pthread_attr_setstacksize(&detached, 65536);
	show("a small one", pthread_create(&thread, &detached, returns, (void *)76));
	show("join", pthread_join(thread, &value));
	say("  value %ld\n", (long)value);
	CASE(pthread_join)
	pthread_create(&thread, NULL, returns, (void *)77);
	show("one that returns", pthread_join(thread, &value));
	say("  value %ld\n", (long)value);
	pthread_create(&thread, NULL, exits, (void *)78);
	show("one that exits, later", pthread_join(thread, &value));
	say("  value %ld\n", (long)value);
	pthread_create(&thread, NULL, returns, (void *)79);
	show("without a value", pthread_join(thread, NULL));
	show("itself", pthread_join(self, NULL));
	pthread_create(&thread, NULL, joins_the_first, &thread);
	show("one that joins itself", pthread_join(thread, NULL));
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	pthread_create(&thread, &detached, exits, NULL);
	show("a detached one", pthread_join(thread, NULL));
	pause_ms(100);
	pthread_create(&thread, NULL, exits, (void *)80);
	alarm_soon(0);
	show("a signal meanwhile", pthread_join(thread, &value));
	say("  value %ld\n", (long)value);
}

int main(void)
{
	old_names();
	request_begin();
	other_start();
	mutexes();
	rwlocks();
	conditions();
	semaphores();
	other_end();
	ends();
	request_finish();
	return 0;
}
