/*
 * checkpw: one attempt to log in; or, with -n, a nursery (net/nursery.h)
 * with a child for each.
 *
 * Reads:   fd 0 the requests of one exchange (net/frame.h), fd 4
 *          secrets.cdb, fd 5 users.cdb, postern.conf
 * Writes:  fd 0 a verdict on each; fd 6 counters of failed logins; fd 7 whose
 *          session begins
 * Runs as: postern.conf's auth_user, jailed before it reads a request; where
 *          postern.conf says checkpassword, a child outside of the jail runs
 *          that program
 * Exits:   0 a verdict was given, or the exchange was given up; 100 usage;
 *          111 a fault
 */
#include "classic.h"

#include "auth/cdbfile.h"
#include "auth/guard.h"
#include "auth/sasl.h"
#include "auth/secrets.h"
#include "auth/users.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/jail.h"
#include "base/priv.h"
#include "net/frame.h"
#include "net/nursery.h"
#include "net/service.h"
#include "store/quota.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct attempt {
	struct conf conf;
	bool nursery; /* -n, in its children, too */
	struct frame_attempt passed; /* to one of these */
	const struct service *service;
	const char *peer;
	uint64_t workers; /* passwords hashed at a time */
	uid_t self;
	uid_t ours[PRIV_SERVICES]; /* users of programs: they have no mail */
	struct guard guard;
	bool fault; /* none of the client's */
	struct classic classic;
	char key[USERS_ADDRESS]; /* who it is meant to be */
	struct secrets secrets;
	struct frame_request q;
	struct frame_verdict v;
	struct frame_session session; /* what it may come to */
};

static void
enter_jail(enum jail_kind kind)
{
	struct jail jail = { .kind = kind, .leaves = true };
	int landlock;

	if (jail_enter(&jail, &landlock) == -1)
		err_die_sys(EXIT_LATER, "jail");
}

static enum frame_status
refuse(struct attempt *a, const char *why)
{
	(void)span_copy(span_str(why), a->v.why, sizeof a->v.why);
	return FRAME_REJECT;
}

/* Of ours, and for the log only: nobody's failure. */
static enum frame_status
fault(struct attempt *a, const char *why)
{
	(void)refuse(a, why);
	a->fault = true;
	return FRAME_TEMPFAIL;
}

/* Not one of the system's users. */
static bool
is_owner(const struct attempt *a)
{
	const struct frame_session *s = &a->session;

	if (a->service->session == NULL)
		return true;
	if (a->self != a->ours[0]) /* a server of one uid */
		return s->uid == a->self;
	for (size_t i = 0; i < PRIV_SERVICES; i++)
		if (s->uid == a->ours[i])
			return false;
	return s->uid >= a->conf.uid_min && s->uid != 0 && s->gid != 0;
}

/* The proved user's mailbox; aliases have none. */
static enum frame_status
find_mailbox(struct attempt *a)
{
	struct frame_verdict *v = &a->v;
	struct frame_session *s = &a->session;
	struct quota_limits limits = { .known = true };
	struct users_record u;
	char maildir[PATH_MAX];
	enum users_kind kind =
	    users_get(FRAME_MAILBOXES_FD, span_str(a->key), &u);

	if (kind == USERS_TEMPFAIL)
		return fault(a, "database");
	if (kind != USERS_MAILBOX)
		return refuse(a, "mailbox");
	if (users_maildir(&a->conf, &u, maildir) == -1 ||
	    span_copy(span_str(maildir), s->maildir, sizeof s->maildir) == -1 ||
	    span_copy(span_str(a->key), s->user, sizeof s->user) == -1)
		return fault(a, "database");
	memcpy(v->user, s->user, sizeof v->user);
	s->uid = u.uid;
	s->gid = u.gid;
	if (users_quota(&a->conf, &u, &limits.bytes, &limits.count))
		quota_text(&limits, s->quota);
	return is_owner(a) ? FRAME_OK : fault(a, "owner");
}

