/*
 * The structure of a message.
 *
 * One pass, line by line.  The open multiparts stand on a stack with their
 * boundaries; a line that begins with "--" is held against each of them.
 */
#include "mail/mime.h"

#include "mail/header.h"
#include "mail/mime_field.h"
#include "mail/mime_line.h"

enum {
	BOUNDARY = 1000 /* bytes of a boundary in pieces */
};

/* A place in the message, measured in all the ways that count. */
struct mark {
	uint64_t at, wire, lines;
};

struct level {
	struct mime_part *part; /* the multipart */
	struct mime_part *last; /* its last part so far */
	struct span boundary;
	size_t depth;           /* of the multipart */
};

struct parser {
	struct mime_lines lines;
	struct buf header; /* of a source that is read */
	struct arena *arena;
	struct mime_budget budget;
	size_t parts;
	struct level levels[MIME_DEPTH];
	size_t nlevels;
	struct mime_part *part; /* that the current line belongs to */
	size_t depth;           /* of it */
	bool in_header;
	struct mark start; /* of its header or body */
	struct mark now;   /* begin of the current line */
	struct mark tail;  /* before the line end that is before now */
	struct mark stray; /* first line in this header that is no field */
	bool has_stray;
};

static struct mime_range
range(struct mark from, struct mark to)
{
	return (struct mime_range){ from.at, to.at - from.at,
		to.wire - from.wire, to.lines - from.lines };
}

/* Moves behind the line. */
static void
advance(struct parser *p, const struct mime_line *line)
{
	uint64_t n = line->n, end = (uint64_t)line->lf + (uint64_t)line->cr;

	p->tail = p->now;
	p->tail.at += n - end;
	p->tail.wire += n - end;
	p->tail.lines += n > end;
	p->now.at += n;
	p->now.wire += n - end + (line->lf ? 2 : 0);
	p->now.lines++;
}

/* A new part in the header state at p->now; false where the arena is
 * full. */
static bool
open_part(struct parser *p, struct mime_part *parent, size_t depth)
{
	struct mime_part *part = arena_alloc(p->arena, 1, sizeof *part);

	if (part == NULL)
		return false;
	part->type = span_str("text");
	part->subtype = span_str("plain");
	part->parent = parent;
	part->order = (uint32_t)p->parts++;
	p->part = part;
	p->depth = depth;
	p->in_header = true;
	p->has_stray = false;
	p->start = p->now;
	return true;
}

static void
become(struct mime_part *part, const char *type, const char *subtype)
{
	part->type = span_str(type);
	part->subtype = span_str(subtype);
	part->params = NULL;
	part->nparams = 0;
}

static bool
is_multipart(const struct mime_part *part)
{
	return span_is(part->type, "multipart");
}

static bool
is_message(const struct mime_part *part)
{
	return span_is(part->type, "message") &&
	    span_is(part->subtype, "rfc822");
}

/* RFC 2046 5.2.1: only these may be used for message/rfc822. */
static bool
is_identity(struct span encoding)
{
	return encoding.p == NULL || span_is_nocase(encoding, "7bit") ||
	    span_is_nocase(encoding, "8bit") ||
	    span_is_nocase(encoding, "binary");
}

/* RFC 2046 5.1.5: in a digest a part without a type is a message. */
static void
default_type(struct mime_part *part)
{
	const struct mime_part *in = part->parent;

	if (!part->typed && in && is_multipart(in) &&
	    span_is(in->subtype, "digest"))
		become(part, "message", "rfc822");
}

/* The boundary, also where RFC 2231 cut it in pieces: 1, 0: none, -1. */
static int
find_boundary(struct parser *p, struct span *out)
{
	struct mime_part *part = p->part;
	struct buf joined = buf_new(BOUNDARY);
	int r = 1;

	if (mime_param(part->params, part->nparams, "boundary", out))
		return 1;
	if (mime_param_utf8(part->params, part->nparams, "boundary",
		&joined) != 1 || joined.n > p->budget.copy)
		r = 0;
	if (r == 1) {
		p->budget.copy -= joined.n;
		*out = arena_copy(p->arena, buf_span(&joined));
		r = out->p ? 1 : -1;
	}
	buf_free(&joined);
	return r;
}

