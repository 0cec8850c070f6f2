#include "format/profile_put.h"

#include "format/profile_sum.h"

int profile_fail(struct profile_writer *w, int error)
{
	if (!w->error)
		w->error = error;
	return w->error;
}

void profile_flush(struct profile_writer *w)
{
	if (w->buffered && !w->error) {
		int error = w->sink(w->sink_arg, w->buffer, w->buffered);

		if (error)
			profile_fail(w, error);
	}
	w->buffered = 0;
}

/* The buffer leaves only when it is full, so that the sum always sees whole words. */
void profile_put_full(struct profile_writer *w)
{
	w->sum = profile_sum_add(w->sum, w->buffer, sizeof(w->buffer));
	w->sum_bytes += sizeof(w->buffer);
	profile_flush(w);
}

void profile_put(struct profile_writer *w, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	while (len) {
		size_t n = sizeof(w->buffer) - w->buffered;

		if (n > len)
			n = len;
		memcpy(w->buffer + w->buffered, from, n);
		w->buffered += n;
		from += n;
		len -= n;
		if (w->buffered == sizeof(w->buffer))
			profile_put_full(w);
	}
}