/* May this credential, which is proved, be used here and now? */
static enum frame_status
allow(struct attempt *a, const struct secret *c)
{
	(void)span_copy(
	    span_str(c->name), a->v.credential, sizeof a->v.credential);
	if (a->secrets.disabled)
		return refuse(a, "disabled");
	if ((c->services & service_conf(a->service)) == 0)
		return refuse(a, "service");
	if (c->expires != 0 && c->expires <= (int64_t)time(NULL))
		return refuse(a, "expired");
	return find_mailbox(a);
}

static enum frame_status
judge(struct attempt *a, enum secrets_verdict proof, size_t which)
{
	enum frame_status status;

	if (proof == SECRETS_TEMPFAIL)
		return fault(a, a->conf.checkpassword ? "program" : "hash");
	if (proof == SECRETS_YES) {
		status = a->conf.checkpassword ? find_mailbox(a)
					       : allow(a,
						     &a->secrets.list[which]);
		if (status == FRAME_OK)
			guard_success(&a->guard, (int64_t)time(NULL));
		return status;
	}
	return refuse(a, a->secrets.known || a->conf.checkpassword
			     ? "password"
			     : "unknown");
}

/* -1: a fault. */
static int
load_user(struct attempt *a, struct span name)
{
	(void)span_copy(span_head(name, sizeof a->v.user - 1), a->v.user,
	    sizeof a->v.user);
	/* A name that cannot be one costs the same as an unknown one. */
	if (users_login(name, a->conf.domain, a->key) == -1)
		(void)snprintf(a->key, sizeof a->key, "-");
	if (a->conf.checkpassword)
		return 0;
	return secrets_load(FRAME_SECRETS_FD, span_str(a->key),
	    a->conf.scram_iterations, &a->secrets);
}

/* After too many failures the next one takes its time, or is not heard. */
static bool
is_heard(struct attempt *a)
{
	int64_t wait_ms;
	enum guard_verdict v = guard_begin(&a->guard, span_str(a->key),
	    span_str(a->peer), (int64_t)time(NULL), &wait_ms);

	/* The porter has nothing to say meanwhile, unless it is gone. */
	if (wait_ms > 0 && io_wait(0, POLLIN, io_now_ms() + wait_ms) == 0)
		_exit(0);
	if (v == GUARD_GO)
		return true;
	(void)refuse(a, "limit");
	return false;
}

/* Nobody may act for somebody else (RFC 4616 2, RFC 5802 5.1, RFC 4422 A). */
static bool
may_act_as(const struct attempt *a, struct span name)
{
	char as[USERS_ADDRESS];

	return name.n == 0 || (users_login(name, a->conf.domain, as) == 0 &&
				  strcmp(as, a->key) == 0);
}

static enum frame_status
check_plain(struct attempt *a)
{
	enum secrets_verdict proof;
	struct sasl_plain plain;
	size_t which = 0;

	if (!sasl_plain_parse(span_of(a->q.data, a->q.n), &plain))
		return refuse(a, "malformed");
	if (load_user(a, plain.authcid) == -1)
		return fault(a, "database");
	if (!may_act_as(a, plain.authzid))
		return refuse(a, "authzid");
	if (!is_heard(a))
		return FRAME_TEMPFAIL;
	guard_place(&a->guard, a->workers);
	proof = a->conf.checkpassword
		    ? classic_check(
			  &a->classic, span_str(a->key), plain.password)
		    : secrets_check(&a->secrets, plain.password, &which);
	return judge(a, proof, which);
}

static int
find_certificate(
    struct attempt *a, struct secret *c, char login[USERS_ADDRESS])
{
	const struct frame_binding *b = &a->q.bindings[FRAME_CLIENT];
	char key[SECRETS_CERT], value[SECRETS_VALUE];
	struct span unused;
	bool disabled;
	size_t n = 0;
	int r;

