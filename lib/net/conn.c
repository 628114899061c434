/* One client's connection. */
#include "net/conn.h"

#include "base/io.h"
#include "base/jail.h"
#include "base/log.h"
#include "net/nursery.h"
#include "net/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int
complain(char error[CONF_ERROR], const char *what)
{
	snprintf(error, CONF_ERROR, "%s", what);
	errno = EINVAL;
	return -1;
}

/* What holds for this connection: false, there is no such word. */
static bool
read_word(struct conn *c, const char *word)
{
	if (strcmp(word, "clear") == 0)
		return c->clear_login = true;
	return strcmp(word, "proxied") == 0 && (c->proxied = true);
}

/* From SERVICE on they come from the porter, and none is an option. */
static int
read_arguments(struct conn *c, int argc, char *argv[], const char **root,
    char error[CONF_ERROR])
{
	int option;

	*root = NULL;
	while ((option = getopt(argc, argv, "+nr:")) != -1) {
		if (option == 'n')
			c->nursery = true;
		else if (option == 'r')
			*root = optarg;
		else
			return complain(error, "unknown option");
	}
	if (c->nursery ? argc - optind != 1 : argc - optind < 2)
		return complain(error,
		    "[-r root] {-n SERVICE | SERVICE PEER [clear] [proxied]}: "
		    "started by front");
	c->service = service_find(argv[optind]);
	c->peer = c->nursery ? NULL : argv[optind + 1];
	for (int i = optind + 2; i < argc; i++)
		if (!read_word(c, argv[i]))
			return complain(error, "unknown argument");
	return c->service ? 0 : complain(error, "unknown service");
}

/* No certificate is legal (no TLS then); one that is broken is told. */
static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) != -1;
}

static bool
is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* From number 2 on it is for its own names. */
static void
load_pair(struct conn *c, uint32_t number, int cert, int key, const char *name)
{
	struct tls_key k = { .fd = c->signer ? FRAME_KEY_FD : key,
		.external = c->signer,
		.number = number,
		/* A holder that is not there yet is not woken for this. */
		.check = c->nursery };
	int r = 0;

	if (is_open(cert) && is_open(k.fd)) {
		if (c->server == NULL)
			c->server = tls_server_new(cert, &k);
		else if (number < 2)
			r = tls_server_add(c->server, cert, &k);
		else
			r = tls_server_site(c->server, cert, &k);
		if (r == -1 || c->server == NULL)
			log_error("tls-unusable", name, errno);
	}
	close(cert);
	if (key != -1 && !(c->signer && key == FRAME_KEY_FD))
		close(key);
}

/* Port 25 has no login; there are other servers that do not like the question. */
static bool
asks_clients(const struct conn *c)
{
	return (c->conf.mechanisms & CONF_EXTERNAL) != 0 &&
	       c->service->kind != SERVICE_SMTP;
}

static void
load_credentials(struct conn *c)
{
	c->signer = is_socket(FRAME_KEY_FD);
	load_pair(c, 0, FRAME_CERT_FD, FRAME_KEY_FD, c->conf.tls_cert);
	load_pair(c, 1, FRAME_CERT2_FD, FRAME_KEY2_FD,
	    c->conf.tls_cert2 ? c->conf.tls_cert2 : "tls_cert2");
	for (uint32_t i = 0; i < c->conf.nsites && c->signer; i++)
		load_pair(c, 2 + i, FRAME_SITES_FD + (int)i, -1,
		    c->conf.sites[i].cert);
	if (c->server && asks_clients(c))
		tls_server_ask(c->server);
}

static int
enter(const struct conn *c, enum jail_kind kind)
{
	struct jail jail = { .kind = kind };
	int landlock;

	if (jail_enter(&jail, &landlock) == -1)
		return -1;
	/* Sessions on this kernel have none either: told once in a while. */
	if (landlock == 0 && kind == JAIL_NURSERY)
		log_error("no-landlock", c->service->name, ENOSYS);
	return 0;
}

static int
take_ticket_key(struct conn *c)
{
	unsigned char key[FRAME_TICKET_KEY];
	int r = 0;

	_Static_assert((int)FRAME_TICKET_KEY == (int)TLS_TICKET_KEY, "one key");
	if (io_recv(FRAME_FD, key, sizeof key, NULL, 0) !=
	    (ssize_t)sizeof key) {
		errno = EPROTO;
		return -1;
	}
	if (c->server && !asks_clients(c))
		r = tls_server_tickets(c->server, key, c->conf.tls_ticket_s);
	explicit_bzero(key, sizeof key);
	return r;
}

