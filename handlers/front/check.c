/* Attempts to log in: checkpw is asked. */
#include "porter.h"

#include "auth/sasl.h"
#include "base/io.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

static bool
is_sound(const struct frame_verdict *v, ssize_t n)
{
	return n == (ssize_t)sizeof *v && v->status <= FRAME_MORE &&
	       v->n <= sizeof v->data && frame_is_text(v->user, sizeof v->user) &&
	       frame_is_text(v->credential, sizeof v->credential) &&
	       frame_is_text(v->why, sizeof v->why) &&
	       (v->status != FRAME_OK || v->user[0] != '\0');
}

/* It ends as soon as nobody listens. */
void
porter_check_end(struct link *l)
{
	if (l->check.sock != -1)
		close(l->check.sock);
	l->check = (struct check){ .sock = -1 };
}

/* Not one that reads databases which have been replaced. */
static bool
is_fit(const struct nursery *n)
{
	struct start_stamps s;

	return n->sock != -1 && porter_stamps(START_CHECKERS, &s) == 0 &&
	       n->stamp == s.program[porter_nursery_program(n->kind)];
}

static int
ask_checkers(const struct link *l, const int pair[2])
{
	struct frame_attempt a = { 0 };

	memcpy(a.peer, l->peer, sizeof l->peer);
	return porter_nursery_ask(l->nursery[PORTER_CHECKS].sock,
	    span_of((const char *)&a, sizeof a), &pair[1], 1, pair);
}

static int
start(const struct link *l, int end)
{
	const char *const args[] = { l->peer, NULL };
	int process = porter_start(START_CHECKER, args, &end, 1);

	close(end);
	return process;
}

static int
begin(struct link *l, const struct frame_request *q)
{
	bool nursery = l->nursery && is_fit(&l->nursery[PORTER_CHECKS]);
	int pair[2], process = -1;

	porter_check_end(l);
	l->check.mechanism = q->mechanism; /* for the log, whatever happens */
	/* The second time it is a program of its own. */
	for (int tries = nursery ? 2 : 1; process == -1 && tries > 0; tries--) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			pair) == -1)
			return -1;
		process = tries == 2 ? ask_checkers(l, pair)
				     : start(l, pair[1]);
		if (process == -1)
			close(pair[0]);
	}
	if (process == -1)
		return -1;
	close(process);
	l->check.sock = pair[0];
	return 0;
}

/* 0, or -1 where there is no verdict that counts. */
static int
exchange(struct link *l, const struct frame_request *q, struct frame_verdict *v)
{
	int64_t deadline = io_now_ms() + PORTER_VERDICT_MS;
	struct check *k = &l->check;

	if (q->type == FRAME_AUTH && begin(l, q) == -1)
		return -1;
	if (io_send(k->sock, q, sizeof *q, NULL, 0) == -1 ||
	    io_wait(k->sock, POLLIN, deadline) == -1 ||
	    !is_sound(v, io_recv(k->sock, v, sizeof *v, NULL, 0)))
		return -1;
	/* An exchange has an end. */
	return v->status == FRAME_MORE && ++k->steps >= FRAME_STEPS ? -1 : 0;
}

/* Filters of the log know this line: it is in porter(8). */
static void
tell(const struct link *l, const struct frame_request *q,
    const struct frame_verdict *v)
{
	static const char *const events[] = { "login-unavailable",
		"login-failed", "login" };
	struct log line;

	log_start(&line, events[v->status]);
	log_str(&line, "service", l->porter->service->name);
	log_str(&line, "peer", l->peer);
	log_str(&line, "user", v->user);
	log_num(&line, "tls", q->tls);
	log_str(&line, "mechanism", sasl_mechanism(l->check.mechanism)->name);
	if (v->credential[0] != '\0')
		log_str(&line, "credential", v->credential);
	if (v->why[0] != '\0')
		log_str(&line, "why", v->why);
	log_end(&line);
}

enum frame_status
porter_check(
    struct link *l, const struct frame_request *q, struct frame_verdict *v)
{
	int64_t start_ms = io_now_ms();

	*v = (struct frame_verdict){ .status = FRAME_TEMPFAIL };
	if (exchange(l, q, v) == -1)
		*v = (struct frame_verdict){ .status = FRAME_TEMPFAIL };
	if (v->status == FRAME_MORE)
		return FRAME_MORE;
	tell(l, q, v);
	/* After an OK it has yet to say whose session begins. */
	if (v->status != FRAME_OK)
		porter_check_end(l);
	/* Counted from the question on, so that a refusal takes as long
	 * whatever the reason. */
	if (v->status == FRAME_REJECT)
		(void)io_wait(-1, 0, start_ms +
		    (int64_t)l->porter->conf.auth_delay_ms);
	return v->status;
}
