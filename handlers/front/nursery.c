/* The nurseries of a listener: started, replaced, asked. */
#include "porter.h"

#include "base/io.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum start_program
porter_nursery_program(enum porter_nursery kind)
{
	return kind == PORTER_CHECKS	 ? START_CHECKERS
	       : kind == PORTER_SESSIONS ? START_SESSIONS
					 : START_LOGINS;
}

static bool
is_stale(const struct nursery *n, uint64_t stamp)
{
	return n->passed >= PORTER_NURSERY_CONNECTIONS ||
	       io_now_ms() - n->born_ms >= PORTER_NURSERY_MS ||
	       io_now_ms() >= n->key_until_ms || n->stamp != stamp;
}

/* A ticket of another service, of before a restart or of an older key finds
 * another key, always. */
static int
renew_key(struct nursery *n, const struct porter *p)
{
	if (getrandom(n->ticket_key, sizeof n->ticket_key, 0) !=
	    (ssize_t)sizeof n->ticket_key)
		return -1;
	n->key_until_ms = INT64_MAX;
	if (p->conf.tls_ticket_s > 0)
		n->key_until_ms =
		    io_now_ms() + (int64_t)p->conf.tls_ticket_s * 1000;
	return 0;
}

void
porter_nursery_end(struct nursery *n)
{
	if (n->sock != -1)
		close(n->sock);
	n->sock = -1;
}

/* -1: login programs then have no keys. */
static int
start_signers(void)
{
	int sock = porter_start_beside(START_SIGNERS);

	if (sock == -1)
		log_error("no-nursery", "signer", errno);
	return sock;
}

/* 0, or -1 with errno. */
static int
start_program(const struct nursery *n, const struct porter *p, int end)
{
	int given[2] = { end, -1 }, process = -1;
	bool login = n->kind == PORTER_LOGINS;

	if (login)
		given[1] = start_signers();
	if (!login || io_send(n->sock, n->ticket_key, sizeof n->ticket_key,
			  NULL, 0) == 0)
		process = porter_start(porter_nursery_program(n->kind),
		    NULL, given, given[1] == -1 ? 1 : 2);
	io_close(given[1]);
	io_close(process);
	return process == -1 ? -1 : 0;
}

static void
start(struct nursery *n, const struct porter *p)
{
	int pair[2], r;

	n->born_ms = io_now_ms();
	n->passed = 0;
	if (n->kind != PORTER_LOGINS)
		n->key_until_ms = INT64_MAX; /* it seals nothing */
	if (io_now_ms() >= n->key_until_ms && renew_key(n, p) == -1)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return;
	n->sock = pair[0];
	r = start_program(n, p, pair[1]);
	io_close(pair[1]);
	if (r == 0)
		return;
	log_error("no-nursery",
	    n->kind == PORTER_CHECKS	 ? "checkpw"
	    : n->kind == PORTER_SESSIONS ? p->service->session
					 : p->service->program,
	    errno);
	porter_nursery_end(n);
}

void
porter_nursery_ready(struct nursery *n, const struct porter *p,
    const struct start_stamps *s)
{
	uint64_t stamp = s->program[porter_nursery_program(n->kind)];

	/* The key holder's files are as much its own. */
	if (n->kind == PORTER_LOGINS)
		stamp ^= s->program[START_SIGNERS];
	if (n->sock != -1 && is_stale(n, stamp))
		porter_nursery_end(n);
	else if (n->sock == -1 && io_now_ms() - n->born_ms < PORTER_PAUSE_MS)
		return; /* it has just failed: each on its own for a while */
	if (n->sock == -1) {
		n->stamp = stamp;
		start(n, p);
	}
	n->passed++;
}

/*
 * What the first packet says was written before any byte of the network was
 * read.  Where the nursery ends before it is there, the channel is closed.
 */
int
porter_nursery_ask(int nursery, struct span packet, const int *fds, size_t nfds,
    const int pair[2])
{
	struct timeval t = { .tv_sec = PORTER_HELLO_MS / 1000 };
	int r = setsockopt(nursery, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);

	if (r == 0)
		r = io_send(nursery, packet.p, packet.n, fds, nfds);
	close(pair[1]);
	return r == -1 ? -1 : porter_hello(pair[0], nursery);
}

int
porter_hello(int sock, int maker)
{
	struct pollfd p[2] = { { .fd = sock, .events = POLLIN },
		{ .fd = maker, .events = POLLIN } };
	uint32_t hello;
	int child = -1, r = 0;

	do
		r = poll(p, 2, PORTER_HELLO_MS);
	while (r == -1 && errno == EINTR);
	if (r <= 0 || p[0].revents == 0 ||
	    io_recv(sock, &hello, sizeof hello, &child, 1) !=
		(ssize_t)sizeof hello)
		return -1;
	return child;
}