	if (!a->q.tls || b->n != 32)
		return 0;
	secrets_cert(b->data, key);
	(void)span_copy(span_str(key), a->v.user, sizeof a->v.user);
	r = cdbfile_get(FRAME_MAILBOXES_FD, span_str(key), value,
	    sizeof value, &n);
	if (r != 1)
		return r;
	if (!secrets_parse(span_of(value, n), c, &disabled, &unused) ||
	    span_copy(secrets_login(span_of(value, n)), login,
		USERS_ADDRESS) == -1 ||
	    login[0] == '\0')
		return -1;
	(void)span_copy(span_of("certificate", 11), c->name, sizeof c->name);
	return disabled ? 0 : 1;
}

/*
 * EXTERNAL (RFC 4422 A): the message is a name to act as, or nothing.  What is
 * believed is the program that has the keys of TLS: it says which certificate
 * the client has proved to hold.
 */
static enum frame_status
check_external(struct attempt *a)
{
	char login[USERS_ADDRESS];
	enum frame_status status;
	struct secret c = { 0 };
	int r = find_certificate(a, &c, login);

	if (r == -1)
		return fault(a, "database");
	if (r == 0)
		return refuse(a, "certificate");
	if (load_user(a, span_str(login)) == -1)
		return fault(a, "database");
	if (!may_act_as(a, span_of(a->q.data, a->q.n)))
		return refuse(a, "authzid");
	status = allow(a, &c);
	explicit_bzero(&c, sizeof c);
	return status;
}

/* The settings that its session needs. */
static void
describe(struct attempt *a)
{
	const struct conf *c = &a->conf;
	struct frame_session *s = &a->session;
	bool pop3 = a->service->kind == SERVICE_POP3;

	s->mechanisms = c->mechanisms;
	s->idle_s = pop3 ? c->pop3_idle_s : c->imap_idle_s;
	s->message_size = c->message_size;
	s->pace = c->pace;
	if (span_copy(span_str(c->pop3_uidl), s->uidl, sizeof s->uidl) == -1)
		err_die(EXIT_LATER, "pop3_uidl: too long");
	if (pop3)
		memcpy(s->tag, "+OK", sizeof "+OK");
}

/* Through the door, past who asked. */
static void
begin_session(struct attempt *a)
{
	struct frame_request q;
	int fds[2];
	ssize_t n = io_recv(0, &q, sizeof q, fds, 2);

	if (n == 0)
		return; /* the client has gone meanwhile */
	if (n != (ssize_t)sizeof q || q.type != FRAME_BEGIN || fds[1] == -1)
		err_die(EXIT_LATER, "not a request");
	describe(a);
	if (io_send(FRAME_DOOR_FD, &a->session, sizeof a->session, fds, 2) ==
	    -1)
		err_die_sys(EXIT_LATER, "session");
}

static void
send_verdict(struct attempt *a)
{
	if (io_send(0, &a->v, sizeof a->v, NULL, 0) == -1)
		err_die_sys(EXIT_LATER, "verdict");
}

/* The client's next message in a->q: false, it has given up. */
static bool
receive(struct attempt *a, uint32_t type)
{
	ssize_t n = io_recv(0, &a->q, sizeof a->q, NULL, 0);

	if (n == 0)
		return false;
	if (n != (ssize_t)sizeof a->q || a->q.type != type ||
	    a->q.n > sizeof a->q.data ||
	    a->q.mechanism >= SASL_MECHANISMS)
		err_die(EXIT_LATER, "not a request");
	return true;
}

/* Gives the client a message and gets the next: false, it has given up. */
static bool
converse(struct attempt *a, const struct buf *message)
{
	struct frame_verdict *v = &a->v;

	if (message->full || message->n > sizeof v->data)
		err_die(EXIT_LATER, "a message is too long");
	v->status = FRAME_MORE;
	v->n = (uint32_t)message->n;
	memcpy(v->data, message->p, message->n);
	send_verdict(a);
	explicit_bzero(v->data, sizeof v->data);
	v->n = 0;
	v->status = FRAME_TEMPFAIL;
	return receive(a, FRAME_STEP);
}

