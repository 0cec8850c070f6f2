/*
 * The variables of CGI (RFC 3875 4.1) by which the uwsgi protocol, FastCGI, SCGI and mod_wsgi tell
 * of a request: pairs of a key and a value, whatever the framing around them.
 */
#ifndef REQPROF_WIRE_CGI_VARS_H
#define REQPROF_WIRE_CGI_VARS_H

#include "preload/wire/target.h"
#include "preload/wire/wire.h"

/* Which variable has the path, if several could have it. */
enum cgi_path {
	/* PATH_INFO, else REQUEST_URI: routers of the uwsgi protocol put the whole path there. */
	CGI_PATH_INFO_FIRST,
	/* REQUEST_URI, else SCRIPT_NAME and PATH_INFO in one, else DOCUMENT_URI. */
	CGI_REQUEST_URI_FIRST,
};

struct cgi_vars {
	bool length_known; /* CONTENT_LENGTH was told and not empty */
	bool body_unknown; /* there is a body, and its length is not told */
	uint64_t length;   /* of the body; 0 if it is not known */
	/* internal to cgi_vars.c below */
	uint8_t path;	   /* enum cgi_path */
	uint8_t path_rank; /* of the variable that facts->path is from; 0: of none */
	uint8_t variable;  /* which one the value belongs to */
	uint8_t collected; /* bytes of item that are used */
	bool value_began;
	bool too_long; /* the key does not fit in item */
	bool has_path_info;
	uint32_t split; /* where in the path SCRIPT_NAME begins that came behind PATH_INFO */
	struct target target;
	char item[160]; /* the key, or the value if it is one we want; cut */
};

void cgi_vars_start(struct cgi_vars *v, struct wire_facts *facts, enum cgi_path path);

/* The next bytes of a key, which may be none; `ends` with its last. Then the same for its value. */
void cgi_vars_key(struct cgi_vars *v, const char *bytes, size_t len, bool ends);
void cgi_vars_value(struct cgi_vars *v, struct wire_facts *facts, const char *bytes, size_t len,
		    bool ends);

#endif
