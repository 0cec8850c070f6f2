#include "tools/cmd/run_target.h"

#include "tools/base/errors.h"
#include "tools/cmd/program.h"

void run_target_check(const char *command)
{
	struct program program;
	char path[PATH_MAX];

	if (!program_find(command, path))
		return;
	program_examine(path, path, &program);
	if (!program.elf)
		return;
	if (!program.x86_64)
		errors_say(
			"warning: %s is not an x86-64 program, so libreqprof.so cannot be loaded into it: nothing will be profiled (use its 64-bit build)",
			path);
	else if (!program.interpreter)
		errors_say(
			"warning: %s is statically linked, so libreqprof.so cannot be loaded into it: nothing will be profiled (use a dynamically linked build)",
			path);
	else if (program.privileged)
		errors_say(
			"warning: %s is set-user-ID or has file capabilities, so the loader leaves libreqprof.so out: nothing will be profiled (start it as the user it would become, or run a copy without the privilege)",
			path);
}
