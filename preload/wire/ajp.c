#include "preload/wire/ajp.h"

#include <string.h>

#include "preload/wire/facts.h"

enum { HEADER_LEN = 4 };

enum code {
	FORWARD_REQUEST = 2,
	SEND_BODY_CHUNK,
	SEND_HEADERS,
	END_RESPONSE,
};

/* What comes next in a Forward Request, in this order; then a body packet. */
enum step {
	CODE,
	METHOD,
	PROTOCOL, /* from here strings */
	URI,
	REMOTE_ADDRESS,
	REMOTE_HOST,
	SERVER_NAME,
	PORT, /* numbers of 16 bits; their second bytes are told by `text` */
	IS_SSL,
	HEADERS,
	HEADER_NAME,
	HEADER_VALUE,
	ATTRIBUTE, /* a code */
	ATTRIBUTE_NAME,
	ATTRIBUTE_VALUE,
	KEY_SIZE,
	REST,	   /* of a packet: nothing we want */
	BODY_SIZE, /* of a body packet's data */
	BODY,
	DEAD, /* WIRE_NOT was said */
};

/* Which part of a string, or of a number, comes next. */
enum text { LENGTH, LENGTH_LOW, BYTES, NUL };

enum attribute { REQUEST_ATTRIBUTE = 0x0a, SSL_KEY_SIZE, STORED_METHOD = 0x0d, NO_MORE = 0xff };

enum { CODED_HEADER = 0xa0, NULL_TEXT = 0xffff };

/* By their numbers; 0xff says that the name comes as an attribute. */
static const char *const methods[] = {
	"",	      "OPTIONS",     "GET",
	"HEAD",	      "POST",	     "PUT",
	"DELETE",     "TRACE",	     "PROPFIND",
	"PROPPATCH",  "MKCOL",	     "COPY",
	"MOVE",	      "LOCK",	     "UNLOCK",
	"ACL",	      "REPORT",	     "VERSION-CONTROL",
	"CHECKIN",    "CHECKOUT",    "UNCHECKOUT",
	"SEARCH",     "MKWORKSPACE", "UPDATE",
	"LABEL",      "MERGE",	     "BASELINE-CONTROL",
	"MKACTIVITY",
};

enum { METHODS = sizeof(methods) / sizeof(methods[0]) };

static bool packet_take_header(struct ajp_packet *packet, const char **at, const char *end,
			       const char magic[2])
{
	while (*at < end && packet->header_len < HEADER_LEN) {
		uint8_t byte = (uint8_t) * (*at)++;

		if (packet->header_len < 2 && byte != (uint8_t)magic[packet->header_len])
			return false;
		packet->header[packet->header_len++] = byte;
	}
	if (packet->header_len == HEADER_LEN)
		packet->left = (uint16_t)(packet->header[2] << 8 | packet->header[3]);
	return true;
}

/* ---- requests ---- */

void ajp_request_start(struct ajp_request *r)
{
	facts_start(&r->facts);
	r->facts.keep_alive = true;
	r->stage = WIRE_HEAD;
	r->started = false;
	r->step = CODE;
	r->text = LENGTH;
	r->attribute = 0;
	r->headers_left = 0;
	r->number = 0;
	r->text_left = 0;
	r->packet.header_len = 0;
	r->packet.left = 0;
	r->body_left = 0;
	cgi_vars_start(&r->vars, &r->facts, CGI_REQUEST_URI_FIRST);
}

/* Headers and the like are told to cgi_vars by the names that CGI has for them. */
static void begin_variable(struct ajp_request *r, const char *name)
{
	cgi_vars_key(&r->vars, name, strlen(name), true);
}

static void take_method(struct ajp_request *r, unsigned char number)
{
	const char *name = number < METHODS ? methods[number] : "";

	begin_variable(r, "REQUEST_METHOD");
	cgi_vars_value(&r->vars, &r->facts, name, strlen(name), true);
}

