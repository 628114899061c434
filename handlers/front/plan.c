/* What front may start for a service. */
#include "porter.h"

#include "base/err.h"
#include "base/num.h"
#include "base/priv.h"
#include "net/sign.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The environment of every program: nothing. */
#ifdef POSTERN_SANITIZE
#define ENV "ASAN_OPTIONS=detect_leaks=0",
#else
#define ENV
#endif
/* Of a nursery: freed memory is not kept by its size, so that what its
 * children have in use lies together (net/nursery.c); nor does the kernel
 * write the processor's number into a page of theirs; and no child looks up
 * again where a library's functions are. */
#define NURSERY_TUNABLES                                                       \
	"GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.pthread.rseq=0"
#define NURSERY_BINDING "LD_BIND_NOW=1"

struct making {
	const struct porter *porter;
	struct start_plan *plan;
	bool root;
};

static uint32_t
add_text(struct making *m, const char *s)
{
	struct start_plan *p = m->plan;
	uint32_t at = p->size;
	size_t n = strlen(s) + 1;

	if (n > sizeof p->text - p->size)
		err_die(EXIT_NEVER, "more than %d bytes of paths", START_TEXT);
	memcpy(p->text + at, s, n);
	p->size += (uint32_t)n;
	return at;
}

/* Up to a NULL; "" is left out. */
static struct start_list
add_list(struct making *m, const char *const *s)
{
	struct start_list l = { .at = m->plan->size };

	for (; *s; s++)
		if (**s != '\0') {
			(void)add_text(m, *s);
			l.n++;
		}
	return l;
}

/* Who runs it, and what it is: not yet its descriptors.  Where requests add
 * arguments there is a "--" before, so that none of them is an option. */
static struct start_recipe *
add(struct making *m, enum start_program what, const char *user,
    const char *const *argv, bool nursery)
{
	struct start_recipe *r = &m->plan->recipe[what];
	const char *const envp[] = { ENV nursery ? NURSERY_TUNABLES : "",
		nursery ? NURSERY_BINDING : "", NULL };
	uid_t uid;
	gid_t gid;

	r->argv = add_list(m, argv);
	r->envp = add_list(m, envp);
	r->fds[2] = (struct start_source){ START_OURS, 2 };
	r->nfds = 3;
	if (!m->root || user == NULL)
		return r;
	if (priv_find_service(user, &uid, &gid) == -1) {
		if (errno == EPERM)
			err_die(EXIT_NEVER, "user %s: must not be root", user);
		err_die_sys(EXIT_LATER, "user %s", user);
	}
	r->uid = uid;
	r->gid = gid;
	return r;
}

static void
from(struct start_recipe *r, size_t fd, enum start_from from, uint32_t which)
{
	r->fds[fd] = (struct start_source){ from, which };
	if (r->nfds <= fd)
		r->nfds = (uint32_t)fd + 1;
}

/* In etc/postern, unless it is absolute. */
static void
from_file(struct making *m, struct start_recipe *r, size_t fd,
    const char *name)
{
	char path[PATH_MAX];

	if (name == NULL)
		return;
	if (conf_etc(&m->porter->conf, name, path) == -1)
		err_die_sys(EXIT_NEVER, "%s", name);
	from(r, fd, START_FILE, add_text(m, path));
}

static void
find_program(const struct making *m, const char *name, char path[PATH_MAX])
{
	if (conf_program(&m->porter->conf, name, path) == -1)
		err_die_sys(EXIT_NEVER, "%s", name);
}

/* Which sockets it listens on, from front's descriptor first on, or, none,
 * which connection it has. */
struct sockets {
	bool activated; /* somebody else listens when we are gone */
	uint32_t first, n;
};