static bool
open_multipart(struct parser *p)
{
	struct span boundary = { NULL, 0 };

	if (find_boundary(p, &boundary) == -1)
		return false;
	while (boundary.n > 0 && (boundary.p[boundary.n - 1] == ' ' ||
	    boundary.p[boundary.n - 1] == '\t'))
		boundary.n--;
	if (boundary.n > 0)
		p->levels[p->nlevels++] = (struct level){ .part = p->part,
			.boundary = boundary, .depth = p->depth };
	return true; /* without one it becomes text/plain when it is closed */
}

/* Opens what the part holds, as its type says; its header has been read. */
static bool
open_inside(struct parser *p)
{
	struct mime_part *part = p->part;
	bool fits = p->depth < MIME_DEPTH && p->parts < MIME_PARTS;

	if (is_multipart(part)) {
		if (fits)
			return open_multipart(p);
		become(part, "application", "octet-stream");
	} else if (is_message(part)) {
		if (!fits || !is_identity(part->encoding)) {
			become(part, "application", "octet-stream");
			return true;
		}
		if (!open_part(p, part, p->depth + 1))
			return false;
		part->child = p->part;
	}
	return true;
}

/*
 * Reads the header, which ends at `end', where the body begins.  Until the
 * part is closed its body range holds the mark where it began.
 */
static bool
end_header(struct parser *p, struct mark end)
{
	struct mime_part *part = p->part;
	uint64_t n = end.at - p->start.at;
	struct span header;

	n = n < MIME_HEADER ? n : MIME_HEADER;
	if (source_span(p->lines.source, p->start.at, (size_t)n, &p->header,
	    &header) == -1)
		return false;
	p->in_header = false;
	part->header = range(p->start, end);
	part->body = (struct mime_range){ .at = end.at, .wire = end.wire,
		.lines = end.lines };
	if (mime_fields(part, header, &p->budget, p->arena) == -1)
		return false;
	default_type(part);
	return true;
}

/*
 * The empty line that ended the header of a message in a message was the
 * line end of the delimiter behind it: the message may not reach past the
 * part that it fills.
 */
static void
clip_header(struct mime_part *part, struct mark start, struct mark end)
{
	if (end.at >= start.at || part->parent == NULL ||
	    !is_message(part->parent) || part->header.at > end.at)
		return;
	part->header.n -= start.at - end.at;
	part->header.wire -= start.wire - end.wire;
	part->header.lines -= start.lines - end.lines;
	part->body.at = end.at;
	part->body.n = part->body.wire = part->body.lines = 0;
}

/* Closes the parts from the current one up to (not with) `stop'. */
static bool
close_parts(struct parser *p, const struct mime_part *stop, struct mark end)
{
	/* Without an empty line the body is what did not look like header. */
	while (p->in_header) {
		bool empty = !p->has_stray;

		if (!end_header(p, empty ? p->now : p->stray))
			return false;
		if (empty && is_message(p->part) && !open_inside(p))
			return false;
	}
	for (; p->part != stop; p->part = p->part->parent) {
		struct mime_part *part = p->part;
		struct mark start = { part->body.at, part->body.wire,
			part->body.lines };

		part->body = range(start, end.at < start.at ? start : end);
		clip_header(part, start, end);
		if (part->child)
			continue;
		if (is_multipart(part))
			become(part, "text", "plain");
		else if (is_message(part))
			become(part, "application", "octet-stream");
	}
	return true;
}

/*
 * The open multipart whose delimiter the line is, as an index; nlevels if
 * none.  RFC 2046 5.1.1: it is enough that the line begins with the boundary;
 * so that a boundary may be the beginning of another one, a line that is
 * just the delimiter goes before, then the longest boundary.
 */
static size_t
match(const struct parser *p, struct span line, bool *final)
{
	size_t best = p->nlevels, length = 0;

	line = span_skip(line, 2);
	for (size_t i = p->nlevels; i-- > 0;) {
		struct span b = p->levels[i].boundary, rest;
		bool exact;

		if (line.n < b.n || line.p[0] != b.p[0] ||
		    memcmp(line.p, b.p, b.n) != 0)
			continue;
		rest = span_trim(span_skip(line, b.n));
		exact = rest.n == 0 || span_is(rest, "--");
		if (!exact && b.n <= length)
			continue;
		best = i;
		length = b.n;
		*final = span_starts(rest, "--");
		if (exact)
			break;
	}
	return best;
}

