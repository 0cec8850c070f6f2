#include "tools/base/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "tools/base/errors.h"

static void want_room(struct file_bytes *to, size_t room)
{
	if (room <= to->room)
		return;
	to->room = room < 2 * to->room ? 2 * to->room : room;
	to->bytes = errors_realloc(to->bytes, to->room, 1);
}

static int read_bytes(int fd, size_t size, struct file_bytes *to)
{
	to->len = 0;
	/* one more than its size, so that the end is seen without another turn */
	for (want_room(to, size + 1);; want_room(to, to->len + 4096)) {
		ssize_t got = read(fd, to->bytes + to->len, to->room - to->len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? errno : 0;
		to->len += (size_t)got;
		if (to->len > READ_FILE_MAX)
			return EFBIG;
	}
}

static const char *inflate_all(z_stream *z, struct file_bytes *plain)
{
	for (;;) {
		size_t room;
		int result;

		want_room(plain, plain->len + (64 << 10));
		room = plain->room - plain->len;
		z->next_out = (Bytef *)plain->bytes + plain->len;
		z->avail_out = (uInt)(room > READ_FILE_MAX ? READ_FILE_MAX : room);
		result = inflate(z, Z_NO_FLUSH);
		plain->len = (size_t)((char *)z->next_out - plain->bytes);
		if (plain->len > READ_FILE_MAX)
			return "it is larger than 1 GiB when uncompressed";
		if (result == Z_STREAM_END && z->avail_in) {
			/* gzip files may be put one behind the other */
			if (inflateReset(z) != Z_OK)
				return "its gzip data is damaged";
		} else if (result == Z_STREAM_END) {
			return NULL;
		} else if (result == Z_BUF_ERROR ||
			   (result == Z_OK && !z->avail_in && z->avail_out)) {
			return "its gzip data is cut short";
		} else if (result != Z_OK) {
			return "its gzip data is damaged";
		}
	}
}

static int gunzip(struct file_bytes *to, const char **reason, size_t *offset)
{
	struct file_bytes plain = { 0 };
	z_stream z = { .next_in = (Bytef *)to->bytes, .avail_in = (uInt)to->len };

	if (inflateInit2(&z, 15 + 16) != Z_OK) {
		*reason = "not enough memory to uncompress it";
		return -1;
	}
	*reason = inflate_all(&z, &plain);
	*offset = z.total_in;
	inflateEnd(&z);
	free(to->bytes);
	*to = plain;
	return *reason ? -1 : 0;
}

int read_file(const char *path, struct file_bytes *to, int *error, const char **reason,
	      size_t *offset)
{
	/* O_NONBLOCK: opening a FIFO without a writer would wait for one */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	*reason = NULL;
	*offset = 0;
	*error = 0;
	if (fd < 0 || fstat(fd, &st)) {
		*error = errno;
	} else if (S_ISDIR(st.st_mode)) {
		*error = EISDIR;
	} else if (!S_ISREG(st.st_mode)) {
		*reason = "it is no regular file";
	} else if (st.st_size > READ_FILE_MAX) {
		*error = EFBIG;
	} else {
		*error = read_bytes(fd, (size_t)st.st_size, to);
	}
	if (fd >= 0)
		close(fd);
	if (*error || *reason)
		return -1;
	if (to->len >= 2 && (uint8_t)to->bytes[0] == 0x1f && (uint8_t)to->bytes[1] == 0x8b)
		return gunzip(to, reason, offset);
	return 0;
}
