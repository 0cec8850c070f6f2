#include "tools/symbol/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "format/nanoseconds.h"
#include "tools/base/directory.h"
#include "tools/base/errors.h"
#include "tools/base/numbers.h"

enum {
	CACHE_VERSION = 1, /* of the layout below, and of what names look like */
	CACHE_MAX = 64 << 20, /* bytes of a file */
};

/* A file: this, then the answers, their frames and the texts, the last of which ends it with a NUL. */
struct cache_head {
	char magic[8];
	uint32_t version, n_answers, n_frames, text_bytes;
	struct cache_source source;
	uint64_t sum; /* of all bytes, this being 0 */
};

struct cached_answer {
	uint64_t offset;
	uint32_t frame, count;
};

struct cached_frame {
	uint32_t name, file; /* where in the texts; file 0: none */
	int32_t line, start_line;
	uint32_t inlined;
};

static const char magic[8] = "reqprofS";

static struct cache_stamp stamp_of(const struct object *o)
{
	struct stat st;

	if (!o->elf || o->fd < 0 || fstat(o->fd, &st))
		return (struct cache_stamp){ 0 };
	return (struct cache_stamp){ (uint64_t)st.st_size, st.st_ino,
				     (int64_t)nanoseconds(&st.st_mtim) };
}

bool cache_source_of(const struct object *main, const struct object *debug,
		     struct cache_source *source)
{
	const uint8_t *id;
	size_t len = object_build_id(main, &id);

	memset(source, 0, sizeof(*source)); /* padding too: it is compared and written as bytes */
	source->main = stamp_of(main);
	source->debug = stamp_of(debug);
	if (!len || len > sizeof(source->build_id) || !source->main.size)
		return false;
	memcpy(source->build_id, id, len);
	source->build_id_len = (uint32_t)len;
	return true;
}

char *cache_directory(void)
{
	const char *base = getenv("XDG_CACHE_HOME"), *below = "";
	char *path;

	if (!base || *base != '/') {
		base = getenv("HOME");
		below = "/.cache";
	}
	if (!base || *base != '/' || asprintf(&path, "%s%s/reqprof", base, below) < 0)
		return NULL;
	return path;
}

/* DIRECTORY/[.]BUILD-ID.names[.PID] */
static bool make_path(char path[PATH_MAX], const char *directory, const struct cache_source *source,
		      bool temporary)
{
	char hex[2 * sizeof(source->build_id) + 1];
	int len;

	for (uint32_t i = 0; i < source->build_id_len; i++)
		snprintf(hex + 2 * i, 3, "%02x", source->build_id[i]);
	len = temporary ? snprintf(path, PATH_MAX, "%s/.%s.names.%d", directory, hex, getpid()) :
			  snprintf(path, PATH_MAX, "%s/%s.names", directory, hex);
	return len > 0 && len < PATH_MAX;
}

