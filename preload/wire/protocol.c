#include "preload/wire/protocol.h"

#include "preload/wire/facts.h"

/* Its fields are filled in by hpack.c: there is no state but what all requests have. */
static void http2_request_start(union wire_request *r)
{
	facts_start(&r->any.facts);
	r->any.facts.keep_alive = true;
	r->any.stage = WIRE_HEAD;
	r->any.started = true;
}

void wire_request_start(enum wire_protocol protocol, union wire_request *r)
{
	switch (protocol) {
	case WIRE_UWSGI:
		uwsgi_request_start(&r->uwsgi);
		break;
	case WIRE_HTTP2:
		http2_request_start(r);
		break;
	default:
		http1_request_start(&r->http1);
	}
}

ssize_t wire_request_feed(enum wire_protocol protocol, union wire_request *r, const void *bytes,
			  size_t len)
{
	switch (protocol) {
	case WIRE_UWSGI:
		return bytes ? uwsgi_request_feed(&r->uwsgi, bytes, len)
			     : uwsgi_request_skip(&r->uwsgi, len);
	default:
		return bytes ? http1_request_feed(&r->http1, bytes, len)
			     : http1_request_skip(&r->http1, len);
	}
}

/* A worker answers the uwsgi protocol in HTTP. */
void wire_response_start(enum wire_protocol protocol, union wire_response *r,
			 const union wire_request *request)
{
	http1_response_start(&r->http1, &request->any.facts);
}

ssize_t wire_response_feed(enum wire_protocol protocol, union wire_response *r, const void *bytes,
			   size_t len)
{
	return bytes ? http1_response_feed(&r->http1, bytes, len)
		     : http1_response_skip(&r->http1, len);
}

void wire_response_give_up(union wire_response *r)
{
	r->any.started = true;
	r->any.until_close = true;
	r->any.stage = WIRE_BODY;
}

bool wire_request_withheld(enum wire_protocol protocol, const union wire_request *r,
			   const union wire_response *response, const void *bytes, size_t len)
{
	/* The client asked before sending its body and got the final answer at once. */
	return r->any.facts.expect_continue && response->any.interim == 0 && bytes &&
	       wire_sniff(bytes, len) == WIRE_HTTP1;
}

bool wire_is_gateway(enum wire_protocol protocol)
{
	return protocol != WIRE_HTTP1 && protocol != WIRE_HTTP2;
}

const char *wire_protocol_name(enum wire_protocol protocol, const union wire_request *r)
{
	switch (protocol) {
	case WIRE_UWSGI:
		return "uwsgi";
	case WIRE_HTTP2:
		return "http/2";
	default:
		return r->any.facts.http_minor ? "http/1.1" : "http/1.0";
	}
}
