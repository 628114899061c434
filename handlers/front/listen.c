/* Listening: accept, count, fork. */
#include "porter.h"

#include "base/err.h"
#include "base/io.h"
#include "base/jail.h"
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
	const struct porter *porter;
	const int *socks;
	size_t nsocks;
	int signals;
	int moves[2]; /* read here, written by our children */
	int sessions; /* an epoll descriptor for all of them */
	struct nursery nursery[PORTER_NURSERIES];
	struct start_stamps stamps;
	int64_t stamps_ms;
	struct seats *seats;
	int64_t pause_until; /* no accept before */
	int64_t idle_since;
	int64_t next_line; /* no line about refusals before */
	uint64_t untold;   /* refusals since the last line */
};

/* At most one line a second about what could not be served. */
static void
tell(struct listener *l, const char *why, const struct peer *s, int error)
{
	int64_t now = io_now_ms();
	char text[PORTER_PEER] = "-";
	struct log line;

	l->untold++;
	if (now < l->next_line)
		return;
	if (s)
		porter_peer_text(s, text);
	log_start(&line, "refused");
	log_str(&line, "service", l->porter->service->name);
	log_str(&line, "why", why);
	log_str(&line, "source", text);
	log_num(&line, "count", l->untold);
	if (error)
		log_errno(&line, "error", error);
	log_end(&line);
	l->next_line = now + 1000;
	l->untold = 0;
}

/* In the child: nothing of the listener's stays but process descriptors of
 * sessions, which its jail lets it do nothing with. */
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
	/* For porter_seat_watch. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_SETMASK, &term, NULL);
	if (jail_tighten(JAIL_LINK) == -1)
		err_die_sys(EXIT_LATER, "jail");
	_exit(porter_serve(l->porter, sock, &h));
}

static bool
has_nursery(const struct porter *f, enum porter_nursery kind)
{
	if (kind == PORTER_CHECKS)
		return f->service->kind != SERVICE_SMTP &&
		       f->conf.checkpassword == NULL;
	return kind == PORTER_LOGINS || f->service->session;
}

/* Nurseries that are fit for one more connection. */
static void
ready(struct listener *l)
{
	int64_t now = io_now_ms();

	if (now >= l->stamps_ms + PORTER_STAMPS_MS) {
		l->stamps_ms = now;
		if (porter_stamps(&l->stamps) == -1)
			log_error("no-stamps", l->porter->service->name,
			    errno);
	}
	for (int i = 0; i < PORTER_NURSERIES; i++)
		if (has_nursery(l->porter, l->nursery[i].kind))
			porter_nursery_ready(
			    &l->nursery[i], l->porter, &l->stamps);
}

static void
start(struct listener *l, int sock, const struct peer *s)
{
	const struct peer nobody = { .family = AF_UNSPEC };
	/* A proxy says later for whom this one counts. */
	struct seat *seat = porter_seats_take(
	    l->seats, porter_is_proxy(l->porter, s) ? &nobody : s);
	pid_t pid;

	ready(l);
	l->seats->used++;
	pid = fork();
	if (pid == 0)
		serve(l, sock, seat);
	if (pid == -1) {
		l->seats->used--;
		tell(l, "fork", s, errno);
		l->pause_until = io_now_ms() + PORTER_PAUSE_MS;
		return;
	}
	seat->pid = pid;
}

static void
take(struct listener *l, int sock)
{
	const struct conf *c = &l->porter->conf;
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
			l->pause_until = io_now_ms() + PORTER_PAUSE_MS;
		}
		return;
	}
	s = porter_peer(&a);
	if (!porter_is_proxy(l->porter, &s) &&
	    porter_seats_count(l->seats, &s) >= c->connections_per_source)
		tell(l, "connections_per_source", &s, 0);
	else if (!porter_seats_free(l->seats, &s))
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
		if (s->pid == PORTER_SEAT_SESSION)
			porter_seat_leave(l->seats, s);
	}
	l->idle_since = io_now_ms();
}