static int
challenge(struct attempt *a, struct scram *x, struct buf *out)
{
	struct buf nonce = buf_new(2 * SCRAM_NONCE_MADE);
	struct scram_keys k;
	int r = -1;

	if (secrets_challenge(&a->secrets, span_str(a->key), x->hash, &k) ==
		0 &&
	    scram_nonce(&nonce) == 0)
		r = scram_challenge(x, &k, buf_span(&nonce), out);
	explicit_bzero(&k, sizeof k);
	buf_free(&nonce);
	return r;
}

/* The second half: the proof, and ours for the client. */
static enum frame_status
prove(struct attempt *a, struct scram *x, struct buf *out)
{
	enum secrets_verdict proof;
	enum frame_status status;
	size_t which = 0;

	if (!scram_final(x, span_of(a->q.data, a->q.n)))
		return refuse(a, "malformed");
	proof = secrets_prove(&a->secrets, x, &which);
	status = judge(a, proof, which);
	buf_reset(out);
	if (status != FRAME_OK)
		return status;
	if (scram_answer(x, &a->secrets.list[which].keys[x->hash], out) == -1)
		return FRAME_TEMPFAIL;
	if (!converse(a, out))
		_exit(0);
	return a->q.n == 0 ? FRAME_OK : refuse(a, "malformed");
}

static enum frame_status
check_scram(
    struct attempt *a, const struct sasl_mechanism *m,
    const struct scram_binding *bindings)
{
	bool offered = bindings[FRAME_EXPORTER].data.n > 0;
	struct scram x = scram_new(m->hash, m->plus, offered, bindings);
	struct buf out = buf_new(FRAME_CHALLENGE);
	enum frame_status status = FRAME_TEMPFAIL;

	if (!scram_first(&x, span_of(a->q.data, a->q.n)))
		status = refuse(a, "malformed");
	else if (load_user(a, span_str(x.user)) == -1)
		status = fault(a, "database");
	else if (!may_act_as(a, span_str(x.authzid)))
		status = refuse(a, "authzid");
	else if (is_heard(a)) {
		if (challenge(a, &x, &out) == -1)
			status = fault(a, "hash");
		else if (!converse(a, &out))
			_exit(0);
		else
			status = prove(a, &x, &out);
	}
	buf_wipe(&out);
	scram_free(&x);
	return status;
}

/* Only where mechanisms with -PLUS were offered (net/exchange.c). */
static bool
may_bind(const struct attempt *a)
{
	return a->q.tls &&
	       (a->conf.scram_plus & service_conf(a->service)) != 0;
}

static enum frame_status
check(struct attempt *a)
{
	static const char *const names[FRAME_BINDINGS] = {
		[FRAME_EXPORTER] = "tls-exporter",
		[FRAME_ENDPOINT] = "tls-server-end-point",
		[FRAME_UNIQUE] = "tls-unique",
	};
	const struct sasl_mechanism *m = sasl_mechanism(a->q.mechanism);
	struct frame_binding copy[FRAME_BINDINGS];
	struct scram_binding bindings[FRAME_BINDINGS + 1] = { 0 };

	if ((m->setting & a->conf.mechanisms) == 0)
		return refuse(a, "mechanism");
	if (m->id == SASL_EXTERNAL)
		return check_external(a);
	if (!m->scram)
		return check_plain(a);
	/* Of the first request, which the next one replaces. */
	memcpy(copy, a->q.bindings, sizeof copy);
	for (size_t i = 0; may_bind(a) && i < FRAME_BINDINGS; i++) {
		if (copy[i].n > sizeof copy[i].data)
			return FRAME_TEMPFAIL;
		bindings[i].name = names[i];
		bindings[i].data =
		    span_of((const char *)copy[i].data, copy[i].n);
	}
	return check_scram(a, m, bindings);
}