/* Which variable a string of this step is the value of. */
static const char *variable_of(const struct ajp_request *r)
{
	switch (r->step) {
	case PROTOCOL:
		return "SERVER_PROTOCOL";
	case URI:
		return "REQUEST_URI";
	case ATTRIBUTE_VALUE:
		return r->attribute == STORED_METHOD ? "REQUEST_METHOD" : "";
	default:
		return "";
	}
}

static void begin_coded_header(struct ajp_request *r)
{
	switch (r->number & 0xff) {
	case 0x06:
		begin_variable(r, "HTTP_CONNECTION");
		break;
	case 0x08:
		begin_variable(r, "CONTENT_LENGTH");
		break;
	default:
		begin_variable(r, "");
	}
	r->step = HEADER_VALUE;
	r->text = LENGTH;
}

/* Bytes of a header's name, as CGI would spell it. */
static void take_name(struct ajp_request *r, const char *bytes, size_t len, bool ends)
{
	char upper[32];
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = bytes[i];

		if (c >= 'a' && c <= 'z')
			c += 'A' - 'a';
		upper[n++] = c == '-' ? '_' : c;
		if (n == sizeof(upper)) {
			cgi_vars_key(&r->vars, upper, n, false);
			n = 0;
		}
	}
	cgi_vars_key(&r->vars, upper, n, ends);
}

static void take_text(struct ajp_request *r, const char *bytes, size_t len, bool ends)
{
	if (r->step == HEADER_NAME)
		take_name(r, bytes, len, ends);
	else if (r->step != ATTRIBUTE_NAME)
		cgi_vars_value(&r->vars, &r->facts, bytes, len, ends);
}

static void begin_text(struct ajp_request *r)
{
	if (r->step == HEADER_NAME)
		cgi_vars_key(&r->vars, "HTTP_", strlen("HTTP_"), false);
	else if (r->step != HEADER_VALUE && r->step != ATTRIBUTE_NAME)
		begin_variable(r, variable_of(r));
}

/* A string, or a number, is whole. */
static void end_text(struct ajp_request *r)
{
	r->text = LENGTH;
	switch (r->step) {
	case HEADERS:
		r->headers_left = r->number;
		r->step = r->headers_left ? HEADER_NAME : ATTRIBUTE;
		break;
	case HEADER_VALUE:
		r->headers_left--;
		r->step = r->headers_left ? HEADER_NAME : ATTRIBUTE;
		break;
	case ATTRIBUTE_VALUE:
	case KEY_SIZE:
		r->step = ATTRIBUTE;
		break;
	default:
		r->step++;
	}
}

static void take_length(struct ajp_request *r, unsigned char byte)
{
	if (r->text == LENGTH) {
		r->number = byte;
		r->text = LENGTH_LOW;
		return;
	}
	r->number = (uint16_t)(r->number << 8 | byte);
	if (r->step == PORT || r->step == HEADERS || r->step == KEY_SIZE) {
		end_text(r);
		return;
	}
	if (r->step == HEADER_NAME && r->number >> 8 == CODED_HEADER) {
		begin_coded_header(r);
		return;
	}
	begin_text(r);
	r->text_left = r->number == NULL_TEXT ? 0 : r->number;
	r->text = r->text_left ? BYTES : NUL;
	if (r->text == NUL)
		take_text(r, "", 0, true);
	if (r->number == NULL_TEXT)
		end_text(r);
}

static void take_attribute(struct ajp_request *r, unsigned char code)
{
	r->attribute = code;
	switch (code) {
	case NO_MORE:
		r->step = REST;
		break;
	case REQUEST_ATTRIBUTE:
		r->step = ATTRIBUTE_NAME;
		break;
	case SSL_KEY_SIZE:
		r->step = KEY_SIZE;
		break;
	default:
		r->step = ATTRIBUTE_VALUE;
	}
}

/* The first byte of a packet tells what it is, if it is no body's. */
static void take_code(struct ajp_request *r, unsigned char code)
{
	r->step = REST;
	if (code == FORWARD_REQUEST) {
		r->started = true;
		r->step = METHOD;
	}
}

