/*
 * The protocols of this room side by side: the one place that knows which parser is whose. What
 * each function does, and what it returns, is told by http1.h; the others do the same.
 */
#ifndef REQPROF_WIRE_PROTOCOL_H
#define REQPROF_WIRE_PROTOCOL_H

#include "preload/wire/ajp.h"
#include "preload/wire/cgi_response.h"
#include "preload/wire/fastcgi.h"
#include "preload/wire/http1.h"
#include "preload/wire/modwsgi.h"
#include "preload/wire/scgi.h"
#include "preload/wire/uwsgi.h"
#include "preload/wire/wire.h"

union wire_request {
	struct {
		WIRE_REQUEST_COMMON;
	} any;
	struct http1_request http1;
	struct uwsgi_request uwsgi;
	struct fastcgi_request fastcgi;
	struct scgi_request scgi;
	struct ajp_request ajp;
	struct modwsgi_request modwsgi;
};

union wire_response {
	struct {
		WIRE_RESPONSE_COMMON;
	} any;
	struct http1_response http1;
	struct fastcgi_response fastcgi;
	struct cgi_response cgi;
	struct ajp_response ajp;
};

/* Do requests come by it? Not by WIRE_UNKNOWN, WIRE_NONE, WIRE_PROXY and WIRE_TLS. */
bool wire_has_requests(enum wire_protocol protocol);

/*
 * All below: with a protocol that has. What
 * feeds has no meaning for WIRE_HTTP2, whose bytes are those of a connection: see http2.h.
 */

void wire_request_start(enum wire_protocol protocol, union wire_request *r);
/* bytes NULL: len bytes that cannot be seen. */
ssize_t wire_request_feed(enum wire_protocol protocol, union wire_request *r, const void *bytes,
			  size_t len);

void wire_response_start(enum wire_protocol protocol, union wire_response *r,
			 const union wire_request *request);
ssize_t wire_response_feed(enum wire_protocol protocol, union wire_response *r, const void *bytes,
			   size_t len);
/* The bytes written are no response: only the end of the connection can end it now. */
void wire_response_give_up(union wire_response *r);

/*
 * The request has been answered, though not read to its end: do these bytes, the next ones that
 * were read, begin another request, so that the rest of its body never comes?
 */
bool wire_request_withheld(enum wire_protocol protocol, const union wire_request *r,
			   const union wire_response *response, const void *bytes, size_t len);

/* May a client send its next request before the last one is answered? */
bool wire_pipelines(enum wire_protocol protocol);

/* Other requests whose bytes stood between those of r, and which are not followed (FastCGI). */
unsigned wire_request_others(enum wire_protocol protocol, const union wire_request *r);

/* Did this response, which has ended, say that the connection goes on in HTTP/2 ("Upgrade: h2c")? Then the
 * request is its stream 1, and is answered there. */
bool wire_response_turns_http2(enum wire_protocol protocol, const union wire_response *r);

/* Is it spoken by front ends only, and never by an application that asks some other service? */
bool wire_is_gateway(enum wire_protocol protocol);

/* For network.protocol.name. */
const char *wire_protocol_name(enum wire_protocol protocol, const union wire_request *r);

#endif
