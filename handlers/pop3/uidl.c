/* Unique ids of POP3. */
#include "uidl.h"

static void
add_field(struct span field, struct buf *out)
{
	for (size_t i = 0; i < field.n; i++) {
		unsigned char c = (unsigned char)field.p[i];

		if (c > ' ' && c <= '~')
			buf_add_byte(out, (char)c);
		else
			buf_addf(out, "%%%02X", c);
	}
}

/* Our own hint comes and goes; all else in a name stays. */
static void
add_name(struct span name, struct buf *out)
{
	struct span field;

	name = span_head(name, span_find(name, ':'));
	add_field(span_take(&name, ','), out);
	while (name.n > 0) {
		field = span_take(&name, ',');
		if (span_starts(field, "U="))
			continue;
		buf_add_byte(out, ',');
		add_field(field, out);
	}
}

void
uidl_write(
    const char *format, const struct mailbox *m, size_t i, struct buf *out)
{
	struct span rest = span_str(format);

	while (rest.n > 0) {
		bool hex = span_starts(rest, "%08X");
		struct span key = span_skip(rest, hex ? 4 : 1);
		unsigned long value =
		    span_at(key, 0) == 'u' ? m->msgs[i].uid : m->uidvalidity;

		if (rest.p[0] != '%') {
			buf_add_byte(out, rest.p[0]);
			rest = span_skip(rest, 1);
			continue;
		}
		if (span_at(key, 0) == 'f')
			add_name(span_str(mailbox_file(m, i)), out);
		else
			buf_addf(out, hex ? "%08lx" : "%lu", value);
		rest = span_skip(key, 1);
	}
}
