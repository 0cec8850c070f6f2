/* Children, commands, ends of processes, modules: statuses, and what is handed on. See conform.h. */
#include "tests/programs/conform.h"

#include <dlfcn.h>
#include <sched.h>
#include <spawn.h>

pid_t __wait(int *);
pid_t __waitpid(pid_t, int *, int);
pid_t __vfork(void);

extern char **environ;

static pid_t child;

enum { EXITS = 3, KILLED = 4, STOPPED = 5, LATER = 6 };

static void child_make(int kind)
{
	child = fork();
	if (child < 0)
		fatal("fork");
	if (child > 0)
		return;
	burn(1);
	if (kind == KILLED)
		raise(SIGTERM);
	if (kind == STOPPED)
		raise(SIGSTOP);
	if (kind == LATER)
		pause_ms(400);
	_exit(kind);
}

static void say_status(int how)
{
	if (WIFEXITED(how))
		say("  exited %d\n", WEXITSTATUS(how));
	else if (WIFSIGNALED(how))
		say("  killed by %d\n", WTERMSIG(how));
	else if (WIFSTOPPED(how))
		say("  stopped by %d\n", WSTOPSIG(how));
	else
		say("  goes on: %d\n", WIFCONTINUED(how));
}

static void nothing(void *unused)
{
	(void)unused;
}

/* show() says numbers; a child's is told by name. */
static long which(pid_t got)
{
	return got == child ? 1 : got;
}

/* The arguments of those that wait. */
static int state, *status = &state, options;
enum { ANY = -1 };

#define WAITING(name, ...)                                                  \
	do {                                                                \
		status = &state;                                            \
		options = 0;                                                \
		CASE(name)                                                  \
		show("no child", name(__VA_ARGS__));                        \
		child_make(EXITS);                                          \
		show("one that exits", which(name(__VA_ARGS__)));           \
		say_status(state);                                          \
		child_make(KILLED);                                         \
		show("one that is killed", which(name(__VA_ARGS__)));       \
		say_status(state);                                          \
		child_make(LATER);                                          \
		alarm_waiting(0);                                           \
		show("a signal", name(__VA_ARGS__));                        \
		say("  signals %d\n", (int)alarms);                         \
		alarm_waiting(SA_RESTART);                                  \
		show("a signal with SA_RESTART", which(name(__VA_ARGS__))); \
		say_status(state);                                          \
		child_make(EXITS);                                          \
		status = NULL;                                              \
		show("without a status", which(name(__VA_ARGS__)));         \
		child_make(EXITS);                                          \
		status = BAD_ADDRESS;                                       \
		show("bad address", name(__VA_ARGS__));                     \
		signal(SIGCHLD, SIG_IGN);                                   \
		status = &state;                                            \
		child_make(EXITS);                                          \
		show("children are ignored", name(__VA_ARGS__));            \
		signal(SIGCHLD, SIG_DFL);                                   \
	} while (0)

#define WAITING_FOR(name, ...)                               \
	do {                                                 \
		WAITING(name, __VA_ARGS__);                  \
		options = WNOHANG;                           \
		child_make(LATER);                           \
		show("not yet", name(__VA_ARGS__));          \
		options = 0x7777;                            \
		show("bad options", name(__VA_ARGS__));      \
		options = 0;                                 \
		show("then", which(name(__VA_ARGS__)));      \
		child_make(STOPPED);                         \
		options = WUNTRACED;                         \
		show("stopped", which(name(__VA_ARGS__)));   \
		say_status(state);                           \
		kill(child, SIGCONT);                        \
		options = WCONTINUED;                        \
		show("continued", which(name(__VA_ARGS__))); \
		if (WIFCONTINUED(state))                     \
			(void)name(__VA_ARGS__);             \
		say_status(state);                           \
	} while (0)

