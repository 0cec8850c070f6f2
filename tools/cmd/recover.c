#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/env.h"
#include "format/live_read.h"
#include "tools/base/errors.h"
#include "tools/base/escape.h"
#include "tools/base/figures.h"
#include "tools/cmd/cmd.h"
#include "tools/base/options.h"
#include "tools/cmd/recover_files.h"

struct recovery {
	struct recover_directory directory;
	bool dry;
	int status;
	unsigned requests, dead, alive, elsewhere;
};

static void say_request(const struct recover_request *r, const char *name)
{
	char wall[FIGURE_MAX];

	escape_print(stdout, *r->request->facts.method ? r->request->facts.method : "?");
	putchar(' ');
	escape_print(stdout, *r->request->facts.path ? r->request->facts.path : "(no path yet)");
	printf("  interrupted after %s", figure_duration(wall, r->wall));
	if (*r->inside) {
		printf(" in ");
		escape_print(stdout, r->inside);
	}
	if (name) {
		printf("  ");
		escape_print(stdout, name);
	}
	putchar('\n');
}

/* False: the live file is still needed. */
static bool recover_request(struct recovery *all, const struct recover_file *file,
			    const struct live_in *in, size_t i, uint64_t *counter)
{
	const struct live_request_in *request = &in->requests[i];
	struct recover_request r;
	char *name = NULL;
	int error;

	recover_request_of(&r, in, request,
			   request->facts.counter ? request->facts.counter : ++*counter);
	if (recover_has_profile(&all->directory, &in->head, &r))
		return true;
	if (all->dry) {
		say_request(&r, NULL);
		all->requests++;
		return false;
	}
	error = recover_write(&all->directory, file, &r, &name);
	if (error && error != EEXIST) {
		errors_say("%s: cannot write the profile of process %u: %s", all->directory.path,
			   in->head.pid, strerror(error));
		all->status = EXIT_FAILED;
		return false;
	}
	if (!error) {
		say_request(&r, name);
		all->requests++;
	}
	free(name);
	return true;
}

static void recover_file(struct recovery *all, const struct recover_file *file)
{
	const struct live_source source = recover_source(file);
	struct profile_error error;
	struct live_in *in;
	bool done = true;
	uint64_t counter;

	if (live_read(&source, &in, &error) != 0) {
		errors_say("%s: unreadable at byte %zu: %s (nothing in it can be recovered: remove it)",
			   file->path, error.offset, error.reason);
		if (all->status == EXIT_DONE)
			all->status = EXIT_UNREADABLE;
		return;
	}
	counter = in->head.files;
	for (size_t i = 0; i < in->n_requests; i++)
		done &= recover_request(all, file, in, i, &counter);
	if (done && !all->dry && unlink(file->path) != 0 && errno != ENOENT) {
		errors_say("%s: cannot remove it: %s", file->path, strerror(errno));
		all->status = EXIT_FAILED;
	}
	live_free(in);
}

static void recover_all(struct recovery *all, struct recover_list *list)
{
	struct recover_file file;

	while (recover_list_next(list, &all->directory, &file)) {
		enum recover_state state;

		if (!recover_is_of(&file, &all->directory)) {
			recover_file_close(&file);
			continue;
		}
		state = recover_state_of(&file);
		if (state == RECOVER_DEAD) {
			all->dead++;
			recover_file(all, &file);
		} else if (state == RECOVER_ALIVE) {
			all->alive++;
		} else {
			all->elsewhere++;
		}
		recover_file_close(&file);
	}
}

static const char *plural(unsigned n, const char *one, const char *more)
{
	return n == 1 ? one : more;
}

static void say_sum(const struct recovery *all)
{
	printf("%u request%s %s from %u ended process%s", all->requests,
	       plural(all->requests, "", "s"), all->dry ? "to recover" : "recovered", all->dead,
	       plural(all->dead, "", "es"));
	if (all->alive)
		printf("; %u running process%s left alone", all->alive, plural(all->alive, "", "es"));
	if (all->elsewhere)
		printf("; %u of another container left alone (run it there)", all->elsewhere);
	putchar('\n');
}

static int recover(struct recovery *all, const char *directory, const char *place)
{
	struct recover_list list = { 0 };

	if (recover_open_directory(&all->directory, directory) != 0) {
		all->status = EXIT_UNREADABLE;
	} else if (recover_list_start(&list, place) != 0) {
		all->status = EXIT_FAILED;
	} else {
		recover_all(all, &list);
		say_sum(all);
	}
	recover_list_end(&list);
	recover_close_directory(&all->directory);
	return errors_finish(all->status);
}

int cmd_recover(int argc, char **argv)
{
	struct recovery all = { .directory.fd = -1 };
	const char *place = NULL, *directory = getenv(ENV_DIR);
	const struct option_row rows[] = {
		{ OPTION_FLAG, 'n', "dry-run", NULL, &all.dry,
		  "Only say what there is; write and remove nothing.", NULL, 0, 0 },
		{ OPTION_TEXT, 0, "live", "DIR", &place,
		  "Where the live files are. Default $" ENV_LIVE ", or " LIVE_PLACE ".", NULL, 0, 0 },
		{ 0 },
	};
	const struct options_spec spec = {
		.command = "recover",
		.usage = "[options] [DIR]",
		.summary = "Writes the profiles of requests whose process was killed in the middle.",
		.details =
			"DIR is the output directory, default $REQPROF_DIR or reqprof.out. Each such request\n"
			"becomes a profile like others, marked interrupted; processes that run are left alone.\n",
		.examples = "  reqprof recover\n"
			    "  reqprof recover --dry-run /var/lib/reqprof\n",
		.rows = rows,
	};
	int status = options_parse(&spec, &argc, argv);

	if (status != OPTIONS_GO_ON)
		return status;
	if (argc > 2)
		return options_usage_error(&spec, "one directory at a time");
	if (argc == 2)
		directory = argv[1];
	if (!place)
		place = getenv(ENV_LIVE);
	if (!place || !*place || strcmp(place, "off") == 0)
		place = LIVE_PLACE;
	return recover(&all, directory && *directory ? directory : ENV_DIR_DEFAULT, place);
}