static bool take_body_size(struct ajp_request *r, unsigned char byte)
{
	if (r->text == LENGTH) {
		r->number = byte;
		r->text = LENGTH_LOW;
		return true;
	}
	r->number = (uint16_t)(r->number << 8 | byte);
	r->text = LENGTH;
	r->step = BODY;
	/* This byte is still counted. A Forward Request in place of a body shows here. */
	return r->number == r->packet.left - 1;
}

/* Up to len bytes of a packet's payload; how many, or -1. */
static ssize_t take_payload(struct ajp_request *r, const char *at, size_t len)
{
	unsigned char byte = (unsigned char)*at;

	switch (r->step) {
	case CODE:
		take_code(r, byte);
		return 1;
	case METHOD:
		take_method(r, byte);
		r->step++;
		return 1;
	case IS_SSL:
		r->step++;
		return 1;
	case ATTRIBUTE:
		take_attribute(r, byte);
		return 1;
	case REST:
		return (ssize_t)len;
	case BODY_SIZE:
		return take_body_size(r, byte) ? 1 : -1;
	case BODY:
		if (len > r->number)
			len = r->number;
		if (!r->vars.body_unknown && len > r->body_left)
			return -1;
		r->number -= (uint16_t)len;
		r->body_left -= r->vars.body_unknown ? 0 : len;
		if (r->number == 0)
			r->step = REST;
		return (ssize_t)len;
	case DEAD:
		return -1;
	default:
		break;
	}
	if (r->text == BYTES) {
		if (len > r->text_left)
			len = r->text_left;
		r->text_left -= (uint16_t)len;
		take_text(r, at, len, r->text_left == 0);
		if (r->text_left == 0)
			r->text = NUL;
		return (ssize_t)len;
	}
	if (r->text == NUL)
		end_text(r);
	else
		take_length(r, byte);
	return 1;
}

/* A packet is whole. False: in the middle of what it said. */
static bool end_packet(struct ajp_request *r)
{
	bool body_packet = r->stage == WIRE_BODY;

	if (r->stage == WIRE_HEAD && r->started) {
		if (r->step != REST && r->step != ATTRIBUTE)
			return false;
		r->body_left = r->vars.length;
		r->stage = WIRE_BODY;
	}
	/* An empty packet says that no more will come, whatever was promised. */
	if (body_packet ? r->step == BODY_SIZE || (r->step == BODY && r->number == 0) ||
				  (!r->vars.body_unknown && r->body_left == 0)
			: r->stage == WIRE_BODY && !r->vars.body_unknown && r->body_left == 0)
		r->stage = WIRE_DONE;
	else if (body_packet && r->step == BODY)
		return false;
	r->packet.header_len = 0;
	r->step = r->stage == WIRE_BODY ? BODY_SIZE : CODE;
	r->text = LENGTH;
	return true;
}

static const char *take_packet(struct ajp_request *r, const char *at, const char *end)
{
	if (r->step == DEAD)
		return NULL;
	if (r->packet.header_len < HEADER_LEN) {
		if (!packet_take_header(&r->packet, &at, end, "\x12\x34"))
			return NULL;
	} else {
		size_t len = (size_t)(end - at);
		ssize_t used;

		used = take_payload(r, at, len < r->packet.left ? len : r->packet.left);
		if (used < 0)
			return NULL;
		r->packet.left -= (uint16_t)used;
		at += used;
	}
	if (r->packet.header_len == HEADER_LEN && r->packet.left == 0 && !end_packet(r))
		return NULL;
	return at;
}

ssize_t ajp_request_feed(struct ajp_request *r, const void *bytes, size_t len)
{
	const char *start = bytes, *at = start, *end;

	if (r->step == DEAD)
		return WIRE_NOT;
	if (len == 0)
		return 0;
	end = start + len;
	while (at < end && r->stage != WIRE_DONE) {
		at = take_packet(r, at, end);
		if (!at) {
			r->step = DEAD;
			return WIRE_NOT;
		}
	}
	return at - start;
}

