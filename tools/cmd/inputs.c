#include "tools/cmd/inputs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/env.h"
#include "format/profile.h"
#include "tools/base/errors.h"
#include "tools/model/load.h"
#include "tools/model/read_ahead.h"
#include "tools/model/spread.h"
#include "tools/model/symbolize.h"
#include "tools/symbol/symbol.h"

void inputs_init(struct inputs *inputs)
{
	const struct option_row rows[] = {
		{ OPTION_TEXT, 'm', "method", "METHOD", &inputs->method,
		  "Only requests with this method.", NULL, 0, 0 },
		{ OPTION_TEXT, 'R', "route", "GLOB", &inputs->route,
		  "Only requests whose route or path matches, such as '/users/*'.", NULL, 0, 0 },
		{ OPTION_TEXT, 's', "status", "CODE", &inputs->status,
		  "Only this status (404), these (4xx), or \"none\".", NULL, 0, 0 },
		{ OPTION_DECIMAL, 0, "min-ms", "MS", &inputs->min_ms,
		  "Only requests of at least this wall time.", NULL, 0, 1000000000 },
		{ OPTION_FLAG, 'a', "all", NULL, &inputs->all,
		  "Also the views that proxies in front had of the same requests.", NULL, 0, 0 },
		{ 0 },
	};

	*inputs = (struct inputs){ .strings = strings_new() };
	memcpy(inputs->rows, rows, sizeof(rows));
}

void inputs_release(struct inputs *inputs)
{
	free(inputs->requests);
	strings_free(inputs->strings);
}

/* ---- files ---- */

struct paths {
	char **paths;
	uint32_t n, space;
};

static void add_path(struct paths *p, char *path)
{
	if (p->n == p->space) {
		p->space = p->space ? p->space * 2 : 64;
		p->paths = errors_realloc(p->paths, p->space, sizeof(*p->paths));
	}
	p->paths[p->n++] = path;
}

static void free_paths(struct paths *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		free(p->paths[i]);
	free(p->paths);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcmp(text + len - end_len, end);
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The profiles of a directory. Files that begin with a dot are being written. */
static int add_directory(struct paths *p, const char *path)
{
	size_t len = strlen(path);
	const char *slash = len && path[len - 1] == '/' ? "" : "/";
	uint32_t first = p->n;
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir)
		return errno;
	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		char *file;

		if (entry->d_name[0] == '.' || entry->d_type == DT_DIR ||
		    !(ends_with(entry->d_name, PROFILE_SUFFIX) ||
		      ends_with(entry->d_name, PROFILE_SUFFIX ".gz")))
			continue;
		if (asprintf(&file, "%s%s%s", path, slash, entry->d_name) < 0)
			break;
		add_path(p, file);
	}
	int error = errno;

	closedir(dir);
	if (p->n > first)
		qsort(p->paths + first, p->n - first, sizeof(*p->paths), compare_paths);
	return error;
}

static int list_files(struct inputs *inputs, char **paths, int n_paths, struct paths *files)
{
	const char *standard = getenv(ENV_DIR);
	char *one[1];
	int unreadable = 0;

	if (!n_paths) {
		one[0] = (char *)(standard && *standard ? standard : ENV_DIR_DEFAULT);
		paths = one;
		if (access(one[0], F_OK)) {
			errors_say(
				"no %s here: profile something first (reqprof run -- COMMAND), or name a directory or file",
				one[0]);
			return EXIT_UNREADABLE;
		}
	}
	for (int i = 0; i < (n_paths ? n_paths : 1); i++) {
		struct stat st;
		int error = 0;

		if (stat(paths[i], &st))
			error = errno;
		else if (S_ISDIR(st.st_mode))
			error = add_directory(files, paths[i]);
		else
			add_path(files, errors_strdup(paths[i]));
		if (error) {
			errors_say("%s: %s", paths[i], strerror(error));
			inputs->status_code = EXIT_UNREADABLE;
			unreadable++;
		}
	}
	return unreadable && unreadable == n_paths ? EXIT_UNREADABLE : OPTIONS_GO_ON;
}

static void say_unreadable(struct inputs *inputs, const char *file, const struct load_error *error)
{
	inputs->status_code = EXIT_UNREADABLE;
	if (error->code)
		errors_say("%s: %s", file, strerror(error->code));
	else
		errors_say("%s: unreadable at byte %zu: %s", file, error->offset, error->reason);
}

/* ---- filters ---- */

static int check_status(const char *status)
{
	if (!status || !strcmp(status, "none"))
		return OPTIONS_GO_ON;
	for (int i = 0; i < 3; i++) {
		if (!isdigit((unsigned char)status[i]) && !(i && (status[i] | 32) == 'x'))
			goto wrong;
	}
	if (!status[3])
		return OPTIONS_GO_ON;
wrong:
	errors_say("--status must be like 404, 4xx or none, not \"%s\"", status);
	return EXIT_USAGE;
}

static bool status_matches(const char *wanted, int status)
{
	char digits[16];

	if (!strcmp(wanted, "none"))
		return status == 0;
	snprintf(digits, sizeof(digits), "%03d", status);
	for (int i = 0; i < 3; i++) {
		if (isdigit((unsigned char)wanted[i]) && wanted[i] != digits[i])
			return false;
	}
	return status && !digits[3];
}

