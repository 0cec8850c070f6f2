#include "preload/wire/cgi_vars.h"

#include <string.h>

#include "preload/wire/facts.h"

enum variable {
	OTHER,
	CONTENT_LENGTH,
	DOCUMENT_URI,
	HTTP_CONNECTION,
	HTTP_EXPECT,
	HTTP_TRACEPARENT,
	HTTP_TRANSFER_ENCODING,
	HTTP_X_REQPROF,
	HTTP_X_REQUEST_ID,
	PATH_INFO,
	REQUEST_METHOD,
	REQUEST_URI,
	SCRIPT_NAME,
	SERVER_PROTOCOL,
	VARIABLES,
};

/* The higher one wins; none is told in uwsgi's order by the others. */
static const uint8_t ranks[][VARIABLES] = {
	[CGI_PATH_INFO_FIRST] = { [PATH_INFO] = 2, [REQUEST_URI] = 1 },
	[CGI_REQUEST_URI_FIRST] = { [REQUEST_URI] = 3,
				    [SCRIPT_NAME] = 2,
				    [PATH_INFO] = 2,
				    [DOCUMENT_URI] = 1 },
};

void cgi_vars_start(struct cgi_vars *v, struct wire_facts *facts, enum cgi_path path)
{
	v->length_known = false;
	v->body_unknown = false;
	v->length = 0;
	v->path = (uint8_t)path;
	v->path_rank = 0;
	v->variable = OTHER;
	v->collected = 0;
	v->value_began = false;
	v->too_long = false;
	v->has_path_info = false;
	v->split = 0;
	target_start(&v->target, facts);
}

static enum variable look_up(const char *key, size_t len)
{
	static const struct {
		const char *key;
		uint8_t len;
		uint8_t variable;
	} wanted[] = {
		{ "PATH_INFO", 9, PATH_INFO },
		{ "HTTP_EXPECT", 11, HTTP_EXPECT },
		{ "REQUEST_URI", 11, REQUEST_URI },
		{ "SCRIPT_NAME", 11, SCRIPT_NAME },
		{ "DOCUMENT_URI", 12, DOCUMENT_URI },
		{ "CONTENT_LENGTH", 14, CONTENT_LENGTH },
		{ "HTTP_X_REQPROF", 14, HTTP_X_REQPROF },
		{ "REQUEST_METHOD", 14, REQUEST_METHOD },
		{ "HTTP_CONNECTION", 15, HTTP_CONNECTION },
		{ "SERVER_PROTOCOL", 15, SERVER_PROTOCOL },
		{ "HTTP_TRACEPARENT", 16, HTTP_TRACEPARENT },
		{ "HTTP_X_REQUEST_ID", 17, HTTP_X_REQUEST_ID },
		{ "HTTP_TRANSFER_ENCODING", 22, HTTP_TRANSFER_ENCODING },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (wanted[i].len == len && memcmp(wanted[i].key, key, len) == 0)
			return wanted[i].variable;
	}
	return OTHER;
}

/* Is the word an element of this comma-separated list? */
static bool list_has(const char *list, size_t len, const char *word)
{
	const char *end = list + len;

	while (list < end) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		const char *stop = comma ? comma : end;
		const char *first = list, *last = stop;

		while (first < last && (*first == ' ' || *first == '\t'))
			first++;
		while (last > first && (last[-1] == ' ' || last[-1] == '\t'))
			last--;
		if (facts_same_word(first, (size_t)(last - first), word))
			return true;
		list = comma ? comma + 1 : end;
	}
	return false;
}

static void take_content_length(struct cgi_vars *v, const char *text, size_t len)
{
	/* nginx sends it empty with requests that have no body. */
	if (len == 0)
		return;
	v->length_known = true;
	v->body_unknown = !facts_parse_length(text, len, &v->length);
}

static void take_method(struct wire_facts *facts, const char *text, size_t len)
{
	if (len > WIRE_METHOD_MAX - 1)
		len = WIRE_METHOD_MAX - 1;
	memcpy(facts->method, text, len);
	facts->method[len] = '\0';
	facts_end_method(facts);
}

static void reverse(char *text, size_t len)
{
	for (size_t i = 0; i < len / 2; i++) {
		char c = text[i];

		text[i] = text[len - 1 - i];
		text[len - 1 - i] = c;
	}
}

/* SCRIPT_NAME stands behind PATH_INFO in the path: turns them round, unless a part was cut off. */
static void put_script_name_first(const struct cgi_vars *v, struct wire_facts *facts)
{
	if (v->split == 0 || facts->path_full_len > facts->path_len)
		return;
	reverse(facts->path, v->split);
	reverse(facts->path + v->split, facts->path_len - v->split);
	reverse(facts->path, facts->path_len);
}