static void
reap(struct listener *l)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		struct seat *s = find(l, pid);

		if (s == NULL)
			continue;
		/* It may have told us just before its end. */
		take_moves(l);
		if (s->session != 0)
			s->pid = PORTER_SEAT_SESSION;
		else
			porter_seat_leave(l->seats, s);
	}
	l->idle_since = io_now_ms();
}

static void
take_signals(struct listener *l)
{
	struct signalfd_siginfo s;

	(void)!read(l->signals, &s, sizeof s);
	reap(l);
}

static bool
has_any_nursery(const struct listener *l)
{
	for (int i = 0; i < PORTER_NURSERIES; i++)
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
			(int64_t)l->porter->conf.listen_idle_s * 1000;
	if (until == -1)
		return -1;
	return until <= now ? 0 : (int)(until - now);
}

static int
run(struct listener *l, bool activated)
{
	enum {
		FRONT,
		SIGNALS,
		MOVES,
		SESSIONS,
		NURSERIES,
		OURS = NURSERIES + PORTER_NURSERIES
	};
	struct pollfd p[OURS + START_SOCKETS] = {
		[FRONT] = { .fd = START_FD, .events = POLLIN },
		[SIGNALS] = { .fd = l->signals, .events = POLLIN },
		[MOVES] = { .fd = l->moves[0], .events = POLLIN },
		[SESSIONS] = { .fd = l->sessions, .events = POLLIN },
	};

	for (size_t i = 0; i < l->nsocks; i++)
		p[OURS + i] =
		    (struct pollfd){ .fd = l->socks[i], .events = POLLIN };
	for (;;) {
		bool paused = io_now_ms() < l->pause_until;
		int r;

		for (int i = 0; i < PORTER_NURSERIES; i++)
			p[NURSERIES + i].fd = l->nursery[i].sock;
		r = poll(p, paused ? OURS : OURS + l->nsocks,
		    milliseconds(l, paused, activated));

		if (r == -1 && errno != EINTR)
			err_die_sys(EXIT_LATER, "poll");
		if (r == 0 && !paused) {
			if (activated && l->seats->used == 0)
				return 0;
			for (int i = 0; i < PORTER_NURSERIES; i++)
				porter_nursery_end(&l->nursery[i]);
		}
		if (r <= 0)
			continue;
		if (p[MOVES].revents)
			take_moves(l);
		if (p[SESSIONS].revents)
			end_sessions(l);
		if (p[SIGNALS].revents)
			take_signals(l);
		if (p[FRONT].revents)
			return 0;
		for (int i = 0; i < PORTER_NURSERIES; i++)
			if (p[NURSERIES + i].revents)
				porter_nursery_end(&l->nursery[i]);
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
	rlim_t wanted = l->porter->conf.connections + PORTER_SPARE_FDS;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		err_die_sys(EXIT_LATER, "files");
	if (r.rlim_cur < wanted) {
		r.rlim_cur = r.rlim_max < wanted ? r.rlim_max : wanted;
		if (setrlimit(RLIMIT_NOFILE, &r) == -1)
			err_die_sys(EXIT_LATER, "files");
	}
	if (r.rlim_cur < wanted)
		log_error("fewer-connections", l->porter->service->name,
		    EMFILE);
}

int
porter_listen(const struct porter *p, const int *socks, size_t n, bool activated)
{
	struct listener l = { .porter = p,
		.socks = socks,
		.nsocks = n,
		.idle_since = io_now_ms(),
		.seats = porter_seats_new((size_t)p->conf.connections) };
	sigset_t wanted;

	allow_files(&l);
	for (int i = 0; i < PORTER_NURSERIES; i++)
		l.nursery[i] = (struct nursery){ .kind = (enum porter_nursery)i,
			.sock = -1,
			.born_ms = -PORTER_PAUSE_MS };
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
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
	porter_jail(JAIL_PORTER);
	return run(&l, activated);
}