static bool glob_matches(const char *glob, const char *text)
{
	return !strcmp(glob, text) || !fnmatch(glob, text, 0);
}

static bool passes(const struct inputs *inputs, const struct request *r)
{
	return (!inputs->method || !strcasecmp(inputs->method, r->method)) &&
	       (!inputs->route || glob_matches(inputs->route, r->route) ||
		glob_matches(inputs->route, r->path)) &&
	       (!inputs->status || status_matches(inputs->status, r->status)) &&
	       (double)r->wall_ns >= inputs->min_ms * 1e6;
}

/* ---- one view of each request ---- */

static int compare_texts(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;

	return x < y ? -1 : x > y;
}

/*
 * Behind a proxy that we watch too, a request has two files. The proxy's says from which of its
 * addresses it went on; when a server's file has that very address as its peer, the server's view
 * is the one to show. A proxy whose upstream is not among the files is the only witness and stays.
 */
static void hide_proxies(struct inputs *inputs, const struct request *all, uint32_t n_all)
{
	const char **peers = errors_alloc(n_all, sizeof(*peers));
	uint32_t n_peers = 0;

	for (uint32_t i = 0; i < n_all; i++) {
		if (!all[i].proxy && *all[i].peer)
			peers[n_peers++] = all[i].peer;
	}
	/* pooled texts: equal ones have equal addresses */
	qsort(peers, n_peers, sizeof(*peers), compare_texts);
	for (uint32_t i = 0; i < n_all; i++) {
		const struct request *r = &all[i];

		if (!passes(inputs, r))
			continue;
		if (r->proxy && !inputs->all && n_all > 1 &&
		    (!*r->upstream ||
		     bsearch(&r->upstream, peers, n_peers, sizeof(*peers), compare_texts)))
			inputs->n_hidden++;
		else
			inputs->requests[inputs->n_requests++] = *r;
	}
	free(peers);
}

/* May another view of the same request be among the files? */
static bool may_hide(const struct inputs *inputs, const struct request *r)
{
	return r->proxy && !inputs->all;
}

/* With a model also the samples of those that pass and that nothing can hide. */
static uint32_t read_files(struct inputs *inputs, const struct paths *files, struct model *m,
			   struct request *all)
{
	struct read_ahead *ahead = read_ahead_open(files->paths, files->n,
						   m ? PROFILE_READ_ALL : PROFILE_READ_FACTS);
	struct strings *pool = m ? m->strings : inputs->strings;
	uint32_t n = 0;

	for (uint32_t i = 0; i < files->n; i++) {
		const char *file = files->paths[i];
		struct load_error error;
		struct profile_in *in = read_ahead_next(ahead, &error);

		if (!in || request_read(&all[n], in, file, pool, &error.reason)) {
			say_unreadable(inputs, file, &error);
		} else {
			const struct request *r = &all[n++];

			if (m && passes(inputs, r) && !may_hide(inputs, r) &&
			    load_append(m, r, in, &error))
				say_unreadable(inputs, file, &error);
		}
		profile_free(in);
	}
	read_ahead_close(ahead);
	return n;
}

static int collect(struct inputs *inputs, char **paths, int n_paths, struct model *m)
{
	struct paths files = { 0 };
	struct request *all = NULL;
	uint32_t n_all = 0;
	int status = check_status(inputs->status);

	if (status == OPTIONS_GO_ON)
		status = list_files(inputs, paths, n_paths, &files);
	if (status != OPTIONS_GO_ON)
		goto out;
	all = errors_alloc(files.n, sizeof(*all));
	inputs->requests = errors_alloc(files.n, sizeof(*inputs->requests));
	inputs->n_files = files.n;
	n_all = read_files(inputs, &files, m, all);
	if (files.n && !n_all) {
		status = EXIT_UNREADABLE;
		goto out;
	}
	hide_proxies(inputs, all, n_all);
	qsort(inputs->requests, inputs->n_requests, sizeof(*inputs->requests),
	      request_compare_starts);
out:
	free(all);
	free_paths(&files);
	return status;
}

int inputs_collect(struct inputs *inputs, char **paths, int n_paths)
{
	return collect(inputs, paths, n_paths, NULL);
}

static void warn_symbols(void *arg, const char *path, const char *why)
{
	errors_say("no names from %s: %s", path, why);
}

/* Views of proxies that stay: few are that were not read already. */
static void load_proxies(struct inputs *inputs, struct model *m)
{
	for (uint32_t i = 0; i < inputs->n_requests; i++) {
		const struct request *r = &inputs->requests[i];
		struct load_error error;

		if (may_hide(inputs, r) && load_profile(m, r->file, &error))
			say_unreadable(inputs, r->file, &error);
	}
}

int inputs_load(struct inputs *inputs, char **paths, int n_paths, struct model **model)
{
	struct symbolizer *symbolizer;
	struct model *m = model_new();
	int status = collect(inputs, paths, n_paths, m);

	*model = NULL;
	if (status != OPTIONS_GO_ON) {
		model_free(m);
		return status;
	}
	load_proxies(inputs, m);
	model_order_requests(m);
	model_spread(m);
	symbolizer = symbol_open();
	symbol_use_cache(symbolizer, NULL);
	symbol_on_warning(symbolizer, warn_symbols, NULL);
	model_symbolize(m, symbolizer);
	symbol_close(symbolizer);
	*model = m;
	return OPTIONS_GO_ON;
}