static void
add_porter(struct making *m, const struct sockets *s)
{
	const struct conf *c = &m->porter->conf;
	uint32_t all = s->n + m->plan->binds;
	char path[PATH_MAX], number[NUM_TEXT];
	const char *const argv[] = { path, all ? "-s" : "", number,
		s->activated ? "-a" : "", c->root[0] ? "-r" : "", c->root,
		m->porter->service->name, NULL };
	struct start_recipe *r;

	number[all ? num_text(all, number) : 0] = '\0';
	find_program(m, "porter", path);
	r = add(m, START_PORTER, c->porter_user, argv, false);
	r->leaves = m->root;
	if (all == 0)
		from(r, 0, START_OURS, s->first);
	from(r, START_FD, START_THAT, 0);
	for (uint32_t i = 0; i < all; i++)
		from(r, START_SOCKETS_FD + i,
		    s->n > 0 ? START_OURS : START_BOUND, s->first + i);
}

static void
add_signer(struct making *m, bool nursery)
{
	const struct conf *c = &m->porter->conf;
	char path[PATH_MAX];
	const char *const argv[] = { path, nursery ? "-n" : "", NULL };
	struct start_recipe *r;

	find_program(m, "signer", path);
	r = add(m, nursery ? START_SIGNERS : START_SIGNER, c->key_user, argv,
	    false);
	r->leaves = m->root;
	from(r, SIGN_SOCKET_FD, START_THAT, 0);
	from_file(m, r, SIGN_KEY_FD, c->tls_key);
	from_file(m, r, SIGN_KEY_FD + 1, c->tls_key2);
	for (size_t i = 0; i < c->nsites; i++)
		from_file(m, r, SIGN_KEY_FD + 2 + i, c->sites[i].key);
}

static void
add_login(struct making *m, bool nursery)
{
	const struct service *s = m->porter->service;
	const struct conf *c = &m->porter->conf;
	char path[PATH_MAX];
	const char *const argv[] = { path, c->root[0] ? "-r" : "", c->root,
		nursery ? "-n" : "--", s->name, NULL };
	struct start_recipe *r;

	find_program(m, s->program, path);
	r = add(m, nursery ? START_LOGINS : START_LOGIN, c->net_user, argv,
	    nursery);
	r->leaves = m->root;
	r->args = nursery ? 0 : 3;
	for (size_t fd = 0; fd < 2 && !nursery; fd++)
		from(r, fd, START_THAT, 2);
	from(r, FRAME_FD, START_THAT, 0);
	from(r, FRAME_KEY_FD, START_THAT, 1);
	from_file(m, r, FRAME_CERT_FD, c->tls_cert);
	from_file(m, r, FRAME_CERT2_FD, c->tls_cert2);
	for (size_t i = 0; i < c->nsites; i++)
		from_file(m, r, FRAME_SITES_FD + i, c->sites[i].cert);
	if (s->session == NULL)
		from_file(m, r, FRAME_USERS_FD, "users.cdb");
}

static void
add_checker(struct making *m, bool nursery)
{
	const struct conf *c = &m->porter->conf;
	char path[PATH_MAX], guard[PATH_MAX];
	const char *const argv[] = { path, c->root[0] ? "-r" : "", c->root,
		nursery ? "-n" : "--", m->porter->service->name, NULL };
	struct start_recipe *r;

	find_program(m, c->checkpw, path);
	if (conf_path(c, "run/postern/guard", guard) == -1)
		err_die_sys(EXIT_NEVER, "guard");
	r = add(m, nursery ? START_CHECKERS : START_CHECKER, c->auth_user,
	    argv, nursery);
	r->leaves = m->root;
	r->args = nursery ? 0 : 1;
	from(r, nursery ? FRAME_FD : 0, START_THAT, 0);
	if (c->checkpassword == NULL)
		from_file(m, r, FRAME_SECRETS_FD, "secrets.cdb");
	from_file(m, r, FRAME_MAILBOXES_FD, "users.cdb");
	from(r, FRAME_GUARD_FD, START_STATE, add_text(m, guard));
	if (m->porter->service->session)
		from(r, FRAME_DOOR_FD, START_DOOR, 0);
}

