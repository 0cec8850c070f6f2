#include "preload/wire/cgi_head.h"

#include <string.h>

enum state {
	LINE,	  /* at the first byte of a line */
	LINE_END, /* after a CR in that place */
	STATUS,
	LOCATION,
	VERSION, /* of an HTTP status line */
	GAP,	 /* before the code */
	CODE,
	REASON,
	SKIP, /* to the end of the line */
};

/* '?' stands for any byte. */
static const char *const words[] = {
	[STATUS] = "status:",
	[LOCATION] = "location:",
	[VERSION] = "http/?.?",
};

void cgi_head_start(struct cgi_head *h)
{
	memset(h, 0, sizeof(*h));
}

static void end_head(struct cgi_head *h)
{
	h->ended = true;
	h->status = h->code ? h->code : h->has_location ? 302 : 200;
	while (h->reason_len > 0 &&
	       (h->reason[h->reason_len - 1] == '\r' || h->reason[h->reason_len - 1] == ' '))
		h->reason_len--;
}

static void begin_line(struct cgi_head *h, char c)
{
	h->matched = 0;
	switch (c) {
	case '\n':
		end_head(h);
		return;
	case '\r':
		h->state = LINE_END;
		return;
	case 'h':
	case 'H':
		h->state = h->lines == 0 ? VERSION : SKIP;
		break;
	case 'l':
	case 'L':
		h->state = LOCATION;
		break;
	case 's':
	case 'S':
		h->state = STATUS;
		break;
	default:
		h->state = SKIP;
	}
	h->matched = 1;
	if (h->lines < UINT8_MAX)
		h->lines++;
}

/* The next byte of a word that matters, or not. */
static void follow_word(struct cgi_head *h, char c)
{
	const char *word = words[h->state];

	if (c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	if (word[h->matched] != c && word[h->matched] != '?') {
		h->state = SKIP;
		return;
	}
	if (word[++h->matched])
		return;
	h->matched = 0;
	if (h->state == LOCATION)
		h->has_location = true;
	h->state = h->state == LOCATION ? SKIP : GAP;
}

/* Behind the word: white space, three digits, the reason. */
static void follow_status(struct cgi_head *h, char c)
{
	if (h->state == GAP && (c == ' ' || c == '\t'))
		return;
	if (h->state == REASON) {
		if (h->reason_len < CGI_REASON_MAX && (h->reason_len > 0 || c != ' '))
			h->reason[h->reason_len++] = c;
		return;
	}
	if (h->state == GAP) {
		h->code = 0;
		h->reason_len = 0;
	}
	h->state = CODE;
	if (c >= '0' && c <= '9' && h->matched < 3) {
		h->code = (uint16_t)(h->code * 10 + (c - '0'));
		h->matched++;
		return;
	}
	if (h->matched < 3 || h->code < 100 || (c >= '0' && c <= '9')) {
		h->code = 0;
		h->state = SKIP;
	} else {
		h->state = REASON;
	}
}

static void end_line(struct cgi_head *h)
{
	if (h->state == CODE && h->matched < 3)
		h->code = 0;
	h->state = LINE;
}

size_t cgi_head_feed(struct cgi_head *h, const char *bytes, size_t len)
{
	const char *at = bytes, *end = bytes + len, *newline;

	while (at < end && !h->ended) {
		if (h->state == SKIP) {
			newline = memchr(at, '\n', (size_t)(end - at));
			if (!newline)
				return len;
			at = newline;
		}
		if (h->state == LINE)
			begin_line(h, *at);
		else if (h->state == LINE_END && *at == '\n')
			end_head(h);
		else if (h->state == LINE_END)
			h->state = SKIP;
		else if (*at == '\n')
			end_line(h);
		else if (h->state <= VERSION)
			follow_word(h, *at);
		else
			follow_status(h, *at);
		at++;
	}
	return (size_t)(at - bytes);
}

bool cgi_head_says(const struct cgi_head *h, const char *reason)
{
	return h->ended && h->lines == 1 && h->code && strlen(reason) == h->reason_len &&
	       memcmp(h->reason, reason, h->reason_len) == 0;
}
