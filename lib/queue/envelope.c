/* The envelope block of a queue file. */
#include "queue/envelope.h"

#include "base/num.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind {
	TEXT,
	TIME,
	SIZE,
	RCPT
};

/* In the order in which they stand in the file. */
static const struct field {
	const char *name;
	enum kind kind;
	size_t offset;
} fields[] = {
	{ "id", TEXT, offsetof(struct envelope, id) },
	{ "time", TIME, offsetof(struct envelope, time) },
	{ "user", TEXT, offsetof(struct envelope, user) },
	{ "peer", TEXT, offsetof(struct envelope, peer) },
	{ "proto", TEXT, offsetof(struct envelope, proto) },
	{ "helo", TEXT, offsetof(struct envelope, helo) },
	{ "size", SIZE, offsetof(struct envelope, size) },
	{ "body", TEXT, offsetof(struct envelope, body) },
	{ "sender", TEXT, offsetof(struct envelope, sender) },
	{ "rcpt", RCPT, 0 },
};

enum {
	FIELDS = sizeof fields / sizeof *fields,
	SENDER = FIELDS - 2,
	SIZE_DIGITS = 20
};

static bool
is_printable(struct span s)
{
	if (s.n > ENVELOPE_FIELD)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

static void
put(struct buf *out, const char *name, struct span value)
{
	(void)buf_add_str(out, name); /* a full buffer is seen at the end */
	(void)buf_add_byte(out, ' ');
	(void)buf_add_u64(out, value.n);
	(void)buf_add_byte(out, ':');
	(void)buf_add_span(out, value);
	(void)buf_add_str(out, ",\n");
}

/* All its digits, so that the true size can be put there afterwards. */
static void
put_size(struct buf *out, const char *name, uint64_t size)
{
	char text[SIZE_DIGITS];

	for (size_t i = SIZE_DIGITS; i-- > 0; size /= 10)
		text[i] = (char)('0' + size % 10);
	put(out, name, span_of(text, sizeof text));
}

static void
put_time(struct buf *out, const char *name, int64_t time)
{
	char text[NUM_TEXT];

	put(out, name,
	    span_of(text, num_text(time > 0 ? (uint64_t)time : 0, text)));
}

static bool
put_field(const struct envelope *e, const struct field *f, struct buf *out)
{
	struct span text;

	switch (f->kind) {
	case TIME:
		if (e->id.n > 0)
			put_time(out, f->name, e->time);
		return true;
	case SIZE:
		if (e->id.n > 0)
			put_size(out, f->name, e->size);
		return true;
	case RCPT:
		for (size_t i = 0; i < e->nrcpt; i++) {
			if (!is_printable(e->rcpt[i]) || e->rcpt[i].n == 0)
				return false;
			put(out, f->name, e->rcpt[i]);
		}
		return e->nrcpt > 0;
	case TEXT:
		break;
	}
	memcpy(&text, (const char *)e + f->offset, sizeof text);
	if (text.n > 0 || f == &fields[SENDER])
		put(out, f->name, text);
	return is_printable(text);
}

/* "#@[]" is what qmail's double bounces come from. */
bool
envelope_is_null(const struct envelope *e)
{
	return e->sender.n == 0 || span_is(e->sender, "#@[]");
}

int
envelope_write(const struct envelope *e, struct buf *out)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (!put_field(e, &fields[i], out)) {
			errno = EINVAL;
			return -1;
		}
	if (!out->full)
		return 0;
	errno = ENOBUFS;
	return -1;
}

/* Takes `name n:value,\n' from *rest. */
static bool
take(struct span *rest, struct span *name, struct span *value)
{
	uint64_t n;

	*name = span_take(rest, ' ');
	if (!num_take(rest, ENVELOPE_FIELD, &n) || span_at(*rest, 0) != ':' ||
	    rest->n < n + 3)
		return false;
	*value = span_of(rest->p + 1, n);
	*rest = span_skip(*rest, n + 1);
	if (rest->p[0] != ',' || rest->p[1] != '\n')
		return false;
	*rest = span_skip(*rest, 2);
	return is_printable(*value);
}

