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
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct listener {
	const struct porter *porter;
	const int *socks;
	size_t nsocks;
	int signals;
	int seated; /* an epoll descriptor: signals, children, sessions */
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

/* Closes everything but these, and 0 to 2: 0, or -1 with errno. */
static int
keep_only(const int *fds, size_t n)
{
	unsigned from = 3, next = 0;

	for (; next != UINT_MAX; from = next + 1) {
		next = UINT_MAX;
		for (size_t i = 0; i < n; i++)
			if (fds[i] >= (int)from && (unsigned)fds[i] < next)
				next = (unsigned)fds[i];
		if (next > from &&
		    syscall(SYS_close_range, from, next - 1, 0) == -1)
			return -1;
	}
	return 0;
}

/* In the child: of the listener's others it has nothing. */
static _Noreturn void
serve(const struct listener *l, int sock, int seat)
{
	const struct helpers h = { l->nursery, seat };
	int kept[2 + PORTER_NURSERIES] = { sock, seat };

	for (int i = 0; i < PORTER_NURSERIES; i++)
		kept[2 + i] = l->nursery[i].sock;
	if (keep_only(kept, sizeof kept / sizeof *kept) == -1 ||
	    jail_tighten(JAIL_LINK) == -1)
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
		if (porter_stamps(START_LOGINS, &l->stamps) == -1)
			log_error("no-stamps", l->porter->service->name,
			    errno);
	}
	for (int i = 0; i < PORTER_NURSERIES; i++)
		if (has_nursery(l->porter, l->nursery[i].kind))
			porter_nursery_ready(
			    &l->nursery[i], l->porter, &l->stamps);
}

static int
watch(const struct listener *l, struct seat *seat, int fd)
{
	struct epoll_event e = { .events = EPOLLIN };

	e.data.ptr = seat;
	return epoll_ctl(l->seated, EPOLL_CTL_ADD, fd, &e);
}

/* The processes that we fork have it for a moment, so that closing it is not
 * enough. */
static void
forget(const struct listener *l, int *fd)
{
	if (*fd == -1)
		return;
	(void)epoll_ctl(l->seated, EPOLL_CTL_DEL, *fd, NULL);
	close(*fd);
	*fd = -1;
}

/* 0, or -1 with errno. */
static int
fork_child(struct listener *l, int sock, struct seat *seat)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, pair) == -1)
		return -1;
	seat->sock = pair[0];
	seat->pid = watch(l, seat, pair[0]) == -1 ? -1 : fork();
	if (seat->pid == 0)
		serve(l, sock, pair[1]);
	io_close(pair[1]);
	return seat->pid == -1 ? -1 : 0;
}

