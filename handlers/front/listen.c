/* Listening: accept, count, fork. */
#include "front.h"

#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct listener {
	const struct front *front;
	const int *socks;
	size_t nsocks;
	int signals;
	struct nursery nursery;
	struct nursery checkers; /* of checkpws */
	struct seats *seats;
	int64_t pause_until; /* no accept before */
	int64_t idle_since;
	int64_t next_line; /* no line about refusals before */
	uint64_t untold;   /* refusals since the last line */
};

/* ADDRESS:PORT, [ADDRESS]:PORT. */
static int
parse_address(struct span text, struct sockaddr_storage *out, socklen_t *n)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
	struct sockaddr_in *four = (struct sockaddr_in *)out;
	size_t colon = span_rfind(text, ':');
	struct span host = span_head(text, colon);
	char name[FRONT_PEER];
	uint32_t port;

	*out = (struct sockaddr_storage){ 0 };
	errno = EINVAL;
	if (!num_parse_u32(span_skip(text, colon + 1), 65535, &port))
		return -1;
	if (span_starts(host, "[") && span_ends(host, "]"))
		host = span_skip(span_head(host, host.n - 1), 1);
	if (span_copy(host, name, sizeof name) == -1)
		return -1;
	if (inet_pton(AF_INET, name, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		*n = sizeof *four;
		return 0;
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons((uint16_t)port);
	*n = sizeof *six;
	errno = EINVAL;
	return inet_pton(AF_INET6, name, &six->sin6_addr) == 1 ? 0 : -1;
}

int
front_bind(struct span address)
{
	struct sockaddr_storage a;
	socklen_t n;
	int one = 1, fd;

	if (parse_address(address, &a, &n) == -1)
		return -1;
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	/* IPv4 has a socket of its own, as with systemd's BindIPv6Only. */
	if (a.ss_family == AF_INET6)
		(void)setsockopt(
		    fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
	    bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 4096) == 0)
		return fd;
	close(fd);
	return -1;
}

/* At most one line a second about what could not be served. */
static void
tell(struct listener *l, const char *why, const struct peer *s, int error)
{
	int64_t now = io_now_ms();
	char text[FRONT_PEER] = "-";
	struct log line;

	l->untold++;
	if (now < l->next_line)
		return;
	if (s)
		front_peer_text(s, text);
	log_start(&line, "refused");
	log_str(&line, "service", l->front->service->name);
	log_str(&line, "why", why);
	log_str(&line, "source", text);
	log_num(&line, "count", l->untold);
	if (error)
		log_errno(&line, "error", error);
	log_end(&line);
	l->next_line = now + 1000;
	l->untold = 0;
}

/* In the child: nothing of the listener's stays. */
static _Noreturn void
serve(const struct listener *l, int sock, struct seat *seat)
{
	sigset_t none;

	for (size_t i = 0; i < l->nsocks; i++)
		close(l->socks[i]);
	close(l->signals);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	_exit(front_serve(l->front, sock, l->nursery.sock, l->checkers.sock,
	    l->seats, seat));
}

static void
start(struct listener *l, int sock, const struct peer *s)
{
	const struct peer nobody = { .family = AF_UNSPEC };
	/* A proxy says later for whom this one counts. */
	struct seat *seat = front_seats_take(
	    l->seats, front_is_proxy(l->front, s) ? &nobody : s);
	pid_t pid;

	front_nursery_ready(&l->nursery, l->front);
	if (l->front->service->kind != SERVICE_SMTP &&
	    l->front->conf.checkpassword == NULL)
		front_nursery_ready(&l->checkers, l->front);
	l->seats->used++;
	pid = fork();
	if (pid == 0)
		serve(l, sock, seat);
	if (pid == -1) {
		l->seats->used--;
		tell(l, "fork", s, errno);
		l->pause_until = io_now_ms() + FRONT_PAUSE_MS;
		return;
	}
	seat->pid = pid;
}