static bool
set(struct envelope *e, const struct field *f, struct span value)
{
	uint64_t v;

	switch (f->kind) {
	case TIME:
		if (!num_parse(value, INT64_MAX, &v))
			return false;
		e->time = (int64_t)v;
		return true;
	case SIZE:
		return num_parse(value, INT64_MAX, &e->size);
	case RCPT:
		if (value.n == 0)
			return false;
		if (e->rcpt)
			e->rcpt[e->nrcpt] = value;
		e->nrcpt++;
		return true;
	case TEXT:
		break;
	}
	memcpy((char *)e + f->offset, &value, sizeof value);
	return true;
}

/* One pass; with e->rcpt NULL the recipients are only counted. */
static bool
parse(struct span rest, struct envelope *e)
{
	bool has_sender = false;
	size_t at = 0; /* the first field that may come next */

	while (rest.n > 0) {
		struct span name, value;

		if (!take(&rest, &name, &value))
			return false;
		while (at < FIELDS && !span_is(name, fields[at].name))
			at++;
		if (at == FIELDS || !set(e, &fields[at], value))
			return false;
		has_sender |= at == SENDER;
		at += fields[at].kind != RCPT;
	}
	return has_sender && e->nrcpt > 0;
}

bool
envelope_parse(struct span text, struct arena *a, struct envelope *e)
{
	*e = (struct envelope){ 0 };
	if (!parse(text, e))
		return false;
	e->rcpt = arena_alloc(a, e->nrcpt, sizeof *e->rcpt);
	if (e->rcpt == NULL)
		return false;
	e->nrcpt = 0;
	return parse(text, e);
}

void
envelope_head(size_t n, char out[ENVELOPE_HEAD])
{
	memcpy(out, "P1 ", 3);
	for (size_t i = ENVELOPE_HEAD - 1; i-- > 3; n /= 10)
		out[i] = (char)('0' + n % 10);
	out[ENVELOPE_HEAD - 1] = '\n';
}

/* Reads n bytes at offset; a file that is too short is damaged. */
static int
read_at(int fd, char *p, size_t n, int64_t offset)
{
	while (n > 0) {
		ssize_t r = pread(fd, p, n, offset);

		if (r == -1 && errno == EINTR)
			continue;
		if (r == 0)
			errno = EBADMSG;
		if (r <= 0)
			return -1;
		p += r;
		offset += r;
		n -= (size_t)r;
	}
	return 0;
}

static int
read_fields(int fd, struct buf *text)
{
	char head[ENVELOPE_HEAD], *room;
	uint64_t n;

	if (read_at(fd, head, sizeof head, 0) == -1)
		return -1;
	errno = EBADMSG;
	if (memcmp(head, "P1 ", 3) != 0 || head[ENVELOPE_HEAD - 1] != '\n' ||
	    !num_parse(span_of(head + 3, ENVELOPE_HEAD - 4), ENVELOPE_SIZE, &n))
		return -1;
	buf_reset(text);
	room = buf_room(text, n);
	if (room == NULL || read_at(fd, room, n, ENVELOPE_HEAD) == -1)
		return -1;
	text->n += n;
	return 0;
}

int
envelope_load(int fd, struct buf *text, struct arena *a, struct envelope *e,
    int64_t *start)
{
	struct stat st;

	if (fstat(fd, &st) == -1 || read_fields(fd, text) == -1)
		return -1;
	*start = (int64_t)(ENVELOPE_HEAD + text->n);
	errno = 0;
	if (envelope_parse(buf_span(text), a, e) && e->id.n > 0 &&
	    S_ISREG(st.st_mode) && st.st_size >= *start &&
	    (uint64_t)(st.st_size - *start) == e->size)
		return 0;
	if (errno == 0)
		errno = EBADMSG;
	return -1;
}
