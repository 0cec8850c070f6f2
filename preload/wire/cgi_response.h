/*
 * An answer that is a CGI head and a body up to the end of the connection, or of the length that
 * it tells: what SCGI servers and the daemon processes of mod_wsgi write.
 */
#ifndef REQPROF_WIRE_CGI_RESPONSE_H
#define REQPROF_WIRE_CGI_RESPONSE_H

#include "preload/wire/cgi_head.h"
#include "preload/wire/http1_body.h"
#include "preload/wire/http1_fields.h"
#include "preload/wire/wire.h"

struct cgi_response {
	WIRE_RESPONSE_COMMON;
	/* internal to cgi_response.c below; the whole struct stays under 512 bytes */
	bool is_head;
	bool is_modwsgi;
	struct cgi_head head;
	struct http1_fields fields;
	struct http1_body body;
};

/*
 * modwsgi: the daemon may first answer "Status: 200 Continue" and nothing else, which is interim,
 * and tells by "200 Error" or "200 Timeout" alone that its front end shall answer with 500 or 504.
 */
void cgi_response_start(struct cgi_response *r, const struct wire_facts *request, bool modwsgi);

/* As http1_response_feed. */
ssize_t cgi_response_feed(struct cgi_response *r, const void *bytes, size_t len);
ssize_t cgi_response_skip(struct cgi_response *r, uint64_t len);

#endif