static void
add_session(struct making *m, bool nursery)
{
	const struct porter *p = m->porter;
	char path[PATH_MAX], uid[1 + PRIV_SERVICES][NUM_TEXT] = { "0" };
	const char *argv[START_LIST + 1] = { path, nursery ? "-n" : "-1",
		uid[0] };
	uid_t services[PRIV_SERVICES];
	struct start_recipe *r;

	_Static_assert(START_LIST >= 3 + PRIV_SERVICES, "all of them");
	if (m->root) {
		uid[0][num_text(p->conf.uid_min, uid[0])] = '\0';
		priv_services(&p->conf, services);
	}
	for (size_t i = 0; m->root && i < PRIV_SERVICES; i++) {
		uid[1 + i][num_text(services[i], uid[1 + i])] = '\0';
		argv[3 + i] = uid[1 + i];
	}
	find_program(m, p->service->session, path);
	/* Then logins fail for now, and not what comes after them. */
	if (access(path, X_OK) == -1)
		return;
	r = add(m, nursery ? START_SESSIONS : START_SESSION, NULL, argv,
	    nursery);
	r->users = m->root;
	from(r, FRAME_FD, START_ROOM, 0);
	from(r, FRAME_LIFE_FD, START_THAT, 0);
}

static void
add_enqueue(struct making *m)
{
	const struct conf *c = &m->porter->conf;
	char path[PATH_MAX];
	const char *const argv[] = { path, c->root[0] ? "-r" : "", c->root,
		"--", NULL };
	struct start_recipe *r;

	find_program(m, "enqueue", path);
	r = add(m, START_ENQUEUE, c->queue_user, argv, false);
	r->args = 2;
	from(r, 0, START_THAT, 0);
	from(r, 1, START_THAT, 0);
}

/* ADDRESS:PORT, [ADDRESS]:PORT. */
static bool
parse_address(struct span text, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
	struct sockaddr_in *four = (struct sockaddr_in *)out;
	size_t colon = span_rfind(text, ':');
	struct span host = span_head(text, colon);
	char name[PORTER_PEER];
	uint32_t port;

	if (!num_parse_u32(span_skip(text, colon + 1), 65535, &port))
		return false;
	if (span_starts(host, "[") && span_ends(host, "]"))
		host = span_skip(span_head(host, host.n - 1), 1);
	if (span_copy(host, name, sizeof name) == -1)
		return false;
	if (inet_pton(AF_INET, name, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		return true;
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons((uint16_t)port);
	return inet_pton(AF_INET6, name, &six->sin6_addr) == 1;
}

static void
add_addresses(struct start_plan *p, const char *list)
{
	struct span rest = span_str(list);

	while (rest.n > 0) {
		struct span address = span_take(&rest, ',');

		if (p->binds == START_SOCKETS)
			err_die(EXIT_NEVER, "more than %d sockets",
			    START_SOCKETS);
		if (!parse_address(address, &p->bind[p->binds++]))
			err_die(EXIT_LATER, "listen on %.*s: not an address",
			    (int)address.n, address.p);
	}
}

static bool
is_listening(int fd)
{
	int yes = 0;
	socklen_t n = sizeof yes;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &n) == 0 && yes;
}

/* How many sockets systemd has passed to front (sd_listen_fds(3)). */
static uint32_t
activated_sockets(void)
{
	uint32_t n, pid;

	if (!num_parse_u32(span_str(getenv("LISTEN_PID")), INT32_MAX, &pid) ||
	    !num_parse_u32(span_str(getenv("LISTEN_FDS")), START_SOCKETS, &n) ||
	    (pid_t)pid != getppid())
		return 0;
	return n;
}

/* Under inetd it is fd 0. */
static void
find_sockets(struct sockets *s, struct start_plan *plan)
{
	plan->sockets = activated_sockets();
	if (plan->sockets > 0)
		s->first = START_SOCKETS_FD;
	if (plan->sockets != 1 || is_listening(START_SOCKETS_FD))
		s->n = plan->sockets;
	if (plan->sockets == 0 && is_listening(0))
		s->n = 1;
}

/* The empty folder that the jails have as their root. */
static void
make_empty(struct making *m)
{
	static const char *const folders[] = { "run", "run/postern",
		"run/postern/empty" };
	char path[PATH_MAX];

	umask(022);
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		if (conf_path(&m->porter->conf, folders[i], path) == -1 ||
		    (mkdir(path, i < 2 ? 0755 : 0555) == -1 && errno != EEXIST))
			err_die_sys(EXIT_LATER, "make %s", path);
	}
	m->plan->empty = add_text(m, path);
}

