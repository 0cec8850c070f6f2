#include "preload/track/streams.h"

#include <string.h>

#include "preload/track/pool.h"
#include "preload/wire/http2.h"

/*
 * What a connection may cost. Of requests the table that servers allow for, 4 KiB, always fits; of
 * responses, of which no text is kept, nearly any of the 64 KiB that browsers allow for.
 */
enum {
	STREAMS_BYTES = 16 << 10,
	IN_ENTRIES = HPACK_TABLE_DEFAULT / HPACK_ENTRY_OVERHEAD,
	IN_TEXT = HPACK_TABLE_DEFAULT,
	OUT_ENTRIES = 1440,
};

struct stream {
	uint32_t id;
	uint32_t touched;	 /* when, counted in touches */
	struct request *request; /* OPEN; holds what will be CONNECTION_ENDED's reference */
};

struct streams {
	void *pool_link;
	uint64_t frame_ns; /* when the first byte of the last frame was read */
	uint32_t last_id;  /* of the client's last stream: only a greater one is new */
	uint32_t touches;
	uint32_t touches_before; /* this call */
	uint32_t count;
	bool several; /* streams touched in this call */
	bool lost; /* nothing can be followed any more: all streams end */
	struct stream list[STREAMS_MAX];
	struct http2_flow in, out;
	struct hpack_entry in_entries[IN_ENTRIES], out_entries[OUT_ENTRIES];
	char in_text[IN_TEXT];
};
_Static_assert(sizeof(struct streams) <= STREAMS_BYTES, "16 KiB for a connection are enough");

static struct pool streams_pool = { .object_size = STREAMS_BYTES };

struct streams *streams_new(void)
{
	struct streams *s = pool_get(&streams_pool);

	if (!s)
		return NULL;
	s->last_id = 0;
	s->touches = 0;
	s->count = 0;
	s->lost = s->several = false;
	http2_start(&s->in, true, s->in_entries, IN_ENTRIES, s->in_text, IN_TEXT);
	http2_start(&s->out, false, s->out_entries, OUT_ENTRIES, NULL, 0);
	return s;
}

void streams_free(struct streams *s)
{
	pool_put(&streams_pool, s);
}

void streams_postfork_child(void)
{
	pool_postfork_child(&streams_pool);
}

bool streams_several(const struct streams *s)
{
	return s->several;
}

static struct stream *streams_find(struct streams *s, uint32_t id)
{
	for (uint32_t i = 0; i < s->count; i++) {
		if (s->list[i].id == id)
			return &s->list[i];
	}
	return NULL;
}

/* These bytes are work for the stream's request. */
static void streams_touch(struct connection *c, struct stream *stream)
{
	struct streams *s = c->streams;

	if (!stream)
		return;
	if (s->touches > s->touches_before && stream->touched <= s->touches_before)
		s->several = true;
	stream->touched = ++s->touches;
	c->first = stream->request;
}

/* The request of the stream that this call touched last, of those that are open. */
static struct request *streams_touched_last(const struct streams *s)
{
	uint32_t newest = s->touches_before;
	struct request *r = NULL;

	for (uint32_t i = 0; i < s->count; i++) {
		if (s->list[i].touched > newest) {
			newest = s->list[i].touched;
			r = s->list[i].request;
		}
	}
	return r;
}

static void streams_end(struct connection *c, struct stream *stream, enum request_end end,
			uint64_t now_ns, struct connection_events *events)
{
	struct streams *s = c->streams;
	struct request *r = stream->request;

	/* Its head may not have been read to its end. */
	if (s->in.hpack.facts == &r->in.any.facts)
		s->in.hpack.facts = NULL;
	*stream = s->list[--s->count];
	if (c->first == r)
		c->first = streams_touched_last(s);
	connection_end(r, end, now_ns, events);
}

static void streams_end_all(struct connection *c, enum request_end end, uint64_t now_ns,
			    struct connection_events *events)
{
	struct streams *s = c->streams;

	while (s->count > 0 && events->count < CONNECTION_EVENTS_MAX)
		streams_end(c, &s->list[s->count - 1], end, now_ns, events);
	events->more = s->count > 0;
}

/* The client opens a stream. NULL: it cannot be followed. */
static struct stream *streams_open(struct connection *c, uint32_t id,
				   struct connection_events *events)
{
	struct streams *s = c->streams;
	struct request *r = s->count < STREAMS_MAX ? request_new() : NULL;
	struct stream *stream;

	s->last_id = id;
	if (!r) {
		events->dropped++;
		return NULL;
	}
	r->protocol = WIRE_HTTP2;
	r->peer = c->peer;
	r->secure = c->secure;
	r->first_byte_ns = s->frame_ns;
	wire_request_start(WIRE_HTTP2, &r->in);
	wire_response_start(WIRE_HTTP2, &r->out, &r->in);
	r->out_ready = true;
	s->in.hpack.facts = &r->in.any.facts;
	stream = &s->list[s->count++];
	stream->id = id;
	stream->request = r;
	connection_begin(r, s->frame_ns, events);
	return stream;
}

void streams_adopt(struct connection *c)
{
	struct streams *s = c->streams;
	struct request *r = c->first;

	r->protocol = WIRE_HTTP2;
	wire_response_start(WIRE_HTTP2, &r->out, &r->in);
	s->last_id = 1;
	s->list[0].id = 1;
	s->list[0].request = r;
	s->list[0].touched = ++s->touches;
	s->count = 1;
}

static void streams_in_frame(struct connection *c, struct connection_events *events)
{
	struct streams *s = c->streams;
	const struct http2_flow *f = &s->in;
	struct stream *stream = streams_find(s, f->stream);

	/* A second HEADERS on a stream has trailers, which nobody wants. Clients' numbers are odd. */
	if (f->type == HTTP2_HEADERS && f->stream > s->last_id && f->stream % 2 == 1)
		stream = streams_open(c, f->stream, events);
	streams_touch(c, stream);
}

