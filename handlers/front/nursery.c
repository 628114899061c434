/* The nursery of a listener: started, replaced, asked. */
#include "front.h"

#include "base/io.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that is not there has a stamp, too. */
static struct stamp
stamp_of(const struct conf *c, const char *name)
{
	struct stamp s = { 0 };
	char path[PATH_MAX];
	struct stat st;

	if (name == NULL || conf_etc(c, name, path) == -1 || stat(path, &st) == -1)
		return s;
	s.inode = st.st_ino;
	s.size = st.st_size;
	s.changed = st.st_ctim;
	return s;
}

static bool
is_same(const struct stamp *a, const struct stamp *b)
{
	return a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

struct conf_site
front_pair(const struct conf *c, size_t i)
{
	const struct conf_site first[] = { { c->tls_cert, c->tls_key },
		{ c->tls_cert2, c->tls_key2 } };

	if (i < 2)
		return first[i];
	return i - 2 < c->nsites ? c->sites[i - 2]
				 : (struct conf_site){ NULL, NULL };
}

static bool
is_stale(const struct nursery *n, struct stamp now[FRONT_PAIRS][2])
{
	if (n->passed >= FRONT_NURSERY_CONNECTIONS ||
	    io_now_ms() - n->born_ms >= FRONT_NURSERY_MS ||
	    io_now_ms() >= n->key_until_ms)
		return true;
	for (size_t i = 0; i < FRONT_PAIRS; i++)
		if (!is_same(&n->stamps[i][0], &now[i][0]) ||
		    !is_same(&n->stamps[i][1], &now[i][1]))
			return true;
	return false;
}

/* A ticket of another service, of before a restart or of an older key finds
 * another key, always. */
static int
renew_key(struct nursery *n, const struct front *f)
{
	if (getrandom(n->ticket_key, sizeof n->ticket_key, 0) !=
	    (ssize_t)sizeof n->ticket_key)
		return -1;
	n->key_until_ms = INT64_MAX;
	if (f->conf.tls_ticket_s > 0)
		n->key_until_ms =
		    io_now_ms() + (int64_t)f->conf.tls_ticket_s * 1000;
	return 0;
}

void
front_nursery_end(struct nursery *n)
{
	if (n->sock != -1)
		close(n->sock);
	n->sock = -1;
	n->pid = 0;
}

static void
start(struct nursery *n, const struct front *f)
{
	int pair[2];

	n->pid = -1;
	n->born_ms = io_now_ms();
	if (n->kind != FRONT_LOGINS)
		n->key_until_ms = INT64_MAX; /* it seals nothing */
	if (io_now_ms() >= n->key_until_ms && renew_key(n, f) == -1)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return;
	if (n->kind == FRONT_CHECKS)
		n->pid = front_start_checkers(f, pair[1]);
	else if (n->kind == FRONT_SESSIONS)
		n->pid = front_start_sessions(f, pair[1]);
	else if (io_send(pair[0], n->ticket_key, sizeof n->ticket_key, NULL,
		     0) == 0)
		n->pid = front_start_login(f, pair[1], -1, NULL);
	close(pair[1]);
	if (n->pid == -1)
		log_error("no-nursery",
		    n->kind == FRONT_CHECKS	? "checkpw"
		    : n->kind == FRONT_SESSIONS ? f->service->session
						: f->service->program,
		    errno);
	n->sock = pair[0];
	n->passed = 0;
	if (n->pid == -1)
		front_nursery_end(n);
}

void
front_nursery_ready(struct nursery *n, const struct front *f)
{
	const struct conf *c = &f->conf;
	struct stamp now[FRONT_PAIRS][2] = { 0 };

	for (size_t i = 0; n->kind == FRONT_LOGINS && i < 2 + c->nsites;
	     i++) {
		struct conf_site pair = front_pair(c, i);

		now[i][0] = stamp_of(c, pair.cert);
		now[i][1] = stamp_of(c, pair.key);
	}
	if (n->sock != -1 && is_stale(n, now))
		front_nursery_end(n);
	else if (n->sock == -1 && io_now_ms() - n->born_ms < FRONT_PAUSE_MS)
		return; /* it has just failed: each on its own for a while */
	if (n->sock == -1) {
		memcpy(n->stamps, now, sizeof now);
		start(n, f);
	}
	n->passed++;
}

/*
 * What the first packet says was written before any byte of the network was
 * read.  Where the nursery ends before it is there, the channel is closed.
 */
int
front_nursery_ask(int nursery, struct span packet, const int *fds, size_t nfds,
    const int pair[2])
{
	int64_t deadline = io_now_ms() + FRONT_HELLO_MS;
	struct timeval t = { .tv_sec = FRONT_HELLO_MS / 1000 };
	uint32_t hello;
	int child;
	int r = setsockopt(nursery, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);

	if (r == 0)
		r = io_send(nursery, packet.p, packet.n, fds, nfds);
	close(pair[1]);
	if (r == -1 || io_wait(pair[0], POLLIN, deadline) == -1 ||
	    io_recv(pair[0], &hello, sizeof hello, &child, 1) !=
		(ssize_t)sizeof hello)
		return -1;
	return child;
}
