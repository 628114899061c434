/* Being told that a mailbox may have changed. */
#include "store/state.h"

#include "base/io.h"

#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>
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

int
mailbox_watch(struct mailbox *m)
{
	struct mailbox_state *s = m->state;
	int error;

	if (s->watch != -1)
		return s->watch;
	s->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->watch != -1 && add(s->watch, s->dir, JOURNAL) == 0 &&
	    add(s->watch, s->cur, FILES) == 0 &&
	    add(s->watch, s->fresh, FILES) == 0) {
		/* What happened before is to be found, too. */
		watch_again(m);
		return s->watch;
	}
	error = errno;
	watch_close(m);
	errno = error;
	return -1;
}

int64_t
mailbox_again_ms(const struct mailbox *m)
{
	return m->state->watch == -1 ? -1 : m->state->again_ms;
}

void
watch_close(struct mailbox *m)
{
	if (m->state->watch != -1)
		close(m->state->watch);
	m->state->watch = -1;
}

void
watch_drain(struct mailbox *m)
{
	char events[4096];

	if (m->state->watch == -1)
		return;
	while (read(m->state->watch, events, sizeof events) > 0)
		;
	m->state->again_ms = -1;
}

void
watch_again(struct mailbox *m)
{
	const struct scan_times *t = &m->state->times;
	bool coarse = t->cur.tv_nsec == 0 || t->fresh.tv_nsec == 0;
	unsigned rounds = m->state->dirty_rounds;

	m->state->again_ms = io_now_ms() +
			     (coarse ? AGAIN_COARSE_MS
				     : (int64_t)AGAIN_MS
					   << (rounds < AGAIN_DOUBLINGS
						      ? rounds
						      : AGAIN_DOUBLINGS));
}
