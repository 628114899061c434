/* The message that is being shown. */
#include "shown.h"

#include "mail/header.h"

#include <errno.h>
#include <unistd.h>

enum {
	FIRST_READ = 16384 /* most headers are shorter */
};

struct shown
shown_none(void)
{
	return (struct shown){ .fd = -1,
		.text = buf_new(SHOWN_LARGE),
		.piece = buf_new(SHOWN_PIECE),
		.part = buf_new(SHOWN_PART),
		.arena = arena_new(MIME_ARENA) };
}

void
shown_close(struct shown *m)
{
	if (m->fd != -1)
		close(m->fd);
	arena_free(&m->arena);
	buf_free(&m->text);
	buf_free(&m->piece);
	buf_free(&m->part);
	*m = shown_none();
}

/* As shown_close, but keeps small memory for the next message. */
static void
let_go(struct shown *m)
{
	struct buf text = m->text, piece = m->piece;

	if (m->large) {
		shown_close(m);
		return;
	}
	if (m->fd != -1)
		close(m->fd);
	arena_free(&m->arena);
	buf_free(&m->part);
	*m = shown_none();
	m->text = text;
	m->piece = piece;
	buf_reset(&m->text);
	buf_reset(&m->piece);
}

int
shown_open(struct shown *m, struct mailbox *box, size_t i)
{
	if (m->uid == box->msgs[i].uid && m->fd != -1)
		return 0;
	let_go(m);
	m->fd = mailbox_read(box, i, &m->size);
	if (m->fd == -1)
		return -1;
	m->uid = box->msgs[i].uid;
	return 0;
}

/* True if there was one. */
static bool
show_nul(char *p, size_t n)
{
	char *end = p + n;
	bool any = false;

	while (p < end && (p = memchr(p, '\0', (size_t)(end - p))) != NULL) {
		*p++ = (char)0x80;
		any = true;
	}
	return any;
}

/* n bytes at an offset: 0, or -1; a file that became shorter is EIO. */
static int
read_at(struct shown *m, char *to, size_t n, uint64_t at)
{
	while (n > 0) {
		ssize_t r = pread(m->fd, to, n, (off_t)at);

		if (r == -1 && errno == EINTR)
			continue;
		if (r <= 0) {
			errno = r == 0 ? EIO : errno;
			return -1;
		}
		m->nul |= show_nul(to, (size_t)r);
		to += r;
		at += (uint64_t)r;
		n -= (size_t)r;
	}
	return 0;
}

/* At least the first `upto' bytes, or all. */
static int
load(struct shown *m, uint64_t upto)
{
	size_t more;
	char *to;

	upto = upto < m->size ? upto : m->size;
	if (m->text.n >= upto)
		return 0;
	more = (size_t)(upto - m->text.n);
	to = buf_room(&m->text, more);
	if (to == NULL) {
		errno = EFBIG;
		return -1;
	}
	if (read_at(m, to, more, m->text.n) == -1)
		return -1;
	m->text.n += more;
	m->large = m->text.size > SHOWN_LARGE;
	return 0;
}

static bool
ends_empty(struct span s)
{
	return span_is(s, "\n") || span_is(s, "\r\n") || span_ends(s, "\n\n") ||
	       span_ends(s, "\n\r\n");
}

/* True if the header's end is known.  Without an empty line it can only be
 * told when all of the text is there. */
static bool
find_head(struct shown *m)
{
	struct span text = buf_span(&m->text);
	size_t n = header_length(text);

	if (text.n < m->size && !ends_empty(span_head(text, n)))
		return false;
	m->head = n;
	m->head_known = true;
	return true;
}

int
shown_header(struct shown *m, struct span *header)
{
	size_t n = MIME_HEADER;

	*header = span_of(NULL, 0);
	if (load(m, FIRST_READ) == -1)
		return -1;
	if (!m->head_known && !find_head(m)) {
		if (load(m, MIME_HEADER) == -1)
			return -1;
		(void)find_head(m); /* else it is longer, and is cut */
	}
	if (m->head_known && m->head < n)
		n = (size_t)m->head;
	*header = span_head(buf_span(&m->text), n);
	return 0;
}

static int
read_source(void *ctx, uint64_t at, char *to, size_t n)
{
	struct shown *m = ctx;

	return read_at(m, to, n, at);
}

struct source
shown_source(struct shown *m)
{
	if (m->text.n == m->size)
		return source_text(buf_span(&m->text));
	return (struct source){ .size = m->size,
		.read = read_source,
		.ctx = m };
}

int
shown_parse(struct shown *m)
{
	struct source source;

	if (m->root)
		return 0;
	if (m->size <= SHOWN_LARGE && load(m, m->size) == -1)
		return -1;
	source = shown_source(m);
	m->root = mime_parse_from(&source, &m->arena);
	if (m->arena.used > SHOWN_LARGE)
		m->large = true;
	return m->root ? 0 : -1;
}