static int
be_nursery(struct conn *c, char error[CONF_ERROR])
{
	const struct nursery n = { .packet = &c->passed,
		.size = sizeof c->passed,
		.least = 2,
		.most = 2, /* the connection, the channel */
		.channel = 1,
		.place = { 0, 0, -1, 1, -1, -1, -1, -1 },
		.kept = c->service->session ? 0 : 1u << FRAME_USERS_FD,
		.signer = c->signer };
	int r = take_ticket_key(c);

	if (r == 0)
		r = enter(c, JAIL_NURSERY);
	if (r == 0)
		r = nursery_run(&n);
	/* The porter is not believed to end a string. */
	c->passed.peer[sizeof c->passed.peer - 1] = '\0';
	if (r == -1) {
		snprintf(error, CONF_ERROR, "nursery: %s", strerror(errno));
		return -1;
	}
	c->peer = c->passed.peer;
	c->clear_login = c->passed.clear_login != 0;
	c->proxied = c->passed.proxied != 0;
	return r;
}

int
conn_begin(struct conn *c, int argc, char *argv[], char *buf, size_t size,
    char error[CONF_ERROR])
{
	const char *root;

	*c = (struct conn){ .in = in_fd(0, buf, size) };
	c->out = out_fd(1, rest_page(c->out_buf), CONN_OUT);
	c->out.timeout_ms = CONN_WRITE_MS;
	signal(SIGPIPE, SIG_IGN);
	if (read_arguments(c, argc, argv, &root, error) == -1)
		return -1;
	/* The environment is not ours to believe: no root but -r. */
	if (conf_load(&c->conf, root ? root : "", error) == -1)
		return -1;
	if (jail_leave() == -1)
		return complain(error, strerror(errno));
	load_credentials(c);
	return c->nursery ? be_nursery(c, error) : 1;
}

int
conn_jail(const struct conn *c)
{
	bool smtp = c->service->session == NULL;
	enum jail_kind kind = smtp ? JAIL_SMTP : JAIL_LOGIN;

	return c->nursery ? jail_tighten(kind) : enter(c, kind);
}

bool
conn_has_bytes(struct conn *c)
{
	char byte;

	if (in_pending(&c->in).n > 0)
		return true;
	if (c->tls)
		return tls_pending(c->tls) > 0;
	return recv(0, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void
log_failure(const struct conn *c, const char *event, int error)
{
	struct log l;

	log_start(&l, event);
	log_str(&l, "service", c->service->name);
	log_str(&l, "peer", c->peer);
	log_errno(&l, "error", error);
	log_end(&l);
}

/* The porter knows that a proxy is there, and counts for whom it speaks. */
static int
tell_porter(const struct proxy *p)
{
	const char *address = (const char *)p->address;
	struct frame_request q;
	struct frame_reply a;
	int fd;

	if (frame_fill(&q, FRAME_PROXY, span_of(NULL, 0),
		span_of(address, p->n), false) == -1 ||
	    frame_ask(FRAME_FD, &q, &a, &fd) == -1)
		return -1;
	if (fd != -1)
		close(fd);
	return a.status == FRAME_OK ? 0 : -1;
}

int
conn_proxy(struct conn *c)
{
	struct proxy p;

	if (!c->proxied)
		return 0;
	if (proxy_read(0, &p, io_now_ms() + CONN_PROXY_MS) == -1) {
		/* It looked whether somebody is here. */
		if (errno != ENODATA)
			log_failure(c, "proxy-failed", errno);
		return -1;
	}
	if (p.n > 0 && inet_ntop(p.n == 4 ? AF_INET : AF_INET6, p.address,
			   c->client, sizeof c->client) != NULL)
		c->peer = c->client;
	return tell_porter(&p);
}

int
conn_tls(struct conn *c, int64_t deadline_ms)
{
	if (!c->service->tls)
		in_discard(&c->in); /* what came in clear */
	c->tls = tls_accept(c->server, 0, c->service->protocol, deadline_ms);
	/* There is one handshake, and nothing to sign after it. */
	if (c->signer)
		close(FRAME_KEY_FD);
	if (c->tls == NULL) {
		log_failure(c, "tls-failed", errno);
		return -1;
	}
	c->in.read = tls_read;
	c->in.ctx = c->tls;
	c->in.exact = false;
	c->out.write = tls_write;
	c->out.ctx = c->tls;
	return 0;
}

static void
drain(void)
{
	int64_t deadline = io_now_ms() + CONN_LINGER_MS;
	char bytes[4096];
	size_t total = 0;

	while (total < CONN_LINGER && io_wait(0, POLLIN, deadline) == 0) {
		ssize_t n = recv(0, bytes, sizeof bytes, MSG_DONTWAIT);

		if (n <= 0 && !(n == -1 && errno == EINTR))
			break;
		total += n > 0 ? (size_t)n : 0;
	}
}

void
conn_linger(struct conn *c)
{
	bool sound = out_flush(&c->out) == 0;

	if (c->tls) {
		tls_close(c->tls, sound ? io_now_ms() + CONN_LINGER_MS : 0);
		c->tls = NULL;
	}
	if (shutdown(1, SHUT_WR) == 0)
		drain();
}

bool
conn_is_http(struct span line)
{
	static const char *const starts[] = { "GET ", "POST ", "PUT ", "HEAD ",
		"CONNECT ", "OPTIONS ", "DELETE ", "TRACE ", "PATCH ",
		"Host:" };

	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
		if (span_starts(line, starts[i]))
			return true;
	return false;
}
