/*
 * front: gets a connection, starts the program that talks to it, and becomes
 * its session when the login is proved.
 *
 * Reads:   postern.conf; opens certificate, key and databases for others
 * Writes:  the log
 * Runs as: root with CAP_SETUID, CAP_SETGID, CAP_SYS_CHROOT and CAP_KILL, or
 *          as anybody, for a server of one uid
 * Exits:   0; 100 usage or configuration; 111 a fault
 */
#include "front.h"

#include "base/err.h"
#include "base/log.h"
#include "base/num.h"
#include "base/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct sockets {
	int fd[FRONT_SOCKETS];
	size_t n;
	bool activated; /* somebody else listens when we are gone */
};

static const struct option options[] = {
	{ "listen", required_argument, NULL, 'l' },
	{ "root", required_argument, NULL, 'r' },
	{ 0 },
};

static _Noreturn void
usage(void)
{
	err_die(EXIT_NEVER,
	    "usage: front [-r root] [--listen ADDR:PORT[,...]] SERVICE");
}

static struct who
find(const struct front *f, const char *user)
{
	struct who w = { 0 };

	if (!f->root)
		return w;
	if (priv_find_service(user, &w.uid, &w.gid) == 0)
		return w;
	if (errno == EPERM)
		err_die(EXIT_NEVER, "user %s: must not be root", user);
	err_die_sys(EXIT_LATER, "user %s", user);
}

/* The empty folder that the jails have as their root. */
static void
make_empty(const struct conf *c)
{
	static const char *const folders[] = { "run", "run/postern",
		"run/postern/empty" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		if (conf_path(c, folders[i], path) == -1 ||
		    (mkdir(path, i < 2 ? 0755 : 0555) == -1 && errno != EEXIST))
			err_die_sys(EXIT_LATER, "make %s", path);
	}
}

static bool
is_listening(int fd)
{
	int yes = 0;
	socklen_t n = sizeof yes;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &n) == 0 && yes;
}

/* How many sockets systemd passes us, from fd 3 on (sd_listen_fds(3)). */
static uint32_t
activated_sockets(void)
{
	uint32_t n, pid;

	if (!num_parse_u32(span_str(getenv("LISTEN_PID")), INT32_MAX, &pid) ||
	    !num_parse_u32(span_str(getenv("LISTEN_FDS")), FRONT_SOCKETS, &n) ||
	    (pid_t)pid != getpid())
		return 0;
	return n;
}

static void
add(struct sockets *s, int fd)
{
	if (s->n == FRONT_SOCKETS)
		err_die(EXIT_NEVER, "more than %d sockets", FRONT_SOCKETS);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		err_die_sys(EXIT_LATER, "socket %d", fd);
	s->fd[s->n++] = fd;
}

static void
bind_all(struct sockets *s, const char *list)
{
	struct span rest = span_str(list);

	while (rest.n > 0) {
		struct span address = span_take(&rest, ',');
		int fd = front_bind(address);

		if (fd == -1)
			err_die_sys(EXIT_LATER, "listen on %.*s",
			    (int)address.n, address.p);
		add(s, fd);
	}
}

/* Sockets to listen on; none where fd 0 (or 3) is a connection. */
static void
find_sockets(struct sockets *s, int *connection)
{
	uint32_t n = activated_sockets();

	s->activated = true;
	if (n == 1 && !is_listening(3))
		*connection = 3;
	else if (n > 0)
		for (uint32_t i = 0; i < n; i++)
			add(s, 3 + (int)i);
	else if (is_listening(0))
		add(s, 0);
}

/* What a starter may have left behind; ignored children are never reaped
 * and would count for ever. */
static int
reset(void)
{
	sigset_t none;

	sigemptyset(&none);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		return -1;
	return chdir("/");
}

static void
set_up(struct front *f, const char *root, const char *service)
{
	char error[CONF_ERROR];

	f->service = service_find(service);
	if (f->service == NULL)
		err_die(EXIT_NEVER, "%s: no such service", service);
	if (conf_load(&f->conf, root, error) == -1)
		err_die(EXIT_NEVER, "%s", error);
	f->root = geteuid() == 0;
	f->net = find(f, f->conf.net_user);
	f->key = find(f, f->conf.key_user);
	f->auth = find(f, f->conf.auth_user);
	f->queue = find(f, f->conf.queue_user);
	make_empty(&f->conf);
}

/* With no capability in effect. */
static int
serve(struct sockets *s, bool listen, const char *root, const char *service)
{
	struct front f = { 0 };
	int connection = 0;

	/* fd 2 first: under inetd it is the connection. */
	if (!listen && log_rescue_stderr() == -1)
		return EXIT_LATER;
	if (reset() == -1)
		err_die_sys(EXIT_LATER, "reset");
	umask(022);
	set_up(&f, root, service);
	umask(077);
	if (!listen)
		find_sockets(s, &connection);
	if (s->n > 0)
		return front_listen(&f, s->fd, s->n, s->activated);
	return front_serve(&f, connection, NULL);
}

int
main(int argc, char *argv[])
{
	const char *root = NULL, *list = NULL;
	struct sockets s = { 0 };
	int option;

	err_program("front");
	while ((option = getopt_long(argc, argv, "l:r:", options, NULL)) != -1)
		if (option == 'l')
			list = optarg;
		else if (option == 'r')
			root = optarg;
		else
			usage();
	if (argc - optind != 1)
		usage();
	/* A port below 1024 is bound with all rights, and nothing else done. */
	if (list)
		bind_all(&s, list);
	if (priv_limit() == -1)
		return EXIT_LATER;
	return serve(&s, list != NULL, root, argv[optind]);
}