static void
start(struct listener *l, int sock, const struct peer *s)
{
	const struct peer nobody = { .family = AF_UNSPEC };
	bool proxied = porter_is_proxy(l->porter, s);
	/* A proxy says later for whom this one counts. */
	struct seat *seat =
	    porter_seats_take(l->seats, proxied ? &nobody : s);

	seat->proxied = proxied;
	ready(l);
	l->seats->used++;
	if (fork_child(l, sock, seat) == 0)
		return;
	tell(l, "fork", s, errno);
	l->pause_until = io_now_ms() + PORTER_PAUSE_MS;
	forget(l, &seat->sock);
	porter_seat_leave(l->seats, seat);
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

/* Whose connection a proxy has passed on. */
static bool
admit(struct listener *l, struct seat *seat, const struct peer *p)
{
	uint64_t most = l->porter->conf.connections_per_source;
	uint32_t told = SEAT_TOLD_GOOD;

	if (!seat->proxied || (p->family != AF_INET && p->family != AF_INET6))
		return false;
	seat->proxied = false;
	porter_seat_for(seat, p);
	if (porter_seats_count(l->seats, p) > most) {
		told = SEAT_TOLD_FULL;
		tell(l, "connections_per_source", p, 0);
	}
	return io_send(seat->sock, &told, sizeof told, NULL, 0) == 0;
}

/* Of a process that is no child of ours, and of nothing else. */
static bool
is_process(int fd)
{
	siginfo_t i;

	return fd != -1 &&
	       waitid(P_PIDFD, (id_t)fd, &i, WEXITED | WNOHANG | WNOWAIT) ==
		   -1 &&
	       errno == ECHILD;
}

/* A session is counted in the place of who served the connection up to it. */
static bool
move(const struct listener *l, struct seat *seat, int session)
{
	if (!is_process(session) || watch(l, seat, session) == -1)
		return false;
	seat->session = session;
	forget(l, &seat->sock);
	return true;
}

/* False: not what a child says that is itself. */
static bool
believe(struct listener *l, struct seat *seat, const struct seat_word *w,
    int fd)
{
	switch ((enum seat_says)w->type) {
	case SEAT_SAYS_PEER:
		return admit(l, seat, &w->peer);
	case SEAT_SAYS_KEEP:
		if (seat->stage == SEAT_KEPT)
			return false;
		porter_seat_keep(l->seats, seat);
		return true;
	case SEAT_SAYS_SESSION:
		return move(l, seat, fd);
	}
	return false;
}

/* A child that has said too much, or is gone, is heard no more; it has its seat
 * until its end. */
static void
hear(struct listener *l, struct seat *seat)
{
	struct seat_word w;
	int fd;

	while (seat->sock != -1) {
		ssize_t n = io_recv(seat->sock, &w, sizeof w, &fd, 1);

		if (n == -1 && errno == EAGAIN)
			return;
		if (n != (ssize_t)sizeof w || !believe(l, seat, &w, fd)) {
			if (n != 0)
				log_error("child-not-believed",
				    l->porter->service->name, EPROTO);
			forget(l, &seat->sock);
		}
		if (fd != seat->session)
			io_close(fd);
	}
}

static void
end_session(struct listener *l, struct seat *s)
{
	forget(l, &s->session);
	if (s->pid == PORTER_SEAT_SESSION)
		porter_seat_leave(l->seats, s);
	l->idle_since = io_now_ms();
}

static void
reap(struct listener *l)
{
	siginfo_t i = { 0 };

	while (waitid(P_ALL, 0, &i, WEXITED | WNOHANG) == 0 && i.si_pid > 0) {
		struct seat *s = find(l, i.si_pid);

		i.si_pid = 0;
		if (s == NULL)
			continue;
		/* It may have told us just before its end. */
		hear(l, s);
		forget(l, &s->sock);
		if (s->session != -1)
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

static void
look_round(struct listener *l)
{
	struct epoll_event e;

	while (epoll_wait(l->seated, &e, 1, 0) == 1) {
		struct seat *s = e.data.ptr;

		if (s == NULL)
			take_signals(l);
		else if (s->sock != -1)
			hear(l, s);
		else
			end_session(l, s);
	}
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
		SEATED,
		NURSERIES,
		OURS = NURSERIES + PORTER_NURSERIES
	};
	/* Not more than are open: poll fails above the limit of open files. */
	struct pollfd p[OURS + START_SOCKETS] = {
		[FRONT] = { .fd = START_FD, .events = POLLIN },
		[SEATED] = { .fd = l->seated, .events = POLLIN },
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
		if (p[SEATED].revents)
			look_round(l);
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

/* One for each seat: where the limit is lower there are fewer. */
static void
allow_files(const struct listener *l)
{
	rlim_t wanted = l->seats->n + PORTER_SPARE_FDS;
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

	if (l.seats == NULL)
		err_die_sys(EXIT_LATER, "listen");
	allow_files(&l);
	for (int i = 0; i < PORTER_NURSERIES; i++)
		l.nursery[i] = (struct nursery){ .kind = (enum porter_nursery)i,
			.sock = -1,
			.born_ms = -PORTER_PAUSE_MS };
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &wanted, NULL) == -1)
		err_die_sys(EXIT_LATER, "listen");
	l.signals = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
	l.seated = epoll_create1(EPOLL_CLOEXEC);
	if (l.signals == -1 || l.seated == -1 ||
	    watch(&l, NULL, l.signals) == -1)
		err_die_sys(EXIT_LATER, "listen");
	for (size_t i = 0; i < n; i++)
		if (fcntl(socks[i], F_SETFL, O_NONBLOCK) == -1)
			err_die_sys(EXIT_LATER, "socket");
	porter_jail(JAIL_PORTER);
	return run(&l, activated);
}