static void
add_all(struct making *m)
{
	const struct service *s = m->porter->service;

	for (int nursery = 0; nursery < 2; nursery++) {
		add_signer(m, nursery);
		add_login(m, nursery);
		if (s->kind != SERVICE_SMTP)
			add_checker(m, nursery);
		if (s->session)
			add_session(m, nursery);
	}
	if (s->session == NULL)
		add_enqueue(m);
}

static struct making
begin_plan(const struct porter *p)
{
	struct making m = { .porter = p, .root = geteuid() == 0,
		.plan = calloc(1, sizeof *m.plan) };

	if (m.plan == NULL)
		err_nomem();
	(void)add_text(&m, "");
	make_empty(&m);
	return m;
}

static int
send_plan(const struct making *m)
{
	static const int log = 2;

	if (io_send(START_FD, m->plan, offsetof(struct start_plan, text) +
		m->plan->size, &log, 1) == -1)
		err_die_sys(EXIT_LATER, "plan");
	return 0;
}

int
porter_plan(const struct porter *p, const char *list)
{
	struct making m = begin_plan(p);
	struct sockets s = { .activated = list == NULL };

	if (list)
		add_addresses(m.plan, list);
	else
		find_sockets(&s, m.plan);
	/* Who is told that it has ended may bind the same sockets at once. */
	m.plan->stays = s.n > 0 || m.plan->binds > 0;
	add_porter(&m, &s);
	add_all(&m);
	return send_plan(&m);
}

/* ---- the queue ---- */

/* Who owns mailboxes: not those that anything else runs as. */
static void
add_owners(struct making *m)
{
	const struct conf *c = &m->porter->conf;
	struct start_plan *p = m->plan;

	_Static_assert((int)START_USERS == (int)PRIV_SERVICES, "all of them");
	p->least_uid = m->root ? (uint32_t)c->uid_min : 1;
	p->least_gid = m->root;
	if (m->root)
		priv_services(c, p->user);
}

static void
add_qsend(struct making *m, bool once)
{
	const struct conf *c = &m->porter->conf;
	char path[PATH_MAX];
	const char *const argv[] = { path, once ? "-1" : "",
		c->root[0] ? "-r" : "", c->root, NULL };
	struct start_recipe *r;

	find_program(m, "qsend", path);
	r = add(m, START_PORTER, c->queue_user, argv, false);
	from(r, 0, START_ENDS, 0);
	from(r, START_FD, START_THAT, 0);
}

/* With the queue file, and a pipe for its report. */
static struct start_recipe *
add_delivering(struct making *m, enum start_program what, const char *name,
    const char *user, uint32_t args)
{
	const struct conf *c = &m->porter->conf;
	char path[PATH_MAX];
	const char *const argv[] = { path, c->root[0] ? "-r" : "", c->root,
		"--", NULL };
	struct start_recipe *r;

	find_program(m, name, path);
	r = add(m, what, user, argv, false);
	r->args = args;
	from(r, 0, START_THAT, 0);
	from(r, 1, START_THAT, 1);
	return r;
}

int
porter_plan_queue(const struct porter *p, bool once)
{
	const struct conf *c = &p->conf;
	struct making m = begin_plan(p);

	m.plan->stays = true;
	add_owners(&m);
	add_qsend(&m, once);
	add_delivering(&m, START_DELIVER, "deliver", NULL, 3)->owned = true;
	add_delivering(&m, START_REMOTE, "remote", c->net_user, START_ARGS)
	    ->leaves = m.root;
	add_delivering(&m, START_BOUNCE, "bounce", c->queue_user, 2);
	return send_plan(&m);
}
