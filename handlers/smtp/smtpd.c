/*
 * smtpd: one SMTP connection, TLS and all, for the services smtp (port 25),
 * submission and submissions.
 *
 * Reads:   the connection on fd 0; certificates on fd 4 and from 7 on;
 *          users.cdb on fd 6; postern.conf.
 * Writes:  the connection; the log on fd 2; requests to the porter on fd 3,
 *          and messages into the descriptor that it answers with; requests
 *          to the signer on fd 5.
 * Runs as: postern.conf's net_user, in a jail with no file, socket or exec.
 * Exits:   0 the session ended; 100 wrong arguments; 111 could not begin.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/err.h"
#include "base/io.h"
#include "net/frame.h"
#include "session.h"
#include "text/date.h"

/* Everything that needs a file comes before the jail.  False: this was a
 * nursery, and is done. */
static bool
begin(struct smtp *s, int argc, char *argv[])
{
	char error[CONF_ERROR];
	int r;

	(void)date_zone(0); /* reads the time zone */
	r = conn_begin(&s->c, argc, argv, s->in_buf, sizeof s->in_buf, error);
	if (r == -1)
		err_die(EXIT_NEVER, "%s", error);
	if (r == 0)
		return false;
	if (s->c.service->kind != SERVICE_SMTP &&
	    s->c.service->kind != SERVICE_SUBMISSION)
		err_die(EXIT_NEVER, "%s: not a service of mine",
		    s->c.service->name);
	s->users_fd =
	    fcntl(FRAME_USERS_FD, F_GETFD) == -1 ? -1 : FRAME_USERS_FD;
	if (conn_jail(&s->c) == -1)
		err_die_sys(EXIT_LATER, "jail");
	return true;
}

static enum verdict
serve(struct smtp *s)
{
	if (conn_proxy(&s->c) == -1)
		return GONE;
	s->login_deadline_ms = -1;
	if (s->c.service->kind == SERVICE_SUBMISSION)
		s->login_deadline_ms =
		    io_now_ms() + (int64_t)s->c.conf.login_s * 1000;
	if (s->c.service->tls) {
		if (s->c.server == NULL)
			return lost(s, "no certificate", 0);
		if (shake_hands(s) == -1)
			return GONE;
	}
	if (conn_has_bytes(&s->c))
		return refuse_all(s, "554 5.5.0 you talk before the banner",
		    span_of(NULL, 0));
	replyf(s, "220 %s ESMTP", s->c.conf.hostname);
	return smtp_serve(s);
}

int
main(int argc, char *argv[])
{
	struct smtp s = { .stage = START };

	err_program("smtpd");
	if (!begin(&s, argc, argv))
		return 0;
	if (serve(&s) == STOP)
		conn_linger(&s.c);
	else if (s.c.tls)
		tls_close(s.c.tls, 0); /* RFC 8446 6.1: an end is told */
	explicit_bzero(&s, sizeof s);
	return 0;
}
