#include "tools/symbol/kernel_names.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/base/read_file.h"

struct kernel_name {
	uint64_t address;
	const char *name;
};

struct kernel_names {
	struct file_bytes text;
	struct kernel_name *list; /* by address */
	size_t count, room;
};

static bool read_text(const char *path, struct file_bytes *text)
{
	const char *reason;
	size_t offset;
	int error;

	return read_file(path, text, &error, &reason, &offset) == 0;
}

/* "5eaab08a-48a3-4ad5-87a7-1e0fa5652778\n" against the same without dashes. */
static bool is_boot(const char *boot_file, const char *hex)
{
	struct file_bytes text = { 0 };
	bool same = *hex && read_text(boot_file, &text);

	for (size_t i = 0; same && i < text.len; i++) {
		if (isxdigit((unsigned char)text.bytes[i]))
			same = *hex && tolower((unsigned char)text.bytes[i]) == *hex++;
	}
	free(text.bytes);
	return same && !*hex;
}

/* "ffffffff81d7f410 t read_zero\t[module]"; made into a name that ends where it does. */
static void take_line(struct kernel_names *n, char *line)
{
	char *end;
	uint64_t address = strtoull(line, &end, 16);
	char *name = end[0] == ' ' && end[1] && end[2] == ' ' ? end + 3 : NULL;

	if (!name || !address || !strchr("tTwW", end[1]))
		return;
	name[strcspn(name, " \t")] = '\0';
	/* The room in front of a function that the compiler left for patching. */
	if (!*name || !strncmp(name, "__pfx_", 6))
		return;
	if (n->count == n->room) {
		n->room = n->room ? 2 * n->room : 65536;
		n->list = errors_realloc(n->list, n->room, sizeof(*n->list));
	}
	n->list[n->count++] = (struct kernel_name){ address, name };
}

/* Of several names for one address the first stands: qsort is not stable, the text's order is. */
static int compare(const void *a, const void *b)
{
	const struct kernel_name *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

static void take_list(struct kernel_names *n)
{
	char *at = n->text.bytes, *end = at + n->text.len;

	while (at < end) {
		char *line_end = memchr(at, '\n', (size_t)(end - at));

		if (!line_end)
			break;
		*line_end = '\0';
		take_line(n, at);
		at = line_end + 1;
	}
	if (n->count)
		qsort(n->list, n->count, sizeof(*n->list), compare);
}

struct kernel_names *kernel_names_open(const char *list, const char *boot_file,
				       const char *boot_id_hex, const char **why)
{
	struct kernel_names *n = errors_alloc(1, sizeof(*n));

	*why = "the machine has been booted since it ran, or it is another one";
	if (is_boot(boot_file, boot_id_hex)) {
		*why = "this user may not read its addresses (try root, or sysctl kernel.kptr_restrict=0 "
		       "kernel.perf_event_paranoid=1)";
		if (read_text(list, &n->text))
			take_list(n);
		if (n->count)
			return n;
	}
	kernel_names_close(n);
	return NULL;
}

const char *kernel_names_find(const struct kernel_names *n, uint64_t address)
{
	size_t low = 0, high = n->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (n->list[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	address = n->list[low - 1].address;
	while (low > 1 && n->list[low - 2].address == address)
		low--;
	return n->list[low - 1].name;
}

void kernel_names_close(struct kernel_names *n)
{
	if (!n)
		return;
	free(n->list);
	free(n->text.bytes);
	free(n);
}