ssize_t ajp_request_skip(struct ajp_request *r, uint64_t len)
{
	if (r->step == DEAD)
		return WIRE_NOT;
	if (len == 0 || r->stage == WIRE_DONE)
		return 0;
	/* Packets are too small for anybody to move them unseen. */
	r->step = DEAD;
	return WIRE_NOT;
}

bool ajp_request_withheld(const struct ajp_request *r, const void *bytes, size_t len)
{
	const unsigned char *b = bytes;
	unsigned payload;

	if (r->stage != WIRE_BODY || r->packet.header_len != 0 || !bytes || len < HEADER_LEN + 2)
		return false;
	payload = (unsigned)b[2] << 8 | b[3];
	return b[0] == 0x12 && b[1] == 0x34 && b[4] == FORWARD_REQUEST &&
	       ((unsigned)b[4] << 8 | b[5]) + 2 != payload;
}

/* ---- responses ---- */

void ajp_response_start(struct ajp_response *r)
{
	r->stage = WIRE_HEAD;
	r->status = 0;
	r->interim = 0;
	r->started = false;
	r->until_close = false;
	r->closes = false;
	r->upgraded = false;
	r->body_bytes = 0;
	r->begin_len = 0;
	r->packet.header_len = 0;
	r->packet.left = 0;
}

/* The first three bytes of a payload are there, or all of a shorter one. */
static void take_begin(struct ajp_response *r)
{
	uint16_t number = (uint16_t)(r->begin[1] << 8 | r->begin[2]);

	if (r->begin_len < 2)
		return;
	if (r->begin[0] == END_RESPONSE)
		r->closes = r->begin[1] == 0;
	if (r->begin_len < 3)
		return;
	if (r->begin[0] == SEND_BODY_CHUNK)
		r->body_bytes += number;
	if (r->begin[0] == SEND_HEADERS && number < 200 && number != 101) {
		if (r->interim < UINT8_MAX)
			r->interim++;
	} else if (r->begin[0] == SEND_HEADERS) {
		r->status = number;
		r->started = true;
		r->stage = WIRE_BODY;
	}
}

static void end_response_packet(struct ajp_response *r)
{
	if (r->begin_len > 0 && r->begin_len < 3)
		take_begin(r);
	if (r->begin_len > 0 && r->begin[0] == END_RESPONSE)
		r->stage = WIRE_DONE;
	r->begin_len = 0;
	r->packet.header_len = 0;
}

static const char *take_response_payload(struct ajp_response *r, const char *at, const char *end)
{
	size_t len = (size_t)(end - at);

	if (r->begin_len < sizeof(r->begin)) {
		r->begin[r->begin_len++] = (uint8_t)*at;
		r->packet.left--;
		if (r->begin_len == sizeof(r->begin))
			take_begin(r);
		return at + 1;
	}
	if (len > r->packet.left)
		len = r->packet.left;
	r->packet.left -= (uint16_t)len;
	return at + len;
}

ssize_t ajp_response_feed(struct ajp_response *r, const void *bytes, size_t len)
{
	const char *start = bytes, *at = start, *end;

	if (len == 0)
		return 0;
	end = start + len;
	while (at < end && r->stage != WIRE_DONE) {
		if (r->packet.header_len < HEADER_LEN) {
			if (!packet_take_header(&r->packet, &at, end, "AB"))
				return WIRE_NOT;
		} else {
			at = take_response_payload(r, at, end);
		}
		if (r->packet.header_len == HEADER_LEN && r->packet.left == 0)
			end_response_packet(r);
	}
	return at - start;
}

ssize_t ajp_response_skip(struct ajp_response *r, uint64_t len)
{
	if (len == 0 || r->stage == WIRE_DONE)
		return 0;
	/* Within a body chunk's data, as with sendfile. */
	if (r->packet.header_len < HEADER_LEN || r->begin_len < sizeof(r->begin) ||
	    len >= r->packet.left)
		return WIRE_NOT;
	r->packet.left -= (uint16_t)len;
	return (ssize_t)len;
}