static bool is_ours(const struct stat *st)
{
	return st->st_uid == geteuid() && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static uint64_t sum_of(const struct cache_head *head, const uint8_t *rest, size_t len)
{
	struct cache_head plain;
	uLong sum;

	memcpy(&plain, head, sizeof(plain));
	plain.sum = 0;
	sum = crc32(0, (const Bytef *)&plain, sizeof(plain));
	return crc32(sum, rest, (uInt)len);
}

/* ---- reading ---- */

static uint8_t *read_ours(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	uint8_t *bytes = NULL;
	struct stat st;
	size_t got = 0;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && is_ours(&st) &&
	    st.st_size >= (off_t)sizeof(struct cache_head) && st.st_size <= CACHE_MAX)
		bytes = malloc((size_t)st.st_size);
	while (bytes && got < (size_t)st.st_size) {
		ssize_t n = read(fd, bytes + got, (size_t)st.st_size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	close(fd);
	if (bytes && got == (size_t)st.st_size) {
		*len = got;
		return bytes;
	}
	free(bytes);
	return NULL;
}

static bool is_whole(const uint8_t *bytes, size_t len, const struct cache_source *source,
		     struct cache_head *head)
{
	size_t rest = len - sizeof(*head);

	memcpy(head, bytes, sizeof(*head));
	return !memcmp(head->magic, magic, sizeof(magic)) && head->version == CACHE_VERSION &&
	       !memcmp(&head->source, source, sizeof(*source)) && head->text_bytes &&
	       rest == head->n_answers * sizeof(struct cached_answer) +
			       head->n_frames * sizeof(struct cached_frame) + head->text_bytes &&
	       !bytes[len - 1] && head->sum == sum_of(head, bytes + sizeof(*head), rest);
}

/* Any text is one in bounds: the last byte of all is a NUL. */
static bool take_frames(const struct cached_frame *from, uint32_t count, const char *texts,
			uint32_t text_bytes, struct symbol_frame *to)
{
	for (uint32_t i = 0; i < count; i++) {
		if (from[i].name >= text_bytes || from[i].file >= text_bytes)
			return false;
		to[i] = (struct symbol_frame){ .name = texts + from[i].name,
					       .file = from[i].file ? texts + from[i].file : NULL,
					       .line = from[i].line,
					       .start_line = from[i].start_line,
					       .inlined = from[i].inlined };
	}
	return true;
}

bool cache_load(const char *directory, const struct cache_source *source,
		void (*take)(void *arg, uint64_t offset, const struct symbol_frame *frames,
			     size_t count),
		void *arg, void **memory)
{
	struct symbol_frame frames[SYMBOL_FRAMES_MAX];
	const struct cached_answer *answers;
	const struct cached_frame *all;
	struct cache_head head;
	char path[PATH_MAX];
	uint8_t *bytes;
	size_t len;

	*memory = NULL;
	if (!make_path(path, directory, source, false))
		return false;
	bytes = read_ours(path, &len);
	if (!bytes || !is_whole(bytes, len, source, &head)) {
		free(bytes);
		return false;
	}
	answers = (const struct cached_answer *)(bytes + sizeof(head));
	all = (const struct cached_frame *)(answers + head.n_answers);
	for (uint32_t i = 0; i < head.n_answers; i++) {
		const struct cached_answer *a = &answers[i];

		if (a->count <= SYMBOL_FRAMES_MAX && a->frame <= head.n_frames &&
		    a->count <= head.n_frames - a->frame &&
		    take_frames(all + a->frame, a->count, (const char *)(all + head.n_frames),
				head.text_bytes, frames))
			take(arg, a->offset, frames, a->count);
	}
	*memory = bytes;
	return true;
}

/* ---- writing ---- */

struct writing {
	struct cache_head head;
	struct cached_answer *answers;
	struct cached_frame *frames;
	char *texts;
	size_t text_room;
	struct numbers places; /* address of a text that was met -> where its copy is */
};

static uint32_t place_text(struct writing *w, const char *text)
{
	size_t len = strlen(text) + 1;
	uint64_t *place;
	bool fresh;

	place = numbers_at(&w->places, (uintptr_t)text, &fresh);
	if (!fresh)
		return (uint32_t)*place;
	if (len > CACHE_MAX - w->head.text_bytes)
		return 0;
	if (w->head.text_bytes + len > w->text_room) {
		w->text_room = 2 * (w->head.text_bytes + len);
		w->texts = errors_realloc(w->texts, w->text_room, 1);
	}
	*place = w->head.text_bytes;
	memcpy(w->texts + *place, text, len);
	w->head.text_bytes += (uint32_t)len;
	return (uint32_t)*place;
}

static void place_answer(struct writing *w, const struct cache_answer *answer)
{
	w->answers[w->head.n_answers++] = (struct cached_answer){
		answer->offset, w->head.n_frames, (uint32_t)answer->count
	};
	for (size_t i = 0; i < answer->count; i++) {
		const struct symbol_frame *f = &answer->frames[i];

		w->frames[w->head.n_frames++] = (struct cached_frame){
			place_text(w, f->name), f->file ? place_text(w, f->file) : 0, f->line,
			f->start_line, f->inlined
		};
	}
}

static bool write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static bool write_file(const char *directory, const struct cache_source *source, const void *bytes,
		       size_t len)
{
	char temporary[PATH_MAX], path[PATH_MAX];
	struct stat st;
	bool done;
	int fd;

	/* What others may write into, or a directory of another user's (sudo keeps HOME), is left alone. */
	if (directory_make(directory) || stat(directory, &st) || !is_ours(&st) ||
	    !make_path(temporary, directory, source, true) ||
	    !make_path(path, directory, source, false))
		return false;
	unlink(temporary); /* left by a process that was killed and had this pid */
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	done = write_all(fd, bytes, len);
	done = !close(fd) && done && !rename(temporary, path);
	if (!done)
		unlink(temporary);
	return done;
}

/* Everything in one piece, so that one write and one sum do. */
static uint8_t *join(struct writing *w, size_t *len)
{
	size_t answers = w->head.n_answers * sizeof(*w->answers);
	size_t frames = w->head.n_frames * sizeof(*w->frames);
	uint8_t *bytes, *at;

	*len = sizeof(w->head) + answers + frames + w->head.text_bytes;
	bytes = errors_alloc(*len, 1);
	at = bytes + sizeof(w->head);
	memcpy(at, w->answers, answers);
	memcpy(at + answers, w->frames, frames);
	memcpy(at + answers + frames, w->texts, w->head.text_bytes);
	w->head.sum = sum_of(&w->head, at, *len - sizeof(w->head));
	memcpy(bytes, &w->head, sizeof(w->head));
	return bytes;
}

bool cache_save(const char *directory, const struct cache_source *source,
		const struct cache_answer *answers, size_t n)
{
	struct writing w;
	size_t n_frames = 0, len;
	uint8_t *bytes;
	bool done = false;

	memset(&w, 0, sizeof(w));
	for (size_t i = 0; i < n; i++)
		n_frames += answers[i].count;
	if (n_frames > CACHE_MAX / sizeof(*w.frames) || n > CACHE_MAX / sizeof(*w.answers))
		return false;
	memcpy(w.head.magic, magic, sizeof(magic));
	w.head.version = CACHE_VERSION;
	memcpy(&w.head.source, source, sizeof(*source));
	w.answers = errors_alloc(n, sizeof(*w.answers));
	w.frames = errors_alloc(n_frames, sizeof(*w.frames));
	place_text(&w, ""); /* so that no file is at 0 */
	for (size_t i = 0; i < n; i++)
		place_answer(&w, &answers[i]);
	bytes = join(&w, &len);
	if (len <= CACHE_MAX)
		done = write_file(directory, source, bytes, len);
	free(bytes);
	free(w.answers);
	free(w.frames);
	free(w.texts);
	numbers_free(&w.places);
	return done;
}
