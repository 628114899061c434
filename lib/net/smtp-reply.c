/* Replies of other mail servers. */
#include "net/smtp-reply.h"

#include "base/num.h"

size_t
smtp_printable(struct span text, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n && n + 1 < size; i++) {
		int c = span_at(text, i);

		out[n++] = c >= ' ' && c <= '~' ? (char)c : '?';
	}
	if (size > 0)
		out[n] = '\0';
	return n;
}

/* "250", "250 text", "250-text": the code, or 0. */
static unsigned
take_code(struct span line)
{
	uint64_t code;
	int after = span_at(line, 3);

	if (!num_parse(span_head(line, 3), 599, &code) || line.n < 3 ||
	    code < 200)
		return 0;
	return after == -1 || after == ' ' || after == '-' ? (unsigned)code : 0;
}

struct span
smtp_reply_text(struct span line)
{
	return span_skip(line, 4);
}

/* The first line whole, of the others what is behind the code. */
static void
add_text(struct smtp_reply *r, struct span line)
{
	size_t room = sizeof r->text - r->n;

	if (r->lines > 0)
		line = smtp_reply_text(line);
	if (r->lines > 0 && line.n > 0 && room > 1) {
		r->text[r->n++] = ' ';
		room--;
	}
	r->n += smtp_printable(line, r->text + r->n, room);
	if (r->lines == 0 && r->n > 3)
		r->text[3] = ' ';
}

int
smtp_reply_line(struct smtp_reply *r, struct span line)
{
	unsigned code = take_code(line);

	if (code == 0 || ++r->bytes > SMTP_REPLY_BYTES ||
	    (r->bytes += line.n) > SMTP_REPLY_BYTES)
		return -1;
	add_text(r, line);
	if (++r->lines > SMTP_REPLY_LINES)
		return -1;
	/* A server that says two things at once has said nothing final. */
	r->code = r->lines == 1 || r->code == code ? code : 450;
	return span_at(line, 3) == '-' ? 0 : 1;
}

/* "x.y.z" with x of the class and y, z of one to three digits. */
static size_t
status_length(struct span s, char class)
{
	size_t n = 1;

	if (span_at(s, 0) != class)
		return 0;
	for (int part = 0; part < 2; part++) {
		size_t digits = 0;

		if (span_at(s, n++) != '.')
			return 0;
		while (span_at(s, n) >= '0' && span_at(s, n) <= '9') {
			n++;
			digits++;
		}
		if (digits < 1 || digits > 3)
			return 0;
	}
	return n == s.n || span_at(s, n) == ' ' ? n : 0;
}

void
smtp_reply_status(const struct smtp_reply *r, char out[SMTP_STATUS])
{
	char class = (char)('0' + r->code / 100);
	struct span text = span_skip(span_of(r->text, r->n), 4);
	size_t n = status_length(text, class);

	memcpy(out, "x.0.0", sizeof "x.0.0");
	out[0] = class;
	if (n > 0) {
		memcpy(out, text.p, n);
		out[n] = '\0';
	}
}