static uint64_t
count_workers(const struct conf *c)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (c->auth_workers > 0)
		return c->auth_workers;
	return n > 0 && n < 1000 ? (uint64_t)n : 1;
}

static _Noreturn void
usage(void)
{
	err_die(EXIT_NEVER,
	    "usage: checkpw [-r root] SERVICE PEER | -n SERVICE");
}

static void
read_arguments(struct attempt *a, int argc, char *argv[], const char **root)
{
	int option;

	while ((option = getopt(argc, argv, "nr:")) != -1)
		if (option == 'r')
			*root = optarg;
		else if (option == 'n')
			a->nursery = true;
		else
			usage();
	if (argc - optind != (a->nursery ? 1 : 2))
		usage();
	a->service = service_find(argv[optind]);
	if (a->service == NULL)
		usage();
	a->peer = a->nursery ? a->passed.peer : argv[optind + 1];
}

/* What takes files, and the start of other programs. */
static void
prepare(struct attempt *a, const char *root)
{
	char error[CONF_ERROR];

	if (conf_load(&a->conf, root, error) == -1)
		err_die(EXIT_LATER, "%s", error);
	a->workers = count_workers(&a->conf);
	a->self = geteuid();
	priv_services(&a->conf, a->ours);
	/* It is started before the jail, for one attempt. */
	if (a->conf.checkpassword && a->nursery)
		err_die(EXIT_NEVER, "checkpassword has no nursery");
	if (a->conf.checkpassword &&
	    classic_start(&a->conf, a->service->name, a->peer, &a->classic) ==
		-1)
		err_die_sys(EXIT_LATER, "start %s", a->conf.checkpassword);
}

/* In the jail: false in the nursery itself, when it is done. */
static bool
begin(struct attempt *a)
{
	const struct nursery n = { .packet = &a->passed,
		.size = sizeof a->passed,
		.least = 1,
		.most = 1,
		.channel = 0,
		.place = { 0, -1, -1, -1, -1, -1, -1, -1 },
		.kept = 1u << FRAME_SECRETS_FD | 1u << FRAME_MAILBOXES_FD |
			1u << FRAME_GUARD_FD | 1u << FRAME_DOOR_FD };
	int r;

	enter_jail(a->nursery ? JAIL_NURSERY : JAIL_SECRET);
	if (!a->nursery)
		return true;
	r = nursery_run(&n);
	if (r == -1 || (r == 1 && jail_tighten(JAIL_SECRET) == -1))
		err_die_sys(EXIT_LATER, "nursery");
	a->passed.peer[sizeof a->passed.peer - 1] = '\0';
	return r == 1;
}

/* One exchange, up to its end. */
static void
judge_attempt(struct attempt *a)
{
	a->q.tag[sizeof a->q.tag - 1] = '\0';
	memcpy(a->session.tag, a->q.tag, sizeof a->session.tag);
	a->v.status = check(a);
	if (a->fault)
		guard_take_back(&a->guard, (int64_t)time(NULL));
	explicit_bzero(&a->secrets, sizeof a->secrets);
	explicit_bzero(a->q.data, sizeof a->q.data);
	/* Its locks go, too: what comes is no work (guard_place). */
	close(FRAME_GUARD_FD);
	send_verdict(a);
}

int
main(int argc, char *argv[])
{
	struct attempt a = { .v.status = FRAME_TEMPFAIL, .guard.fd = -1 };
	const char *root = NULL;

	err_program("checkpw");
	read_arguments(&a, argc, argv, &root);
	prepare(&a, root);
	if (!begin(&a))
		return 0;
	if (fcntl(FRAME_GUARD_FD, F_GETFD) == -1 ||
	    guard_open(&a.guard, FRAME_GUARD_FD, a.conf.auth_free_tries) == -1)
		err_warn_sys("guard");
	if (!receive(&a, FRAME_AUTH))
		return 0;
	judge_attempt(&a);
	if (a.v.status == FRAME_OK && a.service->session)
		begin_session(&a);
	return 0;
}
