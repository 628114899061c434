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
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct listener {
	const struct front *front;
	const int *socks;
	size_t nsocks;
	int signals;
	int moves[2]; /* read here, written by our children */
	int sessions; /* an epoll descriptor for all of them */
	struct nursery nursery[FRONT_NURSERIES];
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
	const struct helpers h = { l->nursery, l->moves[1], l->seats, seat };
	sigset_t term;

	for (size_t i = 0; i < l->nsocks; i++)
		close(l->socks[i]);
	close(l->signals);
	close(l->moves[0]);
	close(l->sessions);
	/* For front_seat_watch. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_SETMASK, &term, NULL);
	_exit(front_serve(l->front, sock, &h));
}

static bool
has_nursery(const struct front *f, enum front_nursery kind)
{
	if (kind == FRONT_CHECKS)
		return f->service->kind != SERVICE_SMTP &&
		       f->conf.checkpassword == NULL;
	return kind == FRONT_LOGINS || f->service->session;
}

static void
start(struct listener *l, int sock, const struct peer *s)
{
	const struct peer nobody = { .family = AF_UNSPEC };
	/* A proxy says later for whom this one counts. */
	struct seat *seat = front_seats_take(
	    l->seats, front_is_proxy(l->front, s) ? &nobody : s);
	pid_t pid;

	for (int i = 0; i < FRONT_NURSERIES; i++)
		if (has_nursery(l->front, l->nursery[i].kind))
			front_nursery_ready(&l->nursery[i], l->front);
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
	size_t lost = l->seats->lost;
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
	if (!front_is_proxy(l->front, &s) &&
	    front_seats_count(l->seats, &s) >= c->connections_per_source)
		tell(l, "connections_per_source", &s, 0);
	else if (!front_seats_free(l->seats, &s))
		tell(l, "connections", &s, 0);
	else
		start(l, fd, &s);
	if (l->seats->lost > lost)
		tell(l, "early-drop", NULL, 0);
	close(fd);
}

static struct seat *
find(const struct listener *l, pid_t pid)
{
	for (size_t i = 0; i < l->seats->n; i++)
		if (l->seats->all[i].pid == pid)
			return &l->seats->all[i];
	return NULL;
}

/* Sessions that have begun, told by who served the connection up to then. */
static void
take_moves(struct listener *l)
{
	pid_t pid;
	int fd;

	while (io_recv(l->moves[0], &pid, sizeof pid, &fd, 1) ==
	       (ssize_t)sizeof pid) {
		struct seat *s = pid > 0 && fd != -1 ? find(l, pid) : NULL;
		struct epoll_event e = { .events = EPOLLIN };

		e.data.ptr = s;
		if (s && s->session == 0 &&
		    epoll_ctl(l->sessions, EPOLL_CTL_ADD, fd, &e) == 0)
			s->session = fd;
		else if (fd != -1)
			close(fd);
	}
}

static void
end_sessions(struct listener *l)
{
	struct epoll_event e;

	while (epoll_wait(l->sessions, &e, 1, 0) == 1) {
		struct seat *s = e.data.ptr;

		(void)epoll_ctl(l->sessions, EPOLL_CTL_DEL, s->session, NULL);
		close(s->session);
		s->session = 0;
		if (s->pid == FRONT_SEAT_SESSION)
			front_seat_leave(l->seats, s);
	}
	l->idle_since = io_now_ms();
}

static void
reap(struct listener *l)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		struct seat *s = find(l, pid);

		for (int i = 0; i < FRONT_NURSERIES; i++)
			if (pid == l->nursery[i].pid)
				front_nursery_end(&l->nursery[i]);
		if (s == NULL)
			continue;
		/* It may have told us just before its end. */
		take_moves(l);
		if (s->session != 0)
			s->pid = FRONT_SEAT_SESSION;
		else
			front_seat_leave(l->seats, s);
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

static bool
has_any_nursery(const struct listener *l)
{
	for (int i = 0; i < FRONT_NURSERIES; i++)
		if (l->nursery[i].sock != -1)
			return true;
	return false;
}

