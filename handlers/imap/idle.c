/* IDLE (RFC 2177). */
#include "session.h"

#include "base/io.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>

enum {
	/* Changes that are not signalled (another host's, on a shared file
	 * system) are looked for. */
	LOOK_MS = 60 * 1000,
	/* And where the kernel signals none (fs.inotify.max_user_instances,
	 * fs.inotify.max_user_watches). */
	LOOK_BLIND_MS = 3 * 1000,
	REST_MS = 2 * 1000 /* then memory goes back */
};

/* How long to wait for input or a change: 0 is too late. */
static int64_t
patience(const struct imap *s, int watch)
{
	int64_t now = io_now_ms(), left = s->in.deadline_ms - now, look;

	if (left <= 0 || s->box == NULL)
		return left < 0 ? 0 : left;
	look = watch == -1 ? LOOK_BLIND_MS : LOOK_MS;
	if (look < left)
		left = look;
	look = watch == -1 ? -1 : mailbox_again_ms(s->box);
	if (look == -1 || look - now >= left)
		return left;
	return look > now ? look - now : 1;
}

/* Until input or a change comes, or it is time to look, or too late.
 * 1: input; 0: look; -1 with errno. */
static int
wait_for_either(struct imap *s, int watch)
{
	struct pollfd fds[2] = { { .fd = s->in.fd, .events = POLLIN },
		{ .fd = watch, .events = POLLIN } };
	int64_t ms = patience(s, watch);
	int r;

	if (ms == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	r = poll(fds, 2, (int)(ms < REST_MS ? ms : REST_MS));
	if (r == 0 && ms > REST_MS) {
		session_rest(s);
		r = poll(fds, 2, (int)(ms - REST_MS));
	}
	if (r == -1)
		return errno == EINTR ? 0 : -1;
	return fds[0].revents != 0;
}

/* -1: changes are looked for often, until somebody else's watch ends. */
static int
begin_watch(struct imap *s)
{
	int watch = s->box ? mailbox_watch(s->box) : -1;

	if (watch == -1 && s->box && !s->unwatched) {
		log_error("unwatched", s->box_name, errno);
		s->unwatched = true;
	}
	return watch;
}

/* Tells of changes until input comes: 1, or -1 with errno. */
static int
watch_mailbox(struct imap *s)
{
	int r = 0;

	while (r == 0 && !s->done) {
		int watch = begin_watch(s);

		/* What came before the watch began is found here. */
		reply_changes(s);
		if (out_flush(&s->out) == -1)
			return -1;
		/* Input that comes from no descriptor is always there. */
		r = s->in.start < s->in.end || s->in.fd == -1
			? 1
			: wait_for_either(s, watch);
	}
	return r;
}

void
cmd_idle(struct imap *s, struct parse *p)
{
	struct span line = { NULL, 0 };
	int r;

	if (!parse_end(p)) {
		reply_bad(s, p->error);
		return;
	}
	out_str(&s->out, "+ idling\r\n");
	in_deadline(&s->in, s->idle_ms);
	r = watch_mailbox(s);
	if (s->done)
		return;
	session_hurry(s);
	if (r == 1)
		r = session_line(s, &line);
	if (r == 1 && span_is_nocase(line, "DONE"))
		reply_ok(s, "Done");
	else if (r == 1 || (r == -1 && (errno == EBADMSG || errno == EMSGSIZE)))
		session_refuse(s, line, "DONE is expected");
	else
		session_end(s, r);
}