static void waiting(void)
{
	struct rusage usage;
	int fd;
	siginfo_t info;

	WAITING(wait, status);
	WAITING(__wait, status);
	WAITING_FOR(waitpid, ANY, status, options);
	WAITING_FOR(__waitpid, ANY, status, options);
	WAITING_FOR(wait3, status, options, NULL);
	WAITING_FOR(wait4, ANY, status, options, NULL);
	CASE(waitpid)
	show("not a child", waitpid(1, &state, 0));
	show("no such group", waitpid(-77777, &state, 0));
	show("the smallest number", waitpid(-2147483647 - 1, &state, 0));
	child_make(EXITS);
	show("this one", which(waitpid(child, &state, 0)));
	show("again", waitpid(child, &state, 0));
	CASE(wait4)
	child_make(EXITS);
	show("with its usage", which(wait4(child, &state, 0, &usage)));
	say("  it had memory: %d\n", usage.ru_maxrss > 0);
	child_make(EXITS);
	show("bad address for the usage", wait4(child, &state, 0, BAD_ADDRESS));
	CASE(wait3)
	child_make(EXITS);
	show("with its usage", which(wait3(&state, 0, &usage)));

	CASE(waitid)
	show("no child", waitid(P_ALL, 0, &info, WEXITED));
	show("no options", waitid(P_ALL, 0, &info, 0));
	show("bad type", waitid((idtype_t)77, 0, &info, WEXITED));
	child_make(EXITS);
	show("look", waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
	say("  code %d status %d, the child's %d\n", info.si_code, info.si_status,
	    info.si_pid == child);
	show("take", waitid(P_ALL, 0, &info, WEXITED));
	child_make(LATER);
	info.si_pid = 77;
	show("not yet", waitid(P_ALL, 0, &info, WEXITED | WNOHANG));
	say("  pid %d\n", (int)info.si_pid);
	fd = (int)syscall(SYS_pidfd_open, child, 0);
	show_interrupted("wait", nothing, NULL, waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	say("  code %d status %d\n", info.si_code, info.si_status);
	close(fd);
	child_make(KILLED);
	show("without information", waitid(P_PID, (id_t)child, NULL, WEXITED));
	child_make(EXITS);
	show("bad address", waitid(P_PID, (id_t)child, BAD_ADDRESS, WEXITED));
}

/* ---- commands, and what they inherit: mask, actions, descriptors, environment */

/* The library itself is in the environment; it is told by what else is there. */
static const char inherits[] =
	"grep -E '^Sig(Blk|Ign|Cgt|Pnd)' /proc/self/status; ls /proc/self/fd | wc -l; "
	"echo A=$CONFORM_A; ulimit -n >/dev/null; exit 9";

/* But for 50: that the host ignores it, the library's own signal, is not handed on by exec. */
static void signals_unusual(bool unusual)
{
	sigset_t set;

	sigemptyset(&set);
	for (int number = 34; unusual && number <= 64; number += 4)
		sigaddset(&set, number);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	for (int number = 36; number <= 64; number += 4)
		signal(number, unusual ? SIG_IGN : SIG_DFL);
	errno = ERRNO_BEFORE;
}

static void limit_files(rlim_t count)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = count;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		fatal("setrlimit");
	errno = ERRNO_BEFORE;
}

static void commands(void)
{
	char line[200];
	FILE *stream;

	setenv("CONFORM_A", "b", 1);
	CASE(system)
	show("is there a shell", system(NULL));
	show("nothing", system(""));
	show("exits", system("exit 3"));
	show("is killed", system("kill -TERM $$"));
	show("is not found", system("/no/such/command 2>/dev/null"));
	show("what it inherits", system(inherits));
	signals_unusual(true);
	show("what it inherits now", system(inherits));
	signals_unusual(false);
	alarm_soon(0);
	say("  a signal meanwhile: %d\n", system("sleep 0.4")); /* errno is whatever it met */
	say("  signals %d\n", (int)alarms);
	signal(SIGCHLD, SIG_IGN);
	show("children are ignored", system("exit 3"));
	signal(SIGCHLD, SIG_DFL);

	CASE(popen)
	show("bad mode", popen("true", "x") == NULL);
	show("no descriptors left", (limit_files(3), popen("true", "r") == NULL));
	limit_files(256);
	stream = popen("exit 4", "re");
	show("close-on-exec", fcntl(fileno(stream), F_GETFD));
	show("exits", pclose(stream));
	CASE(pclose)
	stream = popen("echo one; echo two; exit 5", "r");
	while (fgets(line, sizeof(line), stream))
		say("  %s", line);
	show("exits", pclose(stream));
	stream = popen("cat >/dev/null; sleep 0.4; kill -KILL $$", "w");
	fputs("x\n", stream);
	alarm_soon(0);
	show("is killed, a signal meanwhile", pclose(stream));
	say("  signals %d\n", (int)alarms);
	stream = popen("exit 0", "r");
	wait(&state);
	show("was waited for", pclose(stream));
}

static void spawned(const char *what, int result)
{
	say("  %s: %d\n", what, result);
	if (result)
		return;
	waitpid(child, &state, 0);
	say_status(state);
}

static void spawning(void)
{
	char *const arguments[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char *)inherits, NULL };
	char *const missing[] = { (char[]){ "missing" }, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t how;
	sigset_t all;

	CASE(posix_spawn)
	signals_unusual(true);
	spawned("posix_spawn", posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 30, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, 30, 31);
	posix_spawn_file_actions_addclosefrom_np(&actions, 31);
	spawned("with actions", posix_spawn(&child, "/bin/sh", &actions, NULL, arguments, environ));
	posix_spawnattr_init(&how);
	sigfillset(&all);
	posix_spawnattr_setsigdefault(&how, &all);
	sigemptyset(&all);
	posix_spawnattr_setsigmask(&how, &all);
	posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
					       POSIX_SPAWN_SETPGROUP);
	CASE(posix_spawnp)
	spawned("missing", posix_spawnp(&child, "missing", NULL, NULL, missing, environ));
	spawned("with signals", posix_spawnp(&child, "sh", NULL, &how, arguments, environ));
	spawned("missing", posix_spawn(&child, "/missing", NULL, NULL, missing, environ));
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&how);
	signals_unusual(false);
}

