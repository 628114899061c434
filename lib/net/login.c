/* The common part of the login programs. */
#include "net/login.h"

#include "base/err.h"
#include "base/io.h"

#include <errno.h>

int
login_tls(struct login *l)
{
	int64_t deadline = io_now_ms() + TLS_HANDSHAKE_MS;

	if (deadline > l->deadline_ms)
		deadline = l->deadline_ms;
	l->fresh = true;
	return conn_tls(&l->c, deadline);
}

bool
login_begin(struct login *l, int argc, char *argv[], int *code)
{
	char error[CONF_ERROR];

	int r = conn_begin(&l->c, argc, argv, l->line, sizeof l->line, error);

	*code = r == -1 ? EXIT_NEVER : r == 0 ? 0 : EXIT_LATER;
	if (r == -1)
		err_warn("%s", error);
	if (r != 1)
		return false;
	if (conn_jail(&l->c) == -1) {
		err_warn_sys("jail");
		return false;
	}
	l->errors = l->lines = 0;
	l->fresh = true;
	l->deadline_ms = io_now_ms() + (int64_t)l->c.conf.login_s * 1000;
	l->c.in.deadline_ms = l->deadline_ms;
	if (conn_proxy(&l->c) == -1) {
		*code = 0;
		return false;
	}
	/* In clear the session reads on where we stop. */
	l->c.in.exact = true;
	if (!l->c.service->tls)
		return true;
	if (l->c.server == NULL) {
		err_warn("%s: no certificate", l->c.service->name);
		return false;
	}
	*code = 0;
	if (login_tls(l) == 0)
		return true;
	conn_linger(&l->c);
	return false;
}

int
login_line(struct login *l, struct span *line)
{
	struct in *in = &l->c.in;
	bool fresh = l->fresh;
	int64_t left = l->deadline_ms - io_now_ms();
	int r;

	/* A client that always has one more line, or does not read our
	 * answers, has no longer than others. */
	l->c.out.timeout_ms = left < CONN_WRITE_MS ? (int)left : CONN_WRITE_MS;
	if (left > 0 && !in_has_line(in) && out_flush(&l->c.out) == -1)
		return 0;
	l->fresh = false;
	if (left <= 0 || io_now_ms() >= l->deadline_ms) {
		l->c.out.timeout_ms = CONN_LINGER_MS;
		errno = ETIMEDOUT;
		return -1;
	}
	if (l->lines++ == LOGIN_LINES) {
		errno = E2BIG;
		return -1;
	}
	r = in_line(in, line);
	if (r == -1 && errno == ETIMEDOUT)
		l->c.out.timeout_ms = CONN_LINGER_MS;
	if (r == -1 && errno != EBADMSG && errno != ETIMEDOUT &&
	    errno != EMSGSIZE)
		return 0;
	return r != 0 && fresh && conn_is_http(*line) ? 0 : r;
}