int
shown_part(struct shown *m, uint64_t at, uint64_t n, struct span *out)
{
	struct source source = shown_source(m);
	size_t want = n < SHOWN_PART ? (size_t)n : SHOWN_PART;

	if (!source.text && n > SHOWN_LARGE)
		m->large = true;
	return source_span(&source, at, want, &m->part, out);
}

int
shown_split(struct shown *m)
{
	struct span header;

	if (shown_header(m, &header) == -1)
		return -1;
	if (m->head_known)
		return 0;
	if (shown_parse(m) == -1)
		return -1;
	m->head = m->root->header.n;
	m->head_known = true;
	return 0;
}

/* Some bytes at an offset below the size, from memory where they are. */
static int
piece_at(struct shown *m, uint64_t at, uint64_t n, struct span *piece)
{
	size_t want = n < SHOWN_PIECE ? (size_t)n : SHOWN_PIECE;

	if (at >= m->text.n && m->size <= SHOWN_PIECE && load(m, m->size) == -1)
		return -1;
	if (at < m->text.n) {
		*piece =
		    span_head(span_skip(buf_span(&m->text), (size_t)at), want);
		return 0;
	}
	buf_reset(&m->piece);
	if (buf_room(&m->piece, want) == NULL ||
	    read_at(m, m->piece.p, want, at) == -1)
		return -1;
	*piece = span_of(m->piece.p, want);
	return 0;
}

/* Line ends that gain a CR.  *cr: the byte before is one. */
static uint64_t
bare_ends(struct span s, bool *cr)
{
	const char *p = s.p, *end = s.p + s.n;
	uint64_t count = 0;

	if (s.n == 0)
		return 0;
	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		count += p == s.p ? !*cr : p[-1] != '\r';
		if (++p == end)
			break;
	}
	*cr = end[-1] == '\r';
	return count;
}

int
shown_measure(struct shown *m, uint64_t at, uint64_t n, uint64_t *wire)
{
	struct shown_range *r = &m->range;
	bool cr = false;

	if (r->known && r->at == at && r->n == n) {
		*wire = r->wire;
		return 0;
	}
	*r = (struct shown_range){ .at = at, .n = n, .wire = n, .place = at };
	for (uint64_t done = 0; done < n;) {
		struct span piece;

		if (piece_at(m, at + done, n - done, &piece) == -1)
			return -1;
		r->wire += bare_ends(piece, &cr);
		done += piece.n;
	}
	r->known = true;
	*wire = r->wire;
	return 0;
}

/* What of a range's wire form is asked for: bytes from .. to - 1. */
struct emit {
	struct out *out;
	uint64_t from, to;
	uint64_t at; /* where we are */
};

static void
emit(struct emit *e, const char *p, size_t n)
{
	uint64_t drop = e->at < e->from ? e->from - e->at : 0;
	uint64_t left = e->at < e->to ? e->to - e->at : 0;

	e->at += n;
	if (n > left)
		n = (size_t)left;
	if (drop < n)
		out_add(e->out, p + drop, n - (size_t)drop);
}

static void
emit_piece(struct emit *e, struct span s, bool *cr)
{
	while (s.n > 0 && e->at < e->to) {
		size_t n = span_find(s, '\n');
		bool had_cr = n > 0 ? s.p[n - 1] == '\r' : *cr;

		emit(e, s.p, n);
		*cr = n == s.n && had_cr;
		if (n < s.n)
			emit(e, had_cr ? "\n" : "\r\n", had_cr ? 1 : 2);
		s = span_skip(s, n + 1);
	}
}

int
shown_send(struct shown *m, uint64_t offset, uint64_t count, struct out *o)
{
	struct shown_range *r = &m->range;
	struct emit e = { o, offset, offset + count, 0 };
	uint64_t at, end = r->at + r->n;
	bool cr;

	if (offset < r->place_wire) {
		r->place = r->at;
		r->place_wire = 0;
		r->place_cr = false;
	}
	at = r->place;
	e.at = r->place_wire;
	cr = r->place_cr;
	while (at < end && e.at < e.to) {
		struct span piece;

		r->place = at;
		r->place_wire = e.at;
		r->place_cr = cr;
		if (piece_at(m, at, end - at, &piece) == -1)
			return -1;
		emit_piece(&e, piece, &cr);
		at += piece.n;
	}
	if (e.at >= e.to)
		return 0;
	errno = EIO;
	return -1;
}

int
shown_wire(struct span text, struct buf *out)
{
	bool cr = false;

	while (text.n > 0) {
		size_t n = span_find(text, '\n');

		cr = n > 0 ? text.p[n - 1] == '\r' : cr;
		(void)buf_add(out, text.p, n); /* full is sticky */
		if (n < text.n)
			(void)buf_add_str(out, cr ? "\n" : "\r\n");
		cr = false;
		text = span_skip(text, n + 1);
	}
	return out->full ? -1 : 0;
}
