/* MAIL and RCPT: who may send what to whom. */
#include "session.h"

#include "base/num.h"
#include "queue/envelope.h"

#include <errno.h>

/* What a parameter list may say, and said. */
struct parameters {
	const struct smtp *s;
	bool size_given, body_given, auth_given;
	bool eight_bit;
	const char *wrong; /* the reply, or NULL */
};

static void
set_size(struct parameters *p, struct span value)
{
	uint64_t size;
	bool digits = value.n > 0 && value.n <= 20;

	for (size_t i = 0; i < value.n; i++)
		digits &= value.p[i] >= '0' && value.p[i] <= '9';
	if (p->size_given || !digits)
		p->wrong = "501 5.5.4 wrong SIZE";
	/* RFC 1870 3: twenty digits may be more than a number holds. */
	else if (!num_parse(value, UINT64_MAX, &size) ||
		 size > p->s->c.conf.message_size)
		p->wrong = "552 5.3.4 message too big";
	p->size_given = true;
}

static void
set_body(struct parameters *p, struct span value)
{
	p->eight_bit = span_is_nocase(value, "8BITMIME");
	if (p->body_given || (!p->eight_bit && !span_is_nocase(value, "7BIT")))
		p->wrong = "501 5.5.4 wrong BODY";
	p->body_given = true;
}

/* RFC 4954 5: read, checked, and not believed. */
static void
set_auth(struct parameters *p, struct span value)
{
	char text[SMTP_ADDRESS];
	struct smtp_path path;
	size_t n = 0;

	if (p->auth_given || !smtp_xtext(value, text, sizeof text, &n) ||
	    (!span_is(span_of(text, n), "<>") &&
		!smtp_mailbox(span_of(text, n), &path)))
		p->wrong = "501 5.5.4 wrong AUTH";
	p->auth_given = true;
}

static const struct parameter {
	const char *name;
	bool submission; /* known only where there are logins */
	void (*set)(struct parameters *, struct span value);
} known[] = {
	{ "AUTH", true, set_auth },
	{ "BODY", false, set_body },
	{ "SIZE", false, set_size },
};

static void
set_parameter(struct parameters *p, struct span name, struct span value)
{
	bool submission = p->s->c.service->kind == SERVICE_SUBMISSION;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (span_is_nocase(name, known[i].name) &&
		    (submission || !known[i].submission)) {
			known[i].set(p, value);
			return;
		}
	p->wrong = "555 5.5.4 unknown parameter";
}

/* " NAME=VALUE NAME=VALUE" */
static void
parse_parameters(struct parameters *p, struct span rest)
{
	if (rest.n > 0 && rest.p[0] != ' ')
		p->wrong = "501 5.5.4 junk behind the address";
	else if (rest.n > 0 && !p->s->esmtp)
		p->wrong = "555 5.5.4 say EHLO for parameters";
	while (p->wrong == NULL && (rest = span_trim(rest)).n > 0) {
		struct span value = span_take(&rest, ' ');
		struct span name = span_take(&value, '=');

		set_parameter(p, name, value);
	}
}

/* "FROM:<...>" or "TO:<...>"; a blank behind the colon is what many write. */
static bool
take_path(struct span *arg, const char *word, struct smtp_path *path)
{
	if (!span_starts_nocase(*arg, word))
		return false;
	*arg = span_trim(span_skip(*arg, strlen(word)));
	return smtp_path_take(arg, path);
}

/* True if the list (a,b,c) holds the address. */
static bool
list_has(struct span list, struct span address)
{
	while (list.n > 0)
		if (span_eq_nocase(span_trim(span_take(&list, ',')), address))
			return true;
	return false;
}

/*
 * Whether who logged in may send as this address: it is the login's own, a
 * sub-address of it, or an alias that leads to it.
 */
static enum users_kind
owner_of(const struct smtp *s, const char *sender, bool *is_owner)
{
	struct span user = span_str(s->user);
	struct users_record r;
	enum users_kind k;

	*is_owner = span_is_nocase(user, sender);
	if (*is_owner)
		return USERS_MAILBOX;
	k = users_find(s->users_fd, span_str(sender), s->c.conf.domain, &r);
	if (k == USERS_MAILBOX)
		*is_owner = span_is_nocase(user, r.key);
	else if (k == USERS_ALIAS)
		*is_owner = list_has(span_str(r.alias), user);
	return k;
}

/* The reply to a sender that will not do, or NULL. */
static const char *
judge_sender(const struct smtp *s, const char *sender)
{
	enum users_kind k;
	bool is_owner;

	if (s->c.service->kind != SERVICE_SUBMISSION)
		return NULL;
	/* Receipts and other reports come from <>: RFC 8098 3. */
	if (sender[0] == '\0')
		return NULL;
	k = owner_of(s, sender, &is_owner);
	if (k == USERS_TEMPFAIL)
		return "451 4.3.0 cannot look that up now";
	return is_owner ? NULL : "553 5.7.1 not an address of yours";
}

