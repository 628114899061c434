/* Being told that a mailbox may have changed. */
#include "store/state.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
	AGAIN_MS = 60,
	AGAIN_COARSE_MS = 2100,
	AGAIN_DOUBLINGS = 10, /* for what cannot be done: once a minute */
	FILES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO,
	JOURNAL = IN_MODIFY | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF
};

/* inotify wants a path; that of a descriptor cannot be exchanged. */
static int
add(int inotify, int dir, uint32_t events)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", dir);
	return inotify_add_watch(inotify, path, events | IN_ONLYDIR) == -1 ? -1
									   : 0;
}

static int
listen_to(int epoll, int fd)
{
	struct epoll_event e = { .events = EPOLLIN };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

int
mailbox_watch(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	int error;

	if (s->watch != -1)
		return s->watch;
	s->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	s->watch = epoll_create1(EPOLL_CLOEXEC);
	if (s->inotify != -1 && s->timer != -1 && s->watch != -1 &&
	    add(s->inotify, s->dir, JOURNAL) == 0 &&
	    add(s->inotify, s->cur, FILES) == 0 &&
	    add(s->inotify, s->fresh, FILES) == 0 &&
	    listen_to(s->watch, s->inotify) == 0 &&
	    listen_to(s->watch, s->timer) == 0) {
		/* What happened before is to be found, too. */
		watch_again(m);
		return s->watch;
	}
	error = errno;
	watch_close(m);
	errno = error;
	return -1;
}

void
watch_close(struct mailbox *m)
{
	struct mailbox_state *s = m->state;

	if (s->watch != -1)
		close(s->watch);
	if (s->inotify != -1)
		close(s->inotify);
	if (s->timer != -1)
		close(s->timer);
	s->watch = s->inotify = s->timer = -1;
}

void
watch_drain(struct mailbox *m)
{
	char events[4096];
	uint64_t times;

	if (m->state->watch == -1)
		return;
	while (read(m->state->inotify, events, sizeof events) > 0)
		;
	(void)!read(m->state->timer, &times, sizeof times);
}

void
watch_again(struct mailbox *m)
{
	const struct scan_times *t = &m->state->times;
	bool coarse = t->cur.tv_nsec == 0 || t->fresh.tv_nsec == 0;
	unsigned rounds = m->state->dirty_rounds;
	long ms = coarse ? AGAIN_COARSE_MS
			 : (long)AGAIN_MS
			       << (rounds < AGAIN_DOUBLINGS ? rounds
							    : AGAIN_DOUBLINGS);
	struct itimerspec when = { .it_value = {
				       ms / 1000, ms % 1000 * 1000000 } };

	if (m->state->timer != -1)
		(void)timerfd_settime(m->state->timer, 0, &when, NULL);
}
