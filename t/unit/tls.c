/*
 * lib/net/tls against itself and against a client that is not well behaved.
 * Usage: tls CERT KEY.  Writes TAP.
 */
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"

enum { LONG_MS = 10000, BULK = 3000000 };

struct test {
	struct tls_server *server;
	int cert, key;
	int number;
	bool failed;
};

static void
ok(struct test *t, bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++t->number, name);
	fflush(stdout);
	t->failed |= !good;
}

static int64_t
soon(int ms)
{
	return io_now_ms() + ms;
}

/* A TCP connection to ourselves: [0] connects, [1] accepts. */
static void
connect_pair(int pair[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (fd == -1 || pair[0] == -1 ||
	    bind(fd, (struct sockaddr *)&a, n) == -1 || listen(fd, 1) == -1 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) == -1 ||
	    connect(pair[0], (struct sockaddr *)&a, n) == -1 ||
	    (pair[1] = accept(fd, NULL, NULL)) == -1)
		exit(111);
	close(fd);
}

/* Runs serve with the accepted connection in another process. */
static pid_t
start(struct test *t, int *fd, void (*serve)(struct tls *))
{
	int pair[2];
	pid_t pid;

	connect_pair(pair);
	pid = fork();
	if (pid == -1)
		exit(111);
	if (pid == 0) {
		struct tls *tls;

		close(pair[0]);
		tls = tls_accept(t->server, pair[1], "imap", soon(LONG_MS));
		if (tls)
			serve(tls);
		_exit(tls == NULL);
	}
	close(pair[1]);
	*fd = pair[0];
	return pid;
}