#define FORKING(name)                                                                \
	do {                                                                         \
		CASE(name)                                                           \
		shared = 1;                                                          \
		child = name();                                                      \
		if (child == 0) {                                                    \
			sigset_t now;                                                \
                                                                                     \
			shared = 2;                                                  \
			burn(5);                                                     \
			pthread_sigmask(SIG_BLOCK, NULL, &now);                      \
			_exit(10 * (errno == ERRNO_BEFORE) + sigismember(&now, 50)); \
		}                                                                    \
		waitpid(child, &state, 0);                                           \
		say_status(state);                                                   \
		say("  our memory: %d\n", shared);                                   \
		request_resume();                                                    \
		burn(5);                                                             \
	} while (0)

static volatile int shared;

pid_t __fork(void);
int __clone(int (*)(void *), void *, int, void *, ...);

/* ---- without libc's handlers: by number, and with a stack of the child's own */

static pid_t fork_by_number(void)
{
	return (pid_t)syscall(SYS_fork);
}

static pid_t clone_by_number(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
}

static pid_t clone3_by_number(void)
{
	uint64_t words[8] = { [4] = SIGCHLD };

	return (pid_t)syscall(SYS_clone3, words, sizeof(words));
}

static int cloned(void *argument)
{
	shared = 2;
	burn(5);
	return *(int *)argument;
}

/* In our memory, but with descriptors of its own. */
static int cloned_as_vfork(void *argument)
{
	int wrong = close(request_server) != 0 || close(request_client) != 0;

	shared = 3 + wrong;
	return *(int *)argument;
}

#define CLONING(name)                                                                       \
	do {                                                                                \
		static char stack[65536] __attribute__((aligned(16)));                      \
		int status_wanted = 7;                                                      \
                                                                                            \
		CASE(name)                                                                  \
		show("no function", name(NULL, stack + sizeof(stack), SIGCHLD, NULL));      \
		show("no stack", name(cloned, NULL, SIGCHLD, NULL));                        \
		show("bad flags", name(cloned, stack + sizeof(stack), CLONE_SIGHAND, NULL)); \
		shared = 1;                                                                 \
		child = name(cloned, stack + sizeof(stack), SIGCHLD, &status_wanted);       \
		waitpid(child, &state, 0);                                                  \
		say_status(state);                                                          \
		say("  our memory: %d\n", shared);                                          \
		child = name(cloned_as_vfork, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, \
			     &status_wanted);                                               \
		waitpid(child, &state, 0);                                                  \
		say_status(state);                                                          \
		say("  our memory, shared: %d\n", shared);                                  \
		request_resume();                                                           \
		burn(5);                                                                    \
	} while (0)

static void forking(void)
{
	sigset_t ours;

	FORKING(_Fork);
	FORKING(fork_by_number);
	FORKING(clone_by_number);
	FORKING(clone3_by_number);
	CLONING(clone);
	CLONING(__clone);
	FORKING(fork);
	FORKING(__fork);
	sigemptyset(&ours);
	sigaddset(&ours, 50);
	pthread_sigmask(SIG_BLOCK, &ours, NULL);
	FORKING(fork);
	pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
}

/* ---- children in their parent's memory */

static int pipes[2];