/* The item holds the value, or as much of it as fits. */
static void take_whole_value(struct cgi_vars *v, struct wire_facts *facts)
{
	size_t len = v->collected;

	switch ((enum variable)v->variable) {
	case CONTENT_LENGTH:
		take_content_length(v, v->item, len);
		break;
	case HTTP_CONNECTION:
		facts->upgrade = list_has(v->item, len, "upgrade");
		break;
	case HTTP_EXPECT:
		facts->expect_continue = list_has(v->item, len, "100-continue");
		break;
	case HTTP_TRACEPARENT:
		facts_take_traceparent(facts, v->item, len);
		break;
	case HTTP_TRANSFER_ENCODING:
		if (len > 0 && !v->length_known)
			v->body_unknown = true;
		break;
	case HTTP_X_REQPROF:
		facts->asked = len != 1 || v->item[0] != '0';
		break;
	case HTTP_X_REQUEST_ID:
		facts_take_request_id(facts, v->item, len);
		break;
	case REQUEST_METHOD:
		take_method(facts, v->item, len);
		break;
	case REQUEST_URI:
		if (v->value_began)
			target_end(&v->target, facts);
		break;
	case SCRIPT_NAME:
		if (v->value_began)
			put_script_name_first(v, facts);
		break;
	case SERVER_PROTOCOL:
		if (facts_same_word(v->item, len, "http/1.0"))
			facts->http_minor = 0;
		break;
	default:
		break;
	}
}

/* Everything is part of a value, spaces and control bytes too: only its length ends it. */
static void take_uri(struct cgi_vars *v, struct wire_facts *facts, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t used = target_feed(&v->target, facts, bytes, len);

		if (used == 0) {
			used = 1;
			target_feed_odd(&v->target, facts, bytes, used);
		}
		bytes += used;
		len -= used;
	}
}

static void collect(struct cgi_vars *v, const char *bytes, size_t len)
{
	size_t room = sizeof(v->item) - v->collected;

	if (len > room) {
		v->too_long = true;
		len = room;
	}
	if (len > 0)
		memcpy(v->item + v->collected, bytes, len);
	v->collected += (uint8_t)len;
}

/* The first bytes of a value that could be the path, or part of it. False: another one goes before. */
static bool begin_path(struct cgi_vars *v, struct wire_facts *facts, uint8_t rank)
{
	bool joins = v->path == CGI_REQUEST_URI_FIRST && v->path_rank == rank &&
		     v->variable == (v->has_path_info ? SCRIPT_NAME : PATH_INFO);

	if (rank < v->path_rank)
		return false;
	v->split = 0;
	if (!joins) {
		target_start(&v->target, facts);
	} else if (v->variable == SCRIPT_NAME) {
		v->split = facts->path_len;
	}
	v->has_path_info = v->variable == PATH_INFO;
	v->path_rank = rank;
	return true;
}

void cgi_vars_key(struct cgi_vars *v, const char *bytes, size_t len, bool ends)
{
	/* One that the input does not cut is looked at where it stands. */
	if (ends && v->collected == 0 && !v->too_long) {
		v->variable = (uint8_t)(len > 0 ? look_up(bytes, len) : OTHER);
	} else {
		collect(v, bytes, len);
		if (ends)
			v->variable =
				(uint8_t)(v->too_long ? OTHER : look_up(v->item, v->collected));
	}
	if (ends) {
		v->collected = 0;
		v->too_long = false;
		v->value_began = false;
	}
}

void cgi_vars_value(struct cgi_vars *v, struct wire_facts *facts, const char *bytes, size_t len,
		    bool ends)
{
	uint8_t rank = ranks[v->path][v->variable];

	if (v->variable == OTHER)
		goto end;
	if (rank && len > 0 && !v->value_began && !begin_path(v, facts, rank)) {
		v->variable = OTHER;
		goto end;
	}
	v->value_began |= len > 0;
	if (v->variable == REQUEST_URI && rank)
		take_uri(v, facts, bytes, len);
	else if (rank)
		facts_add_path(facts, bytes, len);
	else if (v->variable != SCRIPT_NAME && v->variable != DOCUMENT_URI)
		collect(v, bytes, len);
	if (ends)
		take_whole_value(v, facts);
end:
	if (ends) {
		v->collected = 0;
		v->too_long = false;
	}
}