/* Too many parts: the rest of the message belongs to the current one. */
static bool
give_up(struct parser *p)
{
	if (p->in_header && !end_header(p, p->now))
		return false;
	if (p->part->child == NULL &&
	    p->part != p->levels[p->nlevels - 1].part)
		become(p->part, "application", "octet-stream");
	p->nlevels = 0;
	return true;
}

/* The delimiter of a level. */
static bool
delimiter(struct parser *p, size_t at, bool final,
    const struct mime_line *line)
{
	struct level *level = &p->levels[at];

	if (!final && p->parts >= MIME_PARTS) {
		if (!give_up(p))
			return false;
		advance(p, line);
		return true;
	}
	if (!close_parts(p, level->part, p->tail))
		return false;
	advance(p, line);
	p->depth = level->depth;
	p->nlevels = final ? at : at + 1;
	if (final)
		return true;
	if (!open_part(p, level->part, level->depth + 1))
		return false;
	if (level->last)
		level->last->next = p->part;
	else
		level->part->child = p->part;
	level->last = p->part;
	return true;
}

/* A line of a header. */
static bool
header_line(struct parser *p, const struct mime_line *line)
{
	bool first = p->now.at == p->start.at;

	if (line->lf && line->n == 1U + line->cr) {
		advance(p, line);
		return end_header(p, p->now) && open_inside(p);
	}
	if (!p->has_stray && !header_is_field(line->head)) {
		/* A part that begins with its text. */
		if (first && p->part->parent)
			return end_header(p, p->now) && open_inside(p);
		p->has_stray = true;
		p->stray = p->now;
	}
	advance(p, line);
	return true;
}

static bool
one_line(struct parser *p)
{
	struct mime_line line;
	bool final = false;
	size_t level;

	if (mime_line(&p->lines, p->now.at, &line) == -1)
		return false;
	if (p->nlevels > 0 && span_starts(line.head, "--")) {
		level = match(p, line.head, &final);
		if (level < p->nlevels)
			return delimiter(p, level, final, &line);
	}
	if (p->in_header)
		return header_line(p, &line);
	advance(p, &line);
	return true;
}

struct mime_part *
mime_parse_from(const struct source *s, struct arena *a)
{
	struct parser p = { .lines = mime_lines(s), .arena = a,
		.header = buf_new(MIME_HEADER),
		.budget = { MIME_PARAMS_ALL, MIME_COPY, MIME_FIELDS,
			s->text == NULL } };
	struct mime_part *message = NULL;
	bool good = open_part(&p, NULL, 1);

	if (good)
		message = p.part;
	while (good && p.now.at < s->size)
		good = one_line(&p);
	good = good && close_parts(&p, NULL, p.now);
	mime_lines_free(&p.lines);
	buf_free(&p.header);
	return good ? message : NULL;
}

struct mime_part *
mime_parse(struct span text, struct arena *a)
{
	struct source s = source_text(text);

	return mime_parse_from(&s, a);
}

static struct mime_part *
nth_child(const struct mime_part *part, uint32_t n)
{
	struct mime_part *child = part->child;

	for (; child && n > 1; n--)
		child = child->next;
	return n == 0 ? NULL : child;
}

struct mime_part *
mime_section(struct mime_part *message, const uint32_t *numbers, size_t n)
{
	struct mime_part *part = message;
	bool is_first = false; /* part is its own part 1 already */

	for (size_t i = 0; i < n && part; i++) {
		if (i > 0 && is_message(part)) {
			part = part->child;
			is_first = false;
		}
		if (is_multipart(part)) {
			part = nth_child(part, numbers[i]);
		} else {
			if (is_first || numbers[i] != 1)
				return NULL;
			is_first = true;
		}
	}
	return part;
}

bool
mime_param(const struct mime_param *p, size_t n, const char *name,
    struct span *value)
{
	for (size_t i = 0; i < n; i++) {
		if (span_is_nocase(p[i].name, name)) {
			*value = p[i].value;
			return true;
		}
	}
	return false;
}
