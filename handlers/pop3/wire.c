/* Messages on their way to a POP3 client. */
#include "wire.h"

struct wire
wire_new(struct out *out, bool limited, uint64_t lines)
{
	return (struct wire){ .out = out, .limited = limited, .lines = lines };
}

static bool
is_done(const struct wire *w)
{
	return w->limited && w->in_body && w->lines == 0;
}

/* Bytes of one line, without its LF. */
static void
send_text(struct wire *w, struct span text)
{
	if (text.n == 0)
		return;
	if (w->column == 0 && text.p[0] == '.')
		out_add(w->out, ".", 1);
	out_span(w->out, text);
	w->bytes += text.n;
	w->column += text.n;
	w->after_cr = text.p[text.n - 1] == '\r';
}

static void
end_line(struct wire *w)
{
	/* The empty line may be stored with a CR. */
	bool empty = w->column == 0 || (w->column == 1 && w->after_cr);

	out_str(w->out, w->after_cr ? "\n" : "\r\n");
	w->bytes += w->after_cr ? 1 : 2;
	if (w->in_body && w->lines > 0)
		w->lines--;
	if (empty)
		w->in_body = true;
	w->column = 0;
	w->after_cr = false;
}

bool
wire_add(struct wire *w, struct span bytes)
{
	while (bytes.n > 0 && !is_done(w)) {
		size_t at = span_find(bytes, '\n');

		send_text(w, span_head(bytes, at));
		if (at < bytes.n)
			end_line(w);
		bytes = span_skip(bytes, at + 1);
	}
	return !is_done(w);
}

void
wire_end(struct wire *w)
{
	if (w->column > 0)
		out_str(w->out, w->after_cr ? "\n" : "\r\n");
	out_str(w->out, ".\r\n");
}