static enum verdict
refuse_by(struct smtp *s, const char *text, struct span about)
{
	return text[0] == '4' ? refuse_later(s, text, about)
			      : refuse(s, text, about);
}

enum verdict
smtp_mail(struct smtp *s, struct span arg)
{
	struct parameters p = { .s = s };
	char sender[SMTP_ADDRESS];
	struct smtp_path path;
	struct span about = arg;

	if (s->c.service->kind == SERVICE_SUBMISSION && !s->logged_in)
		return refuse(s, "530 5.7.0 log in first", about);
	if (!take_path(&arg, "FROM:", &path) ||
	    (path.local.n > 0 && path.domain.n == 0))
		return refuse(s, "501 5.1.7 not a sender's address", about);
	parse_parameters(&p, arg);
	if (p.wrong)
		return refuse(s, p.wrong, about);
	smtp_path_text(&path, sender);
	p.wrong = judge_sender(s, sender);
	if (p.wrong)
		return refuse_by(s, p.wrong, about);
	transaction_reset(s);
	memcpy(s->t.sender, sender, sizeof s->t.sender);
	s->t.eight_bit = p.eight_bit;
	/* Each recipient takes some more room in the envelope. */
	s->t.rcpt =
	    buf_new(s->logged_in ? ENVELOPE_SIZE / 2 : SMTP_RCPT_BYTES);
	s->stage = MAIL;
	reply(s, "250 2.1.0 sender ok");
	return GO_ON;
}

/* The reply to a recipient that will not do, or NULL. */
static const char *
judge_recipient(const struct smtp *s, const char *address, bool *is_ours)
{
	struct users_record r;

	*is_ours = true;
	switch (
	    users_find(s->users_fd, span_str(address), s->c.conf.domain, &r)) {
	case USERS_MAILBOX:
	case USERS_ALIAS:
		return NULL;
	case USERS_NONE:
		return "550 5.1.1 no such mailbox";
	case USERS_FOREIGN:
		*is_ours = false;
		return s->c.service->kind == SERVICE_SUBMISSION
			   ? NULL
			   : "550 5.7.1 relaying denied";
	case USERS_TEMPFAIL:
		break;
	}
	return "451 4.3.0 cannot look that up now";
}

static enum verdict
refuse_recipient(struct smtp *s, const char *text, struct span about)
{
	if (text[0] == '4')
		return refuse_later(s, text, about);
	if (++s->bad_rcpts > SMTP_BAD_RCPT)
		return refuse_all(
		    s, "421 4.7.0 too many wrong recipients", about);
	return refuse_later(s, text, about);
}

static enum verdict
over_limit(struct smtp *s, struct span about)
{
	if (++s->t.over_rcpt > SMTP_OVER_RCPT)
		return refuse_all(s, "421 4.5.3 too many recipients", about);
	if (s->t.over_rcpt == 1)
		return refuse_later(s, "452 4.5.3 too many recipients", about);
	reply(s, "452 4.5.3 too many recipients");
	return GO_ON;
}

/* A recipient who was named before gets one copy all the same.  Only here
 * it is known that the case of a local part says nothing. */
static bool
is_listed(const struct buf *list, const char *address, bool is_ours)
{
	struct span rest = buf_span(list);

	while (rest.n > 0) {
		struct span one = span_take(&rest, '\0');

		if (is_ours ? span_is_nocase(one, address)
			    : span_is(one, address))
			return true;
	}
	return false;
}

/* <postmaster> is who is looked up for it: RFC 5321 4.5.1. */
static bool
complete(
    const struct smtp *s, const struct smtp_path *path, char out[USERS_ADDRESS])
{
	char text[SMTP_ADDRESS];

	smtp_path_text(path, text);
	if (path->domain.n == 0)
		return users_login((struct span)SPAN("postmaster"),
			   s->c.conf.domain, out) == 0;
	return span_copy(span_str(text), out, USERS_ADDRESS) == 0;
}

enum verdict
smtp_rcpt(struct smtp *s, struct span arg)
{
	char address[USERS_ADDRESS];
	struct smtp_path path;
	struct span about = arg;
	const char *wrong;
	bool is_ours = false;

	if (!take_path(&arg, "TO:", &path) || path.local.n == 0 ||
	    !complete(s, &path, address))
		return refuse(s, "501 5.1.3 not a recipient's address", about);
	if (arg.n > 0)
		return refuse(s,
		    arg.p[0] == ' ' ? "555 5.5.4 unknown parameter"
				    : "501 5.5.4 junk behind the address",
		    about);
	if (s->t.nrcpt >= s->c.conf.recipients)
		return over_limit(s, about);
	wrong = path.literal ? "550 5.7.1 relaying denied"
			     : judge_recipient(s, address, &is_ours);
	if (wrong)
		return refuse_recipient(s, wrong, about);
	if (!is_listed(&s->t.rcpt, address, is_ours) &&
	    buf_add(&s->t.rcpt, address, strlen(address) + 1) == -1)
		return over_limit(s, about);
	s->t.nrcpt++;
	s->stage = RCPT;
	reply(s, "250 2.1.5 recipient ok");
	return GO_ON;
}
