/* GETQUOTA GETQUOTAROOT SETQUOTA (RFC 9208, RFC 2087). */
#include "session.h"

#include "store/quota.h"

#include <errno.h>

/* One for all mailboxes of the account. */
static const char root[] = "User quota";

enum { BLOCK = 1024 }; /* RFC 9208 5.1 */

static void
tell_usage(struct imap *s, const struct quota_usage *u)
{
	struct out *o = &s->out;
	const char *blank = "";

	out_fmt(o, "* QUOTA \"%s\" (", root);
	if (u->limits.bytes > 0) {
		out_fmt(o, "STORAGE %llu %llu",
		    (unsigned long long)(u->bytes / BLOCK +
					 (u->bytes % BLOCK > 0)),
		    (unsigned long long)(u->limits.bytes / BLOCK));
		blank = " ";
	}
	if (u->limits.count > 0)
		out_fmt(o, "%sMESSAGE %llu %llu", blank,
		    (unsigned long long)u->count,
		    (unsigned long long)u->limits.count);
	out_str(o, ")\r\n");
}

/* An account without limits has no quota root. */
void
cmd_getquota(struct imap *s, struct parse *p)
{
	struct quota_usage u;
	struct span name;
	int r = 0;

	parse_space(p);
	name = parse_astring(p);
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return;
	}
	if (span_is(name, root))
		r = quota_read(&s->account, &u);
	if (r == -1) {
		reply_errno(s);
	} else if (r == 0) {
		reply_no(s, "NONEXISTENT", "No such quota root");
	} else {
		tell_usage(s, &u);
		reply_ok(s, "Done");
	}
}

/* RFC 9208 4.1.2: the mailbox need not be there. */
void
cmd_getquotaroot(struct imap *s, struct parse *p)
{
	char folder[MAILBOX_NAME * 3];
	struct quota_usage u;
	struct span name;
	int r = -1;

	parse_space(p);
	name = parse_mailbox(p);
	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return;
	}
	errno = EINVAL;
	if (name.p && account_folder(name, folder) == 0)
		r = quota_read(&s->account, &u);
	if (r == -1) {
		reply_errno(s);
		return;
	}
	out_str(&s->out, "* QUOTAROOT ");
	reply_mailbox(s, name);
	if (r == 1)
		out_fmt(&s->out, " \"%s\"", root);
	out_str(&s->out, "\r\n");
	if (r == 1)
		tell_usage(s, &u);
	reply_ok(s, "Done");
}

/* RFC 9208 4.1.3: QUOTASET is not announced; limits are the administrator's. */
void
cmd_setquota(struct imap *s, struct parse *p)
{
	parse_space(p);
	(void)parse_astring(p);
	parse_space(p);
	parse_byte(p, '(');
	if (!parse_try(p, ')')) {
		do {
			(void)parse_atom(p);
			parse_space(p);
			(void)parse_atom(p);
		} while (parse_try(p, ' '));
		parse_byte(p, ')');
	}
	if (!parse_end(p))
		reply_bad(s, p->error);
	else
		reply_no(s, "NOPERM", "The administrator sets quotas");
}