static int
milliseconds(const struct listener *l, bool paused, bool activated)
{
	int64_t now = io_now_ms(), until = -1;

	if (paused)
		until = l->pause_until;
	else if ((activated && l->seats->used == 0) || has_any_nursery(l))
		until = l->idle_since +
			(int64_t)l->front->conf.listen_idle_s * 1000;
	if (until == -1)
		return -1;
	return until <= now ? 0 : (int)(until - now);
}

static int
run(struct listener *l, bool activated)
{
	enum { SIGNALS, MOVES, SESSIONS, OURS };
	struct pollfd p[OURS + FRONT_SOCKETS] = {
		[SIGNALS] = { .fd = l->signals, .events = POLLIN },
		[MOVES] = { .fd = l->moves[0], .events = POLLIN },
		[SESSIONS] = { .fd = l->sessions, .events = POLLIN },
	};

	for (size_t i = 0; i < l->nsocks; i++)
		p[OURS + i] =
		    (struct pollfd){ .fd = l->socks[i], .events = POLLIN };
	for (;;) {
		bool paused = io_now_ms() < l->pause_until;
		int r = poll(p, paused ? OURS : OURS + l->nsocks,
		    milliseconds(l, paused, activated));

		if (r == -1 && errno != EINTR)
			err_die_sys(EXIT_LATER, "poll");
		if (r == 0 && !paused) {
			if (activated && l->seats->used == 0)
				return 0;
			for (int i = 0; i < FRONT_NURSERIES; i++)
				front_nursery_end(&l->nursery[i]);
		}
		if (r <= 0)
			continue;
		if (p[MOVES].revents)
			take_moves(l);
		if (p[SESSIONS].revents)
			end_sessions(l);
		if (p[SIGNALS].revents && !take_signals(l))
			return 0;
		for (size_t i = 0; !paused && i < l->nsocks; i++)
			if (p[OURS + i].revents) {
				take(l, l->socks[i]);
				l->idle_since = io_now_ms();
			}
	}
}

/* One for each session: where the limit is lower there are fewer. */
static void
allow_files(const struct listener *l)
{
	rlim_t wanted = l->front->conf.connections + FRONT_SPARE_FDS;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		err_die_sys(EXIT_LATER, "files");
	if (r.rlim_cur < wanted) {
		r.rlim_cur = r.rlim_max < wanted ? r.rlim_max : wanted;
		if (setrlimit(RLIMIT_NOFILE, &r) == -1)
			err_die_sys(EXIT_LATER, "files");
	}
	if (r.rlim_cur < wanted)
		log_error("fewer-connections", l->front->service->name,
		    EMFILE);
}

int
front_listen(const struct front *f, const int *socks, size_t n, bool activated)
{
	struct listener l = { .front = f,
		.socks = socks,
		.nsocks = n,
		.idle_since = io_now_ms(),
		.seats = front_seats_new((size_t)f->conf.connections) };
	sigset_t wanted;

	allow_files(&l);
	for (int i = 0; i < FRONT_NURSERIES; i++)
		l.nursery[i] = (struct nursery){ .kind = (enum front_nursery)i,
			.sock = -1,
			.born_ms = -FRONT_PAUSE_MS };
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	if (l.seats == NULL || sigprocmask(SIG_BLOCK, &wanted, NULL) == -1)
		err_die_sys(EXIT_LATER, "listen");
	l.signals = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
	l.sessions = epoll_create1(EPOLL_CLOEXEC);
	if (l.signals == -1 || l.sessions == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, l.moves) ==
		-1 ||
	    fcntl(l.moves[0], F_SETFL, O_NONBLOCK) == -1)
		err_die_sys(EXIT_LATER, "listen");
	for (size_t i = 0; i < n; i++)
		if (fcntl(socks[i], F_SETFL, O_NONBLOCK) == -1)
			err_die_sys(EXIT_LATER, "socket");
	return run(&l, activated);
}
