/* The relay between TLS and a session. */
#include "net/login.h"

#include "base/io.h"
#include "base/rest.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CHUNK = 16384,    /* one TLS record */
	REST_MS = 2000,   /* idle for so long: memory goes back */
	STALL_MS = 300000 /* a client that takes nothing for so long is gone */
};

/* One direction: bytes that came and have not yet gone. */
struct flow {
	char *p;
	size_t at, n; /* unsent bytes are p[at, n) */
	bool ended;   /* nothing more will come */
	bool closed;  /* and the receiver knows */
};

struct relay {
	struct conn *c;
	int session;
	struct flow up, down; /* from the client, to the client */
	int64_t moved_ms;     /* when something last went down */
	bool broken;
};

static void
read_client(struct relay *r)
{
	ssize_t n = tls_read(r->c->tls, r->up.p, CHUNK, 0);

	if (n > 0) {
		r->up.at = 0;
		r->up.n = (size_t)n;
	} else if (n == 0 || errno != ETIMEDOUT) {
		/* Truncated or not: to the session it is the end. */
		r->up.ended = true;
	}
}

static void
read_session(struct relay *r)
{
	ssize_t n = recv(r->session, r->down.p, CHUNK, MSG_DONTWAIT);

	if (n > 0) {
		r->down.at = 0;
		r->down.n = (size_t)n;
		r->moved_ms = io_now_ms();
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		r->down.ended = true;
	}
}

static void
write_session(struct relay *r)
{
	struct flow *f = &r->up;
	ssize_t n = send(r->session, f->p + f->at, f->n - f->at,
	    MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0) {
		f->at += (size_t)n;
	} else if (n == -1 && errno != EAGAIN && errno != EINTR) {
		/* It reads no more; what it still says comes down. */
		f->at = f->n;
		f->ended = f->closed = true;
	}
}

static void
write_client(struct relay *r)
{
	struct flow *f = &r->down;
	ssize_t n = tls_write_some(r->c->tls, f->p + f->at, f->n - f->at);

	if (n > 0) {
		f->at += (size_t)n;
		r->moved_ms = io_now_ms();
	} else if (n == -1 && errno != ETIMEDOUT) {
		r->broken = true;
	}
}

static bool
is_empty(const struct flow *f)
{
	return f->at == f->n;
}

static void
take_a_rest(const struct relay *r)
{
	/* One lies not far behind the other. */
	rest_forget(r->down.p, (size_t)(r->up.p - r->down.p) + CHUNK);
	rest();
}

/* Tells the session that the client has said its last. */
static void
pass_end(struct relay *r)
{
	if (r->up.ended && is_empty(&r->up) && !r->up.closed) {
		(void)shutdown(r->session, SHUT_WR);
		r->up.closed = true;
	}
}

/* False when the client has not taken anything for too long. */
static bool
wait_for_work(struct relay *r)
{
	struct pollfd p[2] = { { .fd = 0 }, { .fd = r->session } };
	bool waiting = !is_empty(&r->down);
	int n;

	if (is_empty(&r->up) && !r->up.ended && tls_pending(r->c->tls) > 0)
		return true;
	if (is_empty(&r->up) && !r->up.ended)
		p[0].events |= POLLIN;
	if (waiting)
		p[0].events |= POLLOUT;
	if (!is_empty(&r->up))
		p[1].events |= POLLOUT;
	if (!waiting && !r->down.ended)
		p[1].events |= POLLIN;
	/* A side that we want nothing of must not wake us by its end. */
	for (int i = 0; i < 2; i++)
		if (p[i].events == 0)
			p[i].fd = -1;
	if (p[0].events & POLLIN)
		io_ack_now(p[0].fd);
	n = poll(p, 2, waiting ? STALL_MS : REST_MS);
	/* Even to look for more would take memory again. */
	if (n == 0 && !waiting && is_empty(&r->up)) {
		take_a_rest(r);
		n = poll(p, 2, -1);
	}
	if (n == -1 && errno != EINTR)
		return false;
	return !waiting || io_now_ms() - r->moved_ms < STALL_MS;
}

static void
move(struct relay *r)
{
	if (is_empty(&r->up) && !r->up.ended)
		read_client(r);
	if (!is_empty(&r->up))
		write_session(r);
	pass_end(r);
	if (is_empty(&r->down) && !r->down.ended)
		read_session(r);
	if (!is_empty(&r->down))
		write_client(r);
}

void
login_relay(struct login *l, int session)
{
	struct relay r = { .c = &l->c,
		.session = session,
		.moved_ms = io_now_ms(),
		.down = { .p = l->c.out.buf } };

	/* The reader's array serves on; its bytes are the session's.  The
	 * writer's does, too: it was flushed before the login. */
	_Static_assert((int)LOGIN_LINE >= (int)CHUNK, "the array holds a record");
	_Static_assert((int)CONN_OUT >= (int)CHUNK, "this one, too");
	_Static_assert(offsetof(struct login, line) ==
			   offsetof(struct login, c.out_buf) +
			       sizeof l->c.out_buf,
	    "and nothing is in between");
	r.up = (struct flow){
		.p = l->line, .at = l->c.in.start, .n = l->c.in.end
	};
	l->c.in.start = l->c.in.end = 0;
	close(FRAME_FD);
	for (;;) {
		move(&r);
		if (r.broken || (r.down.ended && is_empty(&r.down)))
			break;
		if (!wait_for_work(&r))
			break;
	}
	/* The session is told first, so that it need not wait for us. */
	close(session);
	if (!r.broken)
		conn_linger(&l->c);
}
