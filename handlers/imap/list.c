/* LIST LSUB NAMESPACE (RFC 3501 6.3.8, 6.3.9; RFC 2342, 3348, 6154). */
#include "match.h"
#include "session.h"

#include "text/utf7.h"

#include <stdlib.h>

struct listing {
	struct imap *s;
	const char *response;
	bool subscribed;
	struct span pattern, upper; /* as sent; in upper case, for INBOX */
	struct span below;          /* "INBOX" in upper case, for its children */
	struct account_list names;  /* in the order of their bytes */
};

static int
by_name(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static int
compare(const char *name, struct span to, bool child)
{
	int r = strncmp(name, to.p, to.n);

	if (r != 0)
		return r;
	if (child)
		return name[to.n] == '/' ? 0 : name[to.n] < '/' ? -1 : 1;
	return name[to.n] != '\0';
}

/* Whether there is a mailbox `name', or one below it. */
static bool
is_there(const struct account_list *l, struct span name, bool child)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;
		int r = compare(l->name[middle], name, child);

		if (r == 0)
			return true;
		if (r < 0)
			lo = middle + 1;
		else
			hi = middle;
	}
	return false;
}

static bool
matches(const struct listing *l, struct span name)
{
	struct buf wire = buf_new((size_t)MAILBOX_NAME * 3);
	bool r;

	if (span_is(name, "INBOX"))
		return match_name(l->upper, name);
	r = utf7_encode(name, &wire) &&
	    match_name(span_starts(name, "INBOX/") ? l->below : l->pattern,
		buf_span(&wire));
	buf_free(&wire);
	return r;
}

static void
tell(const struct listing *l, struct span name, bool selectable)
{
	const char *special = account_special_use(name);
	struct out *o = &l->s->out;

	out_fmt(o, "* %s (", l->response);
	if (!selectable)
		out_str(o, "\\Noselect");
	if (!l->subscribed) {
		if (!selectable)
			out_str(o, " ");
		out_str(o, is_there(&l->names, name, true) ? "\\HasChildren"
							   : "\\HasNoChildren");
		if (selectable && special) {
			out_str(o, " ");
			out_str(o, special);
		}
	}
	out_str(o, ") \"/\" ");
	reply_mailbox(l->s, name);
	out_str(o, "\r\n");
}

/* Levels above name i that are no mailboxes and were not told of yet. */
static void
tell_parents(const struct listing *l, size_t i)
{
	struct span name = span_str(l->names.name[i]);
	struct span before = span_str(i > 0 ? l->names.name[i - 1] : "");

	for (size_t n = 1; n < name.n; n++) {
		struct span parent = span_head(name, n);

		if (name.p[n] != '/')
			continue;
		if (before.n > n && memcmp(before.p, name.p, n + 1) == 0)
			continue;
		if (!is_there(&l->names, parent, false) && matches(l, parent))
			tell(l, parent, false);
	}
}

static void
tell_all(struct listing *l)
{
	/* RFC 3501 6.3.9: LSUB names a parent for "%" alone. */
	bool parents = !l->subscribed || span_ends(l->pattern, "%");

	if (l->names.n > 0)
		qsort(
		    l->names.name, l->names.n, sizeof *l->names.name, by_name);
	for (size_t i = 0; i < l->names.n; i++) {
		struct span name = span_str(l->names.name[i]);

		if (parents)
			tell_parents(l, i);
		if (matches(l, name))
			tell(l, name, true);
	}
}

static struct span
join(struct parse *p, struct span a, struct span b)
{
	char *to = arena_alloc(p->arena, a.n + b.n + 1, 1);

	if (to == NULL) {
		parse_fail(p, "the pattern is too long");
		return span_of("", 0);
	}
	if (a.n > 0)
		memcpy(to, a.p, a.n);
	if (b.n > 0)
		memcpy(to + a.n, b.p, b.n);
	return span_of(to, a.n + b.n);
}

/* With the first n bytes in upper case. */
static struct span
upper_case(struct parse *p, struct span s, size_t n)
{
	char *to = arena_alloc(p->arena, s.n + 1, 1);

	for (size_t i = 0; to && i < s.n; i++)
		to[i] = (char)(i < n && s.p[i] >= 'a' && s.p[i] <= 'z'
				   ? s.p[i] - 'a' + 'A'
				   : s.p[i]);
	return span_of(to, to ? s.n : 0);
}

static void
list(struct imap *s, struct parse *p, bool subscribed)
{
	struct listing l = { .s = s,
		.subscribed = subscribed,
		.response = subscribed ? "LSUB" : "LIST" };
	struct span reference, pattern;
	int r;

	parse_space(p);
	reference = parse_astring(p);
	parse_space(p);
	pattern = parse_pattern(p);
	l.pattern = join(p, reference, pattern);
	l.upper = upper_case(p, l.pattern, l.pattern.n);
	l.below = upper_case(
	    p, l.pattern, span_starts_nocase(l.pattern, "INBOX") ? 5 : 0);
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return;
	}
	if (pattern.n == 0 && !subscribed) {
		out_str(&s->out, "* LIST (\\Noselect) \"/\" \"\"\r\n");
		reply_ok(s, "Done");
		return;
	}
	r = subscribed ? account_subscriptions(&s->account, &l.names)
		       : account_list(&s->account, &l.names);
	if (r == -1) {
		reply_errno(s);
		return;
	}
	tell_all(&l);
	account_list_free(&l.names);
	reply_ok(s, "Done");
}

void
cmd_list(struct imap *s, struct parse *p)
{
	list(s, p, false);
}

void
cmd_lsub(struct imap *s, struct parse *p)
{
	list(s, p, true);
}

void
cmd_namespace(struct imap *s, struct parse *p)
{
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return;
	}
	out_str(&s->out, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	reply_ok(s, "Done");
}
