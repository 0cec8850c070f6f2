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

bool wire_has_requests(enum wire_protocol protocol)
{
	return protocol != WIRE_UNKNOWN && protocol != WIRE_NONE && protocol != WIRE_PROXY &&
	       protocol != WIRE_TLS;
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
	case WIRE_FASTCGI:
		fastcgi_request_start(&r->fastcgi);
		break;
	case WIRE_SCGI:
		scgi_request_start(&r->scgi);
		break;
	case WIRE_AJP:
		ajp_request_start(&r->ajp);
		break;
	case WIRE_MODWSGI:
		modwsgi_request_start(&r->modwsgi);
		break;
	default:
		http1_request_start(&r->http1);
	}
}

static ssize_t request_skip(enum wire_protocol protocol, union wire_request *r, uint64_t len)
{
	switch (protocol) {
	case WIRE_UWSGI:
		return uwsgi_request_skip(&r->uwsgi, len);
	case WIRE_FASTCGI:
		return fastcgi_request_skip(&r->fastcgi, len);
	case WIRE_SCGI:
		return scgi_request_skip(&r->scgi, len);
	case WIRE_AJP:
		return ajp_request_skip(&r->ajp, len);
	case WIRE_MODWSGI:
		return modwsgi_request_skip(&r->modwsgi, len);
	default:
		return http1_request_skip(&r->http1, len);
	}
}

ssize_t wire_request_feed(enum wire_protocol protocol, union wire_request *r, const void *bytes,
			  size_t len)
{
	if (!bytes)
		return request_skip(protocol, r, len);
	switch (protocol) {
	case WIRE_UWSGI:
		return uwsgi_request_feed(&r->uwsgi, bytes, len);
	case WIRE_FASTCGI:
		return fastcgi_request_feed(&r->fastcgi, bytes, len);
	case WIRE_SCGI:
		return scgi_request_feed(&r->scgi, bytes, len);
	case WIRE_AJP:
		return ajp_request_feed(&r->ajp, bytes, len);
	case WIRE_MODWSGI:
		return modwsgi_request_feed(&r->modwsgi, bytes, len);
	default:
		return http1_request_feed(&r->http1, bytes, len);
	}
}

/* A worker answers the uwsgi protocol in HTTP. */
void wire_response_start(enum wire_protocol protocol, union wire_response *r,
			 const union wire_request *request)
{
	switch (protocol) {
	case WIRE_FASTCGI:
		fastcgi_response_start(&r->fastcgi, &request->fastcgi);
		break;
	case WIRE_SCGI:
	case WIRE_MODWSGI:
		cgi_response_start(&r->cgi, &request->any.facts, protocol == WIRE_MODWSGI);
		break;
	case WIRE_AJP:
		ajp_response_start(&r->ajp);
		break;
	default:
		http1_response_start(&r->http1, &request->any.facts);
	}
}

ssize_t wire_response_feed(enum wire_protocol protocol, union wire_response *r, const void *bytes,
			   size_t len)
{
	switch (protocol) {
	case WIRE_FASTCGI:
		return bytes ? fastcgi_response_feed(&r->fastcgi, bytes, len)
			     : fastcgi_response_skip(&r->fastcgi, len);
	case WIRE_SCGI:
	case WIRE_MODWSGI:
		return bytes ? cgi_response_feed(&r->cgi, bytes, len)
			     : cgi_response_skip(&r->cgi, len);
	case WIRE_AJP:
		return bytes ? ajp_response_feed(&r->ajp, bytes, len)
			     : ajp_response_skip(&r->ajp, len);
	default:
		return bytes ? http1_response_feed(&r->http1, bytes, len)
			     : http1_response_skip(&r->http1, len);
	}
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
	switch (protocol) {
	case WIRE_AJP:
		return ajp_request_withheld(&r->ajp, bytes, len);
	case WIRE_HTTP1:
		/* The client asked before sending its body and got the final answer at once. */
		return r->any.facts.expect_continue && response->any.interim == 0 && bytes &&
		       wire_sniff(bytes, len) == WIRE_HTTP1;
	default:
		return false;
	}
}

bool wire_pipelines(enum wire_protocol protocol)
{
	return protocol == WIRE_HTTP1;
}

unsigned wire_request_others(enum wire_protocol protocol, const union wire_request *r)
{
	return protocol == WIRE_FASTCGI ? r->fastcgi.others : 0;
}

bool wire_response_turns_http2(enum wire_protocol protocol, const union wire_response *r)
{
	return protocol == WIRE_HTTP1 && r->any.stage == WIRE_DONE && r->any.status == 101 &&
	       r->http1.says_h2c;
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
	case WIRE_FASTCGI:
		return "fastcgi";
	case WIRE_SCGI:
		return "scgi";
	case WIRE_AJP:
		return "ajp";
	case WIRE_MODWSGI:
		return "mod_wsgi";
	default:
		return r->any.facts.http_minor ? "http/1.1" : "http/1.0";
	}
}
