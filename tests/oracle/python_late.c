/*
 * An interpreter that appears late and privately: libpython is loaded RTLD_LOCAL, initialised later,
 * run, finished and closed, as a server's plugin would. Argument: path of a libpython. Prints TAP.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>
#include <unistd.h>

#include "preload/sigsafe/codes.h"
#include "preload/sigsafe/peek.h"
#include "preload/sigsafe/python.h"
#include "tests/unit/tap.h"

static const char *path;
static void *library;
static struct python_thread memory;
static struct python_frame frames[PYTHON_MAX];
static uintptr_t stack_high;
static size_t n;
static int samples;
static enum python_result result;

static void on_signal(int number, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	uintptr_t sp = (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];

	result = python_walk(&memory, sp, stack_high, frames, PYTHON_MAX, &n);
	samples++;
}

static void sample(void)
{
	memset(&memory, 0, sizeof(memory));
	python_touch(&memory);
	raise(SIGRTMIN + 3);
}

static void no_interpreter_is_none(void)
{
	python_find();
	CHECK_STR(python_version(), "none");
	sample();
	CHECK_INT(result, PYTHON_NONE);
}

static void one_not_initialised_is_none_too(void)
{
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	CHECK(library != NULL);
	CHECK(dlsym(RTLD_DEFAULT, "_PyRuntime") == NULL);
	python_find();
	CHECK_STR(python_version(), "none");
	sample();
	CHECK_INT(result, PYTHON_NONE);
}

static void it_is_found_once_initialised(void)
{
	void (*initialize)(int) = (void (*)(int))dlsym(library, "Py_InitializeEx");
	int (*run)(const char *) = (int (*)(const char *))dlsym(library, "PyRun_SimpleString");

	initialize(0);
	CHECK_STR(python_version(), "none");
	python_find();
	CHECK(python_version()[0] == '3' && python_version()[1] == '.');
	printf("# found %s\n", python_version());
	sample();
	CHECK_INT(result, PYTHON_NONE);
	samples = 0;
	run("import os, signal\ndef f(n):\n  if n: f(n - 1)\n  else: os.kill(os.getpid(), signal.SIGRTMIN + 3)\n"
	    "f(3)\n");
	CHECK_INT(samples, 1);
	CHECK_INT(result, PYTHON_OK);
	CHECK_INT(n, 5);
	if (n == 5) {
		CHECK_STR(codes_get(frames[0].code)->name.bytes, "f");
		CHECK_INT(codes_line(codes_get(frames[0].code), frames[0].lasti), 4);
		CHECK_INT(codes_line(codes_get(frames[1].code), frames[1].lasti), 3);
		CHECK_STR(codes_get(frames[4].code)->name.bytes, "<module>");
	}
}

static void one_finished_and_closed_is_survived(void)
{
	int (*finalize)(void) = (int (*)(void))dlsym(library, "Py_FinalizeEx");

	finalize();
	sample();
	CHECK_INT(result, PYTHON_NONE);
	/* As the hook of dlclose does. */
	python_withdraw();
	dlclose(library);
	peek_forget();
	sample();
	CHECK_INT(result, PYTHON_NONE);
	CHECK_STR(python_version(), "none");
	python_find();
	sample();
	CHECK_INT(result, PYTHON_NONE);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(no_interpreter_is_none),
		TAP_TEST(one_not_initialised_is_none_too),
		TAP_TEST(it_is_found_once_initialised),
		TAP_TEST(one_finished_and_closed_is_survived),
	};
	pthread_attr_t attr;
	void *low;
	size_t size;
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	if (argc != 2)
		return 2;
	path = argv[1];
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstack(&attr, &low, &size);
	pthread_attr_destroy(&attr);
	stack_high = (uintptr_t)low + size;
	sigaction(SIGRTMIN + 3, &action, NULL);
	codes_prepare();
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