static void
take(struct listener *l, int sock)
{
	const struct conf *c = &l->front->conf;
	struct sockaddr_storage a = { 0 };
	socklen_t n = sizeof a;
	struct peer s;
	int fd = accept4(sock, (struct sockaddr *)&a, &n, SOCK_CLOEXEC);

	if (fd == -1) {
		/* Any other error stays for a while: it must not make us
		 * spin. */
		if (errno != EAGAIN && errno != EINTR &&
		    errno != ECONNABORTED) {
			tell(l, "accept", NULL, errno);
			l->pause_until = io_now_ms() + FRONT_PAUSE_MS;
		}
		return;
	}
	s = front_peer(&a);
	if (l->seats->used == l->seats->n)
		tell(l, "connections", &s, 0);
	else if (!front_is_proxy(l->front, &s) &&
		 front_seats_count(l->seats, &s) >= c->connections_per_source)
		tell(l, "connections_per_source", &s, 0);
	else
		start(l, fd, &s);
	close(fd);
}

static void
reap(struct listener *l)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		if (pid == l->nursery.pid)
			front_nursery_end(&l->nursery);
		if (pid == l->checkers.pid)
			front_nursery_end(&l->checkers);
		for (size_t i = 0; i < l->seats->n; i++)
			if (l->seats->all[i].pid == pid) {
				l->seats->all[i].pid = 0;
				l->seats->used--;
				break;
			}
	}
	l->idle_since = io_now_ms();
}

/* False: told to stop. */
static bool
take_signals(struct listener *l)
{
	struct signalfd_siginfo s;

	while (read(l->signals, &s, sizeof s) == (ssize_t)sizeof s) {
		if (s.ssi_signo != SIGCHLD)
			return false;
		reap(l);
	}
	return true;
}

static int
milliseconds(const struct listener *l, bool paused, bool activated)
{
	int64_t now = io_now_ms(), until = -1;

	if (paused)
		until = l->pause_until;
	else if ((activated && l->seats->used == 0) || l->nursery.sock != -1 ||
		 l->checkers.sock != -1)
		until = l->idle_since +
			(int64_t)l->front->conf.listen_idle_s * 1000;
	if (until == -1)
		return -1;
	return until <= now ? 0 : (int)(until - now);
}

static int
run(struct listener *l, bool activated)
{
	struct pollfd p[FRONT_SOCKETS + 1] = { 0 };

	p[0] = (struct pollfd){ .fd = l->signals, .events = POLLIN };
	for (size_t i = 0; i < l->nsocks; i++)
		p[i + 1] =
		    (struct pollfd){ .fd = l->socks[i], .events = POLLIN };
	for (;;) {
		bool paused = io_now_ms() < l->pause_until;
		int r = poll(p, paused ? 1 : 1 + l->nsocks,
		    milliseconds(l, paused, activated));

		if (r == -1 && errno != EINTR)
			err_die_sys(EXIT_LATER, "poll");
		if (r == 0 && !paused) {
			if (activated && l->seats->used == 0)
				return 0;
			front_nursery_end(&l->nursery);
			front_nursery_end(&l->checkers);
		}
		if (r <= 0)
			continue;
		if (p[0].revents && !take_signals(l))
			return 0;
		for (size_t i = 0; !paused && i < l->nsocks; i++)
			if (p[i + 1].revents) {
				take(l, l->socks[i]);
				l->idle_since = io_now_ms();
			}
	}
}

int
front_listen(const struct front *f, const int *socks, size_t n, bool activated)
{
	struct listener l = { .front = f,
		.socks = socks,
		.nsocks = n,
		.nursery = { .sock = -1, .born_ms = -FRONT_PAUSE_MS },
		.checkers = { .checks = true,
		    .sock = -1,
		    .born_ms = -FRONT_PAUSE_MS },
		.idle_since = io_now_ms(),
		.seats = front_seats_new((size_t)f->conf.connections) };
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	if (l.seats == NULL || sigprocmask(SIG_BLOCK, &wanted, NULL) == -1)
		err_die_sys(EXIT_LATER, "listen");
	l.signals = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
	if (l.signals == -1)
		err_die_sys(EXIT_LATER, "signalfd");
	for (size_t i = 0; i < n; i++)
		if (fcntl(socks[i], F_SETFL, O_NONBLOCK) == -1)
			err_die_sys(EXIT_LATER, "socket");
	return run(&l, activated);
}
