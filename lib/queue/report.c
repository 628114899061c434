/* The message that tells a sender what could not be delivered. */
#include "queue/report.h"

#include "base/num.h"
#include "text/date.h"

#include <errno.h>

/* text as part of one line: printable ASCII, not too long. */
static void
put_clean(struct buf *out, struct span text)
{
	text = span_head(text, REPORT_FIELD);
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '\t')
			c = ' ';
		(void)buf_add_byte(out, c < 0x20 || c > 0x7e ? '?' : c);
	}
}

/* A full buffer stays full, and is looked at once, at the end. */
static void
put(struct buf *out, const char *s)
{
	(void)buf_add_str(out, s);
}

static bool
is_told_of(const struct report *r, const struct rcpt *x)
{
	return r->late ? state_is_late(x) : x->state == RCPT_PERM;
}

/* What ails this system is for its log. */
static struct span
reason_of(const struct rcpt *x)
{
	return x->fault ? span_str("A fault of this system") : x->text;
}

static struct span
address_of(const struct report *r, const struct rcpt *x)
{
	return r->envelope->rcpt[x->origin];
}

static void
put_date(struct buf *out, int64_t t)
{
	char date[DATE_TEXT];

	put(out, date_mail(t, date_zone(t), date));
}

static void
put_head(const struct report *r, struct buf *out)
{
	put(out, "From: Mail Delivery System <MAILER-DAEMON@");
	put(out, r->domain);
	put(out, ">\nTo: <");
	put_clean(out, r->envelope->sender);
	put(out, r->late ? ">\nSubject: Mail is late\nDate: "
	                 : ">\nSubject: Mail could not be delivered\nDate: ");
	put_date(out, r->now);
	put(out, "\nMessage-ID: <");
	put(out, r->id);
	put(out, "@");
	put(out, r->hostname);
	put(out, ">\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"
	         "Content-Type: multipart/report; "
	         "report-type=delivery-status;\n\tboundary=\"");
	put(out, r->boundary);
	put(out, "\"\n\n");
}

static void
put_boundary(const struct report *r, struct buf *out, const char *rest)
{
	put(out, "--");
	put(out, r->boundary);
	put(out, rest);
}

/* ---- for people ---- */

static void
put_rcpt_text(const struct report *r, const struct rcpt *x, struct buf *out)
{
	put(out, "\n<");
	put_clean(out, address_of(r, x));
	put(out, ">\n    ");
	put_clean(out, x->code);
	put(out, " ");
	put_clean(out, reason_of(x));
	put(out, "\n");
}

static void
put_first_words(const struct report *r, struct buf *out)
{
	put_boundary(
	    r, out, "\nContent-Type: text/plain; charset=us-ascii\n\n");
	if (!r->late) {
		put(out, "Your message could not be delivered to the "
		         "addresses below.\n"
		         "It will not be tried again; its header is "
		         "attached.\n");
		return;
	}
	put(out, "Your message could not be delivered yet to the addresses "
	         "below.\nIt will be tried until ");
	put_date(out, r->until);
	put(out, ".\nThere is no need to send it again; its header is "
	         "attached.\n");
}

static void
put_text(const struct report *r, struct buf *out)
{
	size_t start = out->n, left_out = 0;

	put_first_words(r, out);
	for (size_t i = 0; i < r->state->n; i++) {
		const struct rcpt *x = &r->state->rcpt[i];

		if (!is_told_of(r, x))
			continue;
		if (out->n - start < REPORT_TEXT - 3 * REPORT_FIELD)
			put_rcpt_text(r, x, out);
		else
			left_out++;
	}
	if (left_out > 0)
		(void)buf_addf(out, "\nand %zu more.\n", left_out);
	put(out, "\n");
}

/* ---- for programs: RFC 3464 2.2 and 2.3 ---- */

/*
 * What another host said is behind its name, "host[address]: ", and perhaps
 * the step that it was about.  False: that is no reply of SMTP.
 */
static bool
split_reply(struct span text, struct span *host, struct span *reply)
{
	size_t end = 0;

	while (end + 3 <= text.n && memcmp(text.p + end, "]: ", 3) != 0)
		end++;
	*host = span_head(text, span_find(text, '['));
	if (end + 3 > text.n || host->n == 0 || host->n > end)
		return false;
	*reply = span_skip(text, end + 3);
	for (int step = 0; step < 2; step++) {
		struct span rest = *reply;
		uint64_t code;

		if (num_take(&rest, 599, &code) && code >= 200 &&
		    (rest.n == 0 || rest.p[0] == ' '))
			return true;
		*reply = span_trim(
		    span_skip(*reply, span_find(*reply, ':') + 1));
	}
	return false;
}

/* RFC 3464 2.3.5 and 2.3.6: only a reply of SMTP is of the type smtp. */
static void
put_diagnostic(struct span text, struct buf *out)
{
	struct span host, reply;

	if (split_reply(text, &host, &reply)) {
		put(out, "\nRemote-MTA: dns; ");
		put_clean(out, host);
		put(out, "\nDiagnostic-Code: smtp; ");
		put_clean(out, reply);
		return;
	}
	put(out, "\nDiagnostic-Code: x-postern; ");
	put_clean(out, text);
}

static void
put_rcpt_fields(const struct report *r, const struct rcpt *x, bool brief,
    struct buf *out)
{
	put(out, "\nFinal-Recipient: rfc822; ");
	put_clean(out, address_of(r, x));
	put(out, r->late ? "\nAction: delayed\nStatus: "
	                 : "\nAction: failed\nStatus: ");
	put_clean(out, x->code);
	if (!brief)
		put_diagnostic(reason_of(x), out);
	if (r->late) {
		put(out, "\nWill-Retry-Until: ");
		put_date(out, r->until);
	}
	put(out, "\n");
}

static void
put_fields(const struct report *r, struct buf *out)
{
	size_t start = out->n;

	put_boundary(r, out,
	    "\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; ");
	put(out, r->hostname);
	put(out, "\nArrival-Date: ");
	put_date(out, r->envelope->time);
	put(out, "\n");
	for (size_t i = 0; i < r->state->n; i++) {
		const struct rcpt *x = &r->state->rcpt[i];
		size_t n = out->n - start;

		if (is_told_of(r, x) &&
		    n < REPORT_LIST - 3 * REPORT_FIELD)
			put_rcpt_fields(r, x, n > REPORT_LIST / 2, out);
	}
	put(out, "\n");
}

static void
put_original(const struct report *r, struct buf *out)
{
	struct span rest = r->header;
	size_t start = out->n;

	put_boundary(r, out, "\nContent-Type: text/rfc822-headers\n\n");
	while (rest.n > 0 &&
	    out->n - start < REPORT_HEADER - 2 * REPORT_FIELD) {
		struct span line = span_take(&rest, '\n');

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			break;
		put_clean(out, line);
		put(out, "\n");
	}
	put(out, "\n");
	put_boundary(r, out, "--\n");
}

int
report_build(const struct report *r, struct buf *out)
{
	put_head(r, out);
	put_text(r, out);
	put_fields(r, out);
	put_original(r, out);
	if (!out->full)
		return 0;
	errno = ENOBUFS;
	return -1;
}