/* All that one may do there, and some that one may not but does. */
static void vfork_child(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t all;
	char byte = 'v';
	int wrong = 0;

	for (int number = 1; number <= 64; number++)
		if (number != SIGKILL && number != SIGSTOP && number != 32 && number != 33)
			wrong += sigaction(number, &action, NULL) != 0;
	sigfillset(&all);
	wrong += sigprocmask(SIG_SETMASK, &all, NULL) != 0;
	wrong += write(pipes[1], &byte, 1) != 1;
	wrong += dup2(pipes[1], 40) != 40;
	wrong += fcntl(40, F_SETFD, FD_CLOEXEC) != 0;
	wrong += send(request_client, &byte, 1, 0) != 1;
	wrong += read(request_server, &byte, 1) != 1;
	wrong += close(request_server) != 0;
	wrong += close_range(41, ~0u, 0) != 0;
	closefrom(3);
	shared = 70 + wrong;
}

#define VFORKING(name)                                                 \
	do {                                                           \
		char byte;                                             \
                                                                       \
		CASE(name)                                             \
		shared = 0;                                            \
		if (pipe2(pipes, O_CLOEXEC))                           \
			fatal("pipe");                                 \
		child = name();                                        \
		if (child == 0) {                                      \
			vfork_child();                                 \
			_exit(6);                                      \
		}                                                      \
		waitpid(child, &state, 0);                             \
		say_status(state);                                     \
		say("  the child in our memory: %d\n", shared);        \
		show("its byte", read(pipes[0], &byte, 1));            \
		request_resume();                                      \
		burn(5);                                               \
		show("ours are open", fcntl(request_server, F_GETFD)); \
		show("40 is not", fcntl(40, F_GETFD));                 \
		child = name();                                        \
		if (child == 0) {                                      \
			vfork_child();                                 \
			execl("/bin/sh", "sh", "-c", inherits, NULL);  \
			_exit(7);                                      \
		}                                                      \
		waitpid(child, &state, 0);                             \
		say_status(state);                                     \
		child = name();                                        \
		if (child == 0) {                                      \
			execl("/no/such/command", "x", NULL);          \
			shared = errno;                                \
			_exit(8);                                      \
		}                                                      \
		waitpid(child, &state, 0);                             \
		say_status(state);                                     \
		say("  the child's errno %d\n", shared);               \
		close(pipes[0]);                                       \
		close(pipes[1]);                                       \
	} while (0)

/* ---- ends */

static void says_goodbye(void)
{
	printf("  goodbye\n");
}

static void *ends_all(void *arg)
{
	if (arg)
		_Exit(43);
	_exit(42);
}

#define ENDING(name, with)                                                             \
	do {                                                                           \
		CASE(name)                                                             \
		for (int way = 0; way < 4; way++) {                                    \
			fflush(stdout);                                                \
			child = fork();                                                \
			if (child == 0) {                                              \
				pthread_t thread;                                      \
                                                                                       \
				atexit(says_goodbye);                                  \
				printf("  never written\n");                           \
				if (way == 1)                                          \
					request_begin();                               \
				if (way == 2) {                                        \
					pthread_create(&thread, NULL, ends_all, with); \
					pause();                                       \
				}                                                      \
				name(way == 3 ? 0x1234 : 41);                          \
			}                                                              \
			waitpid(child, &state, 0);                                     \
			say_status(state);                                             \
		}                                                                      \
	} while (0)

/* ---- modules */

static void modules(void)
{
	void *handle, *again;

	CASE(dlclose)
	handle = dlopen("libresolv.so.2", RTLD_NOW | RTLD_LOCAL);
	show("open", handle != NULL);
	again = dlopen("libresolv.so.2", RTLD_NOW | RTLD_NOLOAD);
	show("open already", again == handle);
	show("close", dlclose(handle));
	show("close", dlclose(again));
	for (int i = 0; i < 20; i++) {
		handle = dlopen("libresolv.so.2", RTLD_NOW | RTLD_LOCAL);
		burn(1);
		if (dlclose(handle))
			say("  wrong\n");
	}
	show("no handle", dlclose((void *)&handle));
	say("  %s\n", dlerror() ? "says why" : "does not say why");
	show("missing", dlopen("/no/such/module.so", RTLD_NOW) == NULL);
	say("  %s\n", dlerror());
}

int main(void)
{
	request_begin();
	waiting();
	commands();
	spawning();
	forking();
	VFORKING(vfork);
	VFORKING(__vfork);
	ENDING(_exit, NULL);
	ENDING(_Exit, &pipes);
	modules();
	request_finish();
	return 0;
}