static void streams_in_frame_end(struct connection *c, uint64_t now_ns,
				 struct connection_events *events)
{
	const struct http2_flow *f = &c->streams->in;
	struct stream *stream = streams_find(c->streams, f->stream);

	if (!stream)
		return;
	if (f->head_ended && stream->request->in.any.stage == WIRE_HEAD)
		stream->request->in.any.stage = WIRE_BODY;
	if (f->stream_ended)
		stream->request->in.any.stage = WIRE_DONE;
	if (f->type == HTTP2_RST_STREAM)
		streams_end(c, stream, REQUEST_ABORTED, now_ns, events);
}

static void streams_out_frame(struct connection *c, struct connection_events *events)
{
	const struct http2_flow *f = &c->streams->out;
	struct stream *stream = streams_find(c->streams, f->stream);

	events->pushed += f->type == HTTP2_PUSH_PROMISE;
	streams_touch(c, stream);
}

/* A response's head: that of an interim answer, the final one, or trailers. */
static void streams_head_sent(struct request *r, unsigned status)
{
	if (r->out.any.status || status < 100)
		return;
	if (status < 200) {
		if (r->out.any.interim < UINT8_MAX)
			r->out.any.interim++;
		return;
	}
	r->out.any.status = (uint16_t)status;
	r->out.any.started = true;
	r->out.any.stage = WIRE_BODY;
}

static void streams_out_frame_end(struct connection *c, uint64_t now_ns,
				  struct connection_events *events)
{
	const struct http2_flow *f = &c->streams->out;
	struct stream *stream = streams_find(c->streams, f->stream);

	if (!stream)
		return;
	if (f->head_ended && !f->promise)
		streams_head_sent(stream->request, f->hpack.status);
	if (f->stream_ended)
		stream->request->out.any.stage = WIRE_DONE;
	if (f->stream_ended || f->type == HTTP2_RST_STREAM)
		streams_end(c, stream, f->stream_ended ? REQUEST_COMPLETE : REQUEST_ABORTED, now_ns,
			    events);
}

/* No more requests from here. If the responses can still be followed, so can those that are open. */
static void streams_lose(struct connection *c, bool sent, uint64_t now_ns,
			 struct connection_events *events)
{
	struct streams *s = c->streams;

	c->dead = true;
	events->abandoned = true;
	s->in.hpack.facts = NULL;
	if (!sent)
		return;
	s->lost = true;
	streams_end_all(c, REQUEST_LOST, now_ns, events);
}

static void streams_mark_write(struct connection *c, const struct http2_flow *f, uint64_t now_ns)
{
	struct stream *stream = http2_in_frame(f) ? streams_find(c->streams, f->stream) : NULL;

	if (stream)
		stream->request->last_write_ns = now_ns;
}

static size_t streams_feed(struct connection *c, bool sent, const uint8_t *bytes, size_t len,
			   uint64_t now_ns, struct connection_events *events)
{
	struct streams *s = c->streams;
	struct http2_flow *f = sent ? &s->out : &s->in;
	enum http2_event event;
	size_t done = 0;

	do {
		ssize_t used;

		/* What an event makes happen is one thing at most. */
		if (events->count == CONNECTION_EVENTS_MAX) {
			events->more = true;
			return done;
		}
		if (!sent && !http2_in_frame(f) && !http2_in_header(f))
			s->frame_ns = now_ns;
		used = bytes ? http2_feed(f, bytes + done, len - done, &event)
			     : http2_skip(f, len - done, &event);
		if (used < 0) {
			streams_lose(c, sent, now_ns, events);
			return len;
		}
		done += (size_t)used;
		if (sent)
			streams_mark_write(c, f, now_ns);
		if (event == HTTP2_FRAME && sent)
			streams_out_frame(c, events);
		else if (event == HTTP2_FRAME)
			streams_in_frame(c, events);
		else if (event == HTTP2_FRAME_END && sent)
			streams_out_frame_end(c, now_ns, events);
		else if (event == HTTP2_FRAME_END)
			streams_in_frame_end(c, now_ns, events);
	} while (event != HTTP2_MORE);
	return done;
}

static size_t streams_moved(struct connection *c, bool sent, const uint8_t *bytes, size_t len,
			    uint64_t now_ns, struct connection_events *events)
{
	struct streams *s = c->streams;
	struct http2_flow *f;

	if (!s)
		return len;
	c->first = NULL;
	if (s->lost)
		streams_end_all(c, REQUEST_LOST, now_ns, events);
	if (s->lost || (c->dead && !sent))
		return len;
	f = sent ? &s->out : &s->in;
	s->touches_before = s->touches;
	s->several = false;
	if (http2_in_frame(f))
		streams_touch(c, streams_find(s, f->stream));
	return streams_feed(c, sent, bytes, len, now_ns, events);
}

size_t streams_received(struct connection *c, const uint8_t *bytes, size_t len, uint64_t now_ns,
			struct connection_events *events)
{
	return streams_moved(c, false, bytes, len, now_ns, events);
}

size_t streams_sent(struct connection *c, const uint8_t *bytes, size_t len, uint64_t now_ns,
		    struct connection_events *events)
{
	return streams_moved(c, true, bytes, len, now_ns, events);
}

void streams_over(struct connection *c, uint64_t now_ns, struct connection_events *events)
{
	if (!c->streams)
		return;
	c->first = NULL;
	streams_end_all(c, c->streams->lost ? REQUEST_LOST : REQUEST_ABORTED, now_ns, events);
	if (events->more)
		return;
	streams_free(c->streams);
	c->streams = NULL;
	c->dead = true;
}
