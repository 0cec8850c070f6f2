#include "preload/wire/http2.h"

#include <string.h>

enum state {
	PREFACE,
	HEADER,	 /* of a frame */
	PAYLOAD, /* not to be looked at */
	BLOCK,	 /* payload with header fields */
	DEAD,	 /* WIRE_NOT was said */
};

/* The same bit means different things in different frames. */
enum { END_STREAM = 0x1, END_HEADERS = 0x4, PADDED = 0x8, WITH_PRIORITY = 0x20 };
enum { PRIORITY_LEN = 5, PROMISED_LEN = 4 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
_Static_assert(sizeof(preface) - 1 == HTTP2_PREFACE_LEN, "the preface has 24 bytes");

void http2_start(struct http2_flow *f, bool client, struct hpack_entry *entries,
		 uint32_t max_entries, char *text, uint32_t max_text)
{
	memset(f, 0, sizeof(*f));
	hpack_start(&f->hpack, entries, max_entries, text, max_text);
	f->state = client ? PREFACE : HEADER;
}

bool http2_in_frame(const struct http2_flow *f)
{
	return f->state == PAYLOAD || f->state == BLOCK;
}

bool http2_in_header(const struct http2_flow *f)
{
	return f->state == HEADER && f->header_len > 0;
}

static const uint8_t *take_preface(struct http2_flow *f, const uint8_t *at, const uint8_t *end)
{
	size_t len = (size_t)(end - at);

	if (len > (size_t)(HTTP2_PREFACE_LEN - f->header_len))
		len = HTTP2_PREFACE_LEN - f->header_len;
	if (memcmp(at, preface + f->header_len, len) != 0)
		return NULL;
	f->header_len += (uint8_t)len;
	if (f->header_len == HTTP2_PREFACE_LEN) {
		f->header_len = 0;
		f->state = HEADER;
	}
	return at + len;
}

static bool has_block(const struct http2_flow *f)
{
	return f->type == HTTP2_HEADERS || f->type == HTTP2_PUSH_PROMISE ||
	       f->type == HTTP2_CONTINUATION;
}

/* Those are about a stream; that others are not, or need not be, does not matter here. */
static bool needs_stream(const struct http2_flow *f)
{
	return has_block(f) || f->type == HTTP2_DATA || f->type == HTTP2_RST_STREAM;
}

/* A frame with header fields begins. False when its parts do not fit into it. */
static bool start_block(struct http2_flow *f)
{
	bool continues = f->type == HTTP2_CONTINUATION;

	f->state = BLOCK;
	f->prefix = 0;
	f->padding = 0;
	f->padding_known = continues || !(f->flags & PADDED);
	if (f->type == HTTP2_HEADERS && (f->flags & WITH_PRIORITY))
		f->prefix = PRIORITY_LEN;
	if (f->type == HTTP2_PUSH_PROMISE)
		f->prefix = PROMISED_LEN;
	if (!continues) {
		f->in_block = true;
		f->promise = f->type == HTTP2_PUSH_PROMISE;
		f->block_stream = f->stream;
		f->block_ends_stream = f->type == HTTP2_HEADERS && (f->flags & END_STREAM);
		hpack_begin(&f->hpack, NULL);
	}
	return f->left >= (unsigned)f->prefix + !f->padding_known;
}

/* A frame's header is whole. False when no such frame may come here. */
static bool start_frame(struct http2_flow *f)
{
	const uint8_t *h = f->header;

	f->header_len = 0;
	f->left = (uint32_t)h[0] << 16 | (uint32_t)h[1] << 8 | h[2];
	f->type = h[3];
	f->flags = h[4];
	f->stream =
		(uint32_t)(h[5] & 0x7f) << 24 | (uint32_t)h[6] << 16 | (uint32_t)h[7] << 8 | h[8];
	f->head_ended = false;
	f->stream_ended = false;
	/* An answer in HTTP/1 to a client that tried HTTP/2: "HTT" would be a length. */
	if (!f->any && f->type >= HTTP2_KNOWN_TYPES)
		return false;
	f->any = true;
	if (f->in_block != (f->type == HTTP2_CONTINUATION) ||
	    (f->in_block && f->stream != f->block_stream))
		return false;
	if (needs_stream(f) && f->stream == 0)
		return false;
	if (has_block(f))
		return start_block(f);
	f->state = PAYLOAD;
	return true;
}

static const uint8_t *take_header(struct http2_flow *f, const uint8_t *at, const uint8_t *end,
				  enum http2_event *event)
{
	while (at < end && f->header_len < HTTP2_FRAME_HEADER)
		f->header[f->header_len++] = *at++;
	if (f->header_len < HTTP2_FRAME_HEADER)
		return at;
	*event = HTTP2_FRAME;
	return start_frame(f) ? at : NULL;
}

/* One step in a frame with header fields; NULL when it cannot be followed. */
static const uint8_t *take_block(struct http2_flow *f, const uint8_t *at, const uint8_t *end)
{
	size_t len = (size_t)(end - at);

	if (!f->padding_known) {
		f->padding = *at;
		f->padding_known = true;
		f->left--;
		return f->left >= (unsigned)f->prefix + f->padding ? at + 1 : NULL;
	}
	if (f->prefix) {
		if (len > f->prefix)
			len = f->prefix;
		f->prefix -= (uint8_t)len;
	} else if (f->left > f->padding) {
		if (len > f->left - f->padding)
			len = f->left - f->padding;
		if (!hpack_feed(&f->hpack, at, len))
			return NULL;
	} else if (len > f->left) {
		len = f->left;
	}
	f->left -= (uint32_t)len;
	return at + len;
}

/* False when it ends a header block in the middle of a field. */
static bool end_frame(struct http2_flow *f)
{
	bool block = f->state == BLOCK;

	f->state = HEADER;
	if (!block) {
		f->stream_ended = f->type == HTTP2_DATA && (f->flags & END_STREAM);
		return true;
	}
	if (!(f->flags & END_HEADERS))
		return true;
	f->in_block = false;
	f->head_ended = true;
	f->stream_ended = f->block_ends_stream;
	return hpack_end(&f->hpack);
}

static ssize_t give_up(struct http2_flow *f)
{
	f->state = DEAD;
	return WIRE_NOT;
}

ssize_t http2_feed(struct http2_flow *f, const void *bytes, size_t len, enum http2_event *event)
{
	const uint8_t *start = bytes, *at = start, *end = start + len;

	*event = HTTP2_MORE;
	while (at && *event == HTTP2_MORE) {
		if (http2_in_frame(f) && f->left == 0) {
			*event = HTTP2_FRAME_END;
			at = end_frame(f) ? at : NULL;
			break;
		}
		if (f->state == DEAD)
			return WIRE_NOT;
		if (at == end)
			break;
		switch (f->state) {
		case PREFACE:
			at = take_preface(f, at, end);
			break;
		case HEADER:
			at = take_header(f, at, end, event);
			break;
		case BLOCK:
			at = take_block(f, at, end);
			break;
		default:
			len = (size_t)(end - at) < f->left ? (size_t)(end - at) : f->left;
			f->left -= (uint32_t)len;
			at += len;
		}
	}
	return at ? at - start : give_up(f);
}

ssize_t http2_skip(struct http2_flow *f, uint64_t len, enum http2_event *event)
{
	*event = HTTP2_MORE;
	if (http2_in_frame(f) && f->left == 0)
		return http2_feed(f, "", 0, event);
	if (len == 0 && f->state != DEAD)
		return 0;
	if (f->state != PAYLOAD)
		return give_up(f);
	if (len > f->left)
		len = f->left;
	f->left -= (uint32_t)len;
	if (f->left == 0) {
		end_frame(f);
		*event = HTTP2_FRAME_END;
	}
	return (ssize_t)len;
}
