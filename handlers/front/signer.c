/*
 * signer: holds the private keys of TLS and signs handshakes with them.
 *
 * Reads:   the keys on fd 4 and above; requests on fd 3 and on the sockets that
 *          come over it (net/sign.h)
 * Writes:  signatures to who asked; the log on fd 2
 * Runs as: postern.conf's key_user, jailed before the first request
 * Exits:   0 nobody can ask any more; 100 usage; 111 a fault
 */
#include "base/err.h"
#include "base/io.h"
#include "base/jail.h"
#include "base/log.h"
#include "net/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PEM = 262144, /* bytes of a key file */
	SOCKETS = SIGN_CLIENTS + 1
};

struct signer {
	bool nursery; /* -n: the first socket passes others on */
	gnutls_privkey_t keys[SIGN_KEYS]; /* NULL: none */
	struct pollfd p[SOCKETS];
	unsigned left[SOCKETS]; /* signatures */
	size_t n;
};

/* NULL where there is none; one that is broken is told. */
static gnutls_privkey_t
load(int fd)
{
	struct buf b = buf_new(PEM);
	gnutls_privkey_t key = NULL;
	gnutls_datum_t pem;
	char chunk[4096];
	ssize_t n;

	while ((n = io_read_full(fd, chunk, sizeof chunk)) > 0 &&
	       buf_add(&b, chunk, (size_t)n) == 0)
		;
	explicit_bzero(chunk, sizeof chunk);
	close(fd);
	pem = (gnutls_datum_t){ (unsigned char *)b.p, (unsigned)b.n };
	if (n == 0 && gnutls_privkey_init(&key) == 0 &&
	    gnutls_privkey_import_x509_raw(
		key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0) < 0) {
		gnutls_privkey_deinit(key);
		key = NULL;
	}
	buf_wipe(&b);
	if (key == NULL)
		log_error("key-unusable", "private key", EINVAL);
	return key;
}

static void
add(struct signer *s, int fd)
{
	if (fd == -1)
		return;
	if (s->n == SOCKETS) {
		close(fd);
		return;
	}
	s->left[s->n] =
	    SIGN_BUDGET + (s->nursery && s->n == 0 ? SIGN_KEYS : 0);
	s->p[s->n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

/* What a hash of SHA-2 can be: no other is used. */
static bool
is_hash(size_t n)
{
	return n == 32 || n == 48 || n == 64;
}

static void
sign(struct signer *s, size_t i, const struct sign_request *q)
{
	struct sign_reply a = { 0 };
	gnutls_datum_t data = { (unsigned char *)0, q->n }, signature;
	const unsigned char *bytes = q->data;

	/* GnuTLS reads it only. */
	memcpy(&data.data, &bytes, sizeof bytes);
	if (s->left[i] > 0 && q->key < SIGN_KEYS && s->keys[q->key] &&
	    (!q->hashed || is_hash(q->n)) &&
	    (q->hashed ? gnutls_privkey_sign_hash2
		       : gnutls_privkey_sign_data2)(s->keys[q->key],
		(gnutls_sign_algorithm_t)q->algorithm, 0, &data,
		&signature) == 0) {
		if (signature.size <= sizeof a.signature) {
			a.n = signature.size;
			memcpy(a.signature, signature.data, a.n);
		}
		gnutls_free(signature.data);
	}
	if (s->left[i] > 0)
		s->left[i]--;
	/* One that does not take its answer is not waited for. */
	(void)send(s->p[i].fd, &a, sizeof a, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* False: this socket is done. */
static bool
serve(struct signer *s, size_t i)
{
	struct sign_request q;
	uint32_t what;
	int fd;
	ssize_t n = io_recv(s->p[i].fd, &q, sizeof q, &fd, 1);
	bool may_pass = s->nursery && i == 0;

	if (n == (ssize_t)sizeof what && may_pass) {
		memcpy(&what, &q, sizeof what);
		if (what == SIGN_CLIENT)
			add(s, fd);
		return what == SIGN_CLIENT;
	}
	if (fd != -1)
		close(fd);
	if (n != (ssize_t)sizeof q || fd != -1 || q.n > sizeof q.data)
		return false;
	sign(s, i, &q);
	return true;
}

static void
run(struct signer *s)
{
	while (s->n > 0) {
		if (poll(s->p, s->n, -1) == -1 && errno != EINTR)
			err_die_sys(EXIT_LATER, "poll");
		for (size_t i = s->n; i-- > 0;) {
			if (s->p[i].revents == 0 || serve(s, i))
				continue;
			close(s->p[i].fd);
			if (i == 0)
				s->nursery = false;
			s->n--;
			s->p[i] = s->p[s->n];
			s->left[i] = s->left[s->n];
		}
	}
}

int
main(int argc, char *argv[])
{
	const struct jail jail = { .kind = JAIL_SECRET };
	struct signer s = { 0 };
	int option, landlock;

	err_program("signer");
	while ((option = getopt(argc, argv, "n")) != -1)
		if (option == 'n')
			s.nursery = true;
		else
			err_die(EXIT_NEVER, "usage: signer [-n]");
	if (argc != optind)
		err_die(EXIT_NEVER, "usage: signer [-n]");
	signal(SIGPIPE, SIG_IGN);
	/* Before it reads the keys. */
	if (jail_leave() == -1)
		err_die_sys(EXIT_LATER, "jail");
	for (int i = 0; i < SIGN_KEYS; i++)
		if (fcntl(SIGN_KEY_FD + i, F_GETFD) != -1)
			s.keys[i] = load(SIGN_KEY_FD + i);
	if (jail_enter(&jail, &landlock) == -1)
		err_die_sys(EXIT_LATER, "jail");
	add(&s, SIGN_SOCKET_FD);
	run(&s);
	return 0;
}
