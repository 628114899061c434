/*
 * checkpw: one attempt to log in.
 *
 * Reads:   fd 0 one FRAME_AUTH request (net/frame.h), fd 3 secrets.cdb,
 *          fd 4 users.cdb, postern.conf
 * Writes:  fd 0 one verdict
 * Runs as: postern.conf's auth_user, jailed before it reads the request
 * Exits:   0 a verdict was given; 100 usage; 111 a fault
 */
#include "auth/sasl.h"
#include "auth/secrets.h"
#include "auth/users.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/jail.h"
#include "net/frame.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void
enter_jail(const struct conf *c)
{
	char empty[PATH_MAX];
	struct jail jail = { .kind = JAIL_NET, .empty = empty };
	int landlock;

	if (conf_path(c, "run/postern/empty", empty) == -1 ||
	    jail_enter(&jail, &landlock) == -1)
		err_die_sys(EXIT_LATER, "jail");
}

/* The proved user's mailbox; aliases have none. */
static enum frame_status
find_mailbox(const struct conf *c, const char *key, struct frame_verdict *v)
{
	struct users_record u;
	char maildir[PATH_MAX];
	enum users_kind kind = users_get(FRAME_MAILBOXES_FD, span_str(key), &u);

	if (kind == USERS_TEMPFAIL)
		return FRAME_TEMPFAIL;
	if (kind != USERS_MAILBOX)
		return FRAME_REJECT;
	if (users_maildir(c, &u, maildir) == -1 ||
	    span_copy(span_str(maildir), v->maildir, sizeof v->maildir) == -1 ||
	    span_copy(span_str(key), v->user, sizeof v->user) == -1)
		return FRAME_TEMPFAIL;
	v->uid = u.uid;
	v->gid = u.gid;
	return FRAME_OK;
}

static enum frame_status
check(const struct conf *c, const struct frame_request *q,
    struct frame_verdict *v)
{
	struct sasl_plain plain;
	char key[USERS_ADDRESS];
	enum secrets_verdict proof;

	if (!sasl_plain_parse(span_of(q->data, q->n), &plain))
		return FRAME_REJECT;
	(void)span_copy(span_head(plain.authcid, sizeof v->user - 1), v->user,
	    sizeof v->user);
	/* Nobody may act for somebody else (RFC 4616 2: authorization). */
	if (plain.authzid.n > 0 && !span_eq(plain.authzid, plain.authcid))
		return FRAME_REJECT;
	/* A name that cannot be one costs the same as an unknown one. */
	if (users_login(plain.authcid, c->domain, key) == -1)
		(void)snprintf(key, sizeof key, "-");
	proof = secrets_check(FRAME_SECRETS_FD, span_str(key), plain.password);
	if (proof == SECRETS_TEMPFAIL)
		return FRAME_TEMPFAIL;
	return proof == SECRETS_YES ? find_mailbox(c, key, v) : FRAME_REJECT;
}

int
main(int argc, char *argv[])
{
	struct frame_request q;
	struct frame_verdict v = { .status = FRAME_TEMPFAIL };
	char error[CONF_ERROR];
	const char *root = NULL;
	struct conf c;
	int option;

	err_program("checkpw");
	while ((option = getopt(argc, argv, "r:")) != -1)
		if (option == 'r')
			root = optarg;
		else
			err_die(EXIT_NEVER, "usage: checkpw [-r root]");
	if (argc != optind)
		err_die(EXIT_NEVER, "usage: checkpw [-r root]");
	if (conf_load(&c, root, error) == -1)
		err_die(EXIT_LATER, "%s", error);
	enter_jail(&c);
	if (io_recv(0, &q, sizeof q, NULL, 0) != (ssize_t)sizeof q ||
	    q.type != FRAME_AUTH || q.n > sizeof q.data)
		err_die(EXIT_LATER, "not a request");
	v.status = check(&c, &q, &v);
	explicit_bzero(&q, sizeof q);
	if (io_send(0, &v, sizeof v, NULL, 0) == -1)
		err_die_sys(EXIT_LATER, "verdict");
	return 0;
}
