/* What requests set going: child processes by name, and threads. */
#include "tools/cmd/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/base/escape.h"

enum { NAME_COLUMNS = 34, NAMES_SHOWN = 4 };

struct child_name {
	const char *name;
	size_t len;
	uint32_t count;
};

struct child_names {
	struct child_name *list;
	size_t count, room;
};

static void count_name(struct child_names *names, const char *name, size_t len)
{
	for (size_t i = 0; i < names->count; i++) {
		if (names->list[i].len == len && !memcmp(names->list[i].name, name, len)) {
			names->list[i].count++;
			return;
		}
	}
	if (names->count == names->room) {
		names->room = names->room ? 2 * names->room : 16;
		names->list = errors_realloc(names->list, names->room, sizeof(*names->list));
	}
	names->list[names->count++] = (struct child_name){ name, len, 1 };
}

/* "PID:NAME PID:NAME" */
static void count_names(struct child_names *names, const char *started)
{
	while (*started) {
		size_t len = strcspn(started, " "), pid = strcspn(started, ": ");

		if (pid + 1 < len)
			count_name(names, started + pid + 1, len - pid - 1);
		started += len + (started[len] == ' ');
	}
}

static int compare(const void *a, const void *b)
{
	const struct child_name *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strncmp(x->name, y->name, x->len < y->len ? x->len : y->len);
}

static void print_names(const struct child_names *names)
{
	for (size_t i = 0; i < names->count && i < NAMES_SHOWN; i++) {
		char *name = escape_bytes(names->list[i].name, names->list[i].len);

		printf("%s%s", i ? ", " : "           ", name);
		if (names->list[i].count > 1)
			printf(" (%u)", names->list[i].count);
		free(name);
	}
	if (names->count > NAMES_SHOWN)
		printf(", ...");
}

void report_children(const struct report *r)
{
	const struct totals *t = &r->totals;
	struct child_names names = { 0 };

	for (uint32_t i = 0; i < r->model->n_requests; i++)
		count_names(&names, r->model->requests[i].children_started);
	if (names.count)
		qsort(names.list, names.count, sizeof(*names.list), compare);
	if (t->children) {
		printf("  %-*s %9lld", NAME_COLUMNS, "child processes started", (long long)t->children);
		print_names(&names);
		putchar('\n');
	}
	if (t->threads_started)
		printf("  %-*s %9lld\n", NAME_COLUMNS, "threads started", (long long)t->threads_started);
	free(names.list);
}