static void
finish(pid_t pid, int fd)
{
	close(fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
echo(struct tls *t)
{
	char p[20000];
	ssize_t n;

	while ((n = tls_read(t, p, sizeof p, soon(LONG_MS))) > 0)
		if (tls_write(t, p, (size_t)n, soon(LONG_MS)) == -1)
			return;
	tls_close(t, soon(LONG_MS));
}

static void
vanish(struct tls *t)
{
	tls_write(t, "half", 4, soon(LONG_MS));
	_exit(0);
}

static void
stay_silent(struct tls *t)
{
	pause();
}

static void
test_echo(struct test *t)
{
	struct tls_client *client = tls_client_new(false);
	char p[64] = "", text[128];
	struct tls *tls;
	int fd;
	pid_t pid = start(t, &fd, echo);

	tls = tls_connect(client, fd, "mail.example.org", soon(LONG_MS));
	ok(t, tls != NULL, "a certificate that nobody vouches for will do");
	if (tls == NULL)
		return;
	ok(t,
	    tls_write(tls, "hello", 5, soon(LONG_MS)) == 0 &&
		tls_read(tls, p, sizeof p, soon(LONG_MS)) == 5 &&
		strcmp(p, "hello") == 0,
	    "bytes go there and back");
	ok(t, tls_read(tls, p, sizeof p, 0) == -1 && errno == ETIMEDOUT,
	    "deadline 0 does not wait");
	ok(t, tls_read(tls, p, sizeof p, soon(30)) == -1 && errno == ETIMEDOUT,
	    "a deadline passes");
	tls_describe(tls, text, sizeof text);
	ok(t, strcmp(text, "TLS1.3 AES-128-GCM X25519") == 0, text);
	tls_close(tls, soon(LONG_MS));
	finish(pid, fd);
}

static void
test_ends(struct test *t)
{
	struct tls_client *client = tls_client_new(false);
	char p[64];
	struct tls *tls;
	int fd;
	pid_t pid = start(t, &fd, vanish);

	tls = tls_connect(client, fd, "127.0.0.1", soon(LONG_MS));
	ok(t,
	    tls && tls_read(tls, p, sizeof p, soon(LONG_MS)) == 4 &&
		tls_read(tls, p, sizeof p, soon(LONG_MS)) == -1 &&
		errno == EPIPE,
	    "an end without close_notify is no end");
	finish(pid, fd);
	pid = start(t, &fd, echo);
	tls = tls_connect(client, fd, "localhost", soon(LONG_MS));
	if (tls)
		tls_close(tls, soon(LONG_MS));
	ok(t, tls && io_wait(fd, 1, soon(LONG_MS)) == 0, "close_notify");
	close(fd);
	waitpid(pid, NULL, 0);
}

/* A peer that takes nothing holds us no longer than the deadline. */
static void
test_full(struct test *t)
{
	struct tls_client *client = tls_client_new(false);
	char *bulk = calloc(1, BULK);
	struct tls *tls;
	int64_t begin;
	int fd, r = 0;
	pid_t pid = start(t, &fd, stay_silent);

	tls = tls_connect(client, fd, "localhost", soon(LONG_MS));
	begin = io_now_ms();
	for (int i = 0; tls && i < 20 && r == 0; i++)
		r = tls_write(tls, bulk, BULK, begin + 200);
	ok(t, r == -1 && errno == ETIMEDOUT && io_now_ms() - begin < 5000,
	    "writing ends at its deadline");
	free(bulk);
	finish(pid, fd);
}

static void
test_verify(struct test *t)
{
	struct tls_client *strict = tls_client_new(true);
	int fd;
	pid_t pid = start(t, &fd, echo);

	ok(t,
	    tls_connect(strict, fd, "mail.example.org", soon(LONG_MS)) ==
		    NULL &&
		errno == EACCES,
	    "a certificate that must be vouched for is refused");
	finish(pid, fd);
}

static void
test_not_tls(struct test *t)
{
	int pair[2];

	connect_pair(pair);
	if (write(pair[0], "EHLO x\r\n", 8) != 8)
		exit(111);
	errno = 0;
	ok(t,
	    tls_accept(t->server, pair[1], "smtp", soon(LONG_MS)) == NULL &&
		errno == EPROTO,
	    "clear text is no handshake");
	close(pair[0]);
	close(pair[1]);
	connect_pair(pair);
	ok(t,
	    tls_accept(t->server, pair[1], "smtp", soon(50)) == NULL &&
		errno == ETIMEDOUT,
	    "a handshake that does not come ends");
	ok(t, tls_server_new(t->key,
		  &(struct tls_key){ .fd = t->cert }) == NULL && errno == EINVAL,
	    "key and certificate the wrong way round");
	close(pair[0]);
	close(pair[1]);
}

static gnutls_session_t
raw_client(int fd)
{
	gnutls_certificate_credentials_t cred;
	gnutls_session_t s;

	if (gnutls_certificate_allocate_credentials(&cred) < 0 ||
	    gnutls_init(&s, GNUTLS_CLIENT) < 0 ||
	    gnutls_set_default_priority(s) < 0 ||
	    gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, cred) < 0)
		exit(111);
	gnutls_transport_set_int(s, fd);
	return gnutls_handshake(s) < 0 ? NULL : s;
}

/* Alerts that only warn are no way to keep us busy. */
static void
test_warnings(struct test *t)
{
	gnutls_session_t s;
	pid_t pid;
	int fd, status;

	pid = start(t, &fd, echo);
	s = raw_client(fd);
	for (int i = 0; s && i < 1000; i++)
		if (gnutls_alert_send(
			s, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED) < 0)
			break;
	/* The process leaves although we are still there. */
	ok(t, s && waitpid(pid, &status, 0) == pid && status == 0,
	    "1,000 warnings end it");
	close(fd);
}

static void
test_key_updates(struct test *t)
{
	gnutls_session_t s;
	pid_t pid;
	int fd, i;

	pid = start(t, &fd, echo);
	s = raw_client(fd);
	for (i = 0; s && i < 10000; i++)
		if (gnutls_session_key_update(s, 0) < 0)
			break;
	ok(t, s && i < 10000, "10,000 key updates are not taken");
	finish(pid, fd);
}

/* What a child with the parent's state makes of it. */
static void
random_of_child(struct test *t, unsigned char out[3][32])
{
	int pair[2], status;
	pid_t pid;

	if (pipe(pair) == -1 || (pid = fork()) == -1)
		exit(111);
	if (pid == 0) {
		for (int level = 0; level < 3; level++)
			if (gnutls_rnd((gnutls_rnd_level_t)level, out[level],
				32) < 0)
				_exit(1);
		_exit(write(pair[1], out, 96) != 96);
	}
	ok(t,
	    waitpid(pid, &status, 0) == pid && status == 0 &&
		read(pair[0], out, 96) == 96,
	    "random bytes of a child");
	close(pair[0]);
	close(pair[1]);
}

/* The children of a nursery have nothing random in common. */
static void
test_random(struct test *t)
{
	unsigned char all[5][3][32] = { { { 0 } } };
	bool same = false;

	/* The generator has been used before the fork, as after loading. */
	for (int level = 0; level < 3; level++)
		if (gnutls_rnd((gnutls_rnd_level_t)level, all[0][level], 32) <
		    0)
			exit(111);
	for (int i = 1; i < 4; i++)
		random_of_child(t, all[i]);
	for (int level = 0; level < 3; level++)
		if (gnutls_rnd((gnutls_rnd_level_t)level, all[4][level], 32) <
		    0)
			exit(111);
	for (int i = 0; i < 15; i++)
		for (int k = 0; k < i; k++)
			same |= memcmp(all[i / 3][i % 3], all[k / 3][k % 3],
				    32) == 0;
	ok(t, !same, "no two processes make the same random bytes");
}

int
main(int argc, char *argv[])
{
	struct test t = { 0 };

	if (argc != 3)
		return 100;
	signal(SIGPIPE, SIG_IGN);
	t.cert = open(argv[1], O_RDONLY);
	t.key = open(argv[2], O_RDONLY);
	t.server = tls_server_new(t.cert, &(struct tls_key){ .fd = t.key });
	ok(&t, t.server != NULL, "certificate and key");
	test_random(&t);
	if (t.server) {
		test_echo(&t);
		test_ends(&t);
		test_full(&t);
		test_verify(&t);
		test_not_tls(&t);
		test_warnings(&t);
		test_key_updates(&t);
	}
	printf("1..%d\n", t.number);
	return t.failed;
}
